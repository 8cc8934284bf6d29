"""What training learns from: rows, labels where there are any, and a teacher.

The loss is Hinton's: ``(1 - w) * CE(student, labels) + w * T^2 * KL(teacher / T || student / T)``
(Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015). A row without
a label has only the second part. A teacher is asked once per row, or, when rows are augmented,
at every step about the very rows that the student sees.

What this module does not do: it changes no weights.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from weighin.plugin.fx import Graph
from weighin.plugin.passes.augment import Augmentation, augmenter, image_axes
from weighin.plugin.passes.prune import PassError

UNLABELLED = -100
"""The label of a row that has none."""

_BATCH = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """What one training learns from.

    Attributes:
        rows: Inputs [n, ...].
        labels: Integers [n], :data:`UNLABELLED` where there is none.
        soft: A teacher's softened outputs for the same rows [n, classes], or ``None``.
        teacher: Asked about every batch instead, if rows are changed on the way.
        change: Augments a batch, if anything does.
        temperature: ``T`` above.
        soft_weight: ``w`` above.
    """

    rows: Any
    labels: Any
    soft: Any | None
    teacher: Graph | None
    change: Callable[[Any], Any] | None
    temperature: float
    soft_weight: float

    def batch(self, picked: Any) -> tuple[Any, Callable[[Any], Any]]:
        """Rows to show, and the loss of the scores that the student gives for them."""
        import torch

        rows, labels = self.rows[picked], self.labels[picked]
        if self.change is not None:
            rows = self.change(rows)
        soft = self.soft[picked] if self.soft is not None else None
        if self.teacher is not None and soft is None:
            with torch.no_grad():
                soft = soft_targets(self.teacher(rows).float(), self.temperature)
        return rows, lambda scores: self.loss(scores, labels, soft)

    def loss(self, scores: Any, labels: Any, soft: Any | None) -> Any:
        """The loss above, of one batch."""
        import torch

        known = int((labels != UNLABELLED).sum())
        hard = torch.nn.functional.cross_entropy(
            scores, labels, ignore_index=UNLABELLED, reduction="sum"
        ) / max(1, known)
        if soft is None:
            return hard
        heat, weight = self.temperature, self.soft_weight if known else 1.0
        log_probabilities = torch.log_softmax(scores / heat, 1)
        divergence = torch.nn.functional.kl_div(log_probabilities, soft, reduction="batchmean")
        return (1 - weight) * hard + weight * heat * heat * divergence


def make_lesson(
    x: Any,
    y: Any | None,
    *,
    soft: Any | None,
    teacher: Graph | None,
    augment: str,
    temperature: float,
    soft_weight: float,
    seed: int,
) -> Lesson:
    """Bring training data and a teacher together.

    Args:
        x: Rows [n, ...] float32.
        y: Labels [n]; ``None`` if no row has one.
        soft: A teacher's outputs [n, classes], scores or probabilities, if they are known.
        teacher: Gives them otherwise.
        augment: An :class:`Augmentation`.
        temperature: Of the softening.
        soft_weight: Share of the teacher in the loss.
        seed: Of the augmentation.

    Raises:
        PassError: the rows cannot be augmented, or there is nothing to learn from.
    """
    import torch

    rows = torch.from_numpy(x)
    if y is None and soft is None and teacher is None:
        raise PassError("training rows without labels teach nothing without a teacher")
    missing = torch.full((len(rows),), UNLABELLED)
    kind, change = Augmentation(augment), None
    if kind is not Augmentation.NONE:
        axes = image_axes(tuple(rows.shape))
        if axes is None:
            raise PassError(f"augment = '{kind}' is for images; rows are {tuple(rows.shape[1:])}")
        change = augmenter(kind, axes, seed)
    targets = None if soft is None else soft_targets(torch.from_numpy(soft), temperature)
    if teacher is not None and change is None and targets is None:
        targets = soft_targets(outputs_of(teacher, rows), temperature)
    return Lesson(
        rows=rows,
        labels=missing if y is None else torch.from_numpy(y).long(),
        soft=targets,
        teacher=teacher,
        change=change,
        temperature=temperature,
        soft_weight=soft_weight,
    )


def outputs_of(graph: Graph, rows: Any) -> Any:
    """What a graph says about rows, [n, classes]."""
    import torch

    with torch.no_grad():
        return torch.cat([graph(batch).float() for batch in rows.split(_BATCH)])


def soft_targets(outputs: Any, temperature: float) -> Any:
    """A teacher's outputs as softened probabilities, from scores or from probabilities."""
    import torch

    scores = torch.as_tensor(outputs).float()
    sums = scores.sum(1)
    if bool((scores >= 0).all()) and bool((sums - 1).abs().max() < 1e-3):
        scores = scores.clamp(min=1e-7).log()
    return torch.softmax(scores / temperature, 1)


def check_lesson(graph: Graph, lesson: Lesson) -> None:
    """Refuse data or a teacher that does not fit the model.

    Raises:
        PassError: labels or outputs are of another number of classes or rows.
    """
    import torch

    told: tuple[int, ...] | None = None
    with torch.no_grad():
        classes = int(graph(lesson.rows[:1]).shape[1])
        if lesson.soft is not None:
            told = tuple(lesson.soft.shape)
        elif lesson.teacher is not None:
            told = (len(lesson.rows), *lesson.teacher(lesson.rows[:1]).shape[1:])
    known = lesson.labels[lesson.labels != UNLABELLED]
    if len(known) and (int(known.min()) < 0 or int(known.max()) >= classes):
        highest = int(known.max())
        raise PassError(f"training labels go to {highest}; the model has {classes} classes")
    needed = (len(lesson.rows), classes)
    if told is not None and told != needed:
        raise PassError(f"the teacher gives {told} outputs; {needed} are needed")
