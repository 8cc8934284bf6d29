"""One weigh-in from a folder that somebody else filled: bounded, and regular files only.

    report.json
    evidence/*.json

Whatever else lies there is not looked at. What this module does not do: it believes nothing, and
unpacks nothing, see :mod:`weighin.plugin.bundle`.
"""

from pathlib import Path

from weighin.gates.errors import EvidenceError
from weighin.plugin.bundle import LIMITS, regular_content
from weighin.plugin.results import EVIDENCE_DIR, REPORT_JSON
from weighin.plugin.review.trust import Bundle


def read_weigh_in(folder: Path) -> Bundle:
    """The report and the statements in a folder.

    Raises:
        EvidenceError: there is no report, or something is too large, or no regular file.
    """
    evidence = folder / EVIDENCE_DIR
    if evidence.is_symlink():
        raise EvidenceError(f"bundle: {EVIDENCE_DIR} is a link, not a folder")
    paths = sorted(evidence.glob("*.json")) if evidence.is_dir() else []
    if len(paths) >= LIMITS.files:
        raise EvidenceError(f"bundle: more than {LIMITS.files} files")
    report = regular_content(folder / REPORT_JSON, REPORT_JSON, LIMITS.file_bytes)
    envelopes = {p.name: regular_content(p, p.name, LIMITS.file_bytes) for p in paths}
    return Bundle(report=report, envelopes=envelopes)
