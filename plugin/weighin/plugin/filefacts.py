"""What a written file really holds: multiply-accumulates, zeros, and how far it compresses.

Read from the artifact, never taken over from what a pass meant to do.

What this module does not do: it judges nothing.
"""

import gzip
from pathlib import Path

from weighin.gates.cost import read_cost
from weighin.gates.inspection import zero_share
from weighin.gates.variant import GZIP_BYTES, Format

_LEVEL = 6


def file_facts(path: Path, format: Format, *, sparse: bool) -> dict[str, str]:
    """Notes on one file.

    Args:
        path: The file.
        format: Of the file.
        sparse: Whether zeros among the weights are worth a note.

    Raises:
        SourceError: the file is no readable model.
    """
    notes = {GZIP_BYTES: str(len(gzip.compress(path.read_bytes(), _LEVEL, mtime=0)))}
    if format is Format.COREML:
        return notes  # its operators are Core ML's own
    cost = read_cost(path, format)
    notes["macs_in_file"] = str(cost.macs)
    if sparse:
        count = sum(weight.count for weight in cost.weights)
        share = 100 * (zero_share(cost) or 0.0)
        notes["sparsity_in_file"] = f"{share:.1f} % of {count} weights are zero"
    return notes
