"""Metrics by name, and how much they drop: right, undefined, and never certain for free."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from weighin.gates.errors import ConfigError
from weighin.gates.meters.metrics import BUILT_IN, QualityMetric, Reads, quality_metric
from weighin.gates.meters.score_functions import prepared, score_function
from weighin.gates.meters.scores import NotDefinedError, Pair, drop_of

RANDOM = np.random.default_rng(0)
LABELS = RANDOM.integers(0, 3, 200)
SURE = 4 * np.eye(3)[LABELS] + RANDOM.normal(size=(200, 3))
NOISY = SURE + 2 * RANDOM.normal(size=(200, 3))
NUMBERS = RANDOM.normal(size=200)
CLOSE, FAR = NUMBERS + 0.1 * RANDOM.normal(size=200), NUMBERS + RANDOM.normal(size=200)


def value(metric: QualityMetric, labels: Any, outputs: Any, classes: int = 3) -> float:
    score = score_function(metric, classes, None)
    return float(np.mean(score(np.asarray(labels), prepared(np.asarray(outputs), metric.reads))))


def drop(name: str, labels: Any, reference: Any, variant: Any, risk: float = 0.05) -> Any:
    metric, classes = BUILT_IN[name], 3
    read = [prepared(np.asarray(one), metric.reads) for one in (reference, variant)]
    if metric.reads is Reads.SCORES:
        classes = read[0].shape[1]
    return drop_of(
        score_function(metric, classes, None),
        Pair(labels=np.asarray(labels), reference=read[0], variant=read[1]),
        larger_is_better=metric.larger_is_better,
        risk=risk,
        seed=1,
    )


@pytest.mark.parametrize(
    ("name", "labels", "outputs", "expected"),
    [
        # Worked out by hand.
        pytest.param("f1", [1, 1, 0, 0], [[0, 1], [1, 0], [0, 1], [1, 0]], 0.5, id="f1"),
        pytest.param(
            "balanced_accuracy", [0, 0, 0, 1], np.eye(2)[[0, 0, 0, 0]], 0.5, id="balanced"
        ),
        pytest.param("f1_macro", [0, 1, 2, 2], np.eye(3)[[0, 1, 2, 1]], 7 / 9, id="f1-macro"),
        pytest.param("roc_auc", [0, 0, 1, 1], [[0.1], [0.4], [0.35], [0.8]], 0.75, id="auc"),
        pytest.param("log_loss", [1], [[0.5, 0.5]], math.log(2), id="log-loss"),
        pytest.param("brier", [0], [[0.8, 0.2]], 0.08, id="brier"),
        pytest.param("mae", [1.0, 2.0], [[1.5], [1.0]], 0.75, id="mae"),
        pytest.param("rmse", [0.0, 0.0], [[3.0], [4.0]], math.sqrt(12.5), id="rmse"),
        pytest.param("median_error", [0, 0, 0], [[1.0], [2.0], [9.0]], 2.0, id="median-error"),
        pytest.param("r2", [1.0, 2.0, 3.0], [[1.0], [2.0], [3.0]], 1.0, id="r2"),
        pytest.param("pearson", [1.0, 2.0, 3.0], [[2.0], [4.0], [6.0]], 1.0, id="pearson"),
        pytest.param("spearman", [1.0, 2.0, 3.0], [[1.0], [8.0], [4.0]], 0.5, id="spearman"),
        pytest.param(
            "average_precision", [0, 0, 1, 1], [[0.1], [0.4], [0.35], [0.8]], 5 / 6, id="ap"
        ),
        pytest.param("matthews", [0, 1, 1, 0], np.eye(2)[[0, 1, 1, 0]], 1.0, id="matthews"),
    ],
)
def test_built_in_metrics_are_what_their_names_say(
    name: str, labels: Any, outputs: Any, expected: float
) -> None:
    width = np.asarray(outputs).shape[1]
    assert value(BUILT_IN[name], labels, outputs, max(2, width)) == pytest.approx(expected)


@pytest.mark.parametrize("name", [one for one in BUILT_IN if BUILT_IN[one].right_among is None])
def test_a_worse_variant_drops_and_a_better_one_gains(name: str) -> None:
    numbers = BUILT_IN[name].numbers
    labels = NUMBERS if numbers else LABELS
    good, bad = (CLOSE[:, None], FAR[:, None]) if numbers else (SURE, NOISY)
    if name == "f1":
        labels, good, bad = (LABELS > 0).astype(int), SURE[:, :2], NOISY[:, :2]
        good = np.stack([-good[:, 0], good[:, 0] * 0 + 3 * labels - 1], axis=1)
        bad = good + 4 * RANDOM.normal(size=good.shape)
    lost, won = drop(name, labels, good, bad).estimate, drop(name, labels, bad, good).estimate
    assert lost.value > 0
    assert won.value == pytest.approx(-lost.value)
    assert lost.interval(0.95).lower > 0 > won.interval(0.95).upper


@pytest.mark.parametrize("name", ["f1_macro", "roc_auc", "log_loss", "brier", "balanced_accuracy"])
def test_no_difference_at_all_is_not_certainty(name: str) -> None:
    same = drop(name, LABELS, SURE, SURE).estimate
    ends = same.interval(0.95)
    assert same.value == 0
    assert ends.upper > 0.005, "about three in two hundred rows may still differ"
    assert ends.lower == -ends.upper


@pytest.mark.parametrize("name", ["mae", "pearson", "r2"])
def test_no_difference_of_numbers_is_not_certainty(name: str) -> None:
    assert drop(name, NUMBERS, CLOSE[:, None], CLOSE[:, None]).estimate.interval(0.95).upper > 0.005


EVERY = np.zeros(300, int)


@pytest.mark.parametrize("name", ["f1", "f1_macro", "balanced_accuracy", "matthews"])
@pytest.mark.filterwarnings("ignore")  # the libraries warn; the child that runs them does not show
def test_two_models_that_always_say_the_same_are_not_equal_for_sure(name: str) -> None:
    with pytest.raises(NotDefinedError, match="measures nothing"):
        drop(name, EVERY, np.eye(2)[EVERY], np.eye(2)[EVERY])


def test_a_function_that_does_not_look_has_measured_nothing() -> None:
    pair = Pair(labels=LABELS, reference=LABELS, variant=(LABELS + 1) % 3)
    with pytest.raises(NotDefinedError, match="200 are answered differently"):
        drop_of(lambda labels, read: 1.0, pair, larger_is_better=True, risk=0.05, seed=0)


def test_f1_without_a_positive_measures_nothing_however_the_rest_is_answered() -> None:
    answers = np.eye(2)[(np.arange(300) < 5).astype(int)]
    with pytest.raises(NotDefinedError, match="measures nothing"):
        drop("f1", EVERY, answers, answers)


def test_less_risk_widens_what_rows_that_agree_may_do() -> None:
    loose = drop("f1_macro", LABELS, SURE, SURE, risk=0.05).estimate.slack
    assert drop("f1_macro", LABELS, SURE, SURE, risk=0.001).estimate.slack > loose


@pytest.mark.parametrize(
    ("name", "labels", "outputs"),
    [
        pytest.param("roc_auc", np.zeros(50, int), np.full((50, 2), 0.5), id="auc-of-one-class"),
        pytest.param("roc_auc", np.arange(50) == 0, np.full((50, 2), 0.5), id="auc-one-positive"),
        pytest.param("pearson", np.ones(50), RANDOM.normal(size=(50, 1)), id="constant-labels"),
        pytest.param("pearson", RANDOM.normal(size=50), np.ones((50, 1)), id="constant-outputs"),
        pytest.param("mae", np.full(50, np.nan), np.ones((50, 1)), id="labels-nan"),
        pytest.param("rmse", np.ones(50), np.full((50, 1), np.inf), id="outputs-infinite"),
        pytest.param("f1_macro", np.zeros(5, int), np.eye(3)[[0] * 5], id="five-rows"),
        pytest.param("mae", np.zeros(0), np.zeros((0, 1)), id="no-rows"),
    ],
)
@pytest.mark.filterwarnings("ignore")  # the libraries warn; the child that runs them does not show
def test_what_is_not_defined_is_said_and_not_estimated(
    name: str, labels: Any, outputs: Any
) -> None:
    with pytest.raises((NotDefinedError, ValueError)):
        drop(name, np.asarray(labels) * 1, outputs, outputs)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        pytest.param("acuracy", "did you mean 'accuracy'", id="misspelt"),
        pytest.param("f1_micro_macro", "unknown", id="unknown"),
        pytest.param("my metrics:dice", "module:function", id="no-module"),
        pytest.param("metrics:", "module:function", id="no-function"),
        pytest.param("../evil:run", "module:function", id="path"),
        pytest.param("os.path;x:run", "module:function", id="injection"),
    ],
)
def test_a_name_that_is_no_metric_is_refused(name: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        quality_metric(name)


def test_a_built_in_metric_takes_nothing_beside_its_name() -> None:
    with pytest.raises(ConfigError, match="takes nothing"):
        quality_metric("accuracy", larger_is_better=False)


def test_functions_of_the_libraries_are_found_by_name() -> None:
    wide = quality_metric("sklearn:fbeta_score", arguments=(("average", "macro"), ("beta", 2.0)))
    assert 0.5 < value(wide, LABELS, SURE) <= 1
    arguments = (("num_classes", 3), ("task", "multiclass"))
    auc = quality_metric("torchmetrics:auroc", arguments=arguments)
    assert value(auc, LABELS, SURE) == pytest.approx(value(BUILT_IN["roc_auc"], LABELS, SURE))


def test_a_users_own_function_must_be_in_the_project(tmp_path: Path) -> None:
    own = quality_metric("mymetrics.dice:dice")
    with pytest.raises(ConfigError, match=r"there is no mymetrics/dice\.py"):
        own.code(tmp_path)
    (tmp_path / "mymetrics").mkdir()
    (tmp_path / "mymetrics" / "dice.py").write_text("def dice(labels, outputs): return 1.0\n")
    assert own.code(tmp_path) == tmp_path / "mymetrics" / "dice.py"
