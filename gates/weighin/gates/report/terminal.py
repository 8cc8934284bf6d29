"""A weigh-in in the terminal: the verdict first, then a table that fits the window.

Colours, boxes and widths are rich's business: output that goes to no terminal, or with
``NO_COLOR`` set, is plain text. Names are made plain before rich sees them, and are passed as
``Text``, so neither an escape sequence nor rich's own markup in a name has any effect.
"""

import io
from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from weighin.gates.judge import Outcome
from weighin.gates.measurement import Measurement
from weighin.gates.metric import VS_RELEASE, Metric
from weighin.gates.report import summary
from weighin.gates.report.data_words import FLAG, data_lines
from weighin.gates.report.fleet_words import fleet_lines
from weighin.gates.report.limit_words import budget_words
from weighin.gates.report.quality_words import alarms
from weighin.gates.report.search_words import search_lines
from weighin.gates.report.slice_words import open_slice_lines
from weighin.gates.report.words import GLYPHS, METRIC_WORDS, ORIGIN_WORDS, amount, figure, plain
from weighin.gates.weigh_in import Result, WeighIn

STYLES = {Outcome.PASS: "green", Outcome.FAIL: "red", Outcome.UNDECIDED: "yellow"}

_ASCII = str.maketrans({"✓": "+", "✗": "x", "─": "-"})

_LABEL_WIDTH_MIN, _LABEL_WIDTH_MAX = 20, 34
_CELL_DIGITS = 2
_NUMBER_WIDTH = 5
DEVICE_WIDTH = 11
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


def print_report(weigh_in: WeighIn, console: Console) -> None:
    """Show a weigh-in on a console, as wide as it is, in the characters that it has."""
    if not console.options.ascii_only:
        console.print(to_renderable(weigh_in, width=console.width))
        return
    text = to_text(weigh_in, width=console.width).translate(_ASCII)
    console.print(Text(text.encode("ascii", "replace").decode()), end="")


def to_text(weigh_in: WeighIn, *, width: int = 80) -> str:
    """The same as plain text, for logs and files."""
    stream = io.StringIO()
    console = Console(file=stream, width=width, color_system=None)
    console.print(to_renderable(weigh_in, width=width))
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"


def to_renderable(weigh_in: WeighIn, *, width: int = 80) -> RenderableType:
    """Everything that the terminal shows, in order."""
    outcome = summary.overall_outcome(weigh_in)
    verdict = Text(
        f"{GLYPHS[outcome]} {summary.sentence(weigh_in)}", style=f"bold {STYLES[outcome]}"
    )
    facts = Text(
        f"reference {summary.reference_quality(weigh_in)}, "
        f"finished {weigh_in.finished_at:%Y-%m-%d %H:%M} UTC",
        style="dim",
    )
    parts: list[RenderableType] = [verdict, facts]
    parts += _section("Devices", _device_lines(weigh_in))
    parts += _section("Users", _plain_lines(fleet_lines(weigh_in)))
    parts += _section("Look at", _alarm_lines(weigh_in))
    if weigh_in.results:
        parts += [Padding(table, (1, 0, 0, 0)) for table in _tables(weigh_in, width)]
        parts += [_legend(weigh_in), *_section("Budgets", _budget_lines(weigh_in))]
    parts += _section(
        "Slices, with intervals that hold for all of them together", open_slice_lines(weigh_in)
    )
    parts += _section("Against the release", _compared_lines(weigh_in))
    parts += _section("Search", search_lines(weigh_in))
    parts += _section("Data", data_lines(weigh_in.data_report))
    parts += _section("Not built", _failure_lines(weigh_in))
    parts += _section("Not weighed", _skipped_lines(weigh_in))
    parts += _section("Origin of the numbers", _origin_lines(weigh_in))
    return Group(*parts)


def _tables(weigh_in: WeighIn, width: int) -> Iterator[Table]:
    """As many tables as the devices need; size and accuracy stand in the first only."""
    longest = max(len(plain(result.variant.label)) for result in weigh_in.results)
    label_width = min(max(longest, len("variant")), _LABEL_WIDTH_MAX)
    numbers = 2 * (_NUMBER_WIDTH + 1)
    room = width - numbers - len(weigh_in.devices) * (DEVICE_WIDTH + 1)
    label_width = max(min(label_width, _LABEL_WIDTH_MIN), min(label_width, room))
    rest, first = list(weigh_in.devices), True
    while rest or first:
        room = width - label_width - (numbers if first else 0)
        fitting = max(1, room // (DEVICE_WIDTH + 1))
        yield _table(weigh_in, rest[:fitting], label_width, with_numbers=first)
        rest, first = rest[fitting:], False


def _table(
    weigh_in: WeighIn, devices: Sequence[str], label_width: int, *, with_numbers: bool
) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=0)
    table.add_column("variant", width=label_width, overflow="fold")
    if with_numbers:
        table.add_column("MiB", width=_NUMBER_WIDTH, justify="right", overflow="fold")
        table.add_column("drop", width=_NUMBER_WIDTH, justify="right", overflow="fold")
    for device in devices:
        table.add_column(Text(plain(device)), width=DEVICE_WIDTH, overflow="fold")
    for result in weigh_in.results:
        numbers = [_size(result), _drop(result, weigh_in.devices)]
        cells = [Text(number) for number in numbers if with_numbers]
        verdicts = [_cell(result, device) for device in devices]
        table.add_row(Text(plain(result.variant.label)), *cells, *verdicts)
    return table


