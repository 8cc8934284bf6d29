"""What every rendering says of a bound: the budget, and the limit that was held against a number.

For a growth in percent the two may differ: the limit is the budget or, where that is larger, the
floor as a share of what the release has.

What this module does not do: it escapes nothing. The names of slices are somebody else's.
"""

from weighin.gates.judge import Check
from weighin.gates.metric import RELATIVE, Budget
from weighin.gates.report.words import amount


def limit_of(check: Check) -> float:
    """What is held against the number; the bare budget if there is none to believe."""
    return check.limit if check.objection is None else check.budget.at_most


def budget_words(budget: Budget) -> str:
    """``4 ms``, ``10 % (floor 0.5 ms)``, ``2 pt (from 20 rows)``."""
    shown = amount(budget.metric, budget.at_most)
    if budget.floor is not None:
        return f"{shown} (floor {amount(RELATIVE[budget.metric], budget.floor)})"
    return shown if budget.least_rows is None else f"{shown} (from {budget.least_rows} rows)"


def applied(check: Check) -> str | None:
    """What a number and its interval do not say of a believed check; ``None`` if they say all.

    For slices, which ones decided. For a growth whose floor applies, both bounds.
    """
    if check.objection is not None:
        return None
    if check.decided is not None:
        return check.reason
    return limit_words(check) if check.limit > check.budget.at_most else None


def limit_words(check: Check) -> str:
    """``budget 4 ms``, or ``limit 100 % (budget 10 %, floor 0.5 ms)`` where the floor applies."""
    budget, limit = check.budget, limit_of(check)
    words = f"budget {amount(budget.metric, budget.at_most)}"
    if budget.floor is None or limit <= budget.at_most:
        return words
    floor = amount(RELATIVE[budget.metric], budget.floor)
    return f"limit {amount(budget.metric, limit)} ({words}, floor {floor})"
