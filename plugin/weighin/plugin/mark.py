"""The mark: what a weigh-in leaves on the model version it spoke of. Pure.

A version that carries a mark for the current plan is done; that is the whole queue. A mark is
four tags and one block in the version's description:

    weighin.source   which version it speaks of, so that a copied tag does not count
    weighin.outcome  passed | none_passed | refused
    weighin.report   where the whole report is
    weighin.plan     digest of the plan; written last, so half a mark is no mark
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from weighin.plugin.event import Registration

PLAN_TAG = "weighin.plan"
OUTCOME_TAG = "weighin.outcome"
SOURCE_TAG = "weighin.source"
REPORT_TAG = "weighin.report"

DESCRIPTION_LIMIT = 5_000
"""Characters of a description that every database of MLflow keeps."""

_BEGIN = "<!-- weighin:begin -->"
_END = "<!-- weighin:end -->"
_BLOCK = re.compile(f"{_BEGIN}(?:(?!{_BEGIN}).)*?{_END}", re.DOTALL)
_CUT = "\n\n… cut to fit; the whole table is in the report."


class Conclusion(StrEnum):
    """How a weigh-in ended. Each is terminal for its plan."""

    PASSED = "passed"
    NONE_PASSED = "none_passed"
    REFUSED = "refused"
    """The model or the data could not be weighed at all, and would not be the next time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """The terminal record of one weigh-in.

    Attributes:
        plan_digest: The plan it was made with.
        conclusion: How it ended.
        report: MLflow run that holds the report, or a reason where there is none.
    """

    plan_digest: str
    conclusion: Conclusion
    report: str


def read_mark(registration: Registration) -> Mark | None:
    """The mark that a version carries, if it is whole and speaks of this very version."""
    tags = dict(registration.tags)
    if tags.get(SOURCE_TAG) != registration.identity or not tags.get(PLAN_TAG):
        return None
    outcome = tags.get(OUTCOME_TAG, "")
    if outcome not in tuple(Conclusion):
        return None
    return Mark(
        plan_digest=tags[PLAN_TAG],
        conclusion=Conclusion(outcome),
        report=tags.get(REPORT_TAG, ""),
    )


def mark_tags(registration: Registration, mark: Mark) -> tuple[tuple[str, str], ...]:
    """The tags of a mark, in the order in which they must be written.

    Law: a version that carries exactly these tags reads back as `mark`.
    """
    return (
        (SOURCE_TAG, registration.identity),
        (OUTCOME_TAG, mark.conclusion.value),
        (REPORT_TAG, mark.report),
        (PLAN_TAG, mark.plan_digest),
    )


def with_block(description: str | None, markdown: str) -> str:
    """A description with our block replaced or appended, and everything else as it was.

    The block is cut at a line end, with a note, where the whole would be too long; where
    people wrote so much that not even the note fits, theirs stays and ours is left out.

    Laws: applying it twice changes nothing, and `without_block` gives the rest back.
    """
    rest = without_block(description)
    head = f"{rest}\n\n" if rest else ""
    room = DESCRIPTION_LIMIT - len(head) - len(_BEGIN) - len(_END) - 2
    if room < len(_CUT):
        return rest
    return f"{head}{_BEGIN}\n{_fitted(_defused(markdown.strip()), room)}\n{_END}"


def without_block(description: str | None) -> str:
    """What people wrote themselves; a block that lost one of its ends counts as theirs."""
    parts = _BLOCK.split(description or "")
    return "\n\n".join(part.strip() for part in parts if part.strip())


def _defused(markdown: str) -> str:
    """A table that quotes our own delimiters must not end the block early."""
    return markdown.replace(_BEGIN, "").replace(_END, "")


def _fitted(markdown: str, room: int) -> str:
    if len(markdown) <= room:
        return markdown
    whole_lines = markdown[: max(0, room - len(_CUT))].rpartition("\n")[0]
    return f"{whole_lines}{_CUT}".strip()
