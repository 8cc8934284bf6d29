"""A weigh-in as Markdown: the comment on a pull request, and a short table for a description.

What this module does not do: it escapes nothing itself, see
:mod:`weighin.gates.report.markdown_parts`.
"""

import hashlib
import shlex
from collections.abc import Iterator, Sequence

from weighin.gates.judge import Check, Outcome, Verdict
from weighin.gates.measurement import Measurement
from weighin.gates.metric import Metric
from weighin.gates.report import summary
from weighin.gates.report.context import PLAIN, Context
from weighin.gates.report.data_words import FLAG, data_lines, flag_lines
from weighin.gates.report.fleet_words import (
    OTHER,
    fleet_report,
    other_words,
    part_words,
    served_words,
    share_words,
    source_words,
)
from weighin.gates.report.limit_words import applied, budget_words, limit_of
from weighin.gates.report.markdown_parts import code, folded, table
from weighin.gates.report.markdown_quality import by_class, look_at, rows_looked_at, slices
from weighin.gates.report.search_words import search_lines, trial_lines
from weighin.gates.report.words import (
    GLYPHS,
    METRIC_WORDS,
    ORIGIN_WORDS,
    amount,
    count,
    figure,
    plain,
)
from weighin.gates.weigh_in import Result, WeighIn

COMMENT_LENGTH = 65_000
"""GitHub refuses comments above 65,536 characters."""

DESCRIPTION_LENGTH = 5_000
"""MLflow's database keeps descriptions of at most so many characters."""

_SIGNS = {Outcome.PASS: "✅", Outcome.FAIL: "❌", Outcome.UNDECIDED: "❔"}


def marker(model: str) -> str:
    """The invisible first line by which a later run finds its own comment on this model."""
    return f"<!-- weighin:{hashlib.sha256(model.encode()).hexdigest()[:16]} -->"


def to_markdown(
    weigh_in: WeighIn, *, context: Context = PLAIN, longest: int = COMMENT_LENGTH
) -> str:
    """The whole comment, verdict first.

    Args:
        weigh_in: What is shown.
        context: What else is known.
        longest: How many characters there may be. What does not fit is left out, details
            first, and the comment says so.
    """
    needed = [
        marker(weigh_in.model),
        f"### {_headline(weigh_in)}",
        _facts(weigh_in),
        _device_table(weigh_in),
        _users(weigh_in),
        look_at(weigh_in),
        *_compared(weigh_in),
        *_failures(weigh_in),
        _flags(weigh_in),
    ]
    optional = [
        _matrix(weigh_in),
        _users_by_file(weigh_in),
        _searched(weigh_in),
        _data(weigh_in),
        _budgets(weigh_in),
        by_class(weigh_in),
        slices(weigh_in),
        _evidence(weigh_in),
    ]
    note, again = "", _reproduce(weigh_in)
    while optional and len(_assembled([*needed, *optional, note, again])) > longest:
        optional.pop()
        note = "Details were left out to keep this short; the HTML and JSON reports hold all."
    text = _assembled([*needed, *optional, note, again])
    return text if len(text) <= longest else text[: longest - 2] + "…\n"


def summary_table(weigh_in: WeighIn, *, longest: int = DESCRIPTION_LENGTH) -> str:
    """The verdict and one row per device, short enough for a model version's description."""
    needed = [_headline(weigh_in), _facts(weigh_in)]
    text = _assembled([*needed, _device_table(weigh_in)])
    if len(text) <= longest:
        return text
    note = f"{count(len(weigh_in.devices), 'device')}: too many for this place, see the report."
    return _assembled([*needed, note])


def _headline(weigh_in: WeighIn) -> str:
    spoken = summary.sentence(weigh_in, code)
    return f"{_SIGNS[summary.overall_outcome(weigh_in)]} {spoken}"


def _facts(weigh_in: WeighIn) -> str:
    return (
        f"Reference {summary.reference_quality(weigh_in)}, "
        f"weighed {weigh_in.finished_at:%Y-%m-%d %H:%M} UTC."
    )


def _device_table(weigh_in: WeighIn) -> str:
    """What each device gets, or how near the nearest came."""
    rows = [
        [_SIGNS[summary.device_outcome(weigh_in, device)], code(device), *_gets(weigh_in, device)]
        for device in weigh_in.devices
        if weigh_in.results
    ]
    return table(["", "device", "smallest that passed", "size", "drop", "latency p90"], rows)


