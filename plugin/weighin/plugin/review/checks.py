"""A weigh-in as checks on a commit: one per device, one per model, and the one to require. Pure.

GitHub lets a merge through on ``success`` *and* on ``neutral``. So ``neutral`` is used for one
thing only: a named person waived what did not pass. Whatever failed, could not be decided, was
not weighed, or rests on numbers that nobody vouches for, is ``failure``. A device that nothing
passed on is ``failure`` even where the model may ship on others: branch protection should ask
for the one check named :data:`weighin.plugin.review.names.REQUIRED`.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from weighin.gates.judge import Check, Outcome
from weighin.gates.metric import Metric
from weighin.gates.report import summary
from weighin.gates.report.context import Context
from weighin.gates.report.markdown_parts import code, table
from weighin.gates.report.words import METRIC_WORDS, amount, count, plain
from weighin.gates.waiver import Waiver, waived
from weighin.gates.weigh_in import Result, WeighIn
from weighin.plugin.github.records import CheckRun, Conclusion, KnownCheck, Status
from weighin.plugin.review.names import REQUIRED, device_check, is_model_check, model_check
from weighin.plugin.review.remarks import LineOf, Remark, remarks

LONGEST_DESCRIPTION = 140
"""GitHub refuses a longer description of a commit status."""

_LONGEST_TITLE = 250
_LONGEST_SUMMARY = 60_000
_SIGNS = {Conclusion.SUCCESS: "✅", Conclusion.FAILURE: "❌", Conclusion.NEUTRAL: "⚠️"}
_RANKS = {Conclusion.SUCCESS: 0, Conclusion.NEUTRAL: 1, Conclusion.FAILURE: 2}
_FIGURES = (Metric.SIZE_MIB, Metric.ACCURACY_DROP_POINTS, Metric.LATENCY_P90_MS)

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


def check_runs(shown: Shown) -> tuple[CheckRun, ...]:
    """One check per device in the plan's order, then the model's own."""
    devices = [_device_check(shown, device) for device in shown.weigh_in.devices]
    return tuple(_sealed(check) for check in (*devices, _model_check(shown, devices)))


def required_check(model: CheckRun, known: Iterable[KnownCheck]) -> CheckRun:
    """The check that branch protection asks for: no better than any model's on that commit.

    Args:
        model: The check of the model that is reviewed now.
        known: The checks that the commit has; those of other models count.
    """
    latest = {one.check.name: one.check for one in known if is_model_check(one.check.name)}
    every = [*(latest | {model.name: model}).values()]
    if len(every) == 1:
        return _sealed(replace(model, name=REQUIRED))
    worst = max(every, key=lambda check: _RANKS[check.conclusion])
    lines = [f"- {_SIGNS[one.conclusion]} {code(one.name)}: {code(one.title)}" for one in every]
    title = f"{count(len(every), 'model')} on this commit; {worst.title}"
    return _sealed(
        CheckRun(
            name=REQUIRED,
            conclusion=worst.conclusion,
            title=title[:_LONGEST_TITLE],
            summary="\n".join(lines)[:_LONGEST_SUMMARY],
        )
    )


def required_status(model: CheckRun, known: Iterable[Status]) -> CheckRun:
    """The same where checks are commit statuses; they know of no waiver."""
    as_checks = (
        KnownCheck(
            id=0,
            check=CheckRun(
                name=one.context,
                conclusion=Conclusion.SUCCESS if one.state == "success" else Conclusion.FAILURE,
                title=one.description,
                summary="",
            ),
        )
        for one in known
    )
    return required_check(model, as_checks)


def as_status(check: CheckRun, url: str) -> Status:
    """The same fact as a commit status, for a token that may not write checks.

    A status knows no ``neutral``; what a person waived is a success that says so.
    """
    return Status(
        context=check.name,
        state="failure" if check.conclusion is Conclusion.FAILURE else "success",
        description=_shortened(check.title, LONGEST_DESCRIPTION),
        url=url,
    )


def waived_on(shown: Shown, device: str) -> tuple[tuple[Result, Pairs], ...]:
    """The variants that may be released on a device only because somebody said so."""
    found = (
        (result, waived(verdict, shown.context.waivers, shown.now))
        for result in shown.weigh_in.results
        if (verdict := summary.verdict_on(result, device)) is not None
    )
    return tuple((result, pairs) for result, pairs in found if pairs)


def _device_check(shown: Shown, device: str) -> CheckRun:
    weigh_in, found = shown.weigh_in, remarks(shown.weigh_in, device, shown.line_of)
    outcome, let_go = summary.device_outcome(weigh_in, device), waived_on(shown, device)
    conclusion = _conclusion(shown, passed=outcome is Outcome.PASS, let_go=bool(let_go))
    annotations = (remark.annotation(shown.toml_path) for remark in found)
    parts = (
        _distrust(shown),
        _waiver_lines(let_go) if conclusion is Conclusion.NEUTRAL else "",
        _variant_table(shown, device),
        _remark_lines(shown, found),
    )
    return CheckRun(
        name=device_check(weigh_in.model, device),
        conclusion=conclusion,
        title=_device_title(shown, device, outcome, conclusion)[:_LONGEST_TITLE],
        summary="\n\n".join(part for part in parts if part)[:_LONGEST_SUMMARY],
        annotations=tuple(one for one in annotations if one is not None),
    )


def _model_check(shown: Shown, devices: Sequence[CheckRun]) -> CheckRun:
    weigh_in = shown.weigh_in
    let_go = [device for device in weigh_in.devices if waived_on(shown, device)]
    enough_users = weigh_in.fleet_outcome in (None, Outcome.PASS)
    conclusion = _conclusion(shown, passed=weigh_in.may_ship, let_go=bool(let_go) and enough_users)
    rows = [
        [_SIGNS[one.conclusion], code(device), code(one.title)]
        for device, one in zip(weigh_in.devices, devices, strict=True)
    ]
    parts = (
        _distrust(shown) or f"{_SIGNS[conclusion]} {summary.sentence(weigh_in, code)}",
        _waived_sentence(let_go),
        table(["", "device", "what it gets"], rows),
    )
    return CheckRun(
        name=model_check(weigh_in.model),
        conclusion=conclusion,
        title=_model_title(shown, let_go, conclusion)[:_LONGEST_TITLE],
        summary="\n\n".join(part for part in parts if part)[:_LONGEST_SUMMARY],
    )


def _conclusion(shown: Shown, *, passed: bool, let_go: bool) -> Conclusion:
    if shown.context.untrusted:
        return Conclusion.FAILURE
    if passed:
        return Conclusion.SUCCESS
    return Conclusion.NEUTRAL if let_go else Conclusion.FAILURE


def _device_title(shown: Shown, device: str, outcome: Outcome, conclusion: Conclusion) -> str:
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
        words = (
            f"{METRIC_WORDS[one.metric].short} {amount(one.metric, one.value)}" for one in known
        )
        return f"passed: {plain(best.variant.label)}, {', '.join(words)}"
    word = "failed" if outcome is Outcome.FAIL else "undecided, so not passed"
    miss = summary.nearest_miss(weigh_in, device)
    if miss is None:
        return f"{word}: nothing was judged"
    return f"{word}: nearest {plain(miss[0].variant.label)}, {summary.why(miss[1])}"


def _model_title(shown: Shown, let_go: list[str], conclusion: Conclusion) -> str:
    if shown.context.untrusted:
        return f"not believed: {plain(shown.context.untrusted)}"
    if conclusion is Conclusion.NEUTRAL:
        version = plain(f"{shown.weigh_in.model} v{shown.weigh_in.version}")
        return f"{version} may ship only by waiver, on {count(len(let_go), 'device')}"
    return summary.sentence(shown.weigh_in)


def _distrust(shown: Shown) -> str:
    why = shown.context.untrusted
    return f"**These numbers are not believed**: {code(why)}" if why else ""


def _waived_sentence(let_go: list[str]) -> str:
    """Said wherever a waiver plays a part, passed or not."""
    if not let_go:
        return ""
    names = ", ".join(code(device) for device in let_go[:5])
    more = f" and {len(let_go) - 5} more" if len(let_go) > 5 else ""
    return f"🔴 Waived by a person, not passed: {names}{more}"


def _waiver_lines(let_go: tuple[tuple[Result, Pairs], ...]) -> str:
    lines = [
        f"- 🔴 {code(result.variant.label)}: {METRIC_WORDS[check.budget.metric].name} **waived** "
        f"by {code(waiver.by)} until {waiver.expires_at:%Y-%m-%d}: {code(waiver.reason)}"
        for result, pairs in let_go
        for check, waiver in pairs
    ]
    return "\n".join(dict.fromkeys(lines))


def _variant_table(shown: Shown, device: str) -> str:
    """Every variant on this device: its outcome, three figures, and what decided."""
    rows = [_row(shown, result, device) for result in shown.weigh_in.results]
    return table(["", "variant", "size", "drop", "latency p90", "why"], rows)


def _row(shown: Shown, result: Result, device: str) -> list[str]:
    verdict = summary.verdict_on(result, device)
    if verdict is None:
        return ["", code(result.variant.label), "", "", "", "not weighed"]
    known = {one.metric: one for one in summary.headline_figures(result, device)}
    figures = [amount(m, known[m].value) if m in known else "unknown" for m in _FIGURES]
    decided = summary.deciding_check(verdict)
    why = code(verdict.reason if decided is None else summary.why(decided))
    outcome = Outcome.UNDECIDED if shown.context.untrusted else verdict.outcome
    return [outcome.value, code(result.variant.label), *figures, why]


def _remark_lines(shown: Shown, found: tuple[Remark, ...]) -> str:
    lines = [
        f"- {METRIC_WORDS[one.metric].name}: {code(one.message)} ({_place(shown, one)})"
        for one in found
    ]
    return "\n".join(["What stopped it:\n", *lines]) if lines else ""


def _place(shown: Shown, remark: Remark) -> str:
    if remark.line is None:
        return f"not found in {code(shown.toml_path)} of this commit"
    return f"{code(shown.toml_path)} line {remark.line}"


def _shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _sealed(check: CheckRun) -> CheckRun:
    """The check with an id that says what it contains: an equal one need not be written again."""
    return replace(check, external_id=f"{_digest(_words(check))}:{_digest(_marks(check))}")


def _words(check: CheckRun) -> object:
    return [check.name, check.conclusion.value, check.title, check.summary]


def _marks(check: CheckRun) -> object:
    return [[a.path, a.line, a.title, a.message, a.level] for a in check.annotations]


def _digest(document: object) -> str:
    return hashlib.sha256(json.dumps(document).encode()).hexdigest()[:32]
