"""From what a model costs to how long a phone takes, with the error seen on held-out runs.

Seven amounts of work, each times its price (:mod:`weighin.gates.devices.prices`). The phone's
prices are settled by its own runs; the ends of the interval are the ones that held in
:mod:`weighin.gates.devices.holdout`. ``weighin device fit`` reproduces every figure used here.

What this module does not do: it extrapolates nothing. For a model larger than every network that
was learned from, or with a mix of work that none of them has, there is a reason and no number.
"""

import dataclasses
import functools
import math
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from weighin.gates.cost import Arithmetic, Kind, Operator, Terms
from weighin.gates.devices.coefficients import Learned
from weighin.gates.devices.holdout import Band
from weighin.gates.devices.prices import Anchor, Effect, Prices, estimate, settle
from weighin.gates.devices.reach import Reach

MEASURED_HERE = "measured"
"""The kernels of runs that the user made: the ones in use."""

_RARE = {Kind.GROUPED, Kind.TRANSPOSED, Kind.PRODUCT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What is known of a runtime besides its prices.

    Attributes:
        dominance: Most that a network took in excess of one at least as large in every term.
        p90_over_mean: Published times are means; the p90 lies at most this much higher.
        newer_kernels: How far today's default kernels undercut older published times, by
            arithmetic and generation of the published runs; 0 where nobody published a pair.
        float16_kernels: How far native float16 arithmetic undercuts float32.
        calibrated_operators: Operators that the learned networks consist of.
        movement_operators: Operators that only move or rescale values.
        movement_charge: How many times the bytes of those are charged.
        movement_share: Largest share of all moved bytes that they may have.
    """

    dominance: float
    p90_over_mean: float
    newer_kernels: tuple[tuple[str, Arithmetic, float], ...]
    float16_kernels: float
    calibrated_operators: tuple[str, ...]
    movement_operators: tuple[str, ...]
    movement_charge: float
    movement_share: float

    def undercut(self, kernels: str, arithmetic: Arithmetic) -> float:
        """Factor on the lower end for kernels newer than those of the published runs."""
        found = (f for k, a, f in self.newer_kernels if (k, a) == (kernels, arithmetic))
        return next(found, 1.0 if kernels == MEASURED_HERE else 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """A predicted p90 latency: value and interval in milliseconds, and the rule behind it.

    ``by_effect`` says that it rests on runs of the model on other phones as well.
    """

    value_ms: float
    lower_ms: float
    upper_ms: float
    rule: str
    by_effect: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Phone:
    """The runs that settle a phone's prices, for one runtime, arithmetic and thread count.

    Attributes:
        anchors: Networks that ran on it, with their amounts and mean latencies.
        kernels: Which kernels ran them.
    """

    anchors: tuple[Anchor, ...]
    kernels: str


@functools.cache
def load_rules() -> Rules:
    """The shipped rules for LiteRT."""
    file = resources.files("weighin.gates.devices") / "litert.toml"
    raw = tomllib.loads(file.read_text("utf-8"))
    return Rules(
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


def unknown_operators(rules: Rules, operators: Sequence[Operator]) -> tuple[str, ...]:
    """Names of operators that no learned network contains and that do more than move values."""
    allowed = {*rules.calibrated_operators, *rules.movement_operators}
    unseen = {op.name for op in operators} - allowed
    rare = {f"{op.name} ({op.kind})" for op in operators if op.kind in _RARE}
    return tuple(sorted(unseen | rare))


def charged(rules: Rules, operators: Sequence[Operator], terms: Terms) -> Terms | None:
    """Terms with bytes of mere movement charged dearer; ``None`` if there are too many of them."""
    movement = sum(op.moved_bytes for op in operators if op.name in rules.movement_operators)
    if movement > rules.movement_share * terms.activation_bytes:
        return None
    surcharge = round((rules.movement_charge - 1) * movement)
    return dataclasses.replace(terms, activation_bytes=terms.activation_bytes + surcharge)


def predict_mean(
    learned: Learned, phone: Phone, amounts: Sequence[float], effect: Effect | None = None
) -> Latency | str:
    """Mean latency with its 90 % band, or why there is none.

    Args:
        learned: What other phones taught.
        phone: The phone's own runs.
        amounts: The model's, in the order of :data:`weighin.gates.devices.prices.TERMS`.
        effect: What the model takes beyond its terms, if it ran on other phones.
    """
    known = effect is not None and effect.variance == 0
    if not known and (reason := _reach(learned, phone).refusal(learned.prior, amounts)):
        return reason
    guess = estimate(learned.prior, settled(learned, phone), amounts, effect)
    band, kind = _band(learned, effect)
    return Latency(
        value_ms=math.exp(guess.log_ms),
        lower_ms=math.exp(guess.log_ms - band.below * guess.deviation),
        upper_ms=math.exp(guess.log_ms + band.above * guess.deviation),
        rule=f"prices of {len(learned.devices)} phones and boards, settled by "
        f"{len(phone.anchors)} runs on this one; the band held {kind} on phones left out",
        by_effect=effect is not None,
    )


def _band(learned: Learned, effect: Effect | None) -> tuple[Band, str]:
    if effect is None:
        return learned.new, "networks of families never seen"
    if effect.variance > 0:
        return learned.transferred, "networks measured on one other phone"
    return learned.known, "networks known from other phones"


def predict_latency(
    rules: Rules,
    learned: Learned,
    phone: Phone,
    arithmetic: Arithmetic,
    amounts: Sequence[float],
    effect: Effect | None = None,
) -> Latency | str:
    """p90 latency of a model on today's kernels, or why there is none.

    A model smaller than every learned network takes no more than the quickest network on the phone
    that is larger in every term.
    """
    known = effect is not None and effect.variance == 0
    if not known and _reach(learned, phone).is_smaller(learned.prior, amounts):
        return _by_dominance(rules, learned, phone, amounts)
    mean = predict_mean(learned, phone, amounts, effect)
    if isinstance(mean, str):
        return mean
    return dataclasses.replace(
        mean,
        lower_ms=mean.lower_ms * rules.undercut(phone.kernels, arithmetic),
        upper_ms=mean.upper_ms * rules.p90_over_mean,
    )


def _reach(learned: Learned, phone: Phone) -> Reach:
    """What the prices were learned from, and what settles them on this phone."""
    return learned.reach.with_networks([anchor.amounts for anchor in phone.anchors])


@functools.lru_cache(maxsize=512)
def settled(learned: Learned, phone: Phone) -> Prices:
    """The phone's prices; kept, because every model on the phone needs them."""
    return settle(learned.prior, phone.anchors)


def _by_dominance(
    rules: Rules, learned: Learned, phone: Phone, amounts: Sequence[float]
) -> Latency | str:
    larger = [a for a in phone.anchors if _within(amounts, a.amounts)]
    if not larger:
        return (
            "smaller than every network published for this phone in total, but not in every term, "
            "so none of them bounds it"
        )
    bound = min(larger, key=lambda a: a.mean_ms)
    upper = bound.mean_ms * rules.dominance * rules.p90_over_mean
    guess = estimate(learned.prior, settled(learned, phone), amounts, None)
    return Latency(
        value_ms=min(math.exp(guess.log_ms), upper),
        lower_ms=0.0,
        upper_ms=upper,
        rule=f"smaller in every term than {bound.network}, which took {bound.mean_ms} ms",
    )


def _within(amounts: Sequence[float], other: Sequence[float]) -> bool:
    """Whether ``amounts`` is at most ``other`` in every term."""
    return all(a <= b for a, b in zip(dominance_key(amounts), dominance_key(other), strict=True))


def dominance_key(amounts: Sequence[float]) -> tuple[float, ...]:
    """What must all be smaller: dense and depthwise MACs, activations, weights, layers."""
    conv, pointwise, depthwise, connected, *rest = amounts
    return (conv + pointwise + connected, depthwise, *rest)