def _gets(weigh_in: WeighIn, device: str) -> list[str]:
    best = summary.smallest_pass(weigh_in, device)
    if best is not None:
        known = {r.metric: r for r in summary.headline_figures(best, device)}
        metrics = (Metric.SIZE_MIB, Metric.ACCURACY_DROP_POINTS, Metric.LATENCY_P90_MS)
        figures = [_measured(known[m]) if m in known else "unknown" for m in metrics]
        return [code(best.variant.label), *figures]
    if miss := summary.nearest_miss(weigh_in, device):
        result, check = miss
        return [f"none; nearest miss {code(result.variant.label)}: {_why(check)}", "", "", ""]
    return ["nothing was judged", "", "", ""]


def _users(weigh_in: WeighIn) -> str:
    """The share of users that is served, and who is not."""
    told = fleet_report(weigh_in)
    if told is None:
        return ""
    sign = "" if told.outcome is None else f"{_SIGNS[told.outcome]} "
    head = f"#### {sign}{served_words(told)}"
    rows = [
        [_SIGNS[fate] if fate else "", code(part.name), part_words(part, fate, weighed)]
        for part, fate, weighed in told.parts
    ]
    if told.fleet.other_percent:
        rows.append(["", OTHER, other_words(told.fleet)])
    counted = f"<sub>Counted by {code(source_words(told.fleet))}.</sub>"
    return "\n\n".join([head, table(["", "users of", "share"], rows), counted])


def _users_by_file(weigh_in: WeighIn) -> str:
    """How many users each file would serve by itself."""
    told = fleet_report(weigh_in)
    if told is None or not told.by_variant:
        return ""
    rows = [[code(label), share_words(alone)] for label, alone in told.by_variant]
    return folded("Users served by one file alone", table(["variant", "users served"], rows))


def _matrix(weigh_in: WeighIn) -> str:
    head = ["variant", "size", "drop", *(code(device) for device in weigh_in.devices)]
    rows = [
        [
            code(result.variant.label),
            amount(Metric.SIZE_MIB, result.variant.size_bytes / 2**20),
            _drop(weigh_in, result),
            *(_cell(result, device) for device in weigh_in.devices),
        ]
        for result in weigh_in.results
    ]
    legend = (
        "<sub>✓ pass, with its latency; ✗ fail and ? undecided, with what decided it. "
        "In brackets the interval: a pass needs all of it within the budget. "
        "Drop: accuracy lost, in points.</sub>"
    )
    title = "#### Every variant on every device"
    return f"{title}\n\n{table(head, rows)}\n\n{legend}" if rows else ""


def _cell(result: Result, device: str) -> str:
    verdict = summary.verdict_on(result, device)
    if verdict is None:
        return "not weighed"
    better = summary.dominated_on(result, device)
    note = f"<br>dominated by {code(better)}" if better is not None else ""
    return f"{GLYPHS[verdict.outcome]} **{verdict.outcome}** {_decided(verdict)}{note}"


def _decided(verdict: Verdict) -> str:
    check = summary.deciding_check(verdict)
    if check is None:
        return code(verdict.reason)
    name = METRIC_WORDS[check.budget.metric].short
    if check.objection is not None or not isinstance(check.reading, Measurement):
        return f"{name}: {code(check.objection or 'not measured')}"
    words = applied(check)
    note = "" if words is None else f"<br>{code(words)}"
    return f"{name} {_measured(check.reading, limit_of(check))}{note}"


def _measured(reading: Measurement, beside: float | None = None) -> str:
    """``3.2 ms [3, 3.4] device``."""
    shown = amount(reading.metric, reading.value, beside)
    if reading.lower == reading.upper:
        return f"{shown} {reading.origin}"
    lower, upper = figure(reading.lower, beside), figure(reading.upper, beside)
    return f"{shown} [{lower}, {upper}] {reading.origin}"


def _drop(weigh_in: WeighIn, result: Result) -> str:
    for device in weigh_in.devices:
        reading = summary.reading_on(result, device, Metric.ACCURACY_DROP_POINTS)
        if isinstance(reading, Measurement):
            return _measured(reading)
    return "unknown"


