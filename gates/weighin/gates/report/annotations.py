"""What is in the way as GitHub workflow commands: a line each, which runners turn into annotations.

    ::error file=weighin.toml,line=12,title=weighin%3A pixel-4::latency p90 at least 5.2 ms, ...

``FAIL`` is an error, ``UNDECIDED`` a warning, a waiver a notice. A step shows ten of each at most,
so errors come first.

What this module does not do: it finds no lines. Whoever read ``weighin.toml`` hands them over.
"""

from collections.abc import Iterator, Mapping

from weighin.gates.metric import Metric
from weighin.gates.report.context import PLAIN, Context
from weighin.gates.report.misses import Miss, misses
from weighin.gates.report.verdict_words import Standing
from weighin.gates.report.words import plain
from weighin.gates.weigh_in import WeighIn

FILE = "weighin.toml"
Lines = Mapping[tuple[str, Metric], int]
"""Per device and metric, the line of the budget, counted from 1."""

_COMMANDS = {Standing.FAIL: "error", Standing.UNDECIDED: "warning", Standing.WAIVED: "notice"}
_NO_LINES: Lines = {}


def to_annotations(
    weigh_in: WeighIn, *, lines: Lines = _NO_LINES, context: Context = PLAIN, file: str = FILE
) -> str:
    """One command a line; empty if every device gets a file.

    Args:
        weigh_in: What is told of.
        lines: Where the budgets stand, as far as that is known.
        context: For its waivers, and for whether the numbers may be believed.
        file: The budgets' file, as the repository has it.
    """
    found = sorted(misses(weigh_in, context), key=lambda one: list(_COMMANDS).index(one.standing))
    return "".join(f"{line}\n" for line in _commands(found, weigh_in, lines, file))


def _commands(found: list[Miss], weigh_in: WeighIn, lines: Lines, file: str) -> Iterator[str]:
    for miss in found:
        line = line_of(miss, lines)
        where = f"file={_property(file)}" + (f",line={line}" if line is not None else "")
        title = f"{plain(weigh_in.model)} v{plain(weigh_in.version)} on {miss.where}"
        waiver = waiver_words(miss)
        words = f"{miss.words}{waiver}"
        yield f"::{_COMMANDS[miss.standing]} {where},title={_property(title)}::{_message(words)}"


def line_of(miss: Miss, lines: Lines) -> int | None:
    """Where the budget stands, if it is one and that is known."""
    if miss.device is None or miss.metric is None:
        return None
    line = lines.get((miss.device, miss.metric))
    return line if line is not None and line > 0 else None


def waiver_words(miss: Miss) -> str:
    """``; WAIVED by ada until 2026-12-06: reason``, or nothing."""
    one = miss.waiver
    if one is None:
        return ""
    return f"; WAIVED by {plain(one.by)} until {one.expires_at:%Y-%m-%d}: {plain(one.reason)}"


def _message(text: str) -> str:
    return plain(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
