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
from dataclasses import replace

from weighin.gates.judge import Outcome
from weighin.gates.report import summary
from weighin.gates.report.markdown_parts import code, table
from weighin.gates.report.words import count
from weighin.plugin.github.records import CheckRun, Conclusion, KnownCheck, Status
from weighin.plugin.review.check_words import (
    Shown,
    device_title,
    distrust,
    model_title,
    remark_lines,
    variant_table,
    waived_on,
    waived_sentence,
    waiver_lines,
)
from weighin.plugin.review.names import REQUIRED, device_check, is_model_check, model_check
from weighin.plugin.review.remarks import remarks

LONGEST_DESCRIPTION = 140
"""GitHub refuses a longer description of a commit status."""

_LONGEST_TITLE = 250
_LONGEST_SUMMARY = 60_000
_SIGNS = {Conclusion.SUCCESS: "✅", Conclusion.FAILURE: "❌", Conclusion.NEUTRAL: "⚠️"}
_RANKS = {Conclusion.SUCCESS: 0, Conclusion.NEUTRAL: 1, Conclusion.FAILURE: 2}


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


def _device_check(shown: Shown, device: str) -> CheckRun:
    weigh_in, found = shown.weigh_in, remarks(shown.weigh_in, device, shown.line_of)
    outcome, let_go = summary.device_outcome(weigh_in, device), waived_on(shown, device)
    conclusion = _conclusion(shown, passed=outcome is Outcome.PASS, let_go=bool(let_go))
    annotations = (remark.annotation(shown.toml_path) for remark in found)
    parts = (
        distrust(shown),
        waiver_lines(let_go) if conclusion is Conclusion.NEUTRAL else "",
        variant_table(shown, device),
        remark_lines(shown, found),
    )
    return CheckRun(
        name=device_check(weigh_in.model, device),
        conclusion=conclusion,
        title=device_title(shown, device, outcome, conclusion)[:_LONGEST_TITLE],
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
        distrust(shown) or f"{_SIGNS[conclusion]} {summary.sentence(weigh_in, code)}",
        waived_sentence(let_go),
        table(["", "device", "what it gets"], rows),
    )
    return CheckRun(
        name=model_check(weigh_in.model),
        conclusion=conclusion,
        title=model_title(shown, let_go, conclusion)[:_LONGEST_TITLE],
        summary="\n\n".join(part for part in parts if part)[:_LONGEST_SUMMARY],
    )


def _conclusion(shown: Shown, *, passed: bool, let_go: bool) -> Conclusion:
    if shown.context.untrusted:
        return Conclusion.FAILURE
    if passed:
        return Conclusion.SUCCESS
    return Conclusion.NEUTRAL if let_go else Conclusion.FAILURE


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
