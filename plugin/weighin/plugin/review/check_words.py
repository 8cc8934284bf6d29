"""What the checks of a review say: one line each, and a text with the numbers. Pure.

What this module does not do: it decides no conclusion, see :mod:`weighin.plugin.review.checks`.
"""

from dataclasses import dataclass
from datetime import datetime

from weighin.gates.judge import Check, Outcome
from weighin.gates.metric import Metric
from weighin.gates.report import summary
from weighin.gates.report.context import Context
from weighin.gates.report.markdown_parts import code, table
from weighin.gates.report.words import METRIC_WORDS, amount, count, plain
from weighin.gates.waiver import Waiver, waived
from weighin.gates.weigh_in import Result, WeighIn
from weighin.plugin.github.records import Conclusion
from weighin.plugin.review.remarks import LineOf, Remark

_CALLED = {
    Metric.SIZE_MIB: "size",
    Metric.ACCURACY_DROP_POINTS: "drop",
    Metric.LATENCY_P90_MS: "latency",
}

Pairs = tuple[tuple[Check, Waiver], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the checks of a weigh-in speak of.

    Attributes:
        weigh_in: The weigh-in.
        context: What else is known of it.
        line_of: Where a budget stands in the commit's ``weighin.toml``.
        toml_path: That file, from the top of the repository.
    """

    weigh_in: WeighIn
    context: Context
    line_of: LineOf
    toml_path: str

    @property
    def now(self) -> datetime:
        """The time that waivers must hold at."""
        return self.context.now or self.weigh_in.finished_at


def waived_on(shown: Shown, device: str) -> tuple[tuple[Result, Pairs], ...]:
    """The variants that may be released on a device only because somebody said so."""
    found = (
        (result, waived(verdict, shown.context.waivers, shown.now))
        for result in shown.weigh_in.results
        if (verdict := summary.verdict_on(result, device)) is not None
    )
    return tuple((result, pairs) for result, pairs in found if pairs)


def device_title(shown: Shown, device: str, outcome: Outcome, conclusion: Conclusion) -> str:
    """What one device gets, or how near the nearest came, in one line."""
    weigh_in = shown.weigh_in
    if shown.context.untrusted:
        return f"not believed: {plain(shown.context.untrusted)}"
    if conclusion is Conclusion.NEUTRAL:
        result, pairs = waived_on(shown, device)[0]
        names = ", ".join(METRIC_WORDS[check.budget.metric].name for check, _ in pairs)
        people = ", ".join(sorted({plain(waiver.by) for _, waiver in pairs}))
        return f"waived: {plain(result.variant.label)}, {names}, by {people}"
    best = summary.smallest_pass(weigh_in, device)
    if best is not None:
        known = summary.headline_figures(best, device)
        words = (f"{_CALLED[one.metric]} {amount(one.metric, one.value)}" for one in known)
        return f"passed: {plain(best.variant.label)}, {', '.join(words)}"
    word = "failed" if outcome is Outcome.FAIL else "undecided, so not passed"
    miss = summary.nearest_miss(weigh_in, device)
    if miss is None:
        return f"{word}: nothing was judged"
    return f"{word}: nearest {plain(miss[0].variant.label)}, {summary.why(miss[1])}"


def model_title(shown: Shown, let_go: list[str], conclusion: Conclusion) -> str:
    """Whether the model may ship, in one line."""
    if shown.context.untrusted:
        return f"not believed: {plain(shown.context.untrusted)}"
    if conclusion is Conclusion.NEUTRAL:
        version = plain(f"{shown.weigh_in.model} v{shown.weigh_in.version}")
        return f"{version} may ship only by waiver, on {count(len(let_go), 'device')}"
    return summary.sentence(shown.weigh_in)


def distrust(shown: Shown) -> str:
    """Why the numbers are not believed; nothing if they are."""
    why = shown.context.untrusted
    return f"**These numbers are not believed**: {code(why)}" if why else ""


def waived_sentence(let_go: list[str]) -> str:
    """Said wherever a waiver plays a part, passed or not."""
    if not let_go:
        return ""
    names = ", ".join(code(device) for device in let_go[:5])
    more = f" and {len(let_go) - 5} more" if len(let_go) > 5 else ""
    return f"🔴 Waived by a person, not passed: {names}{more}"


def waiver_lines(let_go: tuple[tuple[Result, Pairs], ...]) -> str:
    """Who waived what, until when, and why."""
    lines = [
        f"- 🔴 {code(result.variant.label)}: {METRIC_WORDS[check.budget.metric].name} **waived** "
        f"by {code(waiver.by)} until {waiver.expires_at:%Y-%m-%d}: {code(waiver.reason)}"
        for result, pairs in let_go
        for check, waiver in pairs
    ]
    return "\n".join(dict.fromkeys(lines))


def variant_table(shown: Shown, device: str) -> str:
    """Every variant on this device: its outcome, three figures, and what decided."""
    rows = [_row(shown, result, device) for result in shown.weigh_in.results]
    return table(["", "variant", "size", "drop", "latency p90", "why"], rows)


def _row(shown: Shown, result: Result, device: str) -> list[str]:
    verdict = summary.verdict_on(result, device)
    if verdict is None:
        return ["", code(result.variant.label), "", "", "", "not weighed"]
    known = {one.metric: one for one in summary.headline_figures(result, device)}
    figures = [amount(m, known[m].value) if m in known else "unknown" for m in _CALLED]
    decided = summary.deciding_check(verdict)
    why = code(verdict.reason if decided is None else summary.why(decided))
    outcome = Outcome.UNDECIDED if shown.context.untrusted else verdict.outcome
    return [outcome.value, code(result.variant.label), *figures, why]


def remark_lines(shown: Shown, found: tuple[Remark, ...]) -> str:
    """Which budgets stopped the device, and where they stand."""
    lines = [
        f"- {METRIC_WORDS[one.metric].name}: {code(one.message)} ({_place(shown, one)})"
        for one in found
    ]
    return "\n".join(["What stopped it:\n", *lines]) if lines else ""


def _place(shown: Shown, remark: Remark) -> str:
    if remark.line is None:
        return f"not found in {code(shown.toml_path)} of this commit"
    return f"{code(shown.toml_path)} line {remark.line}"