def _why(check: Check) -> str:
    """The check in words; in a code span when the words hold somebody else's."""
    if check.objection is None and check.decided is None:
        return summary.why(check)
    return code(summary.why(check))


def _compared(weigh_in: WeighIn) -> Iterator[str]:
    """What each device's variants were held against, if a budget asks for it."""
    rows = [[code(one.device), code(one.words)] for one in weigh_in.compared_with]
    if rows:
        yield "#### Against the release"
        yield table(["device", "compared with"], rows)


def _failures(weigh_in: WeighIn) -> Iterator[str]:
    rows = [
        [code(f"{failure.recipe}{failure.format.suffix}"), code(failure.reason)]
        for failure in weigh_in.failures
    ]
    if rows:
        yield f"#### {count(len(rows), 'variant')} could not be built"
        yield table(["variant", "reason"], rows)
    rows = [
        [code(skipped.label), code(skipped.device), code(skipped.reason)]
        for skipped in summary.skipped(weigh_in)
    ]
    if rows:
        yield f"#### {count(len(rows), 'verdict')} missing"
        yield table(["variant", "device", "reason"], rows)


def _searched(weigh_in: WeighIn) -> str:
    """The search, with every file that it tried."""
    if weigh_in.search is None:
        return ""
    lines = [f"- {name}: {code(text)}" for name, text in search_lines(weigh_in)]
    rows = [
        [code(trial.label), code(why), code(fate)]
        for trial, why, fate in trial_lines(weigh_in.search)
    ]
    tried = table(["tried", "why", "what became of it"], rows)
    return folded("How the recipes were found", "\n".join(lines) + f"\n\n{tried}")


def _flags(weigh_in: WeighIn) -> str:
    """What somebody should look at in the data; it stopped nothing."""
    flags = flag_lines(weigh_in.data_report)
    lines = [f"- **{name.removeprefix(FLAG)}**: {code(text)}" for name, text in flags]
    return "\n".join(["#### Look at the data\n", *lines]) if lines else ""


def _data(weigh_in: WeighIn) -> str:
    lines = [f"- {code(name)}: {code(text)}" for name, text in data_lines(weigh_in.data_report)]
    return folded("What held on the data", "\n".join(lines)) if lines else ""


def _budgets(weigh_in: WeighIn) -> str:
    budgets = [f"- {code(device)}: {_limits(weigh_in, device)}" for device in weigh_in.devices]
    origins = [f"- **{origin}**: {ORIGIN_WORDS[origin]}" for origin in summary.origins(weigh_in)]
    if not origins:
        return ""
    lines = [*budgets, "\nWhere the numbers come from:\n", *origins]
    return folded("Budgets, and where the numbers come from", "\n".join(lines))


def _limits(weigh_in: WeighIn, device: str) -> str:
    limits = (
        f"{METRIC_WORDS[metric].name} ≤ {budget_words(check.budget)}"
        for metric, check in summary.budgets_on(weigh_in, device).items()
    )
    return ", ".join(limits) or "none, so nothing can pass"


def _evidence(weigh_in: WeighIn) -> str:
    digests = (
        f"Source {code(weigh_in.source)}, digest {code(weigh_in.source_digest)}, "
        f"plan {code(weigh_in.plan_digest)}."
    )
    data = [[code(d.role), code(d.path), str(d.rows or "-"), code(d.sha256)] for d in weigh_in.data]
    variants = (result.variant for result in weigh_in.results)
    files = [
        [code(v.path), str(v.size_bytes), code(v.sha256), code(", ".join(map(" ".join, v.tools)))]
        for v in variants
    ]
    parts = (
        digests,
        rows_looked_at(weigh_in),
        table(["data", "file", "rows", "sha256"], data),
        table(["file", "bytes", "sha256", "made with"], files),
    )
    return folded("Data and files", "\n\n".join(part for part in parts if part))


def _reproduce(weigh_in: WeighIn) -> str:
    command = shlex.quote(plain(f"{weigh_in.model}/{weigh_in.version}"))
    return f"Do it again:\n\n~~~~sh\nweighin run {command}\n~~~~"


def _assembled(parts: Sequence[str]) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"
