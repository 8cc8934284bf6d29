"""The loop of a search with pretended builds: it resumes, ends in time, and stops looking early."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from weighin.gates.belief import Moment, Subject
from weighin.gates.judge import judge
from weighin.gates.measurement import ANY_DEVICE, Measurement, Reading
from weighin.gates.metric import Budget, Metric, Origin
from weighin.gates.search import Standing, best
from weighin.gates.variant import BuildFailure, Format, Variant
from weighin.gates.weigh_in import Result
from weighin.plugin.config import SearchConfig
from weighin.plugin.recipe import Recipe, parse_recipe
from weighin.plugin.search.journal import Journal
from weighin.plugin.search.questions import Question
from weighin.plugin.search.run import EXHAUSTED, NO_TIME, Workshop, answer, search
from weighin.plugin.search.space import Space

NOW = datetime(2026, 11, 24, tzinfo=UTC)
MEASURED = (Metric.SIZE_MIB, Metric.ACCURACY_DROP_POINTS, Metric.LATENCY_P90_MS)
ROWS = 400


@dataclass
class Bench:
    """Pretended builds and measurements that are counted; a build takes ten seconds."""

    size_mib: float = 1e9
    drop: Callable[[Recipe], float] = lambda recipe: 0.1
    seconds: float = 0.0
    die_after: int = 10**6
    made: list[str] = field(default_factory=list)
    weighed: list[tuple[str, int]] = field(default_factory=list)

    def make(self, recipes: Sequence[Recipe]) -> list[Variant | BuildFailure]:
        self.made += [str(recipe) for recipe in recipes]
        self.seconds += 10
        if len(self.made) > self.die_after:
            raise KeyboardInterrupt
        return [self.build(recipe) for recipe in recipes]

    def build(self, recipe: Recipe) -> Variant | BuildFailure:
        if (recipe.prune_percent or 0) > 80:
            return BuildFailure(recipe=str(recipe), format=Format.ONNX, reason="nothing left")
        taken = recipe.prune_percent or (100 - (recipe.width_percent or 100))
        return Variant(
            recipe=str(recipe),
            format=Format.ONNX,
            sha256=str(recipe),
            size_bytes=(100 - taken) * (2 if recipe.quantization else 8) * 1024,
            path=str(recipe),
            parent="",
            tools=(),
        )

    def weigh(self, variants: Sequence[Variant], metrics: Collection[Metric]) -> list[Result]:
        self.weighed += [(variant.recipe, len(metrics)) for variant in variants]
        return [self.result(variant, metrics) for variant in variants]

    def result(self, variant: Variant, metrics: Collection[Metric]) -> Result:
        values = {
            Metric.SIZE_MIB: (variant.size_bytes / 2**20, 0.0),
            Metric.ACCURACY_DROP_POINTS: (self.drop(parse_recipe(variant.recipe)), 1.0),
            Metric.LATENCY_P90_MS: (variant.size_bytes / 1e5, 0.0),
        }
        readings: tuple[Reading, ...] = tuple(
            Measurement(
                metric=metric,
                value=value,
                lower=value - half,
                upper=value + half,
                n=ROWS,
                origin=Origin.DEVICE if metric is Metric.LATENCY_P90_MS else Origin.ARTIFACT,
                artifact_sha256=variant.sha256,
                device="host" if metric is Metric.LATENCY_P90_MS else ANY_DEVICE,
                runtime="r",
                measured_at=NOW,
            )
            for metric, (value, half) in values.items()
            if metric in metrics
        )
        subject = Subject(artifact_sha256=variant.sha256, device="host", runtime="r")
        budgets = (
            Budget(metric=Metric.SIZE_MIB, at_most=self.size_mib),
            Budget(metric=Metric.ACCURACY_DROP_POINTS, at_most=1.0),
        )
        moment = Moment(now=NOW, max_age=timedelta(days=1))
        verdict = judge(subject, budgets, readings, moment)
        return Result(variant=variant, verdicts=(verdict,), readings=readings)

    def workshop(self, gate_rows: int = 10 * ROWS) -> Workshop:
        return Workshop(
            make=self.make,
            weigh=self.weigh,
            measured=MEASURED,
            gate_rows=gate_rows,
            clock=lambda: self.seconds,
            tell=lambda rounds: None,
        )


def limits(minutes: float) -> SearchConfig:
    return SearchConfig(minutes=minutes, winners=4)


def test_it_ends_when_every_question_is_answered(space: Space, tmp_path: Path) -> None:
    bench = Bench()
    record = search(space, ["host"], limits(999), bench.workshop(), Journal(tmp_path / "j"))
    assert record.ended == EXHAUSTED
    found = best(record.trials, "host")
    assert found is not None
    assert record.kept[0] == found.recipe
    assert any(trial.reason == "nothing left" for trial in record.trials)


@pytest.mark.parametrize("die_after", [8, 15, 25])
def test_killed_in_the_middle_it_goes_on_and_ends_the_same(
    space: Space, tmp_path: Path, die_after: int
) -> None:
    whole = search(space, ["host"], limits(999), Bench().workshop(), Journal(tmp_path / "whole"))
    journal, dying = Journal(tmp_path / "j"), Bench(die_after=die_after)
    with pytest.raises(KeyboardInterrupt):
        search(space, ["host"], limits(999), dying.workshop(), journal)
    before = journal.read()
    with (tmp_path / "j").open("a") as stream:
        stream.write('{"question": "half a li')
    again = Bench()
    record = search(space, ["host"], limits(999), again.workshop(), journal)
    assert record == whole
    done = {recipe for one in before for recipe in one.recipes} - {"float32"}
    assert not done & set(again.made)


def test_no_time_is_said_and_the_cheapest_fixed_recipes_go_to_the_gate(
    space: Space, tmp_path: Path
) -> None:
    bench = Bench()
    record = search(space, ["host"], limits(0), bench.workshop(), Journal(tmp_path / "j"))
    assert (record.ended, record.rounds, bench.made) == (NO_TIME, (), [])
    assert record.kept == ("float32", "fp16", "dynamic_int8", "int8")


@pytest.mark.parametrize(
    ("minutes", "rounds", "said"),
    [
        pytest.param(0.01, 1, "the time was up", id="next-to-nothing"),
        pytest.param(0.55, 3, "3 s were too few for", id="not-enough-for-one-more"),
    ],
)
def test_the_time_budget_ends_it_with_the_best_so_far(
    space: Space, tmp_path: Path, minutes: float, rounds: int, said: str
) -> None:
    record = search(space, ["host"], limits(minutes), Bench().workshop(), Journal(tmp_path / "j"))
    assert len(record.rounds) == rounds
    assert said in record.ended
    found = best(record.trials, "host")
    assert found is not None
    assert record.kept[0] == found.recipe


def test_a_trained_file_that_is_too_large_is_not_run(space: Space, tmp_path: Path) -> None:
    bench = Bench(size_mib=0.05)
    search(space, ["host"], limits(999), bench.workshop(), Journal(tmp_path / "j"))
    looked = dict(bench.weighed)
    assert looked["prune50"] == 1, "its size is all that was looked at"
    assert looked["int8"] == 2, "too large, but its accuracy says whether a smaller one may do"
    assert looked["prune75+distill+fp16"] == 3


def test_accuracy_is_projected_to_the_rows_of_the_gate() -> None:
    bench = Bench(drop=lambda recipe: 0.4)
    question = Question(recipes=(Recipe(),), why="")
    stands = [
        answer(question, bench.workshop(gate_rows))[0].devices[0].standing
        for gate_rows in (ROWS // 4, ROWS, 100 * ROWS)
    ]
    assert stands == [Standing.OPEN, Standing.OPEN, Standing.LIKELY]
