"""The data contract: what every data set must be, and the report on whether it is.

The report is sound only if every planned expectation was seen to hold. What this module does
not do: it opens no file; :mod:`weighin.gates.data_check` does.
"""

from dataclasses import dataclass
from enum import StrEnum

from weighin.gates.data_record import CheckedSet, DataSummary, EvaluationSummary, NearDuplicates
from weighin.gates.errors import DataError
from weighin.gates.weigh_in import DataDigest

SUITE = "suite"
"""How a suite file is called behind its role: ``evaluation suite``."""


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
        classes: Number of classes; labels are 0 to ``classes - 1``. ``None``: labels are
            finite real numbers, [n] or [n, k].
        minimum: Smallest value allowed in ``x``, if any.
        maximum: Largest value allowed in ``x``, if any.
        least_evaluation_rows: Fewest rows to judge on.
        least_calibration_rows: Fewest rows to calibrate on, and to compare candidates on.
        least_class_share: Smallest share of the evaluation rows that each class must have;
            ``None`` means a tenth of an even share. Zero allows absent classes.
        most_duplicate_share: Largest share of the rows that may repeat another row.
        most_near_share: Largest share of the evaluation rows that may be nearly in another data
            set; ``None`` leaves near duplicates a flag.
        slice_columns: Arrays of the evaluation file, beside x and y, that rows are grouped by.
    """

    input_shape: tuple[int, ...]
    input_dtype: str
    classes: int | None
    minimum: float | None = None
    maximum: float | None = None
    least_evaluation_rows: int = 50
    least_calibration_rows: int = 16
    least_class_share: float | None = None
    most_duplicate_share: float = 0.01
    most_near_share: float | None = None
    slice_columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectationResult:
    """One expectation on one data set, and what was seen.

    Attributes:
        role: Which data set.
        expectation: What was expected, in words.
        success: Whether it holds. False also when it could not be checked.
        observed: What was found instead, or what confirms it.
        rows: The first few rows that break it, counted from zero.
        committed: Whether the suite file beside the data expects it, not the contract.
    """

    role: Role
    expectation: str
    success: bool
    observed: str
    rows: tuple[int, ...] = ()
    committed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DataReport:
    """What was checked, and on which files.

    Attributes:
        data: The data sets.
        results: Every expectation.
        suites: The suite files that lie beside them.
        near: Near duplicates of evaluation rows; looked for in data that is sound otherwise.
        evaluation: What the evaluation data looks like, if it is sound.
    """

    data: tuple[DataDigest, ...]
    results: tuple[ExpectationResult, ...]
    suites: tuple[DataDigest, ...] = ()
    near: tuple[NearDuplicates, ...] = ()
    evaluation: EvaluationSummary | None = None

    @property
    def broken(self) -> tuple[ExpectationResult, ...]:
        """The expectations that do not hold."""
        return tuple(result for result in self.results if not result.success)

    @property
    def ok(self) -> bool:
        """Whether something was checked, and all of it holds."""
        return bool(self.results) and not self.broken

    @property
    def summary(self) -> DataSummary:
        """What a weigh-in remembers of it; how it compares with a release is not known here."""
        return DataSummary(
            sets=tuple(self._checked(digest) for digest in self.data),
            near=self.near,
            evaluation=self.evaluation,
        )

    def _checked(self, digest: DataDigest) -> CheckedSet:
        holding = [one for one in self.results if one.role == digest.role and one.success]
        suites = {suite.role: suite.sha256 for suite in self.suites}
        return CheckedSet(
            role=digest.role,
            rows=digest.rows,
            expectations=len(holding),
            suite_expectations=sum(one.committed for one in holding),
            suite_sha256=suites.get(f"{digest.role} {SUITE}", ""),
        )

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
    suite = " of its committed suite" if result.committed else ""
    rows = f" (first at rows {', '.join(map(str, result.rows))})" if result.rows else ""
    verdict = "holds" if result.success else "is broken"
    return f"{where}: '{result.expectation}'{suite} {verdict}: {result.observed}{rows}"
