"""The functions behind the names of metrics: labels and outputs in, one number or one per row out.

scikit-learn and torchmetrics do the arithmetic. What this module does not do: it knows no interval,
and repairs no input; what is not defined raises or is not finite, and the caller says so.
"""

import importlib
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weighin.gates.meters.metrics import SKLEARN, TORCHMETRICS, QualityMetric, Reads

Array = NDArray[Any]
Score = Callable[[Array, Array], Any]
"""From labels and what is read of the outputs to a number, or to one per row."""


def prepared(outputs: Array, reads: Reads) -> Array:
    """What a metric reads of outputs [n], [n, 1] or [n, k].

    A single output is the score of class 1: a probability, or a logit if any is outside 0 to 1.
    """
    if reads is Reads.VALUES:
        return outputs[:, 0] if outputs.ndim == 2 and outputs.shape[1] == 1 else outputs
    shares = probabilities(outputs.astype(np.float64))
    return shares.argmax(axis=1) if reads is Reads.CLASSES else shares


def probabilities(outputs: NDArray[np.float64]) -> NDArray[np.float64]:
    """One probability per class [n, classes]; logits go through softmax (or the logistic)."""
    if outputs.ndim == 1 or outputs.shape[1] == 1:
        one = outputs.reshape(-1)
        share = one if ((one >= 0) & (one <= 1)).all() else 1 / (1 + np.exp(-one))
        return np.stack([1 - share, share], axis=1)
    if (outputs >= 0).all() and np.allclose(outputs.sum(axis=1), 1.0, atol=0.02):
        return outputs
    powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    result: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return result


def score_function(metric: QualityMetric, classes: int, root: Path | None) -> Score:
    """The function of a metric.

    Args:
        metric: Which.
        classes: How many classes there are, also where some rows have fewer.
        root: Where the user's own modules are.

    Raises:
        AttributeError, ImportError: there is no such function.
    """
    arguments = dict(metric.arguments)
    if metric.library is None:
        return _built_in(metric.name, classes)
    if metric.library == SKLEARN:
        function: Score = getattr(importlib.import_module("sklearn.metrics"), metric.function)
        return lambda labels, read: function(labels, read, **arguments)
    if metric.library == TORCHMETRICS:
        return _torchmetrics(metric.function, arguments)
    if root is not None:
        sys.path.insert(0, str(root))
    own = getattr(importlib.import_module(metric.library), metric.function)
    return lambda labels, read: own(labels, read, **arguments)


def _torchmetrics(name: str, arguments: Mapping[str, Any]) -> Score:
    import torch

    function = getattr(importlib.import_module("torchmetrics.functional"), name)

    def score(labels: Array, read: Array) -> Array:
        tensors = (torch.from_numpy(np.ascontiguousarray(one)) for one in (read, labels))
        answer: Array = np.asarray(function(*tensors, **arguments))
        return answer

    return score


def _built_in(name: str, classes: int) -> Score:
    stats: Any = importlib.import_module("scipy.stats")
    sk: Any = importlib.import_module("sklearn.metrics")
    every = np.arange(classes)

    def one_hot(labels: Array) -> Array:
        marks: Array = (labels[:, None] == every).astype(np.float64)
        return marks

    def f1(average: str) -> Score:
        return lambda y, p: sk.f1_score(y, p, labels=every, average=average, zero_division=0)

    def ranked(function: Callable[..., Any]) -> Score:
        """Two classes by the score of the second; more by every class against the rest."""
        return lambda y, s: (
            function(y, s[:, 1]) if classes == 2 else function(one_hot(y), s, average="macro")
        )

    table: dict[str, Score] = {
        "balanced_accuracy": sk.balanced_accuracy_score,
        "f1": lambda y, p: sk.f1_score(y, p, zero_division=0),
        "f1_macro": f1("macro"),
        "f1_weighted": f1("weighted"),
        "matthews": sk.matthews_corrcoef,
        "roc_auc": ranked(sk.roc_auc_score),
        "average_precision": ranked(sk.average_precision_score),
        "log_loss": lambda y, s: -np.log(np.clip(s[np.arange(len(y)), y], 1e-12, 1)),
        "brier": lambda y, s: ((s - one_hot(y)) ** 2).sum(axis=1),
        "mae": lambda y, v: np.abs(v - y).reshape(len(y), -1).mean(axis=1),
        "mse": lambda y, v: ((v - y) ** 2).reshape(len(y), -1).mean(axis=1),
        "rmse": lambda y, v: np.sqrt(np.mean((v - y) ** 2)),
        "median_error": lambda y, v: np.median(np.abs(v - y)),
        "r2": lambda y, v: sk.r2_score(y, v),
        "pearson": lambda y, v: stats.pearsonr(y.reshape(-1), v.reshape(-1)).statistic,
        "spearman": lambda y, v: stats.spearmanr(y.reshape(-1), v.reshape(-1)).statistic,
    }
    return table[name]
