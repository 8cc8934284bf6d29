"""The tables of the terminal: variants by devices, with figures, or as one sign each.

Figures need eleven columns a device. With many devices they would fill the screen many times, so
then one table of signs shows all, and figures stand only for the devices that need a look.

What this module does not do: it knows no window. Its width is an argument.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from weighin.gates.measurement import Measurement
from weighin.gates.metric import VS_RELEASE, Metric
from weighin.gates.report import summary
from weighin.gates.report.context import Context
from weighin.gates.report.verdict_words import (
    MARKS,
    Standing,
    fates,
    standing_of,
    waivers_of,
    worst_first,
)
from weighin.gates.report.words import METRIC_WORDS, amount, figure, plain
from weighin.gates.weigh_in import Result, WeighIn

STYLES = {
    Standing.PASS: "green",
    Standing.WAIVED: "bold red",
    Standing.FAIL: "red",
    Standing.UNDECIDED: "yellow",
}
DEVICE_WIDTH = 11
FEW_DEVICES = 8
"""Up to so many devices have figures in the terminal."""

LABEL_WIDTH = 20
_LABEL_WIDTH_MAX = 34
_CELL_DIGITS = 2
_NUMBER_WIDTH = 5
_BLOCK = 5
_TOLD_BY_UNIT = frozenset(
    {
        Metric.ACCURACY_DROP_POINTS,
        Metric.SIZE_MIB,
        Metric.LATENCY_P90_MS,
        Metric.PEAK_MEMORY_MIB,
        Metric.ENERGY_MJ,
        Metric.BATTERY_PERCENT_PER_HOUR,
    }
)
"""Shown as a number in a cell; of all others the name says more than one number of many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a table is made of."""

    weigh_in: WeighIn
    context: Context
    width: int


def tables(shown: Shown) -> Iterator[RenderableType]:
    """All tables that the devices need, and what their signs mean."""
    devices = shown.weigh_in.devices
    if len(devices) > FEW_DEVICES:
        yield from _signs(shown)
        known = worst_first(fates(shown.weigh_in, shown.context))
        devices = tuple(fate.device for fate in known[:FEW_DEVICES])
    yield from _figures(shown, devices)
    yield _legend(shown)


def _signs(shown: Shown) -> Iterator[RenderableType]:
    """One sign for each variant on each device, as many tables as the window needs."""
    weigh_in = shown.weigh_in
    label_width = min(_label_width(weigh_in), LABEL_WIDTH + 8)
    room = max(_BLOCK, (shown.width - label_width - 1) * _BLOCK // (_BLOCK + 1) // _BLOCK * _BLOCK)
    for start in range(0, len(weigh_in.devices), room):
        yield _sign_table(shown, start, weigh_in.devices[start : start + room], label_width)


def _sign_table(shown: Shown, start: int, devices: Sequence[str], label_width: int) -> Table:
    numbers = range(start + 1, start + len(devices) + 1)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=0)
    table.add_column("variant", width=label_width, overflow="fold")
    tens = _blocks([Text(str(n // 10) if n % 10 == 0 else " ") for n in numbers])
    ones = _blocks([Text(str(n % 10)) for n in numbers])
    table.add_column(Text("\n").join([tens, ones]), no_wrap=True)
    for result in shown.weigh_in.results:
        signs = _blocks([_sign(shown, result, device) for device in devices])
        table.add_row(Text(plain(result.variant.label)), signs)
    return table


def _blocks(cells: Sequence[Text]) -> Text:
    """Cells of one character, in groups of five."""
    groups = (Text("").join(cells[at : at + _BLOCK]) for at in range(0, len(cells), _BLOCK))
    return Text(" ").join(groups)


def _sign(shown: Shown, result: Result, device: str) -> Text:
    verdict = summary.verdict_on(result, device)
    if verdict is None:
        return Text("-", style="dim")
    standing = standing_of(shown.weigh_in, verdict, shown.context)
    return Text(MARKS[standing], style=STYLES[standing])


def _figures(shown: Shown, devices: Sequence[str]) -> Iterator[RenderableType]:
    """As many tables as the devices need; size and accuracy stand in the first only."""
    numbers = 2 * (_NUMBER_WIDTH + 1)
    label_width = _label_width(shown.weigh_in)
    room = shown.width - numbers - len(devices) * (DEVICE_WIDTH + 1)
    label_width = max(min(label_width, LABEL_WIDTH), min(label_width, room))
    rest, first = list(devices), True
    while rest or first:
        room = shown.width - label_width - (numbers if first else 0)
        fitting = max(1, room // (DEVICE_WIDTH + 1))
        yield _table(shown, rest[:fitting], label_width, with_numbers=first)
        rest, first = rest[fitting:], False


def _label_width(weigh_in: WeighIn) -> int:
    longest = max(len(plain(result.variant.label)) for result in weigh_in.results)
    return min(max(longest, len("variant")), _LABEL_WIDTH_MAX)


def _table(shown: Shown, devices: Sequence[str], label_width: int, *, with_numbers: bool) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=0)
    table.add_column("variant", width=label_width, overflow="fold")
    if with_numbers:
        table.add_column("MiB", width=_NUMBER_WIDTH, justify="right", overflow="fold")
        table.add_column("drop", width=_NUMBER_WIDTH, justify="right", overflow="fold")
    for device in devices:
        table.add_column(Text(plain(device)), width=DEVICE_WIDTH, overflow="fold")
    for result in shown.weigh_in.results:
        numbers = [_size(result), _drop(result, shown.weigh_in.devices)]
        cells = [Text(number) for number in numbers if with_numbers]
        verdicts = [_cell(shown, result, device) for device in devices]
        table.add_row(Text(plain(result.variant.label)), *cells, *verdicts)
    return table


def _cell(shown: Shown, result: Result, device: str) -> Text:
    """``✓ 3.2 ms``: the outcome and the figure nearest to its budget."""
    verdict = summary.verdict_on(result, device)
    if verdict is None:
        return Text("- skipped", style="dim")
    check = summary.deciding_check(verdict)
    standing = standing_of(shown.weigh_in, verdict, shown.context)
    if check is None:
        told = "no budget"
    elif check.objection is not None or not isinstance(check.reading, Measurement):
        told = METRIC_WORDS[check.budget.metric].short
    elif (metric := check.budget.metric) in _TOLD_BY_UNIT:
        told = amount(metric, check.reading.value, check.budget.at_most, digits=_CELL_DIGITS)
        told += " RAM" if metric is Metric.PEAK_MEMORY_MIB else ""
    else:
        told = METRIC_WORDS[metric].short
    dominated = "*" if summary.dominated_on(result, device) is not None else ""
    return Text(f"{MARKS[standing]} {told}{dominated}", style=STYLES[standing])


def _size(result: Result) -> str:
    return figure(result.variant.size_bytes / 2**20, digits=_CELL_DIGITS)


def _drop(result: Result, devices: Sequence[str]) -> str:
    for device in devices:
        reading = summary.reading_on(result, device, Metric.ACCURACY_DROP_POINTS)
        if isinstance(reading, Measurement):
            return figure(reading.value)
    return "?"


def _legend(shown: Shown) -> Text:
    weigh_in, context = shown.weigh_in, shown.context
    budgeted = {m for device in weigh_in.devices for m in summary.budgets_on(weigh_in, device)}
    lines = ["✓ pass, with its latency  ✗ fail, ? undecided, with what decided it"]
    if context.untrusted:
        lines = ["? whatever is claimed, since the numbers cannot be believed"]
    elif waivers_of(weigh_in, context):
        lines.append("! would not pass, WAIVED by a person")
    lines.append("drop: accuracy lost, in points  * dominated by a simpler variant")
    if budgeted & VS_RELEASE:
        lines.append("with a + behind it: more of it than the release has")
    if len(weigh_in.devices) > FEW_DEVICES:
        lines.append(f"figures of {FEW_DEVICES} devices, worst first; all are in --format html")
    return Text("\n" + "\n".join(lines), style="dim")
