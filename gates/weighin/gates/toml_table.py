"""Strict reading of one TOML table: an unknown key, a missing one or a wrong value is an error.

What this module does not do: it knows no file format; see :mod:`weighin.gates.profile_file`.
"""

import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

Kind = TypeVar("Kind", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Table:
    """A TOML table and its place in the file.

    Every method raises ``ValueError`` or ``TypeError`` with a text that names the key, what is
    wrong with it and what is allowed.
    """

    values: Mapping[str, Any]
    at: str = ""

    def key(self, name: str) -> str:
        """The place of one key in the file, for a complaint."""
        return f"{self.at}.{name}" if self.at else name

    def only(self, *allowed: str) -> None:
        """Refuse every other key."""
        for name in self.values:
            if name not in allowed:
                raise ValueError(f"unknown key {self.key(name)}{near_names(name, allowed)}")

    def get(self, name: str) -> Any:
        """The value of a key that must be there."""
        if name not in self.values:
            raise ValueError(f"key '{self.key(name)}' is missing")
        return self.values[name]

    def text(self, name: str) -> str:
        """Text with something in it."""
        value = self.get(name)
        if not isinstance(value, str) or not value.strip():
            raise ValueError(f"{self.key(name)} must be text, not {value!r}")
        return value

    def text_if(self, name: str) -> str | None:
        """The same, if the key is there."""
        return self.text(name) if name in self.values else None

    def number(self, name: str, least: float, most: float) -> float:
        """A finite number in a closed range."""
        return number_of(self.get(name), self.key(name), least, most)

    def whole(self, name: str, least: int, most: int) -> int:
        """The same without a fraction."""
        value = self.number(name, least, most)
        if value != int(value):
            raise ValueError(f"{self.key(name)} must be a whole number, not {value:g}")
        return int(value)

    def one_of(self, name: str, kind: type[Kind]) -> Kind:
        """A member of a closed set."""
        value = self.text(name)
        if value not in tuple(kind):
            raise ValueError(f"{self.key(name)}: unknown '{value}'{near_names(value, kind)}")
        return kind(value)

    def table(self, name: str) -> "Table":
        """A table that must be there."""
        value = self.get(name)
        if not isinstance(value, dict):
            raise TypeError(f"{self.key(name)} must be a table, not {value!r}")
        return Table(value, self.key(name))

    def tables(self, name: str) -> tuple["Table", ...]:
        """An array of tables; none if the key is missing."""
        value = self.values.get(name, [])
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            raise TypeError(f"{self.key(name)} must be tables, written [[{self.key(name)}]]")
        return tuple(Table(one, f"{self.key(name)}[{k}]") for k, one in enumerate(value))


def number_of(value: object, key: str, least: float, most: float) -> float:
    """A finite number in a closed range of positive numbers, or an error that names ``key``."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{key} must be a number, not {value!r}")
    if not (math.isfinite(value) and least <= value <= most):
        allowed = f"allowed: {least:g} to {most:g}"
        raise ValueError(f"{key} must be a positive number; {allowed}, not {value:g}")
    return float(value)


def near_names(name: str, allowed: Iterable[str]) -> str:
    """The rest of the sentence: what was probably meant, and what is allowed."""
    names = tuple(str(one) for one in allowed)
    return f"{close_names(name, names)}; allowed: {', '.join(names)}"


def close_names(name: str, allowed: Iterable[str]) -> str:
    """What was probably meant, in brackets; nothing if nothing is near."""
    close = difflib.get_close_matches(name, tuple(allowed), n=1)
    return f" (did you mean '{close[0]}'?)" if close else ""
