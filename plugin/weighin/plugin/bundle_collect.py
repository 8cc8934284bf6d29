"""What a project has to show, as a bundle: what is committed, then what was only measured here.

Committed evidence comes first and alone for its version: it may carry a trusted signature, while
what a machine without keys measured never does.

What this module does not do: it looks at no signature, and follows no link out of the project.
"""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from weighin.plugin.bundle import Bundled
from weighin.plugin.config import STATE_DIR
from weighin.plugin.results import EVIDENCE_DIR, REPORT_JSON

NEWEST = 5
"""How many versions of each model a bundle carries; the older ones were reviewed long ago."""


def collect(root: Path, newest: int | None = NEWEST) -> tuple[Bundled, ...]:
    """The weigh-ins under a project's root, one per model version.

    Args:
        root: The project's root; its configuration is not read.
        newest: How many versions of each model at most; ``None``: all.
    """
    kept: dict[object, Bundled] = {}
    for folder in _folders(root, newest):
        report = _content(folder / REPORT_JSON)
        if report is None:
            continue
        paths = sorted((folder / EVIDENCE_DIR).glob("*.json"))
        envelopes = tuple(content for path in paths if (content := _content(path)) is not None)
        kept.setdefault(_about(report, folder), Bundled(report=report, envelopes=envelopes))
    return tuple(kept.values())


def new_to(root: Path, weigh_ins: Sequence[Bundled]) -> tuple[Bundled, ...]:
    """Those that a project has not committed, byte for byte; if there are none, the newest of each.

    A pull request that changes budgets only brings no weigh-in of its own. Its reviewers still
    want to see what it changes, beside the newest weigh-in of each model.
    """
    known = {one.report for one in collect(root, newest=None)}
    fresh = tuple(one for one in weigh_ins if one.report not in known)
    return fresh or _newest(weigh_ins)


def _newest(weigh_ins: Sequence[Bundled]) -> tuple[Bundled, ...]:
    newest: dict[str, tuple[int, Bundled]] = {}
    for one in weigh_ins:
        match _about(one.report, Path()):
            case (str() as model, str() as version) if version.isascii() and version.isdigit():
                held = newest.get(model)
                if held is None or held[0] < int(version):
                    newest[model] = (int(version), one)
            case _:
                continue
    return tuple(one for _, one in newest.values())


def _folders(root: Path, newest: int | None) -> Iterator[Path]:
    for model in sorted((root / "variants").glob("*/")):
        yield from (path / "weigh-in" for path in _versions(model)[:newest])
    for model in sorted((root / STATE_DIR / "runs").glob("*/")):
        yield from _versions(model)[:newest]


def _versions(model: Path) -> list[Path]:
    """A model's folders `v1`, `v2`, ..., newest first."""
    found = [path for path in model.glob("v*") if re.fullmatch(r"v\d+", path.name, re.ASCII)]
    return sorted(found, key=lambda path: int(path.name[1:]), reverse=True)


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
