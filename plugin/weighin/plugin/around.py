"""What ``run`` and ``report`` show beside a weigh-in: its context, waivers, and budget lines.

What this module does not do: it stops nothing. What cannot be read is said on standard error.
"""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

from weighin.gates.errors import ConfigError
from weighin.gates.report.context import Context
from weighin.gates.report.misses import misses
from weighin.gates.weigh_in import WeighIn
from weighin.plugin.config import FILE_NAME
from weighin.plugin.console import warn
from weighin.plugin.outputs import Places
from weighin.plugin.project import Project


def look_around(
    project: Project, weigh_in: WeighIn, now: datetime, compare: str | None = None
) -> Context:
    """What else is known of a weigh-in.

    Args:
        project: Where to look.
        weigh_in: What will be shown.
        now: The time of showing, UTC.
        compare: The version to tell changes against; else the released one.

    Raises:
        WeighinError: the version to compare with has no report.
    """
    from weighin.plugin.context import context_for

    context, notes = context_for(project, weigh_in, now, compare=compare)
    waived = _with_waivers(project, weigh_in, context, now)
    for note in notes:
        warn(f"note: {note}")
    return waived


def budgets_of(project: Project, weigh_in: WeighIn, context: Context) -> Places:
    """Where the budgets that are in the way stand in ``weighin.toml``."""
    from weighin.plugin.review.plan_file import line_finder

    document = (project.root / FILE_NAME).read_bytes()
    find = line_finder(project, weigh_in.model, document)
    wanted = (
        (miss.device, miss.metric)
        for miss in misses(weigh_in, context)
        if miss.device is not None and miss.metric is not None
    )
    found = ((device, metric, find(device, metric)) for device, metric in wanted)
    lines = {(device, metric): line for device, metric, line in found if line is not None}
    return Places(lines=lines, file=_in_repository(project.root))


def _in_repository(root: Path) -> str:
    """The file's path as the git repository has it, since that is what other tools know."""
    top = next((folder for folder in (root, *root.parents) if (folder / ".git").exists()), root)
    return (root / FILE_NAME).relative_to(top).as_posix()


def _with_waivers(project: Project, weigh_in: WeighIn, context: Context, now: datetime) -> Context:
    from weighin.plugin.waivers import valid_waivers

    try:
        believed = valid_waivers(project, weigh_in, now)
    except ConfigError as error:
        warn(f"note: no waiver counts: {error}")
        return context
    for note in believed.notes:
        warn(f"note: waiver: {note}")
    return replace(context, waivers=believed.waivers)
