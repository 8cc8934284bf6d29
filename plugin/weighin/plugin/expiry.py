"""Which committed weigh-ins run out, so that they are weighed again before it matters.

Of each model the newest committed version counts: it is what was merged last. One that was
weighed again on this machine waits for its review, and does not run out meanwhile. A damaged
report runs out at once, because nothing is known of it.

What this module does not do: it looks at no channel and no signature.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from weighin.gates.errors import WeighinError
from weighin.plugin.project import Project
from weighin.plugin.results import load_weigh_in

MARGIN = timedelta(days=3)
"""How long before its evidence expires a version is weighed again."""


def expiring(project: Project, now: datetime, margin: timedelta = MARGIN) -> frozenset[str]:
    """``MODEL/VERSION`` of each newest committed version whose evidence expires soon, or has.

    Args:
        project: The user's repository.
        now: The time, UTC.
        margin: How soon is soon.
    """
    holds = timedelta(days=project.config.evidence.valid_days)
    return frozenset(
        f"{model}/{version}"
        for model, version, folder in _newest(project.root)
        if max(_finished(folder), _finished(project.results(model, str(version)))) + holds - margin
        <= now
    )


def _newest(root: Path) -> Iterator[tuple[str, int, Path]]:
    for model in sorted((root / "variants").glob("*/")):
        found = (re.fullmatch(r"v(\d+)", path.name, re.ASCII) for path in model.glob("v*"))
        versions = [int(one[1]) for one in found if one is not None]
        committed = [v for v in versions if (model / f"v{v}" / "weigh-in").is_dir()]
        if committed:
            newest = max(committed)
            yield model.name, newest, model / f"v{newest}" / "weigh-in"


def _finished(folder: Path) -> datetime:
    try:
        return load_weigh_in(folder).finished_at
    except WeighinError:
        return datetime(1970, 1, 1, tzinfo=UTC)
