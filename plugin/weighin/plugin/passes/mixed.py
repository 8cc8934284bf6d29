"""Chooses bits for each layer's weights by the damage that they are measured to do.

Each layer is rounded alone, and what that does to the outputs is measured on rows that the
rounding did not see: the mean Kullback-Leibler divergence from the float model's probabilities.
Then all layers get 4 bits. When that is too much, those that hurt most per weight get 8 bits,
or stay float32; when it is less than allowed, those that hurt least get 2 bits where the format
has them and enough rows are there to tell. How many is found by bisection, the whole model
rounded anew each time.

No labels and no evaluation data are used. What this module does not do: it writes no file.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from weighin.plugin.fx import Graph
from weighin.plugin.passes.layers import Layer, weighted_layers
from weighin.plugin.passes.prune import PassError
from weighin.plugin.passes.rounding import round_weights

MOST_DIVERGENCE = 0.02
"""Nats of mean Kullback-Leibler divergence from the float model that are let pass."""

LEAST_AGREEMENT = 0.98
"""Share of held-out rows that must get the float model's answer."""

_ROUNDING_ROWS = 128
_LEAST_ROWS = 8
_ROWS_FOR_TWO_BITS = 149
"""Fewer cannot show 98 % agreement with 95 % confidence, even if all agree: 0.98^149 < 0.05."""

_BATCH = 64

Bits = Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounded:
    """A float graph whose weights lie on grids, and what a reader should know of it."""

    graph: Graph
    notes: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Damage:
    """How far the outputs are from the float model's on held-out rows."""

    divergence: float
    agreement: float

    @property
    def allowed(self) -> bool:
        return self.divergence <= MOST_DIVERGENCE and self.agreement >= LEAST_AGREEMENT


def round_all(graph: Graph, rows: Any, bits: int) -> Rounded:
    """A copy with every layer's weights in the same bits, rounded to change outputs least."""
    changed = copy.deepcopy(graph)
    layers = weighted_layers(changed)
    round_weights(changed, rows[:_ROUNDING_ROWS], {layer.name: bits for layer in layers})
    return Rounded(graph=changed, notes={"rounding": "GPTQ on calibration rows"})


def choose_bits(graph: Graph, rows: Any, *, least_bits: int) -> Rounded:
    """A copy whose layers have as few bits as the outputs allow.

    Args:
        graph: In inference mode; stays as it is.
        rows: Calibration rows, tensor ``[n, ...]``; a part is held out to measure on.
        least_bits: The fewest that the format stores: 2 or 4.

    Raises:
        PassError: too few rows, or no layer can be rounded within the bounds.
    """
    if len(rows) < 2 * _LEAST_ROWS:
        raise PassError(f"mixed precision needs {2 * _LEAST_ROWS} calibration rows or more")
    return _Search(graph, rows).run(least_bits)


