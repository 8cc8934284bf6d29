"""A weigh-in as Markdown: the comment on a pull request, and a short table for a description.

The comment is read from the top, and its first screen answers: may it ship, where, how sure are
we, what changed. Everything else is folded or below.

What this module does not do: it escapes nothing itself, see
:mod:`weighin.gates.report.markdown_parts`.
"""

import hashlib

from weighin.gates.report import markdown_context as around
from weighin.gates.report import markdown_evidence as below
from weighin.gates.report import markdown_quality as quality
from weighin.gates.report import summary
from weighin.gates.report.context import PLAIN, Context
from weighin.gates.report.markdown_devices import device_table, matrix
from weighin.gates.report.markdown_parts import Part, assembled, code, fitting, kept, link
from weighin.gates.report.verdict_words import SIGNS, headline, overall
from weighin.gates.report.words import count
from weighin.gates.weigh_in import WeighIn

COMMENT_LENGTH = 65_000
"""GitHub refuses comments above 65,536 characters."""

DESCRIPTION_LENGTH = 5_000
"""MLflow's database keeps descriptions of at most so many characters."""

_LEFT_OUT = "Details were left out to keep this short; the HTML and JSON reports hold all."


def marker(model: str) -> str:
    """The invisible first line by which a later run finds its own comment on this model."""
    return f"<!-- weighin:{hashlib.sha256(model.encode()).hexdigest()[:16]} -->"


def to_markdown(
    weigh_in: WeighIn, *, context: Context = PLAIN, longest: int = COMMENT_LENGTH
) -> str:
    """The whole comment, verdict first.

    Args:
        weigh_in: What is shown.
        context: What else is known: the release, waivers, changed budgets, where the page is.
        longest: How many characters there may be. What does not fit is left out, details
            first, and the comment says so.
    """
    return fitting([*_top(weigh_in, context), *_rest(weigh_in, context)], longest, _LEFT_OUT)


def summary_table(
    weigh_in: WeighIn, *, context: Context = PLAIN, longest: int = DESCRIPTION_LENGTH
) -> str:
    """The verdict and one row per device, short enough for a model version's description."""
    needed = [_headline(weigh_in, context), _facts(weigh_in, context)]
    text = assembled([*needed, device_table(weigh_in, context)])
    if len(text) <= longest:
        return text
    note = f"{count(len(weigh_in.devices), 'device')}: too many for this place, see the report."
    return assembled([*needed, note])


def _top(weigh_in: WeighIn, context: Context) -> list[Part]:
    """What is always there."""
    always = [
        marker(weigh_in.model),
        around.untrusted(context),
        f"### {_headline(weigh_in, context)}",
        _facts(weigh_in, context),
        around.doubts(weigh_in, context),
        around.plan_changes(context),
        around.waivers(weigh_in, context),
        device_table(weigh_in, context),
    ]
    return list(map(kept, always))


def _rest(weigh_in: WeighIn, context: Context) -> list[Part]:
    """What may have to give way, in the order of reading."""
    wide, narrow = matrix(weigh_in, context), matrix(weigh_in, context, with_intervals=False)
    deep = not context.untrusted
    return [
        Part(forms=(around.changed(weigh_in, context), ""), gives=2),
        Part(
            forms=(around.charts(weigh_in, context), around.one_chart(weigh_in, context), ""),
            gives=3,
        ),
        kept(below.users(weigh_in, context)),
        kept(quality.look_at(weigh_in)),
        *map(kept, below.failures(weigh_in)),
        kept(below.flags(weigh_in)),
        Part(forms=(wide, narrow, ""), gives=4),
        Part(forms=(below.users_by_file(weigh_in, context), ""), gives=5),
        Part(forms=(below.compared(weigh_in), ""), gives=6),
        Part(forms=(below.searched(weigh_in), ""), gives=7),
        Part(forms=(below.data(weigh_in), ""), gives=8),
        Part(forms=(below.budgets(weigh_in), ""), gives=9),
        Part(forms=(quality.by_class(weigh_in) if deep else "", ""), gives=10),
        Part(forms=(quality.slices(weigh_in) if deep else "", ""), gives=11),
        Part(forms=(below.evidence(weigh_in, context), ""), gives=12),
        kept(below.reproduce(weigh_in, context)),
    ]


def _headline(weigh_in: WeighIn, context: Context) -> str:
    return f"{SIGNS[overall(weigh_in, context)]} {headline(weigh_in, context, code)}"


def _facts(weigh_in: WeighIn, context: Context) -> str:
    page = f" {link('Report page', context.report_url)}." if context.report_url else ""
    return (
        f"Reference {summary.reference_quality(weigh_in)}, "
        f"weighed {weigh_in.finished_at:%Y-%m-%d %H:%M} UTC.{page}"
    )
