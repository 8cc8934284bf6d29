"""What a project has to show, as a bundle: what is committed, then what was only measured here.

Committed evidence comes first and alone for its version: it may carry a trusted signature, while
what a machine without keys measured never does.

What this module does not do: it looks at no signature, and follows no link out of the project.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from weighin.plugin.bundle import Bundled
from weighin.plugin.config import STATE_DIR
from weighin.plugin.results import EVIDENCE_DIR, REPORT_JSON


def collect(root: Path) -> tuple[Bundled, ...]:
    """Every weigh-in under a project's root, one per model version.

    Args:
        root: The project's root; its configuration is not read.
    """
    kept: dict[object, Bundled] = {}
    for folder in _folders(root):
        report = _content(folder / REPORT_JSON)
        if report is None:
            continue
        paths = sorted((folder / EVIDENCE_DIR).glob("*.json"))
        envelopes = tuple(content for path in paths if (content := _content(path)) is not None)
        kept.setdefault(_about(report, folder), Bundled(report=report, envelopes=envelopes))
    return tuple(kept.values())


def _folders(root: Path) -> Iterator[Path]:
    yield from sorted((root / "variants").glob("*/v*/weigh-in"))
    yield from sorted((root / STATE_DIR / "runs").glob("*/v*"))


def _content(path: Path) -> bytes | None:
    if path.is_symlink() or not path.is_file():
        return None
    return path.read_bytes()


def _about(report: bytes, folder: Path) -> object:
    """The version that a report speaks of; a report that is none stands for itself."""
    try:
        document = json.loads(report)
        return str(document["model"]), str(document["version"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return folder
