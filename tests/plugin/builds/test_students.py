"""Sparse weights stay zero, shallow students lose the blocks that matter least, images move."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from weighin.plugin.passes.augment import Augmentation, augmenter, image_axes
from weighin.plugin.passes.distill import TrainingSettings, fine_tune
from weighin.plugin.passes.lesson import UNLABELLED
from weighin.plugin.passes.prune import PassError, count_macs
from weighin.plugin.passes.shallow import shorten
from weighin.plugin.passes.sparse import sparsify

GraphOf = Callable[[Any], Any]
SETTINGS = TrainingSettings(epochs=2, batch_size=16)


def clock() -> float:
    return 0.0


def classifier() -> nn.Module:
    layers = (nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Linear(216, 4))
    return nn.Sequential(*layers)


@pytest.fixture
def lesson(data: Any) -> tuple[Any, Any]:
    with np.load(data.training) as training:
        return training["x"], training["y"]


def accuracy(graph: Any, lesson: tuple[Any, Any]) -> float:
    x, y = lesson
    with torch.no_grad():
        return float((graph(torch.from_numpy(x)).argmax(1).numpy() == y).mean())


# Sparse weights.


@pytest.mark.parametrize("percent", [50, 90])
def test_the_smallest_weights_of_all_layers_become_zero_and_stay_so(
    percent: int, graph_of: GraphOf, lesson: tuple[Any, Any]
) -> None:
    graph = graph_of(classifier())
    before = torch.cat([p.detach().abs().flatten() for p in graph.parameters() if p.dim() > 1])
    masks = sparsify(graph, percent=percent)
    kept = torch.cat([mask.flatten() for mask in masks.values()]).bool()
    assert before[kept].min() >= before[~kept].max()
    fine_tune(graph, *lesson, soft=None, settings=SETTINGS, seed=0, clock=clock, masks=masks)
    after = torch.cat([p.detach().flatten() for p in graph.parameters() if p.dim() > 1])
    assert float((after == 0).float().mean()) == pytest.approx(percent / 100, abs=0.01)
    assert not bool(after[~kept].any())


# Shallow students.


class Blocks(nn.Module):  # type: ignore[misc]
    """Three residual blocks, the second of which does next to nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.head = nn.Conv2d(1, 4, 3, padding=1), nn.Linear(4, 4)
        self.one, self.two, self.three = (nn.Conv2d(4, 4, k, padding=k // 2) for k in (3, 1, 5))
        with torch.no_grad():
            self.two.weight.mul_(1e-4)
            bias: Any = self.two.bias
            bias.zero_()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.stem(x))
        for layer in (self.one, self.two, self.three):
            x = torch.relu(x + layer(x))
        return self.head(x.mean([2, 3]))


def test_the_block_that_matters_least_goes_first(graph_of: GraphOf, rows: Any) -> None:
    graph = graph_of(Blocks())
    with torch.no_grad():
        before = graph(rows)
        done = shorten(graph, rows, depth_percent=67)
        assert torch.allclose(graph(rows), before, atol=0.05)
    assert done.macs_before - done.macs_after == 64 * 4 * 4
    assert done.macs_after == count_macs(graph, rows[:1])


def test_a_model_without_blocks_has_no_shallower_student(graph_of: GraphOf, rows: Any) -> None:
    with pytest.raises(PassError, match="no residual blocks"):
        shorten(graph_of(classifier()), rows, depth_percent=50)


# What is learned from.


def test_unlabelled_rows_teach_with_a_teacher(
    graph_of: GraphOf, lesson: tuple[Any, Any], torch_teacher: Any
) -> None:
    graph = graph_of(classifier())
    settings = TrainingSettings(epochs=4, batch_size=16)
    fine_tune(
        graph,
        lesson[0],
        np.full(len(lesson[0]), UNLABELLED),
        soft=None,
        teacher=torch_teacher,
        settings=settings,
        seed=0,
        clock=clock,
    )
    assert accuracy(graph, lesson) > 0.8


@pytest.fixture
def torch_teacher(lesson: tuple[Any, Any]) -> Any:
    """Knows the answer: which quarter of the picture is the brightest."""

    def answer(rows: Any) -> Any:
        return 8 * nn.functional.avg_pool2d(rows, 4).flatten(1)

    with torch.no_grad():
        right = (answer(torch.from_numpy(lesson[0])).argmax(1).numpy() == lesson[1]).mean()
    assert right > 0.95
    return answer


def test_nothing_to_learn_from_is_refused(graph_of: GraphOf, lesson: tuple[Any, Any]) -> None:
    graph = graph_of(classifier())
    with pytest.raises(PassError, match="without a teacher"):
        fine_tune(graph, lesson[0], None, soft=None, settings=SETTINGS, seed=0, clock=clock)


class Stumbling:
    """A teacher whose second answer is no number; the first one is only looked at."""

    def __init__(self, answer: Callable[[Any], Any], *, always: bool) -> None:
        self.answer, self.always, self.asked = answer, always, 0

    def __call__(self, rows: Any) -> Any:
        self.asked += 1
        broken = self.asked == 2 or (self.always and self.asked > 1)
        return self.answer(rows) * (float("nan") if broken else 1.0)


def test_a_training_that_diverges_starts_once_more_with_a_lower_rate(
    graph_of: GraphOf, lesson: tuple[Any, Any], torch_teacher: Any
) -> None:
    settings = TrainingSettings(epochs=3, batch_size=16, augment="shift", learning_rate=0.02)
    graph = graph_of(classifier())
    teacher = Stumbling(torch_teacher, always=False)
    done = fine_tune(
        graph, *lesson, soft=None, teacher=teacher, settings=settings, seed=0, clock=clock
    )
    assert done.learning_rate == pytest.approx(0.002)
    assert accuracy(graph, lesson) > 0.7
    teacher = Stumbling(torch_teacher, always=True)
    with pytest.raises(PassError, match="diverged, with a tenth"):
        fine_tune(
            graph, *lesson, soft=None, teacher=teacher, settings=settings, seed=0, clock=clock
        )


# Images.


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((9, 3, 32, 32), (2, 3)),
        ((9, 28, 28, 1), (1, 2)),
        ((9, 1, 40, 98), (2, 3)),
        ((9, 64), None),
        ((9, 8, 8, 8), None),
    ],
)
def test_images_are_told_by_their_shape(shape: tuple[int, ...], axes: Any) -> None:
    assert image_axes(shape) == axes


