"""The suite files of one model's data sets: check all of it now, or agree to what is there.

What this module does not do: it commits nothing to git; the user looks at the difference first.
"""

from dataclasses import dataclass
from pathlib import Path

from weighin.gates.data import DataContract, DataReport, Role
from weighin.gates.data_check import check_data
from weighin.plugin.contract import contract_for
from weighin.plugin.pipeline import data_paths
from weighin.plugin.project import Project


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """One suite file.

    Attributes:
        path: Where it is.
        expectations: How many it holds.
        kept: How many of them are somebody's own, not generated.
        changed: Whether the file is another than before.
    """

    path: Path
    expectations: int
    kept: int
    changed: bool


def check_model(project: Project, model: str) -> DataReport:
    """Hold a model's data sets against the contract and their suites, now.

    No version is looked at, so the evaluation data says what shape and type a row has; a run
    takes them from the registered model.

    Raises:
        ConfigError: the configuration does not describe the model.
        DataError: a data file is missing.
    """
    paths = data_paths(project, model)
    return check_data(paths, _contract(project, model, paths[Role.EVALUATION]))


def freeze_model(project: Project, model: str) -> tuple[Frozen, ...]:
    """Write the suites of a model's data sets anew from the data that is there.

    Raises:
        ConfigError: the configuration does not describe the model.
        DataError: the data does not hold the contract, so there is nothing to agree to.
    """
    paths = data_paths(project, model)
    contract = _contract(project, model, paths[Role.EVALUATION])
    check_data(paths, contract, committed=False).require_sound()
    roles = {path: role for role, path in reversed(tuple(paths.items()))}
    return tuple(
        _freeze(role, path, contract) for role, path in paths.items() if roles[path] is role
    )


def _contract(project: Project, model: str, evaluation: Path) -> DataContract:
    return contract_for(None, project.config.model(model), evaluation)


def _freeze(role: Role, path: Path, contract: DataContract) -> Frozen:
    from weighin.gates.data_committed import own_of, read_suite, suite_path, suite_text
    from weighin.gates.data_frozen import make_suite
    from weighin.gates.data_table import read_table
    from weighin.gates.errors import DataError

    table, objections = read_table(role, path, contract)
    if table is None:
        raise DataError(f"{path} changed while it was read: {objections}")
    target = suite_path(path)
    before = target.read_text(encoding="utf-8", errors="replace") if target.exists() else ""
    own = own_of(before)
    text = suite_text(path.stem, make_suite(table), own)
    draft = target.with_name(f".{target.name}.new")
    draft.write_text(text, encoding="utf-8")
    draft.replace(target)
    held = len(read_suite(text))
    return Frozen(path=target, expectations=held, kept=len(own), changed=text != before)
