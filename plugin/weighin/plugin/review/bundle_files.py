"""A bundle from a folder that somebody else filled: bounded, and regular files only.

    report.json
    evidence/*.json

Whatever else lies there is not looked at. What this module does not do: it believes nothing.
"""

import stat
from pathlib import Path

from weighin.gates.errors import EvidenceError
from weighin.plugin.results import EVIDENCE_DIR, REPORT_JSON
from weighin.plugin.review.trust import Bundle

MOST_BYTES = 32_000_000
"""Of one file."""

MOST_STATEMENTS = 5_000


def read_bundle(folder: Path) -> Bundle:
    """The report and the statements in a folder.

    Raises:
        EvidenceError: there is no report, or something is too large, or no regular file.
    """
    evidence = folder / EVIDENCE_DIR
    if evidence.is_symlink():
        raise EvidenceError(f"{EVIDENCE_DIR} of the bundle is a link, not a folder")
    paths = sorted(evidence.glob("*.json")) if evidence.is_dir() else []
    if len(paths) > MOST_STATEMENTS:
        raise EvidenceError(f"the bundle holds more than {MOST_STATEMENTS} statements")
    report = _content(folder / REPORT_JSON)
    return Bundle(report=report, envelopes={path.name: _content(path) for path in paths})


def _content(path: Path) -> bytes:
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode):
            raise EvidenceError(f"{path.name} of the bundle is no regular file")
        if status.st_size > MOST_BYTES:
            raise EvidenceError(f"{path.name} of the bundle is longer than {MOST_BYTES} bytes")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise EvidenceError(f"the bundle has no {path.name}") from error
