"""The top of the HTML page: may it ship, where, how sure, what changed. Ten seconds.

What this module does not do: it decides nothing. Every answer is computed from the record.
"""

from collections import Counter
from collections.abc import Sequence

from weighin.gates.measurement import Measurement
from weighin.gates.metric import Origin
from weighin.gates.report import summary
from weighin.gates.report.change_words import title_words
from weighin.gates.report.changes import Changes, Step, changes_since
from weighin.gates.report.context import Context
from weighin.gates.report.markup import Html, join, tag
from weighin.gates.report.page_parts import NOTHING, css_class, first_upper, sign_of, unseen
from weighin.gates.report.verdict_words import (
    Fate,
    Standing,
    fates,
    headline,
    overall,
    worst_first,
)
from weighin.gates.report.words import METRIC_WORDS, count, figure, plain
from weighin.gates.weigh_in import WeighIn

_MOST_CHIPS = 8
_SHORT = {
    Standing.PASS: "May ship",
    Standing.WAIVED: "May ship by waiver only",
    Standing.FAIL: "May not ship",
    Standing.UNDECIDED: "Undecided: may not ship",
}


def header(weigh_in: WeighIn, context: Context) -> Html:
    """Name, verdict and answers."""
    name = join(weigh_in.model, " ", tag("span", f"v{plain(weigh_in.version)}", class_="version"))
    finished = f"{weigh_in.finished_at:%Y-%m-%d %H:%M} UTC"
    top = tag(
        "div", tag("p", "weighin", class_="wordmark"), tag("p", finished, class_="when"),
        class_="top",
    )  # fmt: skip
    return tag(
        "header",
        top,
        tag("h1", name),
        _verdict(weigh_in, context),
        _answers(weigh_in, context),
        tag("p", _meta(weigh_in), class_="meta"),
    )


def _verdict(weigh_in: WeighIn, context: Context) -> Html:
    standing = overall(weigh_in, context)
    disc = tag("span", sign_of(standing), class_="disc", aria_hidden="true")
    short = _SHORT[standing] if weigh_in.results else _SHORT[Standing.FAIL]
    short = tag("p", unseen(f"{standing.value}: "), short, class_="short")
    words = tag("div", short, tag("p", headline(weigh_in, context)))
    return tag("div", disc, words, class_=f"verdict {css_class(standing)}", id="verdict")


def _meta(weigh_in: WeighIn) -> str:
    seconds = (weigh_in.finished_at - weigh_in.started_at).total_seconds()
    return (
        f"Reference {summary.reference_quality(weigh_in)} · "
        f"{count(len(weigh_in.results), 'variant')}, {count(len(weigh_in.devices), 'device')} · "
        f"took {_duration(seconds)}"
    )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _answers(weigh_in: WeighIn, context: Context) -> Html:
    known = fates(weigh_in, context)
    shown = (
        ("Where", *_where(known)),
        ("How sure", *_how_sure(known, context)),
        _what_changed(weigh_in, context),
    )
    items = (
        tag("div", tag("dt", name), tag("dd", tag("p", main, class_="main"), more))
        for name, main, more in shown
    )
    return tag("dl", *items, class_="answers")


def _where(known: Sequence[Fate]) -> tuple[str, Html]:
    if not known:
        return "No device", NOTHING
    main = _served(known)
    linked = any(fate.result is not None for fate in known)
    first = known if len(known) <= _MOST_CHIPS else worst_first(tuple(known))
    places = {fate.device: place for place, fate in enumerate(known)}
    chips = [_chip(fate, places[fate.device], linked=linked) for fate in first[:_MOST_CHIPS]]
    if rest := len(known) - _MOST_CHIPS:
        chips += [tag("li", f"and {rest} more", class_="rest")] if rest > 0 else []
    return main, tag("ul", *chips, class_="chips")


def _served(known: Sequence[Fate]) -> str:
    passed = sum(fate.standing is Standing.PASS for fate in known)
    waived = sum(fate.standing is Standing.WAIVED for fate in known)
    words = f"{passed} of {count(len(known), 'device')}"
    return f"{words}, {waived} more by waiver" if waived else words


