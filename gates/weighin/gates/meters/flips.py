"""Where a variant's mistakes are: flips by class, and an alarm if one class has most. Pure."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weighin.gates.binomial import binomial_at_most

ALARM_RISK = 0.01
LEAST_FLIPS = 5
_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassFlips:
    """Flips from right to wrong of one class.

    Attributes:
        label: The class.
        lost: How many rows of it were right and are wrong.
        was_right: How many rows of it the registered model gets right.
    """

    label: int
    lost: int
    was_right: int


def flips_by_class(
    labels: NDArray[Any], was_right: NDArray[np.bool_], right: NDArray[np.bool_]
) -> tuple[ClassFlips, ...]:
    """Per class that has any, most first."""
    lost = was_right & ~right
    found = (
        ClassFlips(
            label=int(label),
            lost=int(lost[labels == label].sum()),
            was_right=int(was_right[labels == label].sum()),
        )
        for label in np.unique(labels)
    )
    return tuple(sorted((one for one in found if one.lost), key=lambda one: (-one.lost, one.label)))


def alarm(flips: tuple[ClassFlips, ...], rows_right: int) -> str | None:
    """Which class has more of the flips than its share of the rows explains, if one has.

    If flips hit rows alike, a class with a share *p* of the rows that were right gets a binomial
    part of the flips. The alarm is at a risk of 1 % over all classes that have flips (Bonferroni),
    and only for a class with at least five flips.
    """
    whole = sum(one.lost for one in flips)
    for one in flips:
        share = one.was_right / rows_right
        chance = 1 - binomial_at_most(one.lost - 1, whole, share)
        if one.lost >= LEAST_FLIPS and chance * len(flips) < ALARM_RISK:
            return (
                f"{one.lost} of {whole} flips from right to wrong are of class {one.label}, "
                f"which has {share:.0%} of the rows that were right"
            )
    return None


def in_words(flips: tuple[ClassFlips, ...]) -> str:
    """The classes with most flips: ``3: 12 of 950, 5: 7 of 880``."""
    shown = ", ".join(f"{one.label}: {one.lost} of {one.was_right}" for one in flips[:_SHOWN])
    more = f" and {len(flips) - _SHOWN} more classes" if len(flips) > _SHOWN else ""
    return shown + more or "none"
