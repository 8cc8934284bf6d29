"""The two tables of the comment: what each device gets, and every variant on every device.

What this module does not do: it leaves nothing out for length; the comment does, part by part.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from weighin.gates.judge import Check, Outcome, Verdict
from weighin.gates.measurement import Measurement
from weighin.gates.metric import Metric
from weighin.gates.report import summary
from weighin.gates.report.context import PLAIN, Context
from weighin.gates.report.limit_words import applied, limit_of
from weighin.gates.report.markdown_parts import code, folded, measured, table
from weighin.gates.report.verdict_words import (
    MARKS,
    SIGNS,
    Fate,
    Standing,
    fates,
    standing_of,
    worst_first,
)
from weighin.gates.report.words import METRIC_WORDS, amount, count
from weighin.gates.weigh_in import Result, WeighIn

FEW_DEVICES = 12
"""Up to so many rows are read; of more, those that need nothing are folded."""

_MATRIX_OPEN, _MATRIX_WIDTH, _NARROW_WIDTH = 5, 6, 10
_MOST_NOTES = 12
_FIGURES = (Metric.SIZE_MIB, Metric.ACCURACY_DROP_POINTS, Metric.LATENCY_P90_MS)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Matrix:
    """What a cell has to know."""

    weigh_in: WeighIn
    context: Context
    with_intervals: bool


def device_table(weigh_in: WeighIn, context: Context = PLAIN) -> str:
    """What each device gets, or how near the nearest came; many devices: worst first."""
    found = fates(weigh_in, context)
    if not weigh_in.results:
        return ""
    if len(found) <= FEW_DEVICES:
        return _fate_table(found, context)
    ordered = worst_first(found)
    urgent = sum(fate.standing is not Standing.PASS for fate in ordered)
    shown = max(FEW_DEVICES, min(urgent, 2 * FEW_DEVICES))
    if len(ordered) <= shown:
        return _fate_table(ordered, context)
    rest = folded(f"{count(len(ordered) - shown, 'more device')}, {_counted(ordered[shown:])}",
                  _fate_table(ordered[shown:], context))  # fmt: skip
    return f"{_fate_table(ordered[:shown], context)}\n\n{rest}"


def matrix(weigh_in: WeighIn, context: Context = PLAIN, *, with_intervals: bool = True) -> str:
    """Every variant on every device; folded, in several tables, where the devices are many.

    Args:
        weigh_in: What is shown.
        context: For its waivers, and for whether the numbers may be believed.
        with_intervals: Without, a cell has the sign and the value only.
    """
    if not weigh_in.results:
        return ""
    width = _MATRIX_WIDTH if with_intervals else _NARROW_WIDTH
    starts = range(0, max(len(weigh_in.devices), 1), width)
    shown = _Matrix(weigh_in=weigh_in, context=context, with_intervals=with_intervals)
    notes: dict[str, int] = {}
    tables = [
        _matrix_table(shown, weigh_in.devices[start : start + width], notes) for start in starts
    ]
    legend = _legend(context, with_intervals=with_intervals)
    content = "\n\n".join(part for part in (*tables, _footnotes(notes), legend) if part)
    title = "Every variant on every device"
    if len(weigh_in.devices) <= _MATRIX_OPEN:
        return f"#### {title}\n\n{content}"
    variants, devices = len(weigh_in.results), len(weigh_in.devices)
    return folded(f"{title}: {count(variants, 'variant')}, {count(devices, 'device')}", content)


def why(check: Check) -> str:
    """The check in words; in a code span when the words hold somebody else's."""
    if check.objection is None and check.decided is None:
        return summary.why(check)
    return code(summary.why(check))


def _counted(found: Sequence[Fate]) -> str:
    told = [
        (sum(fate.standing is standing for fate in found), standing.value) for standing in Standing
    ]
    return ", ".join(f"{number} {name}" for number, name in told if number)


def _fate_table(found: Sequence[Fate], context: Context) -> str:
    gets = "smallest that claims to pass" if context.untrusted else "gets: smallest that passed"
    rows = [
        [SIGNS[fate.standing], code(fate.device), _gets(fate), *_figures(fate)] for fate in found
    ]
    return table(["", "device", gets, "size", "drop", "latency p90"], rows)


def _gets(fate: Fate) -> str:
    if fate.result is None:
        return "nothing: nothing was judged"
    label = code(fate.result.variant.label)
    if fate.waived:
        told = "; ".join(why(check) for check, _ in fate.waived)
        return f"{label} **only by waiver**: {told}"
    if fate.miss is not None:
        return f"nothing; nearest miss {label}: {why(fate.miss)}"
    return label


def _figures(fate: Fate) -> list[str]:
    if fate.result is None:
        return ["", "", ""]
    known = {r.metric: r for r in summary.headline_figures(fate.result, fate.device)}
    return [measured(known[m]) if m in known else "unknown" for m in _FIGURES]


