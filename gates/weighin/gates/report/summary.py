"""What every rendering of a weigh-in says, said once: outcomes, sentences, the figure that decided.

Everything here is computed from the record when asked, like the outcomes themselves.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from weighin.gates.judge import Check, Outcome, Verdict
from weighin.gates.measurement import ANY_DEVICE, Measurement, Reading
from weighin.gates.meters.metrics import BUILT_IN
from weighin.gates.metric import Metric, Origin
from weighin.gates.report.fleet_words import fleet_report, served_words
from weighin.gates.report.limit_words import limit_of, limit_words
from weighin.gates.report.words import METRIC_WORDS, amount, count, figure, plain
from weighin.gates.weigh_in import Result, WeighIn

DONE, NOTHING_PASSED = 0, 3
SHARES = tuple(name for name, metric in BUILT_IN.items() if metric.right_among is not None)
_MOST_NAMES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A variant that has no verdict on a device that it should have been weighed for."""

    label: str
    device: str
    reason: str


def reference_quality(weigh_in: WeighIn) -> str:
    """What the registered model reaches: ``accuracy 91.6 %``, or ``f1 macro 0.912``."""
    name, value = weigh_in.quality_metric, weigh_in.reference_accuracy
    if name in SHARES:
        return f"{_spoken(name)} {figure(100 * value)} %"
    return f"{_spoken(name)} {figure(value)}"


def _spoken(name: str) -> str:
    return name.replace("_", " ")


def exit_code(weigh_in: WeighIn) -> int:
    """The process's exit status: 0 when something may ship, else 3."""
    return DONE if weigh_in.may_ship else NOTHING_PASSED


def overall_outcome(weigh_in: WeighIn) -> Outcome:
    """``PASS`` if a variant passed on at least one device, ``FAIL`` if every verdict fails.

    A budget on the share of users that does not pass takes a ``PASS`` back.
    """
    best = _best([v.outcome for result in weigh_in.results for v in result.verdicts])
    return weigh_in.fleet_outcome or best if best is Outcome.PASS else best


def held_back(weigh_in: WeighIn) -> str | None:
    """Why what passed may not ship all the same; ``None`` if it may, or nothing passed."""
    users = fleet_report(weigh_in)
    held = users is not None and weigh_in.passed and not weigh_in.may_ship
    return served_words(users) if users is not None and held else None


def device_outcome(weigh_in: WeighIn, device: str) -> Outcome:
    """The best outcome that any variant has on one device; ``UNDECIDED`` without verdicts."""
    verdicts = (verdict_on(result, device) for result in weigh_in.results)
    return _best([verdict.outcome for verdict in verdicts if verdict is not None])


def covered(weigh_in: WeighIn) -> tuple[str, ...]:
    """The devices that have at least one passing variant, in the plan's order."""
    return tuple(d for d in weigh_in.devices if device_outcome(weigh_in, d) is Outcome.PASS)


def sentence(
    weigh_in: WeighIn, spell: Callable[[str], str] = plain, *, except_for: Sequence[str] = ()
) -> str:
    """The verdict in words, on one line.

    Args:
        weigh_in: What is spoken of.
        spell: How the output format writes a name that nobody vouches for.
        except_for: Devices that nothing passed on, and of which the caller says more itself.
    """
    name = spell(f"{weigh_in.model} v{weigh_in.version}")
    built, devices = len(weigh_in.results), weigh_in.devices
    if not built:
        failed = count(len(weigh_in.failures), "build")
        return f"{name} may not ship: no variant was built ({failed} failed)."
    if not weigh_in.passed:
        where = count(len(devices), "device")
        return f"{name} may not ship: of {count(built, 'variant')}, none passed on any of {where}."
    reached_devices, users = covered(weigh_in), fleet_report(weigh_in)
    without = [device for device in devices if device not in reached_devices]
    reached = len(devices) - len(without)
    where = f"{reached} of {count(len(devices), 'device')}" if without else "every device"
    passed = f"{len(weigh_in.passed)} of {count(built, 'variant')} passed somewhere."
    nothing_for = _none_for([one for one in without if one not in except_for], spell)
    if users is None:
        return f"{name} may ship on {where}: {passed}{nothing_for}"
    if not weigh_in.may_ship:
        return f"{name} may not ship: {served_words(users)}. {passed}{nothing_for}"
    return f"{name} may ship on {where}: {served_words(users)}. {passed}{nothing_for}"


def _none_for(without: Sequence[str], spell: Callable[[str], str]) -> str:
    """``Nothing for galaxy-a51.``, with at most so many names."""
    if not without:
        return ""
    names = [spell(device) for device in without[:_MOST_NAMES]]
    if len(without) > _MOST_NAMES:
        names.append(f"{len(without) - _MOST_NAMES} more")
    return f" Nothing for {', '.join(names)}."


def verdict_on(result: Result, device: str) -> Verdict | None:
    """The verdict of one variant on one device, if it was weighed for it."""
    return next((v for v in result.verdicts if v.subject.device == device), None)


