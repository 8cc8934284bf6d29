"""What every rendering says of the data: what held, and what somebody should look at.

What this module does not do: it escapes nothing, and it stops nothing.
"""

from collections.abc import Iterator

from weighin.gates.data_record import CheckedSet, Comparison, DataSummary, Drift, NearDuplicates
from weighin.gates.report.words import count, figure, plain

FLAG = "! "
"""What stands before the name of a line that somebody should look at."""

_SHOWN_PAIRS = 3
_TINY_P = 0.001


def data_lines(summary: DataSummary | None) -> Iterator[tuple[str, str]]:
    """The data in a few named lines, flags last; none if nothing is known."""
    if summary is None:
        return
    for one in summary.sets:
        yield plain(one.role), _held(one)
    yield from _near_lines(summary)
    yield _drift_line(summary.drift)


def flag_lines(summary: DataSummary | None) -> Iterator[tuple[str, str]]:
    """Only what somebody should look at."""
    return ((name, text) for name, text in data_lines(summary) if name.startswith(FLAG))


def _held(one: CheckedSet) -> str:
    suite = (
        f"{one.suite_expectations} from its committed suite"
        if one.suite_sha256
        else "no suite is committed"
    )
    return f"{count(one.rows, 'row')}, {count(one.expectations, 'expectation')} hold, {suite}"


def _near_lines(summary: DataSummary) -> Iterator[tuple[str, str]]:
    """One line per set that has some, and one for all that have none."""
    compared = [near for near in summary.near if near.rows]
    for near in compared:
        if near.near:
            yield f"{FLAG}near duplicates", _near(near)
    clean = [plain(near.other) for near in compared if not near.near]
    if clean:
        yield "near duplicates", f"none in the {' and '.join(clean)} data"
    if len(compared) < len(summary.near):
        yield "near duplicates", "not looked for: rows of so few values are alike by chance"


def _near(near: NearDuplicates) -> str:
    pairs = ", ".join(
        f"{pair.row} and {pair.other_row} ({figure(pair.likeness)})"
        for pair in near.pairs[:_SHOWN_PAIRS]
    )
    return (
        f"{near.near} of {count(near.rows, 'evaluation row')} ({_percent(near.share)}) are nearly "
        f"in the {plain(near.other)} data; {_percent(near.among / near.rows)} have a near "
        f"duplicate in the evaluation data itself. First rows, with likeness: {pairs}"
    )


def _drift_line(drift: Drift | None) -> tuple[str, str]:
    if drift is None:
        return "drift", "nothing to compare with: no release is remembered"
    released = plain(drift.released)
    if drift.same:
        return "drift", f"none: {released} was released on the same evaluation data"
    if not drift.notable:
        largest = max(drift.comparisons, key=lambda one: one.effect, default=None)
        said = (
            f" (largest effect {figure(largest.effect)}, {plain(largest.what)})" if largest else ""
        )
        return "drift", f"none worth a look beside the evaluation data of {released}{said}"
    moved = "; ".join(map(_moved, drift.notable))
    return f"{FLAG}drift", f"beside the evaluation data of {released}: {moved}"


def _moved(one: Comparison) -> str:
    p = f"p < {_TINY_P}" if one.p < _TINY_P else f"p = {figure(one.p)}"
    return f"{plain(one.what)} moved by {figure(one.effect)} ({plain(one.test)}, {p})"


def _percent(share: float) -> str:
    return f"{figure(100 * share)} %"