class _Search:
    def __init__(self, graph: Graph, rows: Any) -> None:
        split = min(_ROUNDING_ROWS, len(rows) // 2)
        self._graph, self._seen, self._held_out = graph, rows[:split], rows[split:]
        self._layers = weighted_layers(graph)
        self._wanted = _log_probabilities(graph, self._held_out)

    def run(self, least_bits: int) -> Rounded:
        floor = {layer.name: 4 for layer in self._layers}
        if self._damage(floor).allowed:
            enough = least_bits < 4 and len(self._held_out) >= _ROWS_FOR_TWO_BITS
            order = self._by_damage(least_bits) if enough else ()
            return self._fewest(floor, order, least_bits)
        order = self._by_damage(4)[::-1]
        for higher in (8, None):
            count = self._least_count(floor, order, higher)
            if count is not None:
                return self._result(_changed(floor, order[:count], higher))
            floor = dict.fromkeys(floor, 8)
        raise PassError(
            "no layer's weights can be rounded to 8 bits: the outputs then differ from the float "
            f"model's by more than {MOST_DIVERGENCE} nats or on {1 - LEAST_AGREEMENT:.0%} of rows"
        )

    def _fewest(self, floor: Bits, order: Sequence[Layer], lower: int) -> Rounded:
        """As many layers as possible in fewer bits, the least damaging first."""
        good, bad = 0, len(order) + 1
        while bad - good > 1:
            middle = (good + bad) // 2
            fits = self._damage(_changed(floor, order[:middle], lower)).allowed
            good, bad = (middle, bad) if fits else (good, middle)
        return self._result(_changed(floor, order[:good], lower))

    def _least_count(self, floor: Bits, order: Sequence[Layer], higher: int | None) -> int | None:
        """How many layers need more bits, the most damaging first; ``None``: all is not enough.

        All in float32 would be nothing quantized, so one layer less is tried there.
        """
        bad, good = -1, len(order) if higher else len(order) - 1
        if not self._damage(_changed(floor, order[:good], higher)).allowed:
            return None
        while good - bad > 1:
            middle = (good + bad) // 2
            fits = self._damage(_changed(floor, order[:middle], higher)).allowed
            bad, good = (bad, middle) if fits else (middle, good)
        return good

    def _by_damage(self, bits: int) -> list[Layer]:
        """Layers by what rounding one alone does to the outputs, per weight; least first."""
        damage = {
            layer.name: self._damage({layer.name: bits}).divergence / layer.count
            for layer in self._layers
        }
        return sorted(self._layers, key=lambda layer: damage[layer.name])

    def _damage(self, bits: Bits) -> _Damage:
        return _damage(self._wanted, self._round(bits), self._held_out)

    def _round(self, bits: Bits) -> Graph:
        changed = copy.deepcopy(self._graph)
        round_weights(changed, self._seen, bits)
        return changed

    def _result(self, bits: Bits) -> Rounded:
        changed = self._round(bits)
        damage = _damage(self._wanted, changed, self._held_out)
        places = {layer.name: place for place, layer in enumerate(self._layers, 1)}
        notes = {
            "bits": _describe(bits, places),
            "held_out": f"{100 * damage.agreement:.1f} % of {len(self._held_out)} rows agree, "
            f"divergence {damage.divergence:.4f} nats",
        }
        return Rounded(graph=changed, notes=notes)


def _changed(floor: Bits, layers: Sequence[Layer], bits: int | None) -> dict[str, int]:
    """Other bits for some layers; ``None`` leaves them float32."""
    names = {layer.name for layer in layers}
    rest = {name: own for name, own in floor.items() if name not in names}
    return rest if bits is None else rest | dict.fromkeys(names, bits)


def _describe(bits: Bits, places: Mapping[str, int]) -> str:
    """``2: layers 3 4; 4: the rest``, layers counted from 1 in order of execution."""
    found: dict[str, list[int]] = {}
    for name, place in places.items():
        found.setdefault(str(bits.get(name, "float32")), []).append(place)
    common = max(found, key=lambda kind: len(found[kind]))
    parts = [
        f"{kind}: the rest" if kind == common else f"{kind}: layers {' '.join(map(str, where))}"
        for kind, where in sorted(found.items(), key=lambda item: item[0] == common)
    ]
    return f"{'; '.join(parts)} (of {len(places)})"


def _damage(wanted: Any, graph: Graph, rows: Any) -> _Damage:
    got = _log_probabilities(graph, rows)
    divergence = (wanted.exp() * (wanted - got)).sum(1).mean()
    agreement = (wanted.argmax(1) == got.argmax(1)).float().mean()
    return _Damage(divergence=float(divergence), agreement=float(agreement))


def _log_probabilities(graph: Graph, rows: Any) -> Any:
    """Of a model that gives scores, or probabilities already."""
    import torch

    with torch.no_grad():
        outputs = torch.cat([graph(batch) for batch in rows.split(_BATCH)])
    if bool((outputs >= 0).all()) and bool(((outputs.sum(1) - 1).abs() < 1e-3).all()):
        return outputs.clamp(min=1e-7).log()
    return torch.log_softmax(outputs, 1)
