"""The lists of the terminal: pairs of a short name and a text, section by section.

What this module does not do: it draws nothing. Every name is made plain here.
"""

from collections.abc import Iterator

from weighin.gates.report import summary
from weighin.gates.report.change_words import file_words, reference_words, short_words
from weighin.gates.report.changes import Changes
from weighin.gates.report.context import Context
from weighin.gates.report.data_words import FLAG
from weighin.gates.report.limit_words import budget_words
from weighin.gates.report.quality_words import alarms
from weighin.gates.report.terminal_tables import FEW_DEVICES
from weighin.gates.report.verdict_words import MARKS, Fate, Standing, fates, worst_first
from weighin.gates.report.waiver_words import plan_lines, waiver_lines
from weighin.gates.report.words import METRIC_WORDS, ORIGIN_WORDS, amount, count, plain
from weighin.gates.weigh_in import WeighIn

Lines = Iterator[tuple[str, str]]
_MOST_CHANGED = 12


def device_lines(weigh_in: WeighIn, context: Context) -> Lines:
    """For each device what it gets, or else the nearest miss; of many the worst first."""
    found = fates(weigh_in, context)
    if len(found) <= FEW_DEVICES:
        yield from ((f"{MARKS[fate.standing]} {plain(fate.device)}", _gets(fate)) for fate in found)
        return
    numbers = {fate.device: place for place, fate in enumerate(found, start=1)}
    width = len(str(len(found)))
    for fate in worst_first(found):
        number = str(numbers[fate.device]).rjust(width)
        name = f"{MARKS[fate.standing]} {number} {plain(fate.device)}"
        yield name, _gets_shortly(fate)


def plan_change_lines(context: Context) -> Lines:
    """What the pull request changes in the plan."""
    for change, word in plan_lines(context):
        before, after = plain(change.before or "(new)"), plain(change.after or "(removed)")
        yield (
            f"{'!' if change.looser else '·'} {word}",
            f"{plain(change.where)}: {before} → {after}",
        )


def waived_lines(weigh_in: WeighIn, context: Context) -> Lines:
    """Who let which budget go."""
    for line in waiver_lines(weigh_in, context):
        who = f"by @{plain(line.waiver.by)}, {line.until}; {plain(line.effect)}"
        name = f"{'!' if line.holds else '·'} {line.budget}"
        yield name, f"on {plain(line.where)} {who}: {plain(line.waiver.reason)}"


def changed_lines(changes: Changes) -> Lines:
    """What each device got and gets; devices with the same file last, and not all of them."""
    yield "reference", reference_words(changes).removeprefix("reference ")
    ordered = sorted(changes.devices, key=lambda one: (not one.lost, not one.won, one.is_same))
    shown = changes.devices if len(ordered) <= FEW_DEVICES else ordered[:_MOST_CHANGED]
    for one in shown:
        words = short_words(one)
        yield plain(one.device), file_words(one) + (f"; {words}" if words else "")
    if more := len(ordered) - len(shown):
        yield "and", f"{count(more, 'more device')}"


def budget_lines(weigh_in: WeighIn) -> Lines:
    """Each device's budgets; devices with the same share a line."""
    alike: dict[str, list[str]] = {}
    for device in weigh_in.devices:
        limits = (
            f"{METRIC_WORDS[metric].name} {budget_words(check.budget)}"
            for metric, check in summary.budgets_on(weigh_in, device).items()
        )
        words = ", ".join(limits) or "none, so nothing can pass"
        alike.setdefault(words, []).append(plain(device))
    for words, names in alike.items():
        if len(weigh_in.devices) <= FEW_DEVICES:
            yield from ((name, words) for name in names)
        else:
            more = f" and {len(names) - 1} more" if names[1:] else ""
            yield f"{names[0]}{more}", words


def alarm_lines(weigh_in: WeighIn) -> Lines:
    """What somebody should look at, whatever the verdict."""
    for label, alarm in alarms(weigh_in):
        yield f"{FLAG}{plain(label)}", plain(alarm)


def failure_lines(weigh_in: WeighIn) -> Lines:
    """What could not be built."""
    for failure in weigh_in.failures:
        yield plain(f"{failure.recipe}{failure.format.suffix}"), plain(failure.reason)


def plain_lines(lines: Lines) -> Lines:
    """Lines that hold names and words of other people."""
    return ((plain(name), plain(text)) for name, text in lines)


def compared_lines(weigh_in: WeighIn) -> Lines:
    """What variants were held against, if a budget asks for it."""
    for compared in weigh_in.compared_with:
        yield plain(compared.device), plain(compared.words)


def skipped_lines(weigh_in: WeighIn) -> Lines:
    """What has no verdict."""
    for skipped in summary.skipped(weigh_in):
        yield plain(skipped.label), f"{plain(skipped.device)}: {skipped.reason}"


def origin_lines(weigh_in: WeighIn) -> Lines:
    """What the origins mean."""
    for origin in summary.origins(weigh_in):
        yield origin.value, ORIGIN_WORDS[origin]


def _gets_shortly(fate: Fate) -> str:
    """A device without trouble has one line."""
    if fate.result is None or fate.standing is not Standing.PASS:
        return _gets(fate)
    known = summary.headline_figures(fate.result, fate.device)
    return ", ".join(
        [plain(fate.result.variant.label), *(amount(r.metric, r.value) for r in known[2:])]
    )


def _gets(fate: Fate) -> str:
    if fate.result is None:
        return "nothing was judged"
    label = plain(fate.result.variant.label)
    if fate.miss is not None:
        return f"nearest miss: {label}, {summary.why(fate.miss)}"
    known = summary.headline_figures(fate.result, fate.device)
    figures = ", ".join(amount(figure.metric, figure.value) for figure in known)
    if fate.standing is Standing.WAIVED:
        told = "; ".join(summary.why(check) for check, _ in fate.waived)
        return f"only by waiver: {label} ({figures}); {told}"
    start = "claimed: " if fate.standing is Standing.UNDECIDED else "smallest pass: "
    return f"{start}{label} ({figures})"
