"""What one unit of each cost term takes on a phone, believed before and after its own runs.

A latency is a sum: seven amounts of work, each times its price in milliseconds. The prices of a
phone that was never seen are not known, but other phones say how prices go together. That is the
*prior*: normal in the logarithms of the prices, with an unknown common scale. A few runs on the
phone itself (*anchors*) turn it into the phone's own *prices*, with their covariance: Gauss-Newton
steps to the most plausible prices, and the curvature there (Laplace's approximation).

Residuals have heavy tails, so anchors that fit badly weigh less (Student's t with 4 degrees of
freedom). Source of the method: Gelman et al., Bayesian Data Analysis, 3rd edition, chapters 5
(hierarchical models), 4 (normal approximation) and 17 (robust inference).

What this module does not do: it knows no phone and no network, and it learns no prior.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from weighin.gates.cost import Terms

TERMS = (
    "conv_mmacs",
    "pointwise_mmacs",
    "depthwise_mmacs",
    "fully_connected_mmacs",
    "activation_mvalues",
    "weight_mvalues",
    "layers",
)
"""The amounts, in this order: millions of MACs by kind, millions of values moved, operators."""

SCALE_VARIANCE = 25.0
"""Variance of the logarithm of the common scale: nothing is assumed about a phone's speed."""

