"""Which line of ``weighin.toml`` holds a budget: where a reviewer should look. Pure.

A budget of one model on one device may stand in six places; the most specific one holds, see
:meth:`weighin.plugin.config.Config.budgets_for` and :mod:`weighin.plugin.config_devices`.
"""

import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from weighin.gates.device_class import is_class
from weighin.plugin.config_budget import DEFAULT
from weighin.plugin.review.toml_scan import Path, key_lines

Members = Callable[[str], Collection[str]]
"""The devices of a class such as ``tier:low``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetLines:
    """The budgets of one document, and where they stand.

    Attributes:
        document: The document as values; empty if it is no TOML.
        lines: For every key and every table, its line, counted from 1.
        members: Who is in a class of devices.
    """

    document: Mapping[str, object]
    lines: tuple[tuple[Path, int], ...]
    members: Members

    def line_of(self, model: str, device: str, metric: str) -> int | None:
        """The line of the budget that holds; ``None`` if the document has none."""
        for table in (("models", model, "budgets"), ("budgets",)):
            for scope in self._scopes(table, device, metric):
                line = self._line((*table, scope, metric))
                if line is not None:
                    return line
        return None

    def _scopes(self, table: Path, device: str, metric: str) -> Iterator[str]:
        """The scopes of one table that hold for a device, most specific first."""
        scopes = _table(self.document, table)
        yield device
        classes = [
            scope
            for scope in scopes
            if is_class(scope)
            and metric in _table(scopes, (scope,))
            and device in self.members(scope)
        ]
        yield from sorted(classes, key=lambda scope: _bound(scopes, scope, metric))
        yield DEFAULT

    def _line(self, path: Path) -> int | None:
        return next((line for known, line in self.lines if known[: len(path)] == path), None)


def budget_lines(text: str, members: Members) -> BudgetLines:
    """Read a document once, for any number of questions.

    Args:
        text: A ``weighin.toml``, believed in nothing.
        members: The devices of a class; an unknown class has none.
    """
    lines = tuple((one.path, one.line) for one in key_lines(text))
    document = tomllib.loads(text) if lines else {}
    return BudgetLines(document=document, lines=lines, members=members)


def _table(document: Mapping[str, object], path: Path) -> Mapping[str, object]:
    """A table within tables; an empty one where there is none."""
    for key in path:
        found = document.get(key)
        if not isinstance(found, dict):
            return {}
        document = {str(name): value for name, value in found.items()}
    return document


def _bound(scopes: Mapping[str, object], scope: str, metric: str) -> float:
    """What a class allows; the lowest holds."""
    said = _table(scopes, (scope,)).get(metric)
    value = said.get("at_most") if isinstance(said, dict) else said
    return float(value) if isinstance(value, int | float) else float("inf")
