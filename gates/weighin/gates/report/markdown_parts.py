"""The pieces of Markdown that the comment repeats: code spans, tables, folded parts.

Every name, path and reason that somebody else chose stands in a code span, where GitHub and
MLflow interpret nothing: no markup, no HTML, no mention, no link. The two characters that could
end a span or a table cell are replaced by look-alikes; the JSON report has them as they are.
"""

from collections.abc import Sequence

from weighin.gates.report.words import plain

_LOOK_ALIKES = str.maketrans({"`": "\u02cb", "|": "\u2502"})
_LONGEST_NAME = 300


def code(text: str) -> str:
    """Somebody else's text, on one line, in a code span that it cannot leave."""
    shown = plain(text).translate(_LOOK_ALIKES)
    return f"`{shown if len(shown) <= _LONGEST_NAME else shown[: _LONGEST_NAME - 1] + '…'}`"


def folded(title: str, content: str) -> str:
    """Details that open on a click."""
    return f"<details><summary>{title}</summary>\n\n{content}\n\n</details>"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table, or nothing without rows."""
    if not rows:
        return ""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