def dominated_on(result: Result, device: str) -> str | None:
    """The simpler variant that dominates this one on that device, if there is one."""
    return dict(result.dominated_by).get(device)


def deciding_check(verdict: Verdict) -> Check | None:
    """The check to show for a verdict: of those that share its outcome, the one that made it.

    For ``FAIL`` that is the largest share of a budget; for ``UNDECIDED`` the first one without a
    believable number, else the largest share. A ``PASS`` is made by all of its checks; of those,
    latency is what people ask for first.
    """
    alike = [check for check in verdict.checks if check.outcome is verdict.outcome]
    latency = [check for check in alike if check.budget.metric is Metric.LATENCY_P90_MS]
    if verdict.outcome is Outcome.PASS and latency:
        return latency[0]
    return max(alike, key=lambda check: check.overshoot, default=None)


def passing(weigh_in: WeighIn, device: str) -> tuple[Result, ...]:
    """The variants that passed on one device."""
    verdicts = ((result, verdict_on(result, device)) for result in weigh_in.results)
    return tuple(r for r, verdict in verdicts if verdict and verdict.outcome is Outcome.PASS)


def smallest_pass(weigh_in: WeighIn, device: str) -> Result | None:
    """The smallest file that passed on a device, dominated ones only if there is no other."""
    return min(
        passing(weigh_in, device),
        key=lambda r: (dominated_on(r, device) is not None, r.variant.size_bytes, r.variant.label),
        default=None,
    )


def reading_on(result: Result, device: str, metric: Metric) -> Reading | None:
    """What is known of a metric on a device: what was judged, else what was read beside it."""
    verdict = verdict_on(result, device)
    for check in verdict.checks if verdict else ():
        if check.budget.metric is metric:
            return check.reading
    of_metric = [r for r in result.readings if r.metric is metric]
    for wanted in (device, ANY_DEVICE):
        for reading in of_metric:
            if isinstance(reading, Measurement) and reading.device == wanted:
                return reading
    return None


def budgets_on(weigh_in: WeighIn, device: str) -> dict[Metric, Check]:
    """One check per budgeted metric of a device: they share the budget, so any one shows it."""
    found: dict[Metric, Check] = {}
    for result in weigh_in.results:
        verdict = verdict_on(result, device)
        for check in verdict.checks if verdict else ():
            found.setdefault(check.budget.metric, check)
    return {metric: found[metric] for metric in Metric if metric in found}


def skipped(weigh_in: WeighIn) -> tuple[Skipped, ...]:
    """Variants without a verdict on a target device: shown, never left out silently."""
    return tuple(
        Skipped(label=result.variant.label, device=device, reason="not weighed for this device")
        for device in weigh_in.devices
        for result in weigh_in.results
        if verdict_on(result, device) is None
    )


def origins(weigh_in: WeighIn) -> tuple[Origin, ...]:
    """The origins of all numbers in the record, most trustworthy first."""
    seen = {
        reading.origin
        for result in weigh_in.results
        for reading in (*result.readings, *(c.reading for v in result.verdicts for c in v.checks))
        if isinstance(reading, Measurement)
    }
    return tuple(origin for origin in Origin if origin in seen)


def why(check: Check) -> str:
    """One check in words with units: ``latency p90 at least 5.2 ms, budget 4 ms``."""
    metric, limit = check.budget.metric, limit_of(check)
    name, reading, budget = METRIC_WORDS[metric].name, check.reading, limit_words(check)
    if check.objection is not None or not isinstance(reading, Measurement):
        return f"{name} unknown ({plain(check.objection or 'not measured')}), {budget}"
    if check.decided is not None:
        return f"slices' drops in points: {plain(check.reason)}"
    lower, upper = amount(metric, reading.lower, limit), amount(metric, reading.upper, limit)
    match check.outcome:
        case Outcome.PASS:
            return f"{name} at most {upper}, {budget}"
        case Outcome.FAIL:
            return f"{name} at least {lower}, {budget}"
        case Outcome.UNDECIDED:
            return f"{name} between {lower} and {upper}, {budget}"


def nearest_miss(weigh_in: WeighIn, device: str) -> tuple[Result, Check] | None:
    """The variant closest to passing on a device that none passed on, and the check it broke."""
    miss = weigh_in.nearest_miss(device)
    if miss is None:
        return None
    result, metric = miss
    verdict = verdict_on(result, device)
    checks = verdict.checks if verdict else ()
    return next(((result, check) for check in checks if check.budget.metric is metric), None)


def headline_figures(result: Result, device: str) -> tuple[Measurement, ...]:
    """Size, accuracy drop and latency of a variant on a device, as far as they are known."""
    metrics = (Metric.SIZE_MIB, Metric.ACCURACY_DROP_POINTS, Metric.LATENCY_P90_MS)
    readings = (reading_on(result, device, metric) for metric in metrics)
    return tuple(reading for reading in readings if isinstance(reading, Measurement))


def _best(outcomes: list[Outcome]) -> Outcome:
    if Outcome.PASS in outcomes:
        return Outcome.PASS
    return Outcome.FAIL if set(outcomes) == {Outcome.FAIL} else Outcome.UNDECIDED
