"""Numbers as phones print them: with a decimal point or comma, plain or in scientific notation.

Pure. The laws, held by property tests: a number comes back from either notation, and what is no
number never becomes one. What this module does not do: it guesses no thousands separator, which
no tool on a phone prints.
"""

import math
import re

NUMBER = r"[+-]?\d+(?:[.,]\d+)?(?:[eE][+-]?\d+)?"
"""A regular expression for one printed number."""

_NUMBER = re.compile(NUMBER, re.ASCII)
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)


def number(text: str) -> float:
    """The number that ``text`` is, all of it.

    Raises:
        ValueError: it is none, or not finite.
    """
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"not a number: {quoted(text)}")
    value = float(text.replace(",", "."))
    if not math.isfinite(value):
        raise ValueError(f"not a finite number: {quoted(text)}")
    return value


def whole(text: str) -> int:
    """The whole number that ``text`` is, as the kernel prints them.

    Raises:
        ValueError: it is none.
    """
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"not a whole number: {quoted(text)}")
    return int(text)


def quoted(text: str, most: int = 120) -> str:
    """A piece of output for a message: in one line, and not too long."""
    line = " ".join(text.split())
    return f"'{line[:most]}...'" if len(line) > most else f"'{line}'"
