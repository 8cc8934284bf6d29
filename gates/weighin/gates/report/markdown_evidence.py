"""The folded end of the comment: budgets, data and files, the search, and how to do it again.

What this module does not do: it leaves nothing out for length; the comment does, part by part.
"""

import shlex
from collections.abc import Iterator

from weighin.gates.report import summary
from weighin.gates.report.context import Context
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
from weighin.gates.report.limit_words import budget_words
from weighin.gates.report.markdown_parts import code, first_rows, folded, link, table
from weighin.gates.report.markdown_quality import rows_looked_at
from weighin.gates.report.search_words import search_lines, trial_lines
from weighin.gates.report.verdict_words import SIGNS, Standing
from weighin.gates.report.words import METRIC_WORDS, ORIGIN_WORDS, count, plain
from weighin.gates.weigh_in import WeighIn

_MOST_ROWS = 20
_DIGEST = 12


def users(weigh_in: WeighIn, context: Context) -> str:
    """The share of users that is served, and who is not; nothing of what cannot be believed."""
    told = fleet_report(weigh_in)
    if told is None or context.untrusted:
        return ""
    sign = "" if told.outcome is None else f"{SIGNS[Standing(told.outcome.value)]} "
    head = f"#### {sign}{served_words(told)}"
    rows = [
        [
            SIGNS[Standing(fate.value)] if fate else "",
            code(part.name),
            part_words(part, fate, weighed),
        ]
        for part, fate, weighed in told.parts
    ]
    if told.fleet.other_percent:
        rows.append(["", OTHER, other_words(told.fleet)])
    counted = f"<sub>Counted by {code(source_words(told.fleet))}.</sub>"
    return "\n\n".join([head, table(["", "users of", "share"], rows), counted])


def users_by_file(weigh_in: WeighIn, context: Context) -> str:
    """How many users each file would serve by itself."""
    told = fleet_report(weigh_in)
    if told is None or not told.by_variant or context.untrusted:
        return ""
    rows = [[code(label), share_words(alone)] for label, alone in told.by_variant]
    return folded("Users served by one file alone", table(["variant", "users served"], rows))


def compared(weigh_in: WeighIn) -> str:
    """What each device's variants were held against, if a budget asks for it."""
    rows = [[code(one.device), code(one.words)] for one in weigh_in.compared_with]
    if not rows:
        return ""
    shown = first_rows(["device", "compared with"], rows, _MOST_ROWS)
    return folded("Budgets relative to the release compare with", shown)


def failures(weigh_in: WeighIn) -> Iterator[str]:
    """What could not be built, and what has no verdict."""
    rows = [
        [code(f"{failure.recipe}{failure.format.suffix}"), code(failure.reason)]
        for failure in weigh_in.failures
    ]
    if rows:
        yield f"#### {count(len(rows), 'variant')} could not be built"
        yield first_rows(["variant", "reason"], rows, _MOST_ROWS)
    rows = [
        [code(skipped.label), code(skipped.device), code(skipped.reason)]
        for skipped in summary.skipped(weigh_in)
    ]
    if rows:
        yield f"#### {count(len(rows), 'verdict')} missing"
        yield first_rows(["variant", "device", "reason"], rows, _MOST_ROWS)


def searched(weigh_in: WeighIn) -> str:
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


def flags(weigh_in: WeighIn) -> str:
    """What somebody should look at in the data; it stopped nothing."""
    found = flag_lines(weigh_in.data_report)
    lines = [f"- **{name.removeprefix(FLAG)}**: {code(text)}" for name, text in found]
    return "\n".join(["#### Look at the data\n", *lines]) if lines else ""


def data(weigh_in: WeighIn) -> str:
    """What held on the data."""
    lines = [f"- {code(name)}: {code(text)}" for name, text in data_lines(weigh_in.data_report)]
    return folded("What held on the data", "\n".join(lines)) if lines else ""


def budgets(weigh_in: WeighIn) -> str:
    """Each device's budgets, and what the origins mean."""
    shown = [f"- {code(device)}: {_limits(weigh_in, device)}" for device in weigh_in.devices]
    origins = [f"- **{origin}**: {ORIGIN_WORDS[origin]}" for origin in summary.origins(weigh_in)]
    if not origins:
        return ""
    lines = [*shown, "\nWhere the numbers come from:\n", *origins]
    return folded("Budgets, and where the numbers come from", "\n".join(lines))


def evidence(weigh_in: WeighIn, context: Context) -> str:
    """Digests of everything, and who signed."""
    digests = (
        f"Source {code(weigh_in.source)}, digest {code(weigh_in.source_digest)}, "
        f"plan {code(weigh_in.plan_digest)}."
    )
    used = [[code(d.role), code(d.path), str(d.rows or "-"), code(d.sha256)] for d in weigh_in.data]
    variants = (result.variant for result in weigh_in.results)
    files = [
        [code(v.path), str(v.size_bytes), code(v.sha256), code(", ".join(map(" ".join, v.tools)))]
        for v in variants
    ]
    parts = (
        digests,
        _signed(context),
        rows_looked_at(weigh_in),
        table(["data", "file", "rows", "sha256"], used),
        table(["file", "bytes", "sha256", "made with"], files),
    )
    return folded("Data and files", "\n\n".join(part for part in parts if part))


def reproduce(weigh_in: WeighIn, context: Context) -> str:
    """The commands that measure again and check the evidence, and where the page is."""
    name = shlex.quote(plain(f"{weigh_in.model}/{weigh_in.version}"))
    again = f"weighin run {name} --again\nweighin report {name} --verify"
    page = f"\n\n{link('The whole report', context.report_url)}" if context.report_url else ""
    return f"Measure it again, and check every number's evidence:\n\n~~~~sh\n{again}\n~~~~{page}"


def _signed(context: Context) -> str:
    """How many statements a trusted key signed, and until when they hold."""
    if not context.signatures:
        return ""
    good = [one for one in context.signatures if one.keyid]
    words = f"{len(good)} of {count(len(context.signatures), 'statement')} signed by a trusted key"
    if not good:
        return f"Evidence: {words}."
    keys = ", ".join(code(key[:_DIGEST]) for key in dict.fromkeys(one.keyid for one in good))
    until = min(one.expires_at for one in good)
    return f"Evidence: {words} ({keys}), the first expires {until:%Y-%m-%d %H:%M} UTC."


def _limits(weigh_in: WeighIn, device: str) -> str:
    limits = (
        f"{METRIC_WORDS[metric].name} ≤ {budget_words(check.budget)}"
        for metric, check in summary.budgets_on(weigh_in, device).items()
    )
    return ", ".join(limits) or "none, so nothing can pass"