def _by_passes(weigh_in: WeighIn, context: Context) -> tuple[Result, ...]:
    """What passed on more devices first; else in the plan's order."""
    if context.untrusted:
        return weigh_in.results
    return tuple(sorted(weigh_in.results, key=lambda result: -len(result.passed_on)))


def _matrix_table(table_of: _Matrix, devices: Sequence[str], notes: dict[str, int]) -> str:
    weigh_in, context = table_of.weigh_in, table_of.context
    cell = _full_cell if table_of.with_intervals else _brief_cell
    rows = []
    for result in _by_passes(weigh_in, context):
        size = amount(Metric.SIZE_MIB, result.variant.size_bytes / 2**20).replace(" ", "\u00a0")
        cells = (cell(table_of, result, device, notes) for device in devices)
        rows.append([code(result.variant.label), size, _drop(weigh_in, result), *cells])
    return table(["variant", "size", "drop", *(code(device) for device in devices)], rows)


def _full_cell(table_of: _Matrix, result: Result, device: str, notes: dict[str, int]) -> str:
    """``✓ 4.1 ms [3.98, 4.22] device``; of what did not pass, the check that decided."""
    verdict = summary.verdict_on(result, device)
    if verdict is None:
        return "not weighed"
    check = summary.deciding_check(verdict)
    better = summary.dominated_on(result, device)
    note = "" if better is None else f"dominated by {code(better)}"
    start = _start(table_of, verdict, check)
    if check is None:
        return f"{start} {_footnote(verdict.reason, notes)}"
    if check.objection is not None or not isinstance(check.reading, Measurement):
        below = f"<br><sub>{note}</sub>" if note else ""
        return f"{start} unknown {_footnote(check.objection or 'not measured', notes)}{below}"
    words = applied(check)
    more = "" if words is None else _footnote(words, notes)
    below = " ".join(part for part in (more, note) if part)
    return f"{start} {measured(check.reading, limit_of(check), more=below)}"


def _brief_cell(table_of: _Matrix, result: Result, device: str, notes: dict[str, int]) -> str:
    """``✓ 4.1 ms``."""
    verdict = summary.verdict_on(result, device)
    if verdict is None:
        return "not weighed"
    check = summary.deciding_check(verdict)
    start = _start(table_of, verdict, check)
    star = "" if summary.dominated_on(result, device) is None else " \\*"
    if check is None:
        return f"{start} {_footnote(verdict.reason, notes)}"
    if check.objection is not None or not isinstance(check.reading, Measurement):
        return f"{start} unknown{star}"
    shown = amount(check.budget.metric, check.reading.value, limit_of(check), digits=2)
    return f"{start} {shown}{star}"


def _start(table_of: _Matrix, verdict: Verdict, check: Check | None) -> str:
    """The sign, what is claimed if nothing is believed, and which budget decided."""
    standing = standing_of(table_of.weigh_in, verdict, table_of.context)
    words = [SIGNS[standing] if standing is Standing.WAIVED else MARKS[standing]]
    if standing is Standing.WAIVED:
        words.append("**WAIVED**")
    if table_of.context.untrusted:
        words.append(f"claims {verdict.outcome},")
    if check is not None and verdict.outcome is not Outcome.PASS:
        words.append(METRIC_WORDS[check.budget.metric].short)
    return " ".join(words)


def _footnote(text: str, notes: dict[str, int]) -> str:
    """The sign of a reason that stands below the table once."""
    return f"({notes.setdefault(text, len(notes) + 1)})"


def _footnotes(notes: dict[str, int]) -> str:
    lines = [f"({number}) {code(text)}" for text, number in notes.items()]
    more = len(lines) - _MOST_NOTES
    shown = lines[:_MOST_NOTES] + ([f"and {more} more, in the HTML report"] if more > 0 else [])
    return f"<sub>{'<br>'.join(shown)}</sub>" if shown else ""


def _legend(context: Context, *, with_intervals: bool) -> str:
    told = [
        "✓ pass, with its latency; ✗ fail and ? undecided, with what decided it.",
        "Drop: accuracy lost, in points; it and the size belong to the file, whatever the device.",
    ]
    if context.untrusted:
        told[0] = "? what is claimed, and cannot be believed."
    if with_intervals:
        told.insert(1, "In brackets the interval: a pass needs all of it within the budget.")
    else:
        told.append("\\* dominated by a simpler variant. The HTML report has the intervals.")
    return f"<sub>{' '.join(told)}</sub>"


def _drop(weigh_in: WeighIn, result: Result) -> str:
    for device in weigh_in.devices:
        reading = summary.reading_on(result, device, Metric.ACCURACY_DROP_POINTS)
        if isinstance(reading, Measurement):
            return measured(reading)
    return "unknown"
