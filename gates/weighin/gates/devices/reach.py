"""How far a prior reaches: the mixes and sizes of the networks that it was learned from.

A network whose time would go to a kind of work that no learned network spends as much of its time
on is another kind of network, unless that work took half of a learned network's time: then its
price is known by itself. One larger or smaller than all of them is out of reach: there is
a reason and no number.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from weighin.gates.devices.learn import Run
from weighin.gates.devices.prices import TERMS, Prior, shares_of

SLACK_SHARE = 0.02
"""By how much a share of the time may exceed the largest seen."""
WELL_KNOWN = 0.5
"""Work that took this share of a learned network's time has a price that is known by itself."""
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

    def with_networks(self, networks: Sequence[tuple[float, ...]]) -> "Reach":
        """The reach of these networks as well: what a phone's owner ran on it."""
        return Reach(networks=tuple(dict.fromkeys((*self.networks, *networks))))

    def refusal(self, prior: Prior, amounts: Sequence[float]) -> str | None:
        """Why a network is out of reach; ``None`` if it is within."""
        return self.mix(prior, amounts) or self.size(prior, amounts)

    def mix(self, prior: Prior, amounts: Sequence[float]) -> str | None:
        """Why its mix of work is like no learned network's; ``None`` if it is."""
        seen = [shares_of(prior.mean, one) for one in self.networks]
        most_seen = [max(one[i] for one in seen) for i in range(len(TERMS))]
        own = shares_of(prior.mean, amounts)
        for term, share, most in zip(TERMS, own, most_seen, strict=True):
            if most < WELL_KNOWN and share > most + SLACK_SHARE:
                return (
                    f"{share:.0%} of its time would go to {_WORDS[term]}, "
                    f"more than in any published network ({most:.0%})"
                )
        return None

    def size(self, prior: Prior, amounts: Sequence[float]) -> str | None:
        """Why it is too large or too small; ``None`` if it is not."""
        if _units(prior, amounts) > SLACK_SIZE * max(_units(prior, n) for n in self.networks):
            return "larger than every network that the prices were learned from"
        if self.is_smaller(prior, amounts):
            return "smaller than every network that the prices were learned from"
        return None

    def is_smaller(self, prior: Prior, amounts: Sequence[float]) -> bool:
        """Whether it costs less than every learned network."""
        least = min(_units(prior, network) for network in self.networks)
        return _units(prior, amounts) * SLACK_SIZE < least


def reach_of(runs: Sequence[Run]) -> Reach:
    """The reach of a prior learned from these runs."""
    return Reach(networks=tuple(sorted({r.anchor.amounts for r in runs})))


def _units(prior: Prior, amounts: Sequence[float]) -> float:
    import math

    return sum(a * math.exp(p) for a, p in zip(amounts, prior.mean, strict=True))
