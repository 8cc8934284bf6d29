"""How good the verdict is: gates with a known truth, judged by the product's own intervals.

False passes and coverage at the margin for every kind of metric, with all rows at once and step by
step; power; rows taken; re-runs with fresh latency noise; speed; and the real ResNet-20.
"""

import math
import os
import statistics
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from figures import Figure, present
from verdict_families import FAMILIES, Family, every, flips
from verdict_resnet import family_figure

from weighin.gates.belief import Moment, Subject
from weighin.gates.devices.bench import HostSettings
from weighin.gates.judge import Outcome, judge
from weighin.gates.measurement import ANY_DEVICE, Measurement
from weighin.gates.meters.latency import Session, latency_p90
from weighin.gates.meters.runner import LEAST_ROUNDS
from weighin.gates.meters.stamp import Stamp
from weighin.gates.metric import Budget, Metric, Origin
from weighin.gates.sequential import is_decided, looks
from weighin.gates.slices import Slice, worst
from weighin.gates.stats import PairedCounts, paired_drop

GATES = int(os.environ.get("WEIGHIN_BENCH_GATES", "4000"))
COUNTED = 5
"""So many times as many gates where they are only counted."""
PAIRS = max(200, GATES // 2)
SETTINGS = HostSettings()
CONFIDENCE = 0.95
NOW = datetime(2026, 11, 26, tzinfo=UTC)
MOMENT = Moment(now=NOW, max_age=timedelta(days=30))
SUBJECT = Subject(artifact_sha256="a" * 64, device="host", runtime="r 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """One family at one size: shares of gates at the margin, in percent.

    Attributes:
        name: Family and rows.
        gates: How many were judged.
        fixed: Passed with all rows at once.
        sequential: Passed step by step.
        upper: Upper ends at or above the truth.
        lower: Lower ends at or below the truth.
    """

    name: str
    gates: int
    fixed: float
    sequential: float
    upper: float
    lower: float


def at_the_margin(number: int) -> Errors:
    """Gates whose variant loses exactly the margin: any PASS is a false one."""
    family, rows = list(every())[number]
    random = np.random.default_rng([FAMILIES.index(family), rows])
    truth = family.truth(random) if family.exact is None else family.exact
    gates = GATES if family.score is not None else COUNTED * GATES
    fixed = stepped = upper = lower = 0
    for gate in range(gates):
        pair = family.draw(random, rows)
        ends = family.interval(pair, CONFIDENCE, gate)
        fixed += ends.upper <= truth
        upper += ends.upper >= truth
        lower += ends.lower <= truth
        for look in looks(rows, CONFIDENCE):
            seen = family.interval(pair.rows(np.arange(look.rows)), look.confidence, gate)
            if is_decided(seen, (truth,)):
                stepped += seen.upper <= truth
                break
    return Errors(
        name=f"{family.name}, {rows:,} rows",
        gates=gates,
        fixed=100 * fixed / gates,
        sequential=100 * stepped / gates,
        upper=100 * upper / gates,
        lower=100 * lower / gates,
    )


def errors() -> Iterator[Figure]:
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(at_the_margin, range(len(list(every())))))
    if len(found) < len(FAMILIES):
        raise SystemExit("not every family was judged")
    rows = tuple(
        {
            "case": one.name,
            "gates": one.gates,
            "false pass, all rows %": one.fixed,
            "false pass, step by step %": one.sequential,
            "upper end holds %": one.upper,
            "lower end holds %": one.lower,
        }
        for one in found
    )
    for name, worst_of in (
        ("false_pass_percent_fixed", max(found, key=lambda one: one.fixed)),
        ("false_pass_percent_sequential", max(found, key=lambda one: one.sequential)),
    ):
        value = worst_of.fixed if name.endswith("fixed") else worst_of.sequential
        detail = f"worst of {len(found)} cases, {GATES} gates each or more: {worst_of.name}"
        yield Figure(name=name, value=value, goal=5.5, detail=detail, rows=rows)
    least = min(found, key=lambda one: min(one.upper, one.lower))
    yield Figure(
        name="coverage_percent",
        value=min(least.upper, least.lower),
        goal=94,
        op=">=",
        detail=f"worst end of {len(found)} cases, nominal 95: {least.name}",
    )


def power() -> Iterator[Figure]:
    """How often a variant that loses nothing passes a margin of one point, by rows."""
    random, gates, rows_of = np.random.default_rng(7), GATES // 4, (300, 1000, 3000, 10_000)
    passed = {}
    for rows in rows_of:
        lost, won, _ = random.multinomial(rows, [0.025, 0.025, 0.95], size=gates).T
        ends = (
            paired_drop(_counts(int(a), int(b), rows), CONFIDENCE).upper
            for a, b in zip(lost, won, strict=True)
        )
        passed[rows] = 100 * sum(end <= 0.01 for end in ends) / gates
    yield Figure(
        name="power_percent_at_10000_rows",
        value=passed[10_000],
        goal=95,
        op=">=",
        detail="margin 1 point, 5 % of rows flip, no true drop; by rows: "
        + ", ".join(f"{rows:,}: {share:.1f} %" for rows, share in passed.items()),
    )


def rows_taken() -> Iterator[Figure]:
    """Rows that the gate takes step by step, of 10,000, where the answer is clear."""
    random, rows = np.random.default_rng(11), 10_000
    clear = {
        "no drop, 5 % flip, margin 1": (flips(0.025, 0.025), 0.01),
        "drop 3, margin 1": (flips(0.05, 0.02), 0.01),
        "no drop, 2 % flip, margin 1": (flips(0.01, 0.01), 0.01),
        "drop 1.8, 3 % flip, margin 1": (flips(0.024, 0.006), 0.01),
    }
    ratios: dict[str, list[float]] = {}
    for name, (draw, margin) in clear.items():
        family = Family(name=name, draw=draw, score=None)
        taken = []
        for _ in range(max(1, GATES // 20)):
            pair = draw(random, rows)
            for look in looks(rows, CONFIDENCE):
                ends = family.interval(pair.rows(np.arange(look.rows)), look.confidence, 0)
                if is_decided(ends, (margin,)) or look.last:
                    taken.append(look.rows / rows)
                    break
        ratios[name] = taken
    medians = {name: statistics.median(taken) for name, taken in ratios.items()}
    yield Figure(
        name="sequential_samples_ratio",
        value=statistics.median([one for taken in ratios.values() for one in taken]),
        goal=0.5,
        detail="; ".join(f"{name}: {value:.3f}" for name, value in medians.items()),
    )


def _sessions(random: np.random.Generator, true_ms: float, rounds: int) -> tuple[Session, ...]:
    """As many processes as the product starts, on a noisy machine.

    A process is off by 2 % (lognormal), a run by 2 %, a timing by 8 %, and one in fifty timings is
    half as long again.
    """
    run = random.normal(0, 0.02)
    sessions = []
    for _ in range(SETTINGS.processes):
        center = true_ms * math.exp(run + random.normal(0, 0.02))
        times = center * np.exp(random.normal(0, 0.08, rounds))
        times *= np.where(random.random(rounds) < 0.02, 1.5, 1.0)
        sessions.append(Session(times_ms=tuple(times.tolist())))
    return tuple(sessions)


def agreement() -> Iterator[Figure]:
    """Two runs of the same file on the same machine, with budgets from a third to three times."""
    shares = {rounds: _agreeing(rounds) for rounds in (SETTINGS.rounds, 100, LEAST_ROUNDS)}
    fewer = ", ".join(
        f"{rounds} rounds: {share:.1f} %, {contrary}"
        for rounds, (share, contrary) in shares.items()
        if rounds != SETTINGS.rounds
    )
    share, contrary = shares[SETTINGS.rounds]
    yield Figure(
        name="verdict_agreement_percent",
        value=share,
        goal=95,
        op=">=",
        detail=f"{PAIRS} pairs of runs of {SETTINGS.processes} processes with {SETTINGS.rounds} "
        f"rounds, budgets from 1/3 to 3 times the truth; PASS against FAIL in {contrary} "
        f"(slow models get fewer rounds: {fewer})",
    )


def _agreeing(rounds: int) -> tuple[float, int]:
    """Percent of pairs of runs with the same verdict, and how many had contrary ones."""
    random = np.random.default_rng(13)
    stamp = Stamp(artifact_sha256="a" * 64, runtime="r 1", device="host", measured_at=NOW)
    alike = contrary = 0
    for _ in range(PAIRS):
        true_ms = math.exp(random.uniform(-2, 4))
        budget = Budget(
            metric=Metric.LATENCY_P90_MS,
            at_most=true_ms * math.exp(random.uniform(-math.log(3), math.log(3))),
        )
        readings = (latency_p90(_sessions(random, true_ms, rounds), stamp, 1) for _ in range(2))
        outcomes = [judge(SUBJECT, [budget], [one], MOMENT).outcome for one in readings]
        alike += outcomes[0] is outcomes[1]
        contrary += set(outcomes) == {Outcome.PASS, Outcome.FAIL}
    return 100 * alike / PAIRS, contrary


def judging() -> Iterator[Figure]:
    """Ten thousand checks, one in a hundred of ten slices, each with its outcome and reason."""
    verdicts = 2000
    metrics = (
        Metric.SIZE_MIB,
        Metric.LATENCY_P90_MS,
        Metric.PEAK_MEMORY_MIB,
        Metric.ENERGY_MJ,
    )
    plain = [
        _reading(metric, lower=1.0, upper=1.2, origin=Origin.DEVICE, device="host")
        for metric in metrics
    ]
    drop = _reading(Metric.ACCURACY_DROP_POINTS, lower=-0.1, upper=0.9)
    times, outcomes = [], set()
    for repeat in range(5):
        sliced = [_sliced(100 * repeat + number) for number in range(verdicts // 20)]
        started = time.perf_counter()
        for number in range(verdicts):
            last = sliced[number // 20] if number % 20 == 0 else drop
            readings = [*plain, last]
            limit = (0.9, 1.1, 1.3)[number % 3]
            budgets = [Budget(metric=one.metric, at_most=limit) for one in readings]
            verdict = judge(SUBJECT, budgets, readings, MOMENT)
            outcomes.add((verdict.outcome, bool(verdict.reason)))
        times.append(time.perf_counter() - started)
    yield Figure(
        name="judge_10000_checks_seconds",
        value=statistics.median(times),
        goal=1,
        detail=f"median of 5, {min(times):.3f} to {max(times):.3f} s; 100 of the checks are of "
        f"ten slices; {len(outcomes)} kinds of outcome",
    )


def _reading(
    metric: Metric,
    *,
    lower: float,
    upper: float,
    origin: Origin = Origin.ARTIFACT,
    device: str = ANY_DEVICE,
) -> Measurement:
    return Measurement(
        metric=metric,
        value=(lower + upper) / 2,
        lower=lower,
        upper=upper,
        n=100,
        origin=origin,
        artifact_sha256=SUBJECT.artifact_sha256,
        device=device,
        runtime=SUBJECT.runtime,
        measured_at=NOW,
    )


def _sliced(number: int) -> Measurement:
    slices = tuple(
        Slice(name=f"s{k}", rows=400 + number, drop=_counts(12 + k, 5, 400 + number))
        for k in range(10)
    )
    _, ends = worst(slices, CONFIDENCE)
    return Measurement(
        metric=Metric.SLICE_DROP_POINTS,
        value=ends.value,
        lower=ends.lower,
        upper=ends.upper,
        n=sum(one.rows for one in slices),
        origin=Origin.ARTIFACT,
        artifact_sha256=SUBJECT.artifact_sha256,
        device=ANY_DEVICE,
        runtime=SUBJECT.runtime,
        measured_at=NOW,
        slices=slices,
    )


def _counts(lost: int, won: int, rows: int) -> PairedCounts:
    return PairedCounts(
        both_right=rows - lost - won, only_reference=lost, only_variant=won, both_wrong=0
    )


def measure() -> Iterator[Figure]:
    found: list[Figure] = []
    for part in (judging, agreement, rows_taken, power, errors, family_figure):
        for figure in part():
            found.append(figure)
            yield figure
    table = os.environ.get("WEIGHIN_BENCH_TABLE")
    if table:
        Path(table).write_text(_table(found))


def _table(found: Sequence[Figure]) -> str:
    lines: list[str] = []
    for figure in found:
        if not figure.rows or figure.name == "false_pass_percent_sequential":
            continue
        names = list(figure.rows[0])
        lines += ["", f"| {' | '.join(names)} |", f"| {' | '.join('---' for _ in names)} |"]
        lines += [f"| {' | '.join(_cell(row[name]) for name in names)} |" for row in figure.rows]
    return "\n".join([*lines, ""])


def _cell(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    present(measure, __doc__)