def _chip(fate: Fate, place: int, *, linked: bool) -> Html:
    sign = tag("span", sign_of(fate.standing), aria_hidden="true", class_="sign-of")
    words = join(sign, unseen(f"{fate.standing.value} "), tag("bdi", fate.device))
    inner = tag("a", words, href=f"#device-{place + 1}") if linked else tag("span", words)
    return tag("li", inner, class_=css_class(fate.standing))


def _how_sure(known: Sequence[Fate], context: Context) -> tuple[str, Html]:
    if context.untrusted:
        return "Not at all", tag("p", f"{first_upper(plain(context.untrusted))}.")
    opened = [fate for fate in known if fate.standing in {Standing.PASS, Standing.WAIVED}]
    if not opened:
        return _surely_not(known)
    counted = Counter(_weakest(fate) for fate in opened)
    measured, of_file = counted[Origin.DEVICE], counted[Origin.ARTIFACT]
    told = (
        (measured, "measured"),
        (len(opened) - measured - of_file, "estimated"),
        (of_file, "by the file alone"),
    )
    main = ", ".join(f"{number} {words}" for number, words in told if number)
    if measured == len(opened):
        main = "Measured on each" if measured > 1 else "Measured"
    others = [f"{counted[origin]} {origin.value}" for origin in list(Origin)[2:] if counted[origin]]
    rest = f" Estimated: {', '.join(others)}." if others else ""
    sure = figure(100 * min(_confidences(opened), default=0.95))
    return main, tag("p", f"A pass is a whole interval within budget, {sure} % at each end.{rest}")


def _surely_not(known: Sequence[Fate]) -> tuple[str, Html]:
    if all(fate.result is None for fate in known):
        return "Nothing was judged", NOTHING
    counted = Counter(fate.standing for fate in known)
    if not counted[Standing.UNDECIDED]:
        return "Sure: every interval is outside", tag("p", "No variant is within all budgets.")
    undecided = counted[Standing.UNDECIDED]
    main = f"Open on {undecided} of {count(len(known), 'device')}"
    return main, tag("p", "A better number could still decide there.")


def _weakest(fate: Fate) -> Origin:
    """The least trustworthy origin behind a device's file."""
    verdict = None if fate.result is None else summary.verdict_on(fate.result, fate.device)
    readings = [check.reading for check in verdict.checks] if verdict else []
    found = [one.origin for one in readings if isinstance(one, Measurement)]
    return max(found, key=list(Origin).index, default=Origin.ARTIFACT)


def _confidences(opened: Sequence[Fate]) -> list[float]:
    verdicts = (
        None if fate.result is None else summary.verdict_on(fate.result, fate.device)
        for fate in opened
    )
    readings = (check.reading for verdict in verdicts if verdict for check in verdict.checks)
    return [one.confidence for one in readings if isinstance(one, Measurement)]


def _what_changed(weigh_in: WeighIn, context: Context) -> tuple[str, str, Html]:
    if context.against is None:
        words = "No earlier version was given to compare with."
        return "What changed", "Nothing to compare", tag("p", words)
    changes = changes_since(context.against, weigh_in, context)
    told = [tag("li", words) for words in _steps(changes)]
    words = tag("ul", *told) if told else tag("p", "No number is surely better or worse.")
    since = title_words(changes)
    return f"What changed {since[0].lower()}{since[1:]}", _files(changes), words


def _files(changes: Changes) -> str:
    lost = sum(one.lost and one.is_target for one in changes.devices)
    won = sum(one.won for one in changes.devices)
    other = sum(
        not one.is_same and not one.lost and not one.won and one.is_target
        for one in changes.devices
    )
    told = (
        (lost, f"{count(lost, 'device')} lost"),
        (won, f"{count(won, 'device')} gained"),
        (other, f"another file on {other}"),
    )
    words = ", ".join(words for number, words in told if number) or "the same files"
    return first_upper(words)


def _steps(changes: Changes) -> list[str]:
    """``Better: size on 3``, ``Worse: accuracy on 1``, of what surely changed."""
    counted = Counter((c.step, c.metric) for one in changes.devices for c in one.changes)
    told: list[str] = []
    for step in (Step.WORSE, Step.BETTER):
        parts = [
            f"{METRIC_WORDS[metric].short} on {number}"
            for (of, metric), number in counted.items()
            if of is step
        ]
        if parts:
            told.append(f"{step.value.capitalize()}: {', '.join(parts)}.")
    return told