FREEDOM = 4.0
_STEPS = 25
_ROUNDS = 3
_TINY = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """How prices go together on phones, for one runtime and arithmetic.

    Attributes:
        mean: Logarithms of the prices (ms per unit of :data:`TERMS`), less their mean.
        covariance: Of those logarithms between phones.
        noise: Standard deviation of a run's logarithm where the network's own effect is known.
        spread: Standard deviation of the networks' effects: what the terms cannot explain.
        effects: The effects of the networks that were learned from, by name.
    """

    mean: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    noise: float
    spread: float
    effects: tuple[tuple[str, float], ...] = ()

    def effect(self, network: str) -> "Effect | None":
        """What ``network`` takes in excess of its terms; ``None`` if unknown."""
        value = dict(self.effects).get(network)
        return None if value is None else Effect(value=value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """One run on the phone: the network's name, its amounts, its mean latency."""

    network: str
    amounts: tuple[float, ...]
    mean_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """The prices of one phone, with the covariance of their logarithms."""

    logs: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Logarithm of a mean latency in ms, and its standard deviation."""

    log_ms: float
    deviation: float


def amounts_of(terms: Terms, item_bytes: int) -> tuple[float, ...]:
    """Terms as amounts, in the order of :data:`TERMS`; values are bytes over ``item_bytes``."""
    return (
        terms.conv_macs / 1e6,
        terms.pointwise_macs / 1e6,
        terms.depthwise_macs / 1e6,
        terms.fully_connected_macs / 1e6,
        terms.activation_bytes / item_bytes / 1e6,
        terms.weight_bytes / item_bytes / 1e6,
        float(terms.layers),
    )


def settle(prior: Prior, anchors: Sequence[Anchor]) -> Prices:
    """The prices of a phone, from the prior and its own runs.

    Raises:
        ValueError: there is no anchor: without one nothing is known of the phone's speed.
    """
    import numpy as np

    if not anchors:
        raise ValueError("at least one run on the phone is needed")
    effects = [prior.effect(a.network) for a in anchors]
    y = np.log([a.mean_ms for a in anchors]) - np.array([e.value if e else 0.0 for e in effects])
    variance = np.array([_variance(prior, known=e is not None) for e in effects])
    logs, covariance, _ = settle_logs(
        np.array([[a.amounts for a in anchors]]),
        y[None],
        variance[None],
        np.array(prior.mean),
        precision_of(np.array(prior.covariance)),
    )
    return Prices(
        logs=tuple(float(v) for v in logs[0]),
        covariance=tuple(tuple(float(v) for v in row) for row in covariance[0]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What a network takes in excess of its terms, as a logarithm, and how sure that is.

    Attributes:
        value: The logarithm.
        variance: Of it; 0 for the effects of a prior, whose residuals speak for both.
    """

    value: float
    variance: float = 0.0


def estimate(
    prior: Prior, prices: Prices, amounts: Sequence[float], effect: Effect | None
) -> Estimate:
    """Mean latency of a network on the phone; ``effect`` is ``None`` for one never seen."""
    import numpy as np

    parts = np.array(amounts) * np.exp(np.array(prices.logs))
    shares = parts / max(parts.sum(), _TINY)
    variance = float(shares @ np.array(prices.covariance) @ shares)
    variance += effect.variance if effect else 0.0
    return Estimate(
        log_ms=float(np.log(max(parts.sum(), _TINY))) + (effect.value if effect else 0.0),
        deviation=(variance + _variance(prior, known=effect is not None)) ** 0.5,
    )


def effect_elsewhere(
    prior: Prior, anchors: Sequence[Anchor], amounts: Sequence[float], mean_ms: float
) -> Effect:
    """The effect of a network, from its run on another phone and that phone's other runs.

    The run is compared with what it would take without an effect; the more the phone's prices are
    unsure, the more of the difference is left to chance.
    """
    import math

    without = estimate(prior, settle(prior, anchors), amounts, Effect(value=0.0))
    unsure = without.deviation**2
    share = prior.spread**2 / (prior.spread**2 + unsure)
    seen = math.log(mean_ms) - without.log_ms
    return Effect(value=share * seen, variance=share * unsure)


def mean_effect(effects: Sequence[Effect]) -> Effect:
    """One effect from several phones: the mean, no surer than the surest of them.

    Raises:
        ValueError: there is none.
    """
    if not effects:
        raise ValueError("no effect to take the mean of")
    values = [one.value for one in effects]
    return Effect(value=sum(values) / len(values), variance=min(one.variance for one in effects))


def shares_of(logs: Sequence[float], amounts: Sequence[float]) -> tuple[float, ...]:
    """Which share of a network's time each term takes at these prices."""
    import numpy as np

    parts = np.array(amounts) * np.exp(np.array(logs))
    return tuple(float(v) for v in parts / max(float(parts.sum()), _TINY))


def _variance(prior: Prior, *, known: bool) -> float:
    return prior.noise**2 + (0.0 if known else prior.spread**2)


def precision_of(covariance: Any) -> Any:
    """Inverse of the prior covariance with the unknown scale added, k x k arrays."""
    import numpy as np

    return np.linalg.inv(covariance + SCALE_VARIANCE * np.ones_like(covariance))


def settle_logs(
    x: Any, y: Any, variance: Any, mean: Any, precision: Any, start: Any = None
) -> tuple[Any, Any, Any]:
    """Most plausible log prices of many setups at once, from arrays.

    Args:
        x: Amounts, setups x runs x k; rows of zeros where a setup has fewer runs.
        y: Log latencies less the networks' effects, setups x runs.
        variance: Of each run's residual, setups x runs; infinite where there is no run.
        mean: Prior mean of the log prices, k.
        precision: Prior precision, k x k, with the unknown scale in it.
        start: Log prices to go on from, setups x k (one more round); from the prior if not given.

    Returns:
        Log prices (setups x k), their covariances (setups x k x k), and the weights of the
        runs (setups x runs).
    """
    import numpy as np

    weight = 1.0 / variance
    logs = _from_prior(x, y, weight, mean) if start is None else start
    if start is not None:
        weight = _robust(x, y, variance, logs)
    for _ in range(_ROUNDS if start is None else 1):
        logs = _climb(x, y, weight, mean, precision, logs)
        weight = _robust(x, y, variance, logs)
    jacobian, _ = _slope(x, logs)
    return logs, np.linalg.inv(_curvature(jacobian, weight) + precision), weight


def _robust(x: Any, y: Any, variance: Any, logs: Any) -> Any:
    """Weights of Student's t: a run that fits badly counts less."""
    residual = y - _slope(x, logs)[1]
    return (FREEDOM + 1) / (FREEDOM + residual**2 / variance) / variance


def _from_prior(x: Any, y: Any, weight: Any, mean: Any) -> Any:
    import numpy as np

    away = np.where(
        weight > 0, y - _slope(x, np.broadcast_to(mean, (len(x), len(mean))))[1], np.nan
    )
    return mean + np.nanmedian(away, axis=1)[:, None]


def _slope(x: Any, logs: Any) -> tuple[Any, Any]:
    """Derivatives of the log latencies by the log prices, and the log latencies."""
    import numpy as np

    parts = x * np.exp(logs)[:, None, :]
    total = np.maximum(parts.sum(axis=2), _TINY)
    return parts / total[:, :, None], np.log(total)


def _curvature(jacobian: Any, weight: Any) -> Any:
    import numpy as np

    return np.einsum("srk,sr,srl->skl", jacobian, weight, jacobian)


def _climb(x: Any, y: Any, weight: Any, mean: Any, precision: Any, logs: Any) -> Any:
    """Gauss-Newton, each setup with the best of a few step lengths, until nothing is gained."""
    import numpy as np

    best = _loss(x, y, weight, mean, precision, logs)
    for _ in range(_STEPS):
        jacobian, fitted = _slope(x, logs)
        pull = np.einsum("srk,sr->sk", jacobian, weight * (y - fitted))
        gradient = pull - (logs - mean) @ precision
        curvature = _curvature(jacobian, weight) + precision
        step = np.clip(np.linalg.solve(curvature, gradient[:, :, None])[:, :, 0], -1.5, 1.5)
        tried = [logs + step * part for part in (0.0, 1.0, 0.4, 0.1)]
        losses = np.array([_loss(x, y, weight, mean, precision, one) for one in tried])
        chosen = losses.argmin(axis=0)
        logs = np.array(tried)[chosen, np.arange(len(logs))]
        gained, best = best - losses.min(axis=0), losses.min(axis=0)
        if (gained <= 1e-6 * np.maximum(1.0, best)).all():
            break
    return logs


def _loss(x: Any, y: Any, weight: Any, mean: Any, precision: Any, at: Any) -> Any:
    """Half the negative log posterior of each setup, without constants."""
    import numpy as np

    residual = y - _slope(x, at)[1]
    away = at - mean
    return 0.5 * (
        (weight * residual**2).sum(axis=1) + np.einsum("sk,kl,sl->s", away, precision, away)
    )
