"""From what a model costs to how long a phone takes, with the error seen on held-out networks.

The cost model is one line: ``scale x (dense MACs + a depthwise MACs + b bytes + c layers)``.
``a, b, c`` are fitted to all published TFLite runs of one arithmetic, ``scale`` to the runs on
one phone. ``python -m weighin.gates.devices.fit FOLDER`` reproduces every figure used here.

What this module does not do: it extrapolates nothing. Beyond the largest network published for
a phone, or for a mix of operators no published network has, there is a reason and no number.
"""

import dataclasses
import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import Any

from weighin.gates.cost import Arithmetic, Kind, Operator, Terms
from weighin.gates.devices.networks import terms_of
from weighin.gates.profile import Calibration

SLACK = 1.1
"""The same network, exported by another tool, may have a few operators more."""

_RARE = {Kind.GROUPED, Kind.TRANSPOSED, Kind.PRODUCT}

COMMAND = "python -m weighin.gates.devices.fit ../shared/devices"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Relative prices of the cost terms for one arithmetic, and the mixes they were seen in.

    Attributes:
        item_bytes: Bytes of one value.
        depthwise: Price of a depthwise MAC, in dense MACs.
        activation_byte: Price of a byte of activations moved.
        layer: Price of an operator, in millions of dense MACs.
        max_depthwise_share: Largest share of depthwise MACs among the fitted networks.
        max_fully_connected_share: Largest share of fully connected MACs among them.
    """

    item_bytes: int
    depthwise: float
    activation_byte: float
    layer: float
    max_depthwise_share: float
    max_fully_connected_share: float

    def units(self, terms: Terms) -> float:
        """Cost in units of a million dense multiply-adds."""
        dense = terms.macs - terms.depthwise_macs
        moved = self.activation_byte * terms.activation_bytes
        return (dense + self.depthwise * terms.depthwise_macs + moved) / 1e6 + (
            self.layer * terms.layers
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CostModel:
    """Everything fitted, for one runtime.

    Attributes:
        shapes: One per arithmetic.
        band_lower: Smallest actual / predicted of any network whose family was held out.
        band_upper: Largest such ratio.
        dominance: Most that a network took in excess of one at least as large in every term.
        p90_over_mean: Published times are means; the p90 lies at most this much higher.
        newer_kernels: How far today's default kernels undercut older published times, by
            arithmetic and generation of the published runs; 0 where nobody published a pair.
        float16_kernels: How far native float16 arithmetic undercuts float32.
        calibrated_operators: Operators that the fitted networks consist of.
        movement_operators: Operators that only move or rescale values.
        movement_charge: How many times the bytes of those are charged.
        movement_share: Largest share of all moved bytes that they may have.
    """

    shapes: tuple[tuple[Arithmetic, Shape], ...]
    band_lower: float
    band_upper: float
    dominance: float
    p90_over_mean: float
    newer_kernels: tuple[tuple[str, Arithmetic, float], ...]
    float16_kernels: float
    calibrated_operators: tuple[str, ...]
    movement_operators: tuple[str, ...]
    movement_charge: float
    movement_share: float

    def shape(self, arithmetic: Arithmetic) -> Shape | None:
        """Prices for one arithmetic; ``None`` if no network of it was published."""
        return dict(self.shapes).get(arithmetic)

    def undercut(self, calibration: Calibration) -> float:
        """Factor on the lower end for kernels newer than the published runs."""
        found = (
            factor
            for kernels, arithmetic, factor in self.newer_kernels
            if (kernels, arithmetic) == (calibration.kernels, calibration.arithmetic)
        )
        return next(found, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """A predicted p90 latency: value and interval in milliseconds, and the rule behind it."""

    value_ms: float
    lower_ms: float
    upper_ms: float
    rule: str


@dataclass(frozen=True, slots=True)
class _Known:
    """An anchor with the terms of its network."""

    terms: Terms
    mean_ms: float
    model: str


def load_cost_model() -> CostModel:
    """The shipped figures for LiteRT."""
    file = resources.files("weighin.gates.devices") / "litert.toml"
    raw = tomllib.loads(file.read_text("utf-8"))
    return CostModel(
        shapes=tuple((Arithmetic(name), _shape(t)) for name, t in raw["shapes"].items()),
        band_lower=float(raw["band"]["lower"]),
        band_upper=float(raw["band"]["upper"]),
        dominance=float(raw["dominance"]["factor"]),
        p90_over_mean=float(raw["p90_over_mean"]["factor"]),
        newer_kernels=tuple(
            (str(t["published_with"]), Arithmetic(t["arithmetic"]), float(t["factor"]))
            for t in raw["newer_kernels"]
        ),
        float16_kernels=float(raw["float16_kernels"]["factor"]),
        calibrated_operators=tuple(raw["operators"]["calibrated"]),
        movement_operators=tuple(raw["operators"]["movement"]),
        movement_charge=float(raw["operators"]["movement_charge"]),
        movement_share=float(raw["operators"]["movement_share"]),
    )


def _shape(table: dict[str, Any]) -> Shape:
    return Shape(
        item_bytes=int(table["item_bytes"]),
        depthwise=float(table["depthwise"]),
        activation_byte=float(table["activation_byte"]),
        layer=float(table["layer"]),
        max_depthwise_share=float(table["max_depthwise_share"]),
        max_fully_connected_share=float(table["max_fully_connected_share"]),
    )


def unknown_operators(model: CostModel, operators: tuple[Operator, ...]) -> tuple[str, ...]:
    """Names of operators that no fitted network contains and that do more than move values."""
    allowed = {*model.calibrated_operators, *model.movement_operators}
    unseen = {op.name for op in operators} - allowed
    rare = {f"{op.name} ({op.kind})" for op in operators if op.kind in _RARE}
    return tuple(sorted(unseen | rare))


def charged(model: CostModel, operators: tuple[Operator, ...], terms: Terms) -> Terms | None:
    """Terms with bytes of mere movement charged dearer; ``None`` if there are too many of them."""
    movement = sum(op.moved_bytes for op in operators if op.name in model.movement_operators)
    if movement > model.movement_share * terms.activation_bytes:
        return None
    surcharge = round((model.movement_charge - 1) * movement)
    return dataclasses.replace(terms, activation_bytes=terms.activation_bytes + surcharge)


def predict_latency(model: CostModel, calibration: Calibration, terms: Terms) -> Latency | str:
    """p90 latency of a model with these terms, or why there is none.

    Three cases, by where the model's cost lies among the phone's published networks: above
    the largest, none; between smallest and largest, the cost model with its held-out band;
    below the smallest, no more than the quickest network that is larger in every term.
    """
    shape = model.shape(calibration.arithmetic)
    if shape is None:
        return f"no published {calibration.arithmetic} run to learn from"
    known = _known(calibration, shape.item_bytes)
    units = shape.units(terms)
    costs = [shape.units(k.terms) for k in known]
    if units > SLACK * max(costs):
        largest = known[costs.index(max(costs))].model
        return f"larger than {largest}, the largest network published for this phone"
    if units < min(costs):
        return _by_dominance(model, known, terms, calibration.scale * units)
    return _mix(shape, known, terms) or _by_cost(model, calibration, calibration.scale * units)


def _known(calibration: Calibration, item_bytes: int) -> list[_Known]:
    known: list[_Known] = []
    for anchor in calibration.anchors:
        terms = terms_of(anchor.model, item_bytes)
        if terms is None:
            raise ValueError(f"anchor {anchor.model} is no network that weighin can lay out")
        known.append(_Known(terms, anchor.mean_ms, anchor.model))
    return known


def _mix(shape: Shape, known: list[_Known], terms: Terms) -> str | None:
    """Why the mix of operators is unlike any published network; ``None`` if it is not."""
    if terms.depthwise_macs > shape.max_depthwise_share * terms.macs:
        return "more of its work is depthwise than in any published network"
    if terms.fully_connected_macs > shape.max_fully_connected_share * terms.macs:
        return "more of its work is fully connected than in any published network"
    if terms.weight_bytes > SLACK * max(k.terms.weight_bytes for k in known):
        return "more weights than any network published for this phone"
    return None


def _by_cost(model: CostModel, calibration: Calibration, mean_ms: float) -> Latency:
    return Latency(
        value_ms=mean_ms,
        lower_ms=mean_ms * model.band_lower * model.undercut(calibration),
        upper_ms=mean_ms * model.band_upper * model.p90_over_mean,
        rule=f"cost model, band x{model.band_lower} to x{model.band_upper} (worst held-out family)",
    )


def _by_dominance(
    model: CostModel, known: list[_Known], terms: Terms, mean_ms: float
) -> Latency | str:
    larger = [k for k in known if _within(terms, k.terms)]
    if not larger:
        return (
            "smaller than every network published for this phone in total, but not in every term, "
            "so none of them bounds it"
        )
    bound = min(larger, key=lambda k: k.mean_ms)
    upper = bound.mean_ms * model.dominance * model.p90_over_mean
    return Latency(
        value_ms=min(mean_ms, upper),
        lower_ms=0.0,
        upper_ms=upper,
        rule=f"smaller in every term than {bound.model}, which took {bound.mean_ms} ms",
    )


def _within(terms: Terms, other: Terms) -> bool:
    """Whether ``terms`` is at most ``other`` in every term."""
    return all(a <= b for a, b in zip(dominance_key(terms), dominance_key(other), strict=True))


def dominance_key(terms: Terms) -> tuple[int, ...]:
    """What must all be smaller: dense and depthwise MACs, activations, weights, layers."""
    dense = terms.macs - terms.depthwise_macs
    return (
        dense,
        terms.depthwise_macs,
        terms.activation_bytes,
        terms.weight_bytes,
        terms.layers,
    )
