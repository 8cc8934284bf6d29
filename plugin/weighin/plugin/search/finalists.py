"""Which recipes go to the gate: few, because every look at the gate's data costs certainty. Pure.

The gate's rows are others than the search's, and the smallest file was chosen for being close to
the budget: it may miss there. Behind it come the smallest that is sure already, the fastest, the
best fixed recipe, and steps towards more accuracy.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import chain, zip_longest

from weighin.gates.search import Standing, Trial, miss_of, size_of


def finalists(
    trials: Sequence[Trial], devices: Sequence[str], most: int, fixed: Sequence[str]
) -> tuple[str, ...]:
    """The recipes for the gate, best first.

    Args:
        trials: Everything that was tried.
        devices: For which there must be something, in turn.
        most: How many recipes at most.
        fixed: Names of the fixed recipes: the best of them goes along.
    """
    rankings = [_ranking(trials, device, frozenset(fixed)) for device in devices]
    turns = chain.from_iterable(zip_longest(*rankings))
    return tuple(dict.fromkeys(recipe for recipe in turns if recipe is not None))[:most]


def _ranking(trials: Sequence[Trial], device: str, fixed: frozenset[str]) -> Iterator[str]:
    """The recipes for one device; the nearest misses if nothing fits."""
    fitting = [trial for trial in trials if trial.fits(device)]
    good = [trial for trial in fitting if not trial.dominated] or fitting
    if not good:
        judged = [trial for trial in trials if trial.on(device) is not None]
        yield from (one.recipe for one in sorted(judged, key=lambda t: miss_of(t, device))[:2])
        return
    by_size = sorted(good, key=lambda trial: (size_of(trial), trial.label))
    yield by_size[0].recipe
    yield from (one.recipe for one in [t for t in by_size if _is_sure(t, device)][:1])
    yield min(by_size, key=lambda trial: _latency(trial, device)).recipe
    yield from (one.recipe for one in [t for t in by_size if t.recipe in fixed][:1])
    yield from (one.recipe for one in _ladder(by_size))


def _ladder(by_size: Sequence[Trial]) -> Iterator[Trial]:
    """The files that lose less than every smaller one."""
    least = math.inf
    for trial in by_size:
        drop = math.inf if trial.drop_at_most is None else trial.drop_at_most
        if drop < least:
            least = drop
            yield trial


def _latency(trial: Trial, device: str) -> float:
    found = trial.on(device)
    return math.inf if found is None or found.latency_ms is None else found.latency_ms


def _is_sure(trial: Trial, device: str) -> bool:
    found = trial.on(device)
    return found is not None and found.standing is Standing.SURE
