"""Earlier weigh-ins of a model, as far as their reports are still here, and when they shipped.

Reports are looked for on this machine (``.weighin/runs``) and in git (``variants/…/weigh-in``).
What this module does not do: it judges nothing and believes no report about a release. A report
that cannot be read is left out, and a note says so.
"""

import itertools
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from weighin.gates.errors import StoreError, WeighinError
from weighin.gates.report.context import Earlier
from weighin.gates.weigh_in import WeighIn
from weighin.plugin.project import Project
from weighin.plugin.released import release_log
from weighin.plugin.results import REPORT_JSON, load_weigh_in, weigh_in_folder
from weighin.registry.channel import current_release, offered_since

MOST = 20
"""Earlier versions that a report shows; the newest ones."""

_VERSION = re.compile(r"v([1-9][0-9]*)")

Notes = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Releases:
    """What is known of a model's releases.

    Attributes:
        times: When each version went into the channel, as far as this machine knows.
        offered: The version that the channel offers now; empty if none.
        notes: What could not be read.
    """

    times: Mapping[str, datetime]
    offered: str = ""
    notes: Notes = ()


def read_releases(project: Project, model: str) -> Releases:
    """Releases from this machine's memory, and what the channel says now."""
    times, notes = dict[str, datetime](), list[str]()
    try:
        times |= {one.version: one.at for one in release_log(project, model)}
    except WeighinError as error:
        notes.append(str(error))
    offered, since, problem = _offered(project, model)
    if problem:
        notes.append(problem)
    if since is not None:
        times.setdefault(offered, since)
    return Releases(times=times, offered=offered, notes=tuple(notes))


def earlier_weigh_ins(
    project: Project, model: str, before_version: str, releases: Releases | None = None
) -> tuple[tuple[Earlier, ...], Notes]:
    """Weigh-ins of lower versions, oldest first, and what had to be left out.

    Args:
        project: Where to look.
        model: Registered model name.
        before_version: Only versions below this one.
        releases: From :func:`read_releases`; read here if left out, with its notes.
    """
    known = read_releases(project, model) if releases is None else releases
    notes = list(known.notes) if releases is None else []
    read = _newest_first(project, model, before_version, notes)
    newest = list(itertools.islice(read, MOST))
    earlier = (_earlier(weigh_in, known) for weigh_in in reversed(newest))
    return tuple(earlier), tuple(notes)


def released_weigh_in(
    project: Project, model: str, releases: Releases
) -> tuple[Earlier | None, Notes]:
    """The weigh-in of what the channel offers now; ``None`` with a note if it is not here."""
    if not releases.offered:
        return None, ()
    try:
        found = _load(project, model, releases.offered)
    except (WeighinError, OSError) as error:
        note = f"what changed since the release ({model}/{releases.offered}) is not told: {error}"
        return None, (note,)
    return _earlier(found, releases), ()


def _offered(project: Project, model: str) -> tuple[str, datetime | None, str]:
    """The version that the channel offers, since when, and why neither is known."""
    if not project.channel.is_dir():
        return "", None, ""
    name = project.config.channel.name
    try:
        release = current_release(project.channel, name, model)
        if release is None or not release.variants:
            return "", None, ""
        return release.version, offered_since(project.channel, name, model), ""
    except StoreError as error:
        return "", None, f"what is released is not known: {error}"


def _newest_first(
    project: Project, model: str, before_version: str, notes: list[str]
) -> Iterator[WeighIn]:
    """Every weigh-in that can be read; what cannot is added to the notes."""
    below = int(before_version) if before_version.isdecimal() else math.inf
    for number in sorted(_numbers(project, model), reverse=True):
        folder = weigh_in_folder(project, model, str(number))
        if number >= below or not (folder / REPORT_JSON).is_file():
            continue
        try:
            yield _load(project, model, str(number))
        except (WeighinError, OSError) as error:
            notes.append(f"{model}/{number} is left out of the history: {error}")


def _numbers(project: Project, model: str) -> set[int]:
    """Versions that have a folder here or in git."""
    places = (project.results(model, "1").parent, project.committed(model, "1").parent.parent)
    names = (path.name for place in places if place.is_dir() for path in place.iterdir())
    return {int(found[1]) for name in names if (found := _VERSION.fullmatch(name)) is not None}


def _load(project: Project, model: str, version: str) -> WeighIn:
    folder = weigh_in_folder(project, model, version)
    found = load_weigh_in(folder)
    if (found.model, found.version) != (model, version):
        raise WeighinError(f"{folder / REPORT_JSON}: speaks of {found.model}/{found.version}")
    return found


def _earlier(weigh_in: WeighIn, releases: Releases) -> Earlier:
    return Earlier(weigh_in=weigh_in, released_at=releases.times.get(weigh_in.version))
