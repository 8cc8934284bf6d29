"""Budgets in ``weighin.toml``: from a number or a table to a record, and what is wrong."""

import difflib
from collections.abc import Iterable

from weighin.gates.metric import Budget, Metric, Origin

DEFAULT = "default"
"""The scope of budgets that hold on every device."""

BudgetValue = float | dict[str, float | str]
BudgetTable = dict[str, dict[str, BudgetValue]]
_BUDGET_NUMBERS = ("at_most", "floor", "least_rows")
BUDGET_TABLE_FORM = "{ at_most = NUMBER, least_origin = 'predicted' }"


def budget_mistakes(where: str, table: BudgetTable) -> Iterable[str]:
    """One line per budget that is none; for which devices is looked at elsewhere."""
    for scope, budgets in table.items():
        for metric, value in budgets.items():
            if metric not in tuple(Metric):
                yield (
                    f"{where}.{scope}.{metric}: unknown budget (the unit is part of the name)"
                    f"{near(metric, tuple(Metric))}"
                )
                continue
            try:
                budget_of(metric, value)
            except ValueError as error:
                yield f"{where}.{scope}.{error}"


def budget_of(metric: str, value: BudgetValue) -> Budget:
    """One budget from ``10`` or ``{ at_most = 10, least_origin = "device" }``."""
    table = value if isinstance(value, dict) else {"at_most": value}
    numbers = {name: n for name in _BUDGET_NUMBERS if isinstance(n := table.get(name), int | float)}
    if "at_most" not in numbers or set(table) - {"least_origin"} != set(numbers):
        raise ValueError(f"{metric}: must be a finite number or {BUDGET_TABLE_FORM}")
    origin = table.get("least_origin", Origin.PREDICTED.value)
    if origin not in tuple(Origin):
        allowed = ", ".join(o for o in Origin if o is not Origin.SCALED)
        raise ValueError(f"{metric}.least_origin: unknown '{origin}'; allowed: {allowed}")
    rows = numbers.get("least_rows")
    if rows is not None and rows != int(rows):
        raise ValueError(f"{metric}.least_rows: must be a whole number, not {rows}")
    return Budget(
        metric=Metric(metric),
        at_most=float(numbers["at_most"]),
        least_origin=Origin(origin),
        floor=numbers.get("floor"),
        least_rows=None if rows is None else int(rows),
    )


def near(name: str, allowed: Iterable[str]) -> str:
    """The rest of the sentence: what was probably meant, and what is allowed."""
    allowed = tuple(str(a) for a in allowed)
    close = difflib.get_close_matches(name, allowed, n=1)
    meant = f" (did you mean '{close[0]}'?)" if close else ""
    return f"{meant}; allowed: {', '.join(allowed)}"


def name_mistakes(where: str, names: Iterable[str], allowed: Iterable[str]) -> Iterable[str]:
    """One line per name that is not allowed, with the one that was probably meant."""
    names, allowed = tuple(names), tuple(allowed)
    if not names:
        yield f"{where}: must not be empty; allowed: {', '.join(allowed)}"
    for name in names:
        if name not in allowed:
            yield f"{where}: unknown name '{name}'{near(name, allowed)}"
