"""The data contract: what every data set must be before anything is spent on it.

    paths -> DataTable (one line of facts per row) -> Great Expectations -> DataReport

The report is sound only if every planned expectation was seen to hold: one that did not run
counts as broken. What this module does not do: it repairs and drops nothing.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path

from weighin.gates.digest import sha256_of
from weighin.gates.errors import DataError
from weighin.gates.weigh_in import DataDigest
from weighin.gates.wire import data_from_json, data_to_json, list_of, object_of, text_of

_CACHE_FORMAT = 2


class Role(StrEnum):
    """What a data set is for."""

    EVALUATION = "evaluation"
    CALIBRATION = "calibration"
    TRAINING = "training"
    UNLABELLED = "unlabelled"
    TUNING = "tuning"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataContract:
    """What every data set of one model must be.

    Attributes:
        input_shape: Shape of one row of ``x``, without the batch dimension.
        input_dtype: Its numpy dtype, such as ``float32``.
        classes: Number of classes; labels are 0 to ``classes - 1``.
        minimum: Smallest value allowed in ``x``, if any.
        maximum: Largest value allowed in ``x``, if any.
        least_evaluation_rows: Fewest rows to judge on.
        least_calibration_rows: Fewest rows to calibrate on, and to compare candidates on.
        least_class_share: Smallest share of the evaluation rows that each class must have;
            ``None`` means a tenth of an even share. Zero allows absent classes.
        most_duplicate_share: Largest share of the rows that may repeat another row.
    """

    input_shape: tuple[int, ...]
    input_dtype: str
    classes: int
    minimum: float | None = None
    maximum: float | None = None
    least_evaluation_rows: int = 50
    least_calibration_rows: int = 16
    least_class_share: float | None = None
    most_duplicate_share: float = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectationResult:
    """One expectation on one data set, and what was seen.

    Attributes:
        role: Which data set.
        expectation: What was expected, in words.
        success: Whether it holds. False also when it could not be checked.
        observed: What was found instead, or what confirms it.
        rows: The first few rows that break it, counted from zero.
    """

    role: Role
    expectation: str
    success: bool
    observed: str
    rows: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DataReport:
    """What was checked, and on which files."""

    data: tuple[DataDigest, ...]
    results: tuple[ExpectationResult, ...]

    @property
    def broken(self) -> tuple[ExpectationResult, ...]:
        """The expectations that do not hold."""
        return tuple(result for result in self.results if not result.success)

    @property
    def ok(self) -> bool:
        """Whether something was checked, and all of it holds."""
        return bool(self.results) and not self.broken

    def require_sound(self) -> None:
        """Go on only with sound data.

        Raises:
            DataError: an expectation is broken; names the data set, the expectation and rows.
        """
        if self.ok:
            return
        paths = {digest.role: digest.path for digest in self.data}
        lines = [describe(result, paths.get(result.role, "")) for result in self.broken]
        raise DataError("\n".join(lines) or "no data set was checked")


def describe(result: ExpectationResult, path: str) -> str:
    """One result in one line, for people."""
    where = f"{result.role} data ({path})" if path else f"{result.role} data"
    rows = f" (first at rows {', '.join(map(str, result.rows))})" if result.rows else ""
    verdict = "holds" if result.success else "is broken"
    return f"{where}: '{result.expectation}' {verdict}: {result.observed}{rows}"


def check_data(
    paths: Mapping[Role, Path], contract: DataContract, cache_dir: Path | None = None
) -> DataReport:
    """Check the data sets against the contract and against each other.

    Broken data is a result in the report, not an exception; see
    :meth:`DataReport.require_sound`. A check that passed before, on the same bytes under the
    same contract, is read from ``cache_dir`` and costs two file reads.

    Raises:
        DataError: a file is missing, so that there is nothing to check.
    """
    data = tuple(digest_of(role, paths[role]) for role in Role if role in paths)
    remembered = None if cache_dir is None else cache_dir / f"data-{_key(data, contract)}.json"
    if remembered is not None and (known := _recall(remembered, data)) is not None:
        return known
    report = _check(paths, contract, data)
    if remembered is not None and report.ok:
        _remember(remembered, report)
    return report


def digest_of(role: Role, path: Path) -> DataDigest:
    """Which bytes a data set consists of, and how many labels it has (none if unreadable).

    Raises:
        DataError: the file is not there.
    """
    from weighin.gates.data_table import count_rows

    if not path.is_file():
        raise DataError(f"{role} data: there is no file {path}; give the path of a .npz file")
    return DataDigest(role=role, path=str(path), sha256=sha256_of(path), rows=count_rows(path))


def _check(
    paths: Mapping[Role, Path], contract: DataContract, data: tuple[DataDigest, ...]
) -> DataReport:
    from weighin.gates.data_suite import validate
    from weighin.gates.data_table import read_table

    tables, results = [], list[ExpectationResult]()
    for role, path in paths.items():
        table, objections = read_table(role, path, contract)
        results.extend(objections)
        if table is not None:
            tables.append(table)
    if len(tables) == len(paths):
        results.extend(validate(tables, contract))
    return DataReport(data=data, results=tuple(results))


def _key(data: tuple[DataDigest, ...], contract: DataContract) -> str:
    """Everything that decides what a check finds."""
    parts = {
        "format": _CACHE_FORMAT,
        "data": [(digest.role, digest.sha256) for digest in data],
        "contract": asdict(contract),
        "great_expectations": version("great_expectations"),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def _remember(path: Path, report: DataReport) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "data": [data_to_json(digest) for digest in report.data],
        "results": [asdict(result) for result in report.results],
    }
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(document))
    draft.replace(path)


def _recall(path: Path, data: tuple[DataDigest, ...]) -> DataReport | None:
    """A check that passed before; ``None`` if there is none or it cannot be read."""
    try:
        document = object_of(json.loads(path.read_text()), "data report")
        digests = tuple(data_from_json(item) for item in list_of(document, "data"))
        results = tuple(_result(item) for item in list_of(document, "results"))
    except (FileNotFoundError, ValueError):
        return None  # checked afresh, which is always right
    same = [d.sha256 for d in digests] == [d.sha256 for d in data]
    report = DataReport(data=data, results=results)
    return report if same and report.ok else None


def _result(document: object) -> ExpectationResult:
    fields = object_of(document, "expectation")
    return ExpectationResult(
        role=Role(text_of(fields, "role")),
        expectation=text_of(fields, "expectation"),
        success=fields.get("success") is True,
        observed=text_of(fields, "observed"),
    )
