"""What a comment says beyond the weigh-in: trust, changed budgets, waivers, what changed, a chart.

What this module does not do: it finds nothing out. All of it stands in the context.
"""

from weighin.gates.metric import Metric
from weighin.gates.report import summary
from weighin.gates.report.change_words import (
    change_of,
    file_words,
    numbers_words,
    reference_words,
    step_words,
    title_words,
)
from weighin.gates.report.changes import SHOWN, DeviceChange, changes_since
from weighin.gates.report.context import Context
from weighin.gates.report.markdown_devices import FEW_DEVICES
from weighin.gates.report.markdown_parts import alert, code, first_rows, folded, link, table
from weighin.gates.report.mermaid import Chart, quadrant_chart
from weighin.gates.report.verdict_words import (
    Standing,
    doubt_words,
    fates,
    waivers_of,
    worst_first,
)
from weighin.gates.report.waiver_words import WaiverLine, loosened, plan_lines, waiver_lines
from weighin.gates.report.words import METRIC_WORDS, amount, count
from weighin.gates.weigh_in import WeighIn

_MOST_ROWS = 20
_MOST_CHARTS = 4
_MOST_UNNAMED = 8
_ARROWS = (
    "<sub>↓ less, which is better; ↑ more. An arrow stands only where the intervals are apart and "
    "both numbers were obtained alike.</sub>"
)


def untrusted(context: Context) -> str:
    """The loud first line of a weigh-in that nobody may rely on."""
    if not context.untrusted:
        return ""
    words = "Nothing below was shown to be true, so nothing is passed."
    return alert("CAUTION", f"**NOT TO BE TRUSTED.** {words}")


def doubts(weigh_in: WeighIn, context: Context) -> str:
    """Evidence that nobody may rely on, which therefore releases nothing."""
    words = doubt_words(weigh_in, context)
    return f"⚠️ **Evidence**: {words}. It releases nothing." if words else ""


def plan_changes(context: Context) -> str:
    """What the pull request changes in what its models are judged by; loosened ones loudly."""
    if not context.changes:
        return ""
    rows = [
        [
            "🔴 **looser**" if change.looser else "not looser",
            code(change.where),
            code(change.before) if change.before else "(new)",
            code(change.after) if change.after else "(removed)",
        ]
        for change, _ in plan_lines(context)
    ]
    shown = first_rows(["", "key", "base branch", "this pull request"], rows, _MOST_ROWS)
    note = "Judged by the base branch's values, not by these."
    loose = len(loosened(context))
    if not loose:
        title = f"{count(len(rows), 'setting')} of the plan changed, none made looser"
        return folded(title, f"{shown}\n\n{note}")
    box = alert(
        "WARNING",
        f"**This pull request loosens {count(loose, 'setting')} that it is judged by.** {note}",
    )
    return f"{box}\n\n{shown}"


def waivers(weigh_in: WeighIn, context: Context) -> str:
    """Who let which budget go, in red."""
    lines = waiver_lines(weigh_in, context)
    if not lines:
        return ""
    holding = sum(line.holds for line in lines)
    title = f"#### 🔴 WAIVED: {count(holding, 'budget')} let go by a person"
    if not holding:
        title = "#### Waivers, none of which holds"
    head = ["", "budget", "on", "by", "until", "effect", "reason"]
    return f"{title}\n\n{first_rows(head, [_waiver_row(line) for line in lines], _MOST_ROWS)}"


def _waiver_row(line: WaiverLine) -> list[str]:
    one = line.waiver
    said = f" ({link('comment', one.url)})" if one.url else ""
    return [
        "🔴 **WAIVED**" if line.holds else "void",
        line.budget,
        code(line.where),
        f"{code('@' + one.by)}{said}",
        line.until,
        code(line.effect),
        code(one.reason),
    ]


