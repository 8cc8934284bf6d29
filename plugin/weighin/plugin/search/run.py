"""The loop of a search: ask, build, estimate, keep; until time is up or nothing is left to ask.

Estimating is staged, cheapest first: a file that is too large is not run, one that loses too
much accuracy is not timed. What this module does not do: it decides nothing; the questions, the
standings and the choice are pure functions elsewhere.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from weighin.gates.dominance import FLOAT32, with_dominance
from weighin.gates.judge import Outcome
from weighin.gates.metric import Metric
from weighin.gates.search import Round, SearchRecord, Trial
from weighin.gates.variant import BuildFailure, Variant
from weighin.gates.weigh_in import Result
from weighin.plugin.config import SearchConfig
from weighin.plugin.recipe import Recipe
from weighin.plugin.search.estimate import failed_trial, trial_of
from weighin.plugin.search.finalists import finalists
from weighin.plugin.search.journal import Journal
from weighin.plugin.search.questions import Question, next_question
from weighin.plugin.search.space import Space

EXHAUSTED = "every question was answered"
NO_TIME = "no time was given, so the cheapest fixed recipes go to the gate untried"

Make = Callable[[Sequence[Recipe]], Sequence[Variant | BuildFailure]]
"""Makes recipes in every format; what was made before is not made again."""

Weigh = Callable[[Sequence[Variant], Collection[Metric]], Sequence[Result]]
"""Measures files on tuning data, and judges them on every device."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """What the loop needs of the world.

    Attributes:
        make: Builds.
        weigh: Estimates.
        measured: What is measured of a file that did not fall before, cheap metrics first.
        gate_rows: How many rows the gate will judge on.
        clock: Seconds that only go up.
        tell: Told how many rounds are done.
    """

    make: Make
    weigh: Weigh
    measured: tuple[Metric, ...]
    gate_rows: int
    clock: Callable[[], float]
    tell: Callable[[int], None]


def search(
    space: Space,
    devices: Sequence[str],
    limits: SearchConfig,
    workshop: Workshop,
    journal: Journal,
) -> SearchRecord:
    """Search until every question is answered or the time is up, from where the journal stands.

    Args:
        space: What may be asked.
        devices: The target devices.
        limits: Time, and how many recipes may go to the gate.
        workshop: Builds and estimates.
        journal: Of this very search; what it holds is not asked again.
    """
    rounds = list(journal.read())
    ended = EXHAUSTED
    while (question := next_question(space, rounds)) is not None:
        if reason := out_of_time(question, rounds, limits.minutes):
            ended = reason
            break
        rounds.append(_round(question, workshop))
        journal.write(rounds)
        workshop.tell(len(rounds))
    trials = [trial for one in rounds for trial in one.trials]
    fixed = tuple(str(recipe) for recipe in space.fixed)
    kept = finalists(trials, devices, limits.winners, fixed)
    untried = tuple(str(recipe) for recipe in space.fixed if not recipe.trains)
    return SearchRecord(
        minutes=limits.minutes,
        rounds=tuple(rounds),
        ended=ended,
        kept=kept or untried[: limits.winners],
    )


def out_of_time(question: Question, rounds: Sequence[Round], minutes: float) -> str:
    """Why there is no time for a question; empty if there is.

    The time is looked at between rounds. Training is not begun when the longest round of
    training so far would not fit any more.
    """
    if minutes == 0:
        return NO_TIME
    left = 60 * minutes - sum(one.seconds for one in rounds)
    longest = max((one.seconds for one in rounds if one.trains), default=0.0)
    if left <= 0:
        return f"the time was up; next would have been: {question.why}"
    if question.trains and longest > left:
        return f"{left:.0f} s were too few for: {question.why}"
    return ""


def _round(question: Question, workshop: Workshop) -> Round:
    started = workshop.clock()
    trials = answer(question, workshop)
    return Round(
        question=question.why,
        recipes=tuple(str(recipe) for recipe in question.recipes),
        trains=question.trains,
        seconds=workshop.clock() - started,
        trials=trials,
    )


def answer(question: Question, workshop: Workshop) -> tuple[Trial, ...]:
    """Build what was asked for and look at it, beside float32, which speed is compared with."""
    made = workshop.make(tuple(dict.fromkeys((Recipe(), *question.recipes))))
    stages = _stages(workshop.measured, trains=question.trains)
    results = _look([one for one in made if isinstance(one, Variant)], stages, workshop)
    asked = {str(recipe) for recipe in question.recipes}
    return tuple(
        failed_trial(one)
        if isinstance(one, BuildFailure)
        else trial_of(results[one.label], workshop.gate_rows)
        for one in made
        if one.recipe in asked
    )


def _look(
    variants: Sequence[Variant], stages: Sequence[tuple[Metric, ...]], workshop: Workshop
) -> dict[str, Result]:
    """Readings in stages: whoever fell on every device is not looked at any further."""
    found: dict[str, Result] = {}
    left = list(variants)
    for metrics in stages:
        found |= {one.variant.label: one for one in workshop.weigh(left, metrics)}
        left = [one for one in left if one.recipe == FLOAT32 or _stands(found[one.label])]
    return {one.variant.label: one for one in with_dominance(tuple(found.values()))}


def _stages(measured: tuple[Metric, ...], *, trains: bool) -> tuple[tuple[Metric, ...], ...]:
    """Size; then accuracy too; then everything. What was measured before is only read again.

    How accurate a quantization is on the unchanged model is worth knowing of too large files too:
    it decides what is tried on smaller ones.
    """
    first = measured[:1] if trains else measured[:2]
    return tuple(dict.fromkeys((first, measured[:2], measured)))


def _stands(result: Result) -> bool:
    """Whether some device does not refuse it yet."""
    return any(verdict.outcome is not Outcome.FAIL for verdict in result.verdicts)