@given(
    kind=st.sampled_from([Augmentation.FLIP, Augmentation.SHIFT, Augmentation.FLIP_SHIFT]),
    seed=st.integers(0, 99),
    last=st.booleans(),
)
def test_augmented_images_keep_their_shape_and_invent_nothing(
    kind: Augmentation, seed: int, *, last: bool
) -> None:
    rows = torch.arange(1.0, 4 * 2 * 16 * 16 + 1).reshape(4, 2, 16, 16)
    axes = (2, 3)
    if last:
        rows, axes = rows.permute(0, 2, 3, 1), (1, 2)
    moved = augmenter(kind, axes, seed)(rows)
    assert moved.shape == rows.shape
    for before, after in zip(rows, moved, strict=True):
        values = after[after != 0]
        assert set(values.tolist()) <= set(before.flatten().tolist())
        assert len(values) >= before.numel() * (14 / 16) ** 2
    assert torch.equal(augmenter(kind, axes, seed)(rows), moved)


def test_rows_that_are_no_images_are_not_augmented() -> None:
    rows = torch.rand(6, 64)
    with pytest.raises(PassError, match="is for images"):
        fine_tune(
            nn.Linear(64, 4),
            rows.numpy(),
            np.zeros(6, int),
            soft=None,
            settings=TrainingSettings(augment="flip"),
            seed=0,
            clock=clock,
        )