def changed(weigh_in: WeighIn, context: Context) -> str:
    """What each device got before and gets now."""
    if context.against is None:
        return ""
    found = changes_since(context.against, weigh_in, context)
    metrics = [m for m in SHOWN if any(change_of(one, m) for one in found.devices)]
    rows = [_change_row(one, metrics) for one in _ordered(found.devices)]
    head = ["", "device", "gets", *(METRIC_WORDS[metric].name for metric in metrics)]
    parts = [
        f"#### {title_words(found, code)}, {reference_words(found)}",
        table(head, rows[:FEW_DEVICES]),
        _ARROWS if metrics else "",
    ]
    if rest := rows[FEW_DEVICES:]:
        parts.insert(2, folded(f"{count(len(rest), 'more device')}", table(head, rest)))
    return "\n\n".join(part for part in parts if part)


def _ordered(devices: tuple[DeviceChange, ...]) -> tuple[DeviceChange, ...]:
    """What was lost first, then what was won, then other files, then the same."""
    if len(devices) <= FEW_DEVICES:
        return devices
    return tuple(sorted(devices, key=lambda one: (not one.lost, not one.won, one.is_same)))


def _change_row(one: DeviceChange, metrics: list[Metric]) -> list[str]:
    sign = "❌" if one.lost and one.is_target else "🔴" if one.by_waiver else ""
    found = (change_of(one, metric) for metric in metrics)
    cells = [
        "" if change is None else f"{step_words(change)}<br><sub>{numbers_words(change)}</sub>"
        for change in found
    ]
    return [sign, code(one.device), file_words(one, code), *cells]


def charts(weigh_in: WeighIn, context: Context) -> str:
    """Accuracy against latency: the device that needs a look first, a few more folded."""
    drawn: list[str] = []
    for fate in worst_first(fates(weigh_in, context)):
        chart = quadrant_chart(weigh_in, fate.device, context)
        if chart is not None:
            drawn.append(_chart(weigh_in, fate.device, chart))
        if len(drawn) == _MOST_CHARTS:
            break
    if not drawn:
        return ""
    rest = folded(f"{count(len(drawn) - 1, 'more device')} drawn", "\n\n".join(drawn[1:]))
    note = _chart_note(weigh_in, context)
    return "\n\n".join([drawn[0], note, *([rest] if drawn[1:] else [])])


def one_chart(weigh_in: WeighIn, context: Context) -> str:
    """Only the device that needs a look first."""
    for fate in worst_first(fates(weigh_in, context)):
        chart = quadrant_chart(weigh_in, fate.device, context)
        if chart is not None:
            return f"{_chart(weigh_in, fate.device, chart)}\n\n{_chart_note(weigh_in, context)}"
    return ""


def _chart(weigh_in: WeighIn, device: str, chart: Chart) -> str:
    parts = [
        f"#### Accuracy against latency on {code(device)}{_middle(weigh_in, device)}",
        f"```mermaid\n{chart.text}\n```",
    ]
    told = []
    if chart.unnamed:
        names = ", ".join(code(label) for label in chart.unnamed[:_MOST_UNNAMED])
        more = len(chart.unnamed) - _MOST_UNNAMED
        told.append(
            f"Without a name for lack of room: {names}{f' and {more} more' if more > 0 else ''}."
        )
    if chart.left_out:
        told.append(f"Not drawn: {count(chart.left_out, 'variant')} without both numbers.")
    return "\n\n".join([*parts, f"<sub>{' '.join(told)}</sub>"] if told else parts)


def _middle(weigh_in: WeighIn, device: str) -> str:
    """What the middle lines are."""
    checks = summary.budgets_on(weigh_in, device)
    metrics = (Metric.LATENCY_P90_MS, Metric.ACCURACY_DROP_POINTS)
    known = [
        amount(metric, checks[metric].budget.at_most) for metric in metrics if metric in checks
    ]
    return f"; the middle lines are its budgets, {' and '.join(known)}" if known else ""


def _chart_note(weigh_in: WeighIn, context: Context) -> str:
    colours = {
        Standing.PASS: "green ✓ pass",
        Standing.FAIL: "red ✗ fail",
        Standing.UNDECIDED: "amber ? undecided",
    }
    if waivers_of(weigh_in, context):
        colours[Standing.WAIVED] = "red ! waived"
    told = ", ".join(colours.values())
    if context.untrusted:
        told = "amber ? claimed, and cannot be believed"
    return (
        f"<sub>{told}: over all budgets and whole intervals, so a point may be worse than its "
        "place. Up is less accuracy lost, left is faster; each half has its own scale.</sub>"
    )
