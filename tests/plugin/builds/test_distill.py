"""Fine-tuning learns, stops in time, and leaves the graph ready for use."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from weighin.plugin.fx import operator_name
from weighin.plugin.passes.distill import TrainingSettings, fine_tune, soft_targets
from weighin.plugin.passes.prune import PassError

SETTINGS = TrainingSettings(epochs=3, batch_size=16)
GraphOf = Callable[[Any], Any]


def classifier(*end: nn.Module) -> nn.Module:
    layers = (nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Linear(216, 4))
    return nn.Sequential(*layers, *end)


@pytest.fixture
def lesson(data: Any) -> tuple[Any, Any]:
    with np.load(data.training) as training:
        return training["x"], training["y"]


def no_clock() -> float:
    return 0.0


def accuracy(graph: Any, lesson: tuple[Any, Any]) -> float:
    x, y = lesson
    with torch.no_grad():
        return float((graph(torch.from_numpy(x)).argmax(1).numpy() == y).mean())


@pytest.mark.parametrize("soft", [False, True], ids=["labels", "teacher"])
@pytest.mark.parametrize("end", [(), (nn.Softmax(1),)], ids=["scores", "probabilities"])
def test_training_learns(
    graph_of: GraphOf, lesson: tuple[Any, Any], end: tuple[nn.Module, ...], *, soft: bool
) -> None:
    graph = graph_of(classifier(*end))
    teacher = 8 * np.eye(4, dtype=np.float32)[lesson[1]] if soft else None
    before = accuracy(graph, lesson)
    fine_tune(graph, *lesson, soft=teacher, settings=SETTINGS, seed=0, clock=no_clock)
    assert accuracy(graph, lesson) > max(0.8, before)


def test_a_student_follows_its_teacher_against_wrong_labels(
    graph_of: GraphOf, lesson: tuple[Any, Any]
) -> None:
    x, y = lesson
    teacher = 8 * np.eye(4, dtype=np.float32)[y]
    wrong = (y + 1) % 4
    graph = graph_of(classifier())
    settings = TrainingSettings(epochs=4, batch_size=16, soft_weight=0.95)
    fine_tune(graph, x, wrong, soft=teacher, settings=settings, seed=0, clock=no_clock)
    assert accuracy(graph, lesson) > 0.8


def test_the_graph_is_left_in_inference_mode(graph_of: GraphOf, lesson: tuple[Any, Any]) -> None:
    graph = graph_of(classifier(nn.Softmax(1)))
    fine_tune(graph, *lesson, soft=None, settings=SETTINGS, seed=0, clock=no_clock)
    rows = torch.from_numpy(lesson[0][:8])
    with torch.no_grad():
        assert torch.allclose(graph(rows)[:1], graph(rows[:1]), atol=1e-6)
        assert torch.allclose(graph(rows).sum(1), torch.ones(8))
    norms = [node.args[5] for node in graph.graph.nodes if operator_name(node) == "batch_norm"]
    assert norms == [False]


def test_the_same_seed_trains_the_same_weights(graph_of: GraphOf, lesson: tuple[Any, Any]) -> None:
    trained = []
    for _ in range(2):
        torch.manual_seed(5)
        module = classifier()
        graph = graph_of(module)
        fine_tune(graph, *lesson, soft=None, settings=SETTINGS, seed=3, clock=no_clock)
        trained.append([p.detach().clone() for p in graph.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*trained, strict=True))


def test_time_ends_the_training(graph_of: GraphOf, lesson: tuple[Any, Any]) -> None:
    ticks: Iterator[int] = itertools.count()
    settings = TrainingSettings(epochs=100, batch_size=16, train_seconds=5)
    done = fine_tune(
        graph_of(classifier()),
        *lesson,
        soft=None,
        settings=settings,
        seed=0,
        clock=lambda: float(next(ticks)),
    )
    assert done.epochs < 1


@pytest.mark.parametrize(
    ("labels", "soft", "words"),
    [
        pytest.param(9, None, "model has 4 classes", id="label out of range"),
        pytest.param(-1, None, "model has 4 classes", id="negative label"),
        pytest.param(0, (256, 7), "7. outputs", id="teacher with other classes"),
        pytest.param(0, (10, 4), "10, 4. outputs", id="teacher of other rows"),
    ],
)
def test_data_that_does_not_fit_is_refused(
    graph_of: GraphOf, lesson: tuple[Any, Any], labels: int, soft: Any, words: str
) -> None:
    x, y = lesson
    teacher = None if soft is None else np.zeros(soft, np.float32)
    graph = graph_of(classifier())
    with pytest.raises(PassError, match=words):
        fine_tune(graph, x, y * 0 + labels, soft=teacher, settings=SETTINGS, seed=0, clock=no_clock)


def test_data_that_blows_up_the_weights_is_told(graph_of: GraphOf, lesson: tuple[Any, Any]) -> None:
    x, y = lesson
    with pytest.raises(PassError, match="diverged"):
        fine_tune(
            graph_of(classifier()),
            x * np.float32(np.nan),
            y,
            soft=None,
            settings=SETTINGS,
            seed=0,
            clock=no_clock,
        )


def test_scores_and_their_probabilities_teach_the_same() -> None:
    scores = torch.randn(5, 4)
    probabilities = torch.softmax(scores, 1).numpy()
    assert torch.allclose(soft_targets(scores.numpy(), 3.0), soft_targets(probabilities, 3.0))
