"""Which versions are due: the guarantee that no registration is missed. Pure.

Hints only say *when* to look. What is due follows from the registry alone: a version is due
while it carries no mark for the current plan. So a crash, a lost hint, a changed
configuration and a version registered without the hook all end the same way: it is due.
"""

from collections.abc import Callable, Iterable, Mapping

from weighin.plugin.event import Registration
from weighin.plugin.mark import Mark, read_mark


def marks_of(registrations: Iterable[Registration]) -> Mapping[str, Mark]:
    """The marks that versions carry, by `Registration.key`."""
    found = ((r.key, read_mark(r)) for r in registrations)
    return {key: mark for key, mark in found if mark is not None}


def due(
    registrations: Iterable[Registration],
    marks: Mapping[str, Mark],
    plan_digest_for: Callable[[Registration], str | None],
) -> tuple[Registration, ...]:
    """The versions without a terminal record for their current plan, oldest first.

    Args:
        registrations: Candidates, in any order; a version listed twice counts once.
        marks: By `Registration.key`. The key holds the creation time, so the mark of a deleted
            version says nothing about one recreated under its number.
        plan_digest_for: The plan that a version would be weighed with today, or `None` where
            the configuration says nothing about that model.
    """
    waiting = {r.key: r for r in registrations if _is_due(marks.get(r.key), plan_digest_for(r))}
    return tuple(sorted(waiting.values(), key=lambda r: (r.created_at_ms, r.name, r.version)))


def _is_due(mark: Mark | None, plan_digest: str | None) -> bool:
    if plan_digest is None:
        return False
    return mark is None or mark.plan_digest != plan_digest
