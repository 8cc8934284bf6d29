"""Fine-tuning after pruning, with or without a teacher.

With a teacher the loss is Hinton's: ``(1 - w) * CE(student, labels) + w * T^2 *
KL(teacher / T || student / T)`` (Hinton, Vinyals and Dean, "Distilling the Knowledge in a
Neural Network", 2015). The teacher's outputs come as an array, computed once.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from weighin.plugin.fx import Graph, Node, calls, operator_name
from weighin.plugin.passes.prune import PassError


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """How to fine-tune.

    Attributes:
        epochs: Passes over the training data, at most.
        train_seconds: Wall time, at most; ends the training early, with the learning rate
            already lowered to zero.
        learning_rate: Of Adam at the start; falls to zero along a cosine.
        batch_size: Rows per step.
        temperature: ``T`` above.
        soft_weight: ``w`` above.
    """

    epochs: int = 4
    train_seconds: float = 120.0
    learning_rate: float = 2e-3
    batch_size: int = 64
    temperature: float = 4.0
    soft_weight: float = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What the training came to: passes over the data, seconds, and the last mean loss."""

    epochs: float
    seconds: float
    loss: float


def fine_tune(
    graph: Graph,
    x: Any,
    y: Any,
    *,
    soft: Any | None,
    settings: TrainingSettings,
    seed: int,
    clock: Callable[[], float],
) -> Trained:
    """Train a graph in place, and leave it in inference mode.

    Args:
        graph: What to train.
        x: Training rows, array [n, ...] float32.
        y: Labels, array [n] of integers.
        soft: The teacher's outputs for the same rows, array [n, classes], scores or
            probabilities; ``None`` to learn from the labels only.
        settings: How.
        seed: Of the order of the rows.
        clock: Seconds that only go up.

    Raises:
        PassError: the data does not fit the model, or the training diverged.
    """
    import torch

    rows, labels = torch.from_numpy(x), torch.from_numpy(y).long()
    targets = None if soft is None else soft_targets(soft, settings.temperature)
    _check(graph, rows, labels, targets)
    softmax = _start(graph)
    try:
        trained = _loop(graph, rows, labels, targets, settings, seed, clock)
    finally:
        _stop(graph, softmax)
    if not all(bool(torch.isfinite(p).all()) for p in graph.parameters()):
        raise PassError("the training diverged; lower its learning rate or check the data")
    return trained


def soft_targets(outputs: Any, temperature: float) -> Any:
    """A teacher's outputs as softened probabilities, from scores or from probabilities."""
    import torch

    scores = torch.from_numpy(outputs).float()
    sums = scores.sum(1)
    if bool((scores >= 0).all()) and bool((sums - 1).abs().max() < 1e-3):
        scores = scores.clamp(min=1e-7).log()
    return torch.softmax(scores / temperature, 1)


def _check(graph: Graph, rows: Any, labels: Any, targets: Any | None) -> None:
    import torch

    with torch.no_grad():
        classes = int(graph(rows[:1]).shape[1])
    if int(labels.min()) < 0 or int(labels.max()) >= classes:
        raise PassError(
            f"training labels go to {int(labels.max())}; the model has {classes} classes"
        )
    if targets is not None and tuple(targets.shape) != (len(rows), classes):
        raise PassError(
            f"the teacher gives {tuple(targets.shape)} outputs; {(len(rows), classes)} are needed"
        )


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
    rows: Any,
    labels: Any,
    targets: Any | None,
    settings: TrainingSettings,
    seed: int,
    clock: Callable[[], float],
) -> Trained:
    import torch

    size = min(settings.batch_size, len(rows))
    per_epoch = len(rows) // size
    order = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(graph.parameters(), lr=settings.learning_rate)
    started, step, total, running = clock(), 0, settings.epochs * per_epoch, 0.0
    for _ in range(settings.epochs):
        shuffled = torch.randperm(len(rows), generator=order)[: per_epoch * size]
        running = 0.0
        for picked in shuffled.reshape(per_epoch, size):
            spent = max(step / total, (clock() - started) / settings.train_seconds)
            if spent >= 1:
                return Trained(
                    epochs=step / per_epoch, seconds=clock() - started, loss=running / per_epoch
                )
            _set_rate(optimizer, settings.learning_rate, spent)
            soft = None if targets is None else targets[picked]
            loss = _loss(graph(rows[picked]), labels[picked], soft, settings)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            running, step = running + float(loss.detach()), step + 1
    return Trained(epochs=step / per_epoch, seconds=clock() - started, loss=running / per_epoch)


def _set_rate(optimizer: Any, highest: float, spent: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = highest * 0.5 * (1 + math.cos(math.pi * spent))


def _loss(scores: Any, labels: Any, soft: Any | None, settings: TrainingSettings) -> Any:
    import torch

    hard = torch.nn.functional.cross_entropy(scores, labels)
    if soft is None:
        return hard
    heat, weight = settings.temperature, settings.soft_weight
    log_probabilities = torch.log_softmax(scores / heat, 1)
    divergence = torch.nn.functional.kl_div(log_probabilities, soft, reduction="batchmean")
    return (1 - weight) * hard + weight * heat * heat * divergence
