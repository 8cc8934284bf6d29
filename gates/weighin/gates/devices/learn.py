"""Learns from the runs of many phones how prices go together: empirical Bayes.

Each *setup* (phone, threads, kernels) has prices of its own. Their mean and covariance over the
setups are the prior of the next phone; what a network takes in excess of its terms on all setups
is that network's effect. All of it is found by turns until it stands still.

What this module does not do: it reads no table and judges no error.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from weighin.gates.cost import Arithmetic
from weighin.gates.devices.prices import TERMS, Anchor, Prior, precision_of, settle_logs

_TURNS = 40
_BASE_SETUPS = 2.0
"""How many setups the base's prices count as."""
_BASE_NETWORKS = 10.0
"""How many networks the base's noise and spread count as."""
_LEAST_NOISE = 0.03
"""The same job run again on one phone differs by a few percent: no fit is closer than that."""
_OWN_DEVIATION = 0.3
"""Deviation that log prices have at least a priori, counted as :data:`_BASE_SETUPS` setups."""
_RUNS_PER_SETUP = 2.5
"""Setups of one phone repeat each other: this many of a network's runs count as one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run to learn from.

    Attributes:
        setup: Phone, threads and kernels, as one key: runs of one key share their prices.
        device: The phone.
        family: Networks that share a design.
        arithmetic: What its kernels reckon in.
        anchor: The network, its amounts and its mean latency.
        phone: Whether it is a phone: boards teach, but are never what is predicted.
    """

    setup: str
    device: str
    family: str
    arithmetic: Arithmetic
    anchor: Anchor
    phone: bool = True


def learn(runs: Sequence[Run], base: Prior | None = None) -> Prior:
    """The prior that these runs teach.

    Args:
        runs: At least one; in ms.
        base: Prices of another arithmetic or runtime that stand in where the runs say nothing.

    Raises:
        ValueError: there are no runs.
    """
    import numpy as np

    if not runs:
        raise ValueError("no runs to learn from")
    state = _State.of(runs, base)
    for _ in range(_TURNS):
        state.turn()
    order = np.argsort(state.networks)
    return Prior(
        mean=tuple(float(v) for v in state.mean),
        covariance=tuple(tuple(float(v) for v in row) for row in state.covariance),
        noise=float(state.noise2**0.5),
        spread=float(state.spread2**0.5),
        effects=tuple((str(state.networks[i]), float(state.effects[i])) for i in order),
    )


@dataclass(slots=True)
class _State:
    """Arrays that take turns: prices per setup, their mean and covariance, effects, noise.

    Rows are setups x runs, filled up with runs of no weight: ``there`` says which are real.
    """

    x: Any
    y: Any
    there: Any
    network: Any
    networks: list[str]
    base: Prior | None
    mean: Any
    covariance: Any
    effects: Any
    logs: Any = None
    noise2: float = 0.04
    spread2: float = 0.01

    @classmethod
    def of(cls, runs: Sequence[Run], base: Prior | None) -> "_State":
        import numpy as np

        networks = sorted({r.anchor.network for r in runs})
        setups = [[r for r in runs if r.setup == s] for s in sorted({r.setup for r in runs})]
        shape = len(setups), max(len(of_one) for of_one in setups)
        x, y = np.zeros((*shape, len(TERMS))), np.zeros(shape)
        there, network = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=int)
        for i, of_one in enumerate(setups):
            n = len(of_one)
            x[i, :n] = [r.anchor.amounts for r in of_one]
            y[i, :n] = np.log([r.anchor.mean_ms for r in of_one])
            there[i, :n] = True
            network[i, :n] = [networks.index(r.anchor.network) for r in of_one]
        equal = -np.log(np.maximum(x[there].mean(axis=0), 1e-6))
        start = np.array(base.mean) if base else equal - equal.mean()
        return cls(
            x=x,
            y=y,
            there=there,
            network=network,
            networks=networks,
            base=base,
            mean=start,
            covariance=np.eye(len(TERMS)) * 0.5,
            effects=np.zeros(len(networks)),
        )

    def turn(self) -> None:
        """Prices of every setup, then what they have in common, then the networks' effects."""
        import numpy as np

        variance = np.where(self.there, self.noise2, np.inf)
        y = np.where(self.there, self.y - self.effects[self.network], 0.0)
        precision = precision_of(self.covariance)
        self.logs, posterior, weight = settle_logs(
            self.x, y, variance, self.mean, precision, self.logs
        )
        fitted = np.log(np.maximum((self.x * np.exp(self.logs)[:, None, :]).sum(axis=2), 1e-9))
        self._share(posterior.mean(axis=0))
        self._explain(self.y - fitted, weight)

    def _share(self, posterior: Any) -> None:
        import numpy as np

        n, k = self.logs.shape
        found = self.logs - self.logs.mean(axis=1)[:, None]
        of_base = _BASE_SETUPS if self.base else 0.0
        start = np.array(self.base.mean) if self.base else 0.0
        self.mean = (found.sum(axis=0) + of_base * start) / (n + of_base)
        self.mean = self.mean - self.mean.mean()
        away = found - self.mean
        centred = np.eye(k) - np.ones((k, k)) / k
        own = away.T @ away + n * centred @ posterior @ centred.T
        least = _BASE_SETUPS * _OWN_DEVIATION**2 * np.eye(k)
        self.covariance = (own + least) / (n + _BASE_SETUPS)

    def _explain(self, residual: Any, weight: Any) -> None:
        import numpy as np

        at, w, r = self.network[self.there], weight[self.there], residual[self.there]
        count = np.bincount(at) / _RUNS_PER_SETUP
        seen = np.bincount(at, w * r) / np.bincount(at, w)
        self.effects = seen * self.spread2 / (self.spread2 + self.noise2 / count)
        left = 1 / (1 / self.spread2 + count / self.noise2)
        of_base = self.base.spread if self.base else None
        self.spread2 = _mean_square(self.effects**2 + left, of_base)
        noise = r - self.effects[at]
        of_base = self.base.noise if self.base else None
        self.noise2 = _mean_square(w * self.noise2 * noise**2, of_base)


def _mean_square(squares: Any, of_base: float | None) -> float:
    """Mean of squares, with those of the base counted in where there is one."""
    count, base = (0.0, 0.0) if of_base is None else (_BASE_NETWORKS, of_base)
    mean = (squares.sum() + count * base**2) / (len(squares) + count)
    return max(_LEAST_NOISE**2, float(mean))
