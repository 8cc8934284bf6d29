"""How far a prior reaches: the mixes and sizes of the networks that it was learned from.

A network whose time would go to a kind of work that no learned network spends as much of its time
on is another kind of network, and one larger or smaller than all of them is out of reach: there is
a reason and no number.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from weighin.gates.devices.learn import Run
from weighin.gates.devices.prices import TERMS, Prior, shares_of

SLACK_SHARE = 0.02
"""By how much a share of the time may exceed the largest seen."""
SLACK_SIZE = 1.1
"""By how much a size may exceed the largest seen, and fall below the smallest."""

_WORDS = {
    "conv_mmacs": "convolutions",
    "pointwise_mmacs": "pointwise convolutions",
    "depthwise_mmacs": "depthwise convolutions",
    "fully_connected_mmacs": "fully connected layers",
    "activation_mvalues": "moving activations",
    "weight_mvalues": "reading weights",
    "layers": "starting operators",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """The networks that were learned from, each once, as amounts in the order of the terms."""

    networks: tuple[tuple[float, ...], ...]

    def refusal(self, prior: Prior, amounts: Sequence[float]) -> str | None:
        """Why a network is out of reach; ``None`` if it is within."""
        return self.mix(prior, amounts) or self.size(prior, amounts)

    def mix(self, prior: Prior, amounts: Sequence[float]) -> str | None:
        """Why its mix of work is like no learned network's; ``None`` if it is."""
        seen = [shares_of(prior.mean, one) for one in self.networks]
        most_seen = [max(one[i] for one in seen) for i in range(len(TERMS))]
        own = shares_of(prior.mean, amounts)
        for term, share, most in zip(TERMS, own, most_seen, strict=True):
            if share > most + SLACK_SHARE:
                return (
                    f"{share:.0%} of its time would go to {_WORDS[term]}, "
                    f"more than in any published network ({most:.0%})"
                )
        return None

    def size(self, prior: Prior, amounts: Sequence[float]) -> str | None:
        """Why it is too large or too small; ``None`` if it is not."""
        units = _units(prior, amounts)
        sizes = [_units(prior, one) for one in self.networks]
        if units > SLACK_SIZE * max(sizes):
            return "larger than every network that the prices were learned from"
        if units * SLACK_SIZE < min(sizes):
            return "smaller than every network that the prices were learned from"
        return None


def reach_of(runs: Sequence[Run]) -> Reach:
    """The reach of a prior learned from these runs."""
    return Reach(networks=tuple(sorted({r.anchor.amounts for r in runs})))


def _units(prior: Prior, amounts: Sequence[float]) -> float:
    import math

    return sum(a * math.exp(p) for a, p in zip(amounts, prior.mean, strict=True))
