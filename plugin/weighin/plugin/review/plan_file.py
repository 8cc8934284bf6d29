"""A ``weighin.toml`` from somewhere else, read as data only: what it changes, where its lines are.

Nobody is judged by what is read here. What this module does not do: it fetches nothing.
"""

import functools
import tomllib
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from weighin.gates.device_class import expand
from weighin.gates.errors import ConfigError
from weighin.gates.metric import Metric
from weighin.gates.profile import OWN_FOLDER, all_profiles
from weighin.gates.report.context import PlanChange
from weighin.plugin.config import Config
from weighin.plugin.config_file import parse_config
from weighin.plugin.project import Project
from weighin.plugin.review.plan_changes import file_changes, judged_files, plan_changes, unreadable
from weighin.plugin.review.remarks import LineOf
from weighin.plugin.review.toml_lines import budget_lines

_LONGEST = 1_000_000

FileAt = Callable[[str], bytes | None]
"""A file's content in one commit, by its path beside ``weighin.toml``."""


def told_changes(project: Project, before: bytes, after: bytes | None) -> tuple[PlanChange, ...]:
    """What one ``weighin.toml`` changes against another.

    Args:
        project: Whose own device profiles both may name.
        before: The file that judging should rest on.
        after: The other one; ``None`` if it is not there.

    Raises:
        ConfigError: the first one is none.
    """
    old = _parsed(project, before)
    if after is None:
        return (unreadable("removed"),)
    try:
        new = _parsed(project, after)
    except ConfigError as error:
        return (unreadable(str(error).splitlines()[0]),)
    return plan_changes(old, new)


def told_files(
    project: Project, model: str, before: FileAt, after: FileAt
) -> tuple[PlanChange, ...]:
    """Which of the files that decide what passes are otherwise in another commit."""
    paths = judged_files(project.config, model)
    old: Mapping[str, bytes | None] = {path: before(path) for path in paths}
    return file_changes(old, {path: after(path) for path in paths})


def line_finder(project: Project, model: str, document: bytes | None) -> LineOf:
    """Where the budgets of a model stand in a file; nowhere if it is none."""
    text = "" if document is None else document[:_LONGEST].decode("utf-8", "replace")
    lines = budget_lines(text, _members(project.root / OWN_FOLDER))

    def line_of(device: str, metric: Metric) -> int | None:
        return lines.line_of(model, device, metric.value)

    return line_of


def _parsed(project: Project, document: bytes) -> Config:
    if len(document) > _LONGEST:
        raise ConfigError(f"longer than {_LONGEST} bytes")
    try:
        values = tomllib.loads(document.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"not valid TOML: {error}") from error
    return parse_config(values, own=project.root / OWN_FOLDER)


def _members(own: Path) -> Callable[[str], Collection[str]]:
    """Who is in a class of devices; profiles are read only if somebody asks."""
    profiles = functools.cache(lambda: all_profiles(own))

    @functools.cache
    def members(scope: str) -> frozenset[str]:
        try:
            return frozenset(expand(scope, profiles()))
        except ConfigError:
            return frozenset()  # a class that nobody is in; loading a file refuses it, this reads

    return members
