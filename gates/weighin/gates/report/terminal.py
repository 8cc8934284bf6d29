"""A weigh-in in the terminal: the verdict first, then tables that fit the window.

Colours, boxes and widths are rich's business: output that goes to no terminal, or with
``NO_COLOR`` set, is plain text. Names are made plain before rich sees them, and are passed as
``Text``, so neither an escape sequence nor rich's own markup in a name has any effect.
"""

import io
from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from weighin.gates.report import summary
from weighin.gates.report import terminal_lines as lines
from weighin.gates.report.change_words import title_words
from weighin.gates.report.changes import changes_since
from weighin.gates.report.context import PLAIN, Context
from weighin.gates.report.data_words import data_lines
from weighin.gates.report.fleet_words import fleet_lines
from weighin.gates.report.search_words import search_lines
from weighin.gates.report.slice_words import open_slice_lines
from weighin.gates.report.terminal_tables import LABEL_WIDTH, STYLES, Shown, tables
from weighin.gates.report.verdict_words import MARKS, doubt_words, headline, overall
from weighin.gates.report.waiver_words import loosened
from weighin.gates.report.words import count, plain
from weighin.gates.weigh_in import WeighIn

_ASCII = str.maketrans(
    {"✓": "+", "✗": "x", "─": "-", "→": ">", "↓": "v", "↑": "^", "·": ".", "≤": "<"}
)


def print_report(weigh_in: WeighIn, console: Console, context: Context = PLAIN) -> None:
    """Show a weigh-in on a console, as wide as it is, in the characters that it has."""
    if console.is_terminal and not console.options.ascii_only:
        console.print(to_renderable(weigh_in, context=context, width=console.width))
        return
    text = to_text(weigh_in, context=context, width=console.width)
    if console.options.ascii_only:
        text = text.translate(_ASCII).encode("ascii", "replace").decode()
    console.file.write(text)
    console.file.flush()


def to_text(weigh_in: WeighIn, *, context: Context = PLAIN, width: int = 80) -> str:
    """The same as plain text, for logs and files."""
    stream = io.StringIO()
    console = Console(file=stream, width=width, color_system=None)
    console.print(to_renderable(weigh_in, context=context, width=width))
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"


def to_renderable(
    weigh_in: WeighIn, *, context: Context = PLAIN, width: int = 80
) -> RenderableType:
    """Everything that the terminal shows, in order."""
    parts: list[RenderableType] = [*_verdict(weigh_in, context)]
    parts += _around(weigh_in, context)
    parts += _section("Devices", lines.device_lines(weigh_in, context))
    parts += _changed(weigh_in, context)
    if not context.untrusted:
        parts += _section("Users", lines.plain_lines(fleet_lines(weigh_in)))
    parts += _section("Look at", lines.alarm_lines(weigh_in))
    if weigh_in.results:
        shown = Shown(weigh_in=weigh_in, context=context, width=width)
        *drawn, legend = tables(shown)
        parts += [*(Padding(table, (1, 0, 0, 0)) for table in drawn), legend]
        parts += _section("Budgets", lines.budget_lines(weigh_in))
    parts += _section(
        "Slices, with intervals that hold for all of them together", open_slice_lines(weigh_in)
    )
    parts += _section("Against the release", lines.compared_lines(weigh_in))
    parts += _section("Search", search_lines(weigh_in))
    parts += _section("Data", data_lines(weigh_in.data_report))
    parts += _section("Not built", lines.failure_lines(weigh_in))
    parts += _section("Not weighed", lines.skipped_lines(weigh_in))
    parts += _section("Origin of the numbers", lines.origin_lines(weigh_in))
    return Group(*parts)


def _verdict(weigh_in: WeighIn, context: Context) -> Iterator[RenderableType]:
    """Trust, the verdict in words, and of what."""
    if context.untrusted:
        yield Text("! NOT TO BE TRUSTED", style="bold red")
    standing = overall(weigh_in, context)
    words = f"{MARKS[standing]} {headline(weigh_in, context)}"
    yield Text(words, style=f"bold {STYLES[standing]}")
    facts = (
        f"reference {summary.reference_quality(weigh_in)}, "
        f"finished {weigh_in.finished_at:%Y-%m-%d %H:%M} UTC"
    )
    yield Text(facts, style="dim")
    if doubts := doubt_words(weigh_in, context):
        yield Text(f"! evidence: {doubts}", style="bold red")
    if context.report_url:
        yield Text(plain(context.report_url), style="dim", overflow="fold")


def _around(weigh_in: WeighIn, context: Context) -> list[RenderableType]:
    """Changed budgets and waivers: they come before what they make possible."""
    number = len(loosened(context))
    title = f"This pull request loosens {count(number, 'setting')} that it is judged by"
    if not number:
        title = "This pull request changes the plan, and loosens nothing"
    style = "bold red" if number else "bold"
    changes = _section(title, lines.plan_change_lines(context), style)
    return changes + _section("WAIVED", lines.waived_lines(weigh_in, context), "bold red")


def _changed(weigh_in: WeighIn, context: Context) -> list[RenderableType]:
    if context.against is None:
        return []
    found = changes_since(context.against, weigh_in, context)
    return _section(title_words(found), lines.changed_lines(found))


def _section(title: str, told: lines.Lines, style: str = "bold") -> list[RenderableType]:
    """A title and a list of names with a text each; nothing at all without lines."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(max_width=LABEL_WIDTH, overflow="fold")
    table.add_column(overflow="fold")
    for name, text in told:
        table.add_row(Text(name), Text(text))
    return [Text(f"\n{title}", style=style), table] if table.row_count else []
