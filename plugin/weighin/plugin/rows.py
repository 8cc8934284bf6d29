"""Training data in a child: labelled and unlabelled rows, and what is held out of them.

What this module does not do: it never sees the gate's data.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from weighin.plugin.fx import Graph
from weighin.plugin.passes.lesson import UNLABELLED, outputs_of

_HELD_OUT_SHARE = 10
_MOST_HELD_OUT = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows [n, ...] float32, and labels [n], ``UNLABELLED`` where there is none."""

    x: Any
    y: Any

    @property
    def labelled(self) -> bool:
        """Whether any row has a label."""
        return bool((self.y != UNLABELLED).any())


def read_training(job: Mapping[str, Any]) -> Rows | None:
    """The rows of both training files together; ``None`` if there are no such files."""
    import numpy as np

    parts: list[tuple[Any, Any]] = []
    for path in (job["training"], job["unlabelled"]):
        if path is None:
            continue
        with np.load(path) as data:
            x = np.asarray(data["x"], np.float32)
            known = path == job["training"] and "y" in data.files
            parts.append((x, np.asarray(data["y"]) if known else np.full(len(x), UNLABELLED)))
    if not parts:
        return None
    x, y = (np.concatenate(some) for some in zip(*parts, strict=True))
    return Rows(x=x, y=y)


def first_rows(path: str, count: int | None = None) -> Any:
    """The first rows of a data set, as the model takes them."""
    import numpy as np
    import torch

    with np.load(path) as data:
        return torch.from_numpy(np.asarray(data["x"][:count], np.float32))


def split(data: Rows, seed: int) -> tuple[Rows, Rows]:
    """Rows to train on, and a tenth of the labelled ones that no training sees."""
    import numpy as np

    known = np.flatnonzero(data.y != UNLABELLED)
    count = min(_MOST_HELD_OUT, max(1, len(known) // _HELD_OUT_SHARE))
    out = np.random.default_rng(seed).permutation(known)[:count]
    seen = np.setdiff1d(np.arange(len(data.x)), out)
    return Rows(x=data.x[seen], y=data.y[seen]), Rows(x=data.x[out], y=data.y[out])


def lift(taught: Graph, alone: Graph, unseen: Rows) -> str:
    """In words: both accuracies on rows that neither has seen, and the difference."""
    import torch

    rows = torch.from_numpy(unseen.x)
    with_teacher, without = (
        100 * float((outputs_of(graph, rows).argmax(1).numpy() == unseen.y).mean())
        for graph in (taught, alone)
    )
    return (
        f"{with_teacher - without:+.2f} points: {with_teacher:.2f} % with the teacher, "
        f"{without:.2f} % without, on {len(rows)} training rows that neither saw"
    )
