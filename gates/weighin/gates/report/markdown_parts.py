"""The pieces of Markdown that the comment repeats: code spans, tables, folded parts, links.

Every name, path and reason that somebody else chose stands in a code span, where GitHub and
MLflow interpret nothing: no markup, no HTML, no mention, no link. The two characters that could
end a span or a table cell are replaced by look-alikes; the JSON report has them as they are.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

from weighin.gates.measurement import Measurement
from weighin.gates.metric import Origin
from weighin.gates.report.words import amount, figure, plain

_LOOK_ALIKES = str.maketrans({"`": "\u02cb", "|": "\u2502"})
_LONGEST_NAME = 300
_FROM_THE_RIGHT = frozenset({"R", "AL", "AN"})
_SAFE_ADDRESS = re.compile(r"https?://[A-Za-z0-9._~:/?#@!$&*+,;=%-]{1,1000}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a text that may not be longer than so much.

    Attributes:
        forms: The longest first; an empty one leaves the part out.
        gives: When it gets shorter: the part with the highest number first.
    """

    forms: tuple[str, ...]
    gives: int = 0


def kept(text: str) -> Part:
    """A part that is never shortened."""
    return Part(forms=(text,))


def fitting(parts: Sequence[Part], longest: int, note: str) -> str:
    """The parts after one another, shortened until they fit; ``note`` says so before the last.

    What cannot be made to fit is cut off at the end.
    """
    shown, said = list(parts), ""
    text = assembled([part.forms[0] for part in shown])
    while len(text) > longest:
        able = [place for place, part in enumerate(shown) if len(part.forms) > 1]
        if not able:
            return text[: longest - 2] + "…\n"
        place = max(able, key=lambda at: shown[at].gives)
        shown[place] = replace(shown[place], forms=shown[place].forms[1:])
        said = note
        texts = [part.forms[0] for part in shown]
        text = assembled([*texts[:-1], said, texts[-1]])
    return text


def assembled(parts: Sequence[str]) -> str:
    """Parts with a blank line between; empty ones are left out."""
    return "\n\n".join(part for part in parts if part) + "\n"


def code(text: str) -> str:
    """Somebody else's text, on one line, in a code span that it cannot leave."""
    shown = plain(text).translate(_LOOK_ALIKES)
    cut = shown if len(shown) <= _LONGEST_NAME else shown[: _LONGEST_NAME - 1] + "…"
    return isolated(f"`{cut}`")


def isolated(text: str) -> str:
    """Text that runs from right to left, so that it turns round nothing beside it.

    Source: Unicode Standard Annex 9, first strong isolate (U+2068) to its end (U+2069). A page
    that guesses a paragraph's direction does not look between the two.
    """
    turned = any(unicodedata.bidirectional(char) in _FROM_THE_RIGHT for char in text)
    return f"\u2068{text}\u2069" if turned else text


def link(words: str, address: str) -> str:
    """A link with our own words; an address that could be more than one is only shown."""
    if _SAFE_ADDRESS.fullmatch(address):
        return f"[{words}]({address})"
    return f"{words}: {code(address)}"


def folded(title: str, content: str) -> str:
    """Details that open on a click."""
    return f"<details><summary>{title}</summary>\n\n{content}\n\n</details>"


def alert(kind: str, *lines: str) -> str:
    """A box that GitHub draws in red (``CAUTION``) or yellow (``WARNING``); elsewhere a quote."""
    return "\n".join([f"> [!{kind}]", *(f"> {line}".rstrip() for line in lines)])


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table, or nothing without rows."""
    if not rows:
        return ""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def first_rows(head: Sequence[str], rows: Sequence[Sequence[str]], most: int) -> str:
    """A table of at most so many rows, and how many there are beyond."""
    more = len(rows) - most
    shown = table(head, rows[:most])
    return f"{shown}\n\nand {more} more, in the HTML and JSON reports" if more > 0 else shown


def measured(reading: Measurement, beside: float | None = None, *, more: str = "") -> str:
    """``3.2 ms``, and below it in small letters ``[3, 3.4] device``.

    The origin of what belongs to the file itself is left out: it is the same everywhere.

    Args:
        reading: What is shown.
        beside: The budget it is read against.
        more: What else stands in small letters, such as a footnote's sign.
    """
    shown = amount(reading.metric, reading.value, beside).replace(" ", "\u00a0")
    small = ["" if reading.origin is Origin.ARTIFACT else str(reading.origin), more]
    if reading.lower != reading.upper:
        small.insert(0, f"[{figure(reading.lower, beside)}, {figure(reading.upper, beside)}]")
    below = " ".join(part for part in small if part)
    return f"{shown}<br><sub>{below}</sub>" if below else shown
