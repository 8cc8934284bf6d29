"""The verdict in a few lines, to be pasted into or sent to Slack, Teams or an e-mail.

The three agree on very little: Slack's bold is ``*one star*``, Teams' is two, an e-mail shows
both as they are; tables, HTML and ``[links](…)`` work in one of them at most, and a single line
break is lost in some. So this uses what reads well in all: the verdict, then a dash and one fact
a line, signs that are characters, names in back quotes, and the address as it is. No bold.

A stranger's name can ping nobody: it stands in back quotes, and the signs that Slack or Teams would
obey in it (``@``, ``<``, ``>``) are replaced by look-alikes.

What this module does not do: it sends nothing.
"""

from weighin.gates.measurement import Measurement
from weighin.gates.metric import Metric
from weighin.gates.report import summary
from weighin.gates.report.change_words import file_words, short_words, title_words
from weighin.gates.report.changes import DeviceChange, changes_since
from weighin.gates.report.context import PLAIN, Context
from weighin.gates.report.markdown_parts import isolated
from weighin.gates.report.misses import Miss, of_fate
from weighin.gates.report.verdict_words import (
    SIGNS,
    Fate,
    doubt_words,
    fates,
    headline,
    overall,
    worst_first,
)
from weighin.gates.report.waiver_words import loosened
from weighin.gates.report.words import amount, count, plain
from weighin.gates.weigh_in import WeighIn

MOST_DEVICES = 7
_MOST_CHANGED = 3
_LONGEST_NAME, _LONGEST_REASON, _LONGEST_LINE = 60, 160, 300
_LOOK_ALIKES = str.maketrans({"`": "\u02cb", "@": "\uff20", "<": "\u2039", ">": "\u203a"})


def to_brief(weigh_in: WeighIn, *, context: Context = PLAIN) -> str:
    """At most a dozen lines of plain Markdown, the verdict first.

    Args:
        weigh_in: What is told of.
        context: What else is known: the release, waivers, changed budgets, where the page is.
    """
    head = f"{SIGNS[overall(weigh_in, context)]} {headline(weigh_in, context, _name)}"
    lines = [
        *_warnings(weigh_in, context),
        *_devices(weigh_in, context),
        *_changed(weigh_in, context),
    ]
    if context.report_url:
        lines.append(f"Report: {_address(context.report_url)}")
    return "\n".join([_short(head), "", *(f"- {_short(line)}" for line in lines)]) + "\n"


def _devices(weigh_in: WeighIn, context: Context) -> list[str]:
    """What each device gets; of too many, those that get nothing first."""
    found = fates(weigh_in, context)
    if len(found) <= MOST_DEVICES:
        return [_device(weigh_in, fate, context) for fate in found]
    lines = [_device(weigh_in, fate, context) for fate in worst_first(found)[: MOST_DEVICES - 1]]
    return [*lines, f"and {count(len(found) - len(lines), 'more device')}"]


def _device(weigh_in: WeighIn, fate: Fate, context: Context) -> str:
    sign, name = SIGNS[fate.standing], _name(fate.device)
    if context.untrusted:
        return f"{sign} {name}: claimed only"
    told = list(of_fate(weigh_in, fate, context))
    if fate.waived:
        by = ", ".join(dict.fromkeys(_name(waiver.by) for _, waiver in fate.waived))
        until = min(waiver.expires_at for _, waiver in fate.waived)
        return f"{sign} {name}: {_gets(fate)}, WAIVED by {by} until {until:%Y-%m-%d}"
    if told:
        return f"{sign} {name}: nothing; {_why(told[0])}"
    return f"{sign} {name}: {_gets(fate)}"


def _why(miss: Miss) -> str:
    """``nearest `int8.tflite`: latency p90 at least 5.2 ms, budget 4 ms``."""
    words = miss.why if miss.own else _name(miss.why, _LONGEST_REASON)
    return f"nearest {_name(miss.label)}: {words}" if miss.label else words


def _gets(fate: Fate) -> str:
    """``int8.tflite`` with its figures."""
    if fate.result is None:
        return "nothing"
    known = summary.headline_figures(fate.result, fate.device)
    figures = ", ".join(_figure(reading) for reading in known)
    return f"{_name(fate.result.variant.label)} ({figures})"


def _figure(reading: Measurement) -> str:
    start = {Metric.ACCURACY_DROP_POINTS: "drop ", Metric.LATENCY_P90_MS: "p90 "}
    return f"{start.get(reading.metric, '')}{amount(reading.metric, reading.value)}"


def _warnings(weigh_in: WeighIn, context: Context) -> list[str]:
    number, doubts = len(loosened(context)), doubt_words(weigh_in, context)
    told = []
    if number:
        told.append(f"The pull request loosens {count(number, 'setting')} that it is judged by")
    return [f"⚠️ {one}" for one in (*told, doubts) if one]


def _changed(weigh_in: WeighIn, context: Context) -> list[str]:
    """What changed, in one line for each of a few devices."""
    if context.against is None:
        return []
    found = changes_since(context.against, weigh_in, context)
    moved = [one for one in found.devices if not one.is_same or one.was_target != one.is_target]
    title = title_words(found, _name)
    if not moved:
        return [f"{title}: every device gets the same file"]
    first = sorted(moved, key=lambda one: (not one.lost, not one.won))[:_MOST_CHANGED]
    told = "; ".join(_change(one) for one in first)
    more = len(moved) - len(first)
    return [f"{title}: {told}" + (f"; {count(more, 'more device')} changed" if more else "")]


def _change(one: DeviceChange) -> str:
    words = short_words(one)
    return f"{_name(one.device)} {file_words(one, _name)}" + (f" ({words})" if words else "")


def _name(text: str, longest: int = _LONGEST_NAME) -> str:
    shown = plain(text).translate(_LOOK_ALIKES)
    cut = shown if len(shown) <= longest else shown[: longest - 1] + "…"
    return isolated(f"`{cut}`")


def _address(url: str) -> str:
    """As it is, without blanks; what could end a link is shown as a name instead."""
    safe = url.isascii() and not set(url) & set(" <>`|\"'\\\n\r\t")
    return url if safe and url.startswith(("https://", "http://")) else _name(url, 200)


def _short(line: str) -> str:
    if len(line) <= _LONGEST_LINE:
        return line
    cut = line[: _LONGEST_LINE - 2] + "…"
    return cut + "`" if cut.count("`") % 2 else cut
