"""What a weigh-in remembers of its data: what was checked, what was noticed, what it looked like.

A flag is something to look at. What this module does not do: it stops nothing; whether something
is notable is computed when asked, never stored.
"""

from dataclasses import dataclass, replace

SIGNIFICANT = 0.01
"""A difference is not chance below this p-value, corrected for the number of comparisons."""

NOTABLE_EFFECT = 0.1
"""And it is worth a look from here on: a tenth of the rows moved, or Cohen's small effect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedSet:
    """One data set that holds its contract.

    Attributes:
        role: What it is for.
        rows: How many rows it has.
        expectations: How many expectations hold on it, those of its suite among them.
        suite_expectations: How many of them its committed suite holds.
        suite_sha256: Digest of the suite file beside it; empty if none is committed.
    """

    role: str
    rows: int
    expectations: int
    suite_expectations: int = 0
    suite_sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NearPair:
    """An evaluation row, and the row of another set that is nearly the same."""

    row: int
    other_row: int
    likeness: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NearDuplicates:
    """How much of the evaluation data is nearly in another data set.

    Attributes:
        other: The other set's role.
        rows: Evaluation rows that were looked at; zero if such rows cannot be compared.
        near: Those that have a near duplicate there.
        among: Those that have one in the evaluation data itself: how alike such rows are anyway.
        pairs: The first few.
    """

    other: str
    rows: int
    near: int
    among: int
    pairs: tuple[NearPair, ...] = ()

    @property
    def share(self) -> float:
        """Near duplicates as a share of the rows that were looked at."""
        return self.near / self.rows if self.rows else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationSummary:
    """What an evaluation set looks like, small enough to be kept with each weigh-in.

    Attributes:
        sha256: Digest of the file.
        rows: Number of rows.
        classes: Rows per label, if labels are classes.
        quantiles: Per row statistic, such as ``mean``, evenly spaced quantiles over the rows.
    """

    sha256: str
    rows: int
    classes: tuple[tuple[int, int], ...]
    quantiles: tuple[tuple[str, tuple[float, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One two-sample test.

    Attributes:
        what: What was compared: ``labels``, or a row statistic.
        test: Name of the test.
        p: Its p-value, corrected for the number of comparisons.
        effect: Its size: Cohen's w for labels, else the largest gap between the two
            cumulative shares, 0 to 1.
    """

    what: str
    test: str
    p: float
    effect: float

    @property
    def notable(self) -> bool:
        """Whether it is neither chance nor small. A number that is none counts as notable."""
        return not (self.p >= SIGNIFICANT or self.effect < NOTABLE_EFFECT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """The evaluation data beside that of the last release.

    Attributes:
        released: The released version: ``digits/3``.
        same: Whether both are the same bytes; then there is nothing to compare.
        comparisons: Otherwise, what was compared.
    """

    released: str
    same: bool
    comparisons: tuple[Comparison, ...] = ()

    @property
    def notable(self) -> tuple[Comparison, ...]:
        """What moved."""
        return tuple(one for one in self.comparisons if one.notable)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSummary:
    """What a report says about the data.

    Attributes:
        sets: Every data set that was checked.
        near: Near duplicates of evaluation rows, per other data set.
        evaluation: What the evaluation data looks like.
        drift: How that compares with the last release; ``None`` before the first.
    """

    sets: tuple[CheckedSet, ...]
    near: tuple[NearDuplicates, ...] = ()
    evaluation: EvaluationSummary | None = None
    drift: Drift | None = None

    def with_sets_of(self, other: "DataSummary | None") -> "DataSummary":
        """This one with the data sets that only the other one knows."""
        if other is None:
            return self
        known = {one.role for one in self.sets}
        sets = tuple(one for one in other.sets if one.role not in known)
        near = tuple(one for one in other.near if one.other not in known)
        return replace(self, sets=(*self.sets, *sets), near=(*self.near, *near))
