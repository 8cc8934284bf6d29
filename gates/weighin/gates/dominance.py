"""Which variants help: those that no simpler variant matches. Pure.

A variant is dominated on a device if a simpler one of the same format (fewer passes) is at
least as good on every budgeted axis there and compresses as far, or if it is slower there than
the float32 one, beyond the noise and by more than nobody would notice. A sparse variant is also
dominated by the float32 one when it is neither faster nor smaller after compression: zeros are good
for nothing else.

What this module does not do: it changes no verdict. A dominated variant may pass; it is never
preferred.
"""

from collections.abc import Sequence
from dataclasses import replace

from weighin.gates.judge import Verdict
from weighin.gates.measurement import Measurement
from weighin.gates.metric import Metric
from weighin.gates.variant import GZIP_BYTES, Variant
from weighin.gates.weigh_in import Result

FLOAT32 = "float32"
SPARSE = "sparse"
LATENCY_FLOOR_MS = 0.1
"""Less than this is not slower, whatever the ratio: half of nearly nothing is noise."""


def passes(recipe: str) -> int:
    """How many passes made a variant; ``float32`` is the model as it was registered."""
    return 0 if recipe == FLOAT32 else recipe.count("+") + 1


def with_dominance(results: Sequence[Result]) -> tuple[Result, ...]:
    """The same results, each saying on which devices something simpler is as good."""
    return tuple(replace(one, dominated_by=_dominators(one, results)) for one in results)


def _dominators(one: Result, results: Sequence[Result]) -> tuple[tuple[str, str], ...]:
    """Per device the simplest variant that makes this one pointless."""
    simpler = sorted(
        (other for other in results if _is_simpler(other.variant, one.variant)),
        key=lambda other: (passes(other.variant.recipe), other.variant.label),
    )
    found = []
    for verdict in one.verdicts:
        device = verdict.subject.device
        for other in simpler:
            matched = _matches(other, verdict) and not _compresses_better(one, other)
            if matched or _is_slower(one, other, device) or _is_idle(one, other, device):
                found.append((device, other.variant.label))
                break
    return tuple(found)


def _is_simpler(other: Variant, one: Variant) -> bool:
    """An app ships one runtime, so files of another format are no alternative."""
    return other.format is one.format and passes(other.recipe) < passes(one.recipe)


def _matches(other: Result, verdict: Verdict) -> bool:
    """Whether the other one is at least as good on every budgeted axis of this device.

    An axis on which either has no believable number shows nothing, and so proves nothing.
    """
    theirs = {v.subject.device: v for v in other.verdicts}.get(verdict.subject.device)
    if theirs is None or not verdict.checks:
        return False
    values, own = _values(theirs), _values(verdict)
    metrics = [check.budget.metric for check in verdict.checks]
    return all(m in values and m in own and values[m] <= own[m] for m in metrics)


def _values(verdict: Verdict) -> dict[Metric, float]:
    return {
        check.budget.metric: check.reading.value
        for check in verdict.checks
        if check.objection is None and isinstance(check.reading, Measurement)
    }


def _is_slower(one: Result, other: Result, device: str) -> bool:
    """Whether it takes longer than the float32 variant, and not by chance.

    Ratios within a session say so most sharply; without them the intervals must be apart.
    """
    if other.variant.recipe != FLOAT32:
        return False
    ours, theirs = _latency(one, device), _latency(other, device)
    if ours is None or theirs is None or ours.value - theirs.value <= LATENCY_FLOOR_MS:
        return False
    conditions = dict(ours.conditions)
    try:
        return float(conditions["ratio_lower"]) > 1 + float(conditions["noise_floor"])
    except (KeyError, ValueError):
        return ours.lower > theirs.upper


def _compresses_better(one: Result, other: Result) -> bool:
    """Whether the download is smaller, as far as both are known."""
    ours, theirs = _gzip_bytes(one), _gzip_bytes(other)
    return ours is not None and theirs is not None and ours < theirs


def _is_idle(one: Result, other: Result, device: str) -> bool:
    """Whether a sparse variant is neither faster than the float32 one nor a smaller download.

    What is not known to be faster counts as not faster: zeros alone speed up no runtime.
    """
    if other.variant.recipe != FLOAT32 or not _is_sparse(one) or _compresses_better(one, other):
        return False
    ours, theirs = _latency(one, device), _latency(other, device)
    return ours is None or theirs is None or ours.upper >= theirs.lower


def _is_sparse(result: Result) -> bool:
    return any(step.startswith(SPARSE) for step in result.variant.recipe.split("+"))


def _gzip_bytes(result: Result) -> int | None:
    text = dict(result.variant.notes).get(GZIP_BYTES, "")
    return int(text) if text.isdecimal() else None


def _latency(result: Result, device: str) -> Measurement | None:
    """The one latency known for a device, if it is of this very file."""
    found = [
        reading
        for reading in result.readings
        if isinstance(reading, Measurement)
        and reading.metric is Metric.LATENCY_P90_MS
        and reading.device == device
        and reading.artifact_sha256 == result.variant.sha256
    ]
    return found[0] if len(found) == 1 else None