def _cell(result: Result, device: str) -> Text:
    """``✓ 3.2 ms``: the outcome and the figure nearest to its budget."""
    verdict = summary.verdict_on(result, device)
    if verdict is None:
        return Text("- skipped", style="dim")
    check, outcome = summary.deciding_check(verdict), verdict.outcome
    if check is None:
        shown = "no budget"
    elif check.objection is not None or not isinstance(check.reading, Measurement):
        shown = METRIC_WORDS[check.budget.metric].short
    elif (metric := check.budget.metric) in _TOLD_BY_UNIT:
        shown = amount(metric, check.reading.value, check.budget.at_most, digits=_CELL_DIGITS)
        shown += " RAM" if metric is Metric.PEAK_MEMORY_MIB else ""
    else:
        shown = METRIC_WORDS[metric].short
    dominated = "*" if summary.dominated_on(result, device) is not None else ""
    return Text(f"{GLYPHS[outcome]} {shown}{dominated}", style=STYLES[outcome])


def _size(result: Result) -> str:
    return figure(result.variant.size_bytes / 2**20, digits=_CELL_DIGITS)


def _drop(result: Result, devices: Sequence[str]) -> str:
    for device in devices:
        reading = summary.reading_on(result, device, Metric.ACCURACY_DROP_POINTS)
        if isinstance(reading, Measurement):
            return figure(reading.value)
    return "?"


def _legend(weigh_in: WeighIn) -> Text:
    budgeted = {m for device in weigh_in.devices for m in summary.budgets_on(weigh_in, device)}
    growth = (
        "\nwith a + behind it: more of it than the release has" if budgeted & VS_RELEASE else ""
    )
    return Text(
        "\n✓ pass, with its latency  ✗ fail, ? undecided, with what decided it\n"
        f"drop: accuracy lost, in points  * dominated by a simpler variant{growth}",
        style="dim",
    )


def _budget_lines(weigh_in: WeighIn) -> Iterator[tuple[str, str]]:
    for device in weigh_in.devices:
        checks = summary.budgets_on(weigh_in, device)
        limits = (
            f"{METRIC_WORDS[metric].name} {budget_words(check.budget)}"
            for metric, check in checks.items()
        )
        yield plain(device), ", ".join(limits) or "none, so nothing can pass"


def _device_lines(weigh_in: WeighIn) -> Iterator[tuple[str, str]]:
    """For each device the smallest file that passed, or else the nearest miss."""
    for device in weigh_in.devices:
        name = f"{GLYPHS[summary.device_outcome(weigh_in, device)]} {plain(device)}"
        best = summary.smallest_pass(weigh_in, device)
        if best is not None:
            figures = summary.headline_figures(best, device)
            shown = ", ".join(amount(figure.metric, figure.value) for figure in figures)
            yield name, f"smallest pass: {plain(best.variant.label)} ({shown})"
        elif miss := summary.nearest_miss(weigh_in, device):
            yield name, f"nearest miss: {plain(miss[0].variant.label)}, {summary.why(miss[1])}"
        else:
            yield name, "nothing was judged"


def _alarm_lines(weigh_in: WeighIn) -> Iterator[tuple[str, str]]:
    for label, alarm in alarms(weigh_in):
        yield f"{FLAG}{plain(label)}", plain(alarm)


def _failure_lines(weigh_in: WeighIn) -> Iterator[tuple[str, str]]:
    for failure in weigh_in.failures:
        yield plain(f"{failure.recipe}{failure.format.suffix}"), plain(failure.reason)


def _plain_lines(lines: Iterator[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Lines that hold names and words of other people."""
    return ((plain(name), plain(text)) for name, text in lines)


def _compared_lines(weigh_in: WeighIn) -> Iterator[tuple[str, str]]:
    for compared in weigh_in.compared_with:
        yield plain(compared.device), plain(compared.words)


def _skipped_lines(weigh_in: WeighIn) -> Iterator[tuple[str, str]]:
    for skipped in summary.skipped(weigh_in):
        yield plain(skipped.label), f"{plain(skipped.device)}: {skipped.reason}"


def _origin_lines(weigh_in: WeighIn) -> Iterator[tuple[str, str]]:
    for origin in summary.origins(weigh_in):
        yield origin.value, ORIGIN_WORDS[origin]


def _section(title: str, lines: Iterator[tuple[str, str]]) -> list[RenderableType]:
    """A title and a list of names with a text each; nothing at all without lines."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(max_width=_LABEL_WIDTH_MIN, overflow="fold")
    table.add_column(overflow="fold")
    for name, text in lines:
        table.add_row(Text(name), Text(text))
    return [Text(f"\n{title}", style="bold"), table] if table.row_count else []
