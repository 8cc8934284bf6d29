"""Adds up the cost of a network whose layers are called in order.

It turns the layer tables of published papers into the terms of the cost
model. What this module does not do: it holds no weights and runs nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from weighin.gates.cost import Kind, Terms


@dataclass(frozen=True, slots=True)
class Map:
    """A feature map: height, width, channels."""

    h: int
    w: int
    c: int

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.h * self.w * self.c


@dataclass(slots=True)
class Walk:
    """Adds up what a network costs while its layers are called in order."""

    item_bytes: int
    macs: dict[Kind, int] = field(default_factory=lambda: dict.fromkeys(Kind, 0))
    moved: int = 0
    weights: int = 0
    layers: int = 0

    @property
    def terms(self) -> Terms:
        """The sums so far."""
        return Terms(
            conv_macs=self.macs[Kind.CONV],
            pointwise_macs=self.macs[Kind.POINTWISE],
            depthwise_macs=self.macs[Kind.DEPTHWISE],
            fully_connected_macs=self.macs[Kind.FULLY_CONNECTED],
            activation_bytes=self.moved * self.item_bytes,
            weight_bytes=self.weights * self.item_bytes,
            layers=self.layers,
        )

    def _op(self, moved: int) -> None:
        self.moved += moved
        self.layers += 1

    def conv(
        self, x: Map, out: int, k: int | tuple[int, int] = 1, s: int = 1, *, valid: bool = False
    ) -> Map:
        """Convolution with its bias and activation."""
        kh, kw = (k, k) if isinstance(k, int) else k
        y = Map(_length(x.h, kh, s, valid=valid), _length(x.w, kw, s, valid=valid), out)
        self.macs[Kind.POINTWISE if kh == kw == 1 else Kind.CONV] += y.size * kh * kw * x.c
        self.weights += kh * kw * x.c * out + out
        self._op(x.size + y.size)
        return y

    def depthwise(self, x: Map, k: int, s: int = 1) -> Map:
        """Depthwise convolution with its bias and activation."""
        y = Map(_length(x.h, k, s), _length(x.w, k, s), x.c)
        self.macs[Kind.DEPTHWISE] += y.size * k * k
        self.weights += k * k * x.c + x.c
        self._op(x.size + y.size)
        return y

    def dense(self, x: Map, out: int) -> Map:
        """Fully connected layer on a flat map."""
        self.macs[Kind.FULLY_CONNECTED] += x.size * out
        self.weights += x.size * out + out
        self._op(x.size + out)
        return Map(1, 1, out)

    def pool(self, x: Map, k: int, s: int, *, valid: bool = False) -> Map:
        """Average or maximum over windows."""
        y = Map(_length(x.h, k, s, valid=valid), _length(x.w, k, s, valid=valid), x.c)
        self._op(x.size + y.size)
        return y

    def mean(self, x: Map) -> Map:
        """Global average."""
        self._op(x.size + x.c)
        return Map(1, 1, x.c)

    def pointwise_op(self, x: Map, reads: int = 1) -> Map:
        """Activation, sum or product, element by element."""
        self._op(x.size * (reads + 1))
        return x

    def concat(self, parts: Sequence[Map]) -> Map:
        """Join along channels."""
        y = Map(parts[0].h, parts[0].w, sum(p.c for p in parts))
        self._op(2 * y.size)
        return y

    def classify(self, x: Map, classes: int = 1001) -> Map:
        """Global average, classifier, softmax."""
        return self.pointwise_op(self.dense(self.mean(x), classes))


def _length(n: int, k: int, s: int, *, valid: bool = False) -> int:
    return (n - k) // s + 1 if valid else -(-n // s)
