"""Fine-tuning after pruning and quantization, and training of students, with or without a teacher.

What is learned from, and the loss, are in :mod:`weighin.plugin.passes.lesson`. Where the
processor multiplies bfloat16, layers do (weights stay float32): twice as fast, and the same
accuracy. A training that diverges is started once more with a tenth of the learning rate.
"""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from weighin.plugin.fx import Graph, Node, calls, operator_name
from weighin.plugin.passes.lesson import Lesson, check_lesson, make_lesson, soft_targets
from weighin.plugin.passes.prune import PassError
from weighin.plugin.passes.sparse import Masks, apply_masks

__all__ = ["Trained", "TrainingSettings", "fine_tune", "soft_targets"]

_WARM_UP = 0.02
_SLOWER = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """How to fine-tune.

    Attributes:
        epochs: Passes over the training data, at most.
        train_seconds: Wall time, at most; ends the training early, with the learning rate
            already lowered to zero.
        learning_rate: Of AdamW after a short warm-up; falls to zero along a cosine.
        batch_size: Rows per step.
        temperature: Softens what a teacher says.
        soft_weight: The teacher's share of the loss; the labels have the rest.
        augment: What may happen to training images, an ``Augmentation``.
        report_lift: Whether a distilled student gets a twin that is trained without the
            teacher, and both are compared on rows that neither has seen.
        prune_steps: In how many rounds of pruning and training a model is pruned; they share
            the epochs and the seconds.
    """

    epochs: int = 4
    train_seconds: float = 120.0
    learning_rate: float = 2e-3
    batch_size: int = 64
    temperature: float = 4.0
    soft_weight: float = 0.9
    augment: str = "none"
    report_lift: bool = False
    prune_steps: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What the training came to.

    Attributes:
        epochs: Passes over the data.
        seconds: How long it took.
        loss: The mean loss of the last pass.
        learning_rate: Of the training that ended well; lower than asked for if one diverged.
    """

    epochs: float
    seconds: float
    loss: float
    learning_rate: float


class _DivergedError(Exception):
    """The loss is no number any more."""


def fine_tune(
    graph: Graph,
    x: Any,
    y: Any | None,
    *,
    soft: Any | None,
    settings: TrainingSettings,
    seed: int,
    clock: Callable[[], float],
    teacher: Graph | None = None,
    masks: Masks | None = None,
) -> Trained:
    """Train a graph in place, and leave it in inference mode.

    Args:
        graph: What to train.
        x: Training rows, array [n, ...] float32.
        y: Labels, array [n] of integers, ``UNLABELLED`` where there is none; ``None`` if there
            are none at all.
        soft: A teacher's outputs for the same rows, array [n, classes], scores or
            probabilities; ``None`` to learn from the labels only, or from ``teacher``.
        settings: How.
        seed: Of the order of the rows.
        clock: Seconds that only go up.
        teacher: Another graph, asked about the rows as they are shown.
        masks: Entries of weights that are zero and have to stay so.

    Raises:
        PassError: the data does not fit the model, or the training diverged twice.
    """
    lesson = make_lesson(
        x,
        y,
        soft=soft,
        teacher=teacher,
        augment=settings.augment,
        temperature=settings.temperature,
        soft_weight=settings.soft_weight,
        seed=seed,
    )
    check_lesson(graph, lesson)
    before = copy.deepcopy(graph.state_dict())
    for rate in (settings.learning_rate, settings.learning_rate * _SLOWER):
        slower = replace(settings, learning_rate=rate)
        try:
            return _train(graph, lesson, masks or {}, slower, seed, clock)
        except _DivergedError:
            graph.load_state_dict(before)
    raise PassError(
        "the training diverged, with a tenth of its learning rate too; check the training data"
    )


def _train(
    graph: Graph,
    lesson: Lesson,
    masks: Masks,
    settings: TrainingSettings,
    seed: int,
    clock: Callable[[], float],
) -> Trained:
    import torch

    softmax = _start(graph)
    try:
        trained = _loop(graph, lesson, masks, settings, seed, clock)
    finally:
        _stop(graph, softmax)
    if not all(bool(torch.isfinite(p).all()) for p in graph.state_dict().values()):
        raise _DivergedError
    return trained


def _start(graph: Graph) -> Node | None:
    """Batch norms learn, and a final softmax is left out: the loss wants scores.

    Returns:
        That softmax, if there was one; to be put back.
    """
    _switch_batch_norms(graph, training=True)
    end = _output(graph)
    (result,) = end.all_input_nodes
    softmax = result if operator_name(result) in ("softmax", "_softmax") else None
    if softmax is not None:
        end.replace_input_with(softmax, softmax.args[0])
    graph.recompile()
    return softmax


def _stop(graph: Graph, softmax: Node | None) -> None:
    """Back to inference."""
    _switch_batch_norms(graph, training=False)
    if softmax is not None:
        _output(graph).replace_input_with(softmax.args[0], softmax)
    graph.recompile()


def _switch_batch_norms(graph: Graph, *, training: bool) -> None:
    for node in calls(graph, "batch_norm"):
        node.update_arg(5, training)


def _output(graph: Graph) -> Node:
    return next(node for node in graph.graph.nodes if node.op == "output")


def _loop(
    graph: Graph,
    lesson: Lesson,
    masks: Masks,
    settings: TrainingSettings,
    seed: int,
    clock: Callable[[], float],
) -> Trained:
    import torch

    size = min(settings.batch_size, len(lesson.rows))
    per_epoch = len(lesson.rows) // size
    order = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(graph.parameters(), lr=settings.learning_rate, weight_decay=0.0)
    step_of = _stepper(graph, lesson, masks, optimizer)
    started, step, total, running = clock(), 0, settings.epochs * per_epoch, 0.0
    for _ in range(settings.epochs):
        shuffled = torch.randperm(len(lesson.rows), generator=order)[: per_epoch * size]
        running = 0.0
        for place, picked in enumerate(shuffled.reshape(per_epoch, size)):
            spent = max(step / total, (clock() - started) / settings.train_seconds)
            if spent >= 1:
                loss = running / max(1, place)
                return _trained(step / per_epoch, clock() - started, loss, settings)
            _set_rate(optimizer, settings.learning_rate, spent)
            running, step = running + step_of(picked), step + 1
    return _trained(step / per_epoch, clock() - started, running / per_epoch, settings)


def _trained(epochs: float, seconds: float, loss: float, settings: TrainingSettings) -> Trained:
    rate = settings.learning_rate
    return Trained(epochs=epochs, seconds=seconds, loss=loss, learning_rate=rate)


def _stepper(graph: Graph, lesson: Lesson, masks: Masks, optimizer: Any) -> Callable[[Any], float]:
    """A function that takes one step on some rows and returns its loss."""
    import torch

    half = _multiplies_bfloat16(graph, lesson.rows[:2])

    def step(picked: Any) -> float:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
            rows, loss_of = lesson.batch(picked)
            scores = graph(rows)
        loss = loss_of(scores.float())
        if not bool(torch.isfinite(loss)):
            raise _DivergedError
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        apply_masks(graph, masks)
        return float(loss.detach())

    return step


def _multiplies_bfloat16(graph: Graph, rows: Any) -> bool:
    """Whether this processor does so quickly, and every operator of the graph can take it."""
    import torch

    able = torch.cpu.get_capabilities()
    if not any(able.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16")):
        return False
    before = copy.deepcopy(graph.state_dict())
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16), torch.enable_grad():
            graph(rows).float().sum().backward()
    except RuntimeError:
        return False  # an operator without a bfloat16 kernel, such as a Fourier transform
    finally:
        graph.load_state_dict(before)  # batch norms have seen the rows
    return True


def _set_rate(optimizer: Any, highest: float, spent: float) -> None:
    """A short warm-up, then a cosine down to zero."""
    warm = min(1.0, 0.05 + spent / _WARM_UP)
    for group in optimizer.param_groups:
        group["lr"] = highest * warm * 0.5 * (1 + math.cos(math.pi * spent))
