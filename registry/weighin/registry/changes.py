"""What is different between a weigh-in and today, in words: pure, and for people only.

Whether anything is different says the plan digest alone. A digest names no cause; this module
finds the causes that a statement lets it see.
"""

from collections.abc import Iterable, Mapping, Sequence

from weighin.gates.evidence import Statement
from weighin.gates.metric import VS_RELEASE, Budget
from weighin.gates.weigh_in import DataDigest

Pairs = tuple[tuple[str, str], ...]


def changes(
    statements: Sequence[Statement],
    budgets: Mapping[str, tuple[Budget, ...]],
    data: tuple[DataDigest, ...],
    tools: Pairs,
) -> tuple[str, ...]:
    """What of devices, budgets, data and tools is not as the statements say; never empty.

    Args:
        statements: Of one weigh-in, at least one.
        budgets: Today's, per target device.
        data: Today's data sets.
        tools: Today's tools.
    """
    found = (
        *_devices({s.device for s in statements}, set(budgets)),
        *_budgets(statements, budgets),
        *_data(statements[0].data, data),
        *_tools(dict(statements[0].tools), dict(tools)),
    )
    return found or ("recipes, formats or other settings in weighin.toml changed",)


def _devices(then: set[str], now: set[str]) -> Iterable[str]:
    yield from (f"{device} is no longer a target device" for device in sorted(then - now))
    yield from (f"there is no evidence for {device}" for device in sorted(now - then))


def _budgets(
    statements: Sequence[Statement], budgets: Mapping[str, tuple[Budget, ...]]
) -> Iterable[str]:
    """A budget that is relative to the release is in a statement only where it applied."""
    then = {statement.device: set(statement.budgets) for statement in statements}
    for device in sorted(then.keys() & budgets.keys()):
        said = {budget.metric for budget in then[device]}
        now = {b for b in budgets[device] if b.metric in said or b.metric not in VS_RELEASE}
        different = then[device] ^ now
        if different:
            metrics = ", ".join(sorted({budget.metric.value for budget in different}))
            yield f"the budgets of {device} changed ({metrics})"


def _data(then: tuple[DataDigest, ...], now: tuple[DataDigest, ...]) -> Iterable[str]:
    known = {digest.role: digest.sha256 for digest in then}
    for digest in now:
        if known.get(digest.role) != digest.sha256:
            yield f"the {digest.role} data changed ({digest.path})"


def _tools(then: Mapping[str, str], now: Mapping[str, str]) -> Iterable[str]:
    for name in sorted(then.keys() | now.keys()):
        if then.get(name) != now.get(name):
            yield f"{name} {then.get(name, 'not recorded')} is now {now.get(name, 'not recorded')}"
