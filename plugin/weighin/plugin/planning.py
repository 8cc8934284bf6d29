"""From a project to a plan: which data there is, which code, which tools."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from weighin.gates.data import Role
from weighin.gates.data_check import digest_of, suite_digests
from weighin.gates.devices.coefficients import file_name
from weighin.gates.devices.phone_run import SUFFIX
from weighin.gates.digest import sha256_of
from weighin.gates.errors import ConfigError
from weighin.gates.fleet import Fleet
from weighin.gates.fleet_file import parse_fleet
from weighin.gates.meters.quality import Quality
from weighin.gates.metric import Metric
from weighin.gates.profile import OWN_FOLDER, all_profiles, own_names
from weighin.gates.weigh_in import DataDigest
from weighin.plugin.config import FILE_NAME
from weighin.plugin.plan import Plan, make_plan
from weighin.plugin.project import Project
from weighin.plugin.tools import weighing_tools

METRIC_CODE = "metric"
"""The role of the file that holds a user's own metric, among the data of a plan."""


def plan_for(project: Project, model: str) -> Plan:
    """Today's plan of a model: its configuration, its data by content, the installed tools.

    Raises:
        ConfigError: the configuration does not describe the model.
        DataError: a data file is missing.
    """
    paths = data_paths(project, model)
    found = (*(digest_of(role, path) for role, path in paths.items()), *suite_digests(paths))
    data = tuple(
        replace(one, path=Path(one.path).relative_to(project.root).as_posix()) for one in found
    )
    code = project.config.model(model).quality_metric.code(project.root)
    if code is not None:
        path = code.relative_to(project.root).as_posix()
        own = DataDigest(role=METRIC_CODE, path=path, sha256=sha256_of(code), rows=0)
        data = (*data, own)
    data = (*data, *_own_phones(project, model), *_fleet_file(project))
    return make_plan(project.config, model, data, dict(weighing_tools()), fleet_of(project))


def fleet_of(project: Project) -> Fleet | None:
    """Which phones the users have; ``None`` if ``weighin.toml`` names no file that says it.

    Raises:
        ConfigError: the file cannot be read, or is no fleet.
    """
    said = project.config.fleet
    if said.file is None:
        return None
    try:
        text = (project.root / said.file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{FILE_NAME}: fleet.file: cannot be read: {error}") from error
    profiles = all_profiles(project.root / OWN_FOLDER)
    return parse_fleet(said.file, text, profiles, said.at_least_percent)


def _fleet_file(project: Project) -> Iterator[DataDigest]:
    """The user's file, so that evidence and reports can say that it changed."""
    file = project.config.fleet.file
    if file is not None and (project.root / file).is_file():
        sha256 = sha256_of(project.root / file)
        yield DataDigest(role="fleet", path=file, sha256=sha256, rows=0)


def _own_phones(project: Project, model: str) -> Iterator[DataDigest]:
    """The user's own profiles of the devices, runs on any phone and fits: all decide a number."""
    folder = project.root / OWN_FOLDER
    own, devices = own_names(folder), project.config.model(model).devices
    profiles = [folder / f"{device}.toml" for device in devices if device in own]
    runs = sorted(folder.glob(f"*{SUFFIX}"))
    fits = sorted(folder.glob(file_name("*")))
    for role, paths in (("profile", profiles), ("runs", runs), ("fit", fits)):
        for path in paths:
            name = path.name.removesuffix(SUFFIX).removesuffix(".toml")
            named = path.relative_to(project.root).as_posix()
            yield DataDigest(role=f"{name} {role}", path=named, sha256=sha256_of(path), rows=0)


def quality_of(project: Project, plan: Plan) -> Quality:
    """By what the quality of a model is judged.

    Raises:
        ConfigError: there is no such metric, or no file of the user's own one.
    """
    gate, metric = project.config.gate, plan.settings.quality_metric
    code = metric.code(project.root)
    margins = {
        budget.at_most
        for target in plan.targets
        for budget in target.budgets
        if budget.metric is Metric.ACCURACY_DROP_POINTS
    }
    return Quality(
        metric=metric,
        slices=plan.settings.slices,
        margins=tuple(sorted(margins)) if gate.sequential else (),
        seed=gate.seed,
        root=str(project.root) if code is not None else "",
        code_sha256=sha256_of(code) if code is not None else "",
    )


def data_paths(project: Project, model: str) -> dict[Role, Path]:
    """Where the data sets of a model are.

    Raises:
        ConfigError: the configuration does not describe the model.
    """
    settings = project.config.model(model)
    named = {
        Role.EVALUATION: settings.evaluation,
        Role.CALIBRATION: settings.calibration,
        Role.TRAINING: settings.training,
        Role.UNLABELLED: settings.unlabelled,
        Role.TUNING: settings.tuning,
    }
    return {role: project.root / path for role, path in named.items() if path is not None}
