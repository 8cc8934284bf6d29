"""Layer by layer costs of the networks whose phone latencies are published.

The published tables name a network and its total MACs; the cost model wants MACs by operator
kind, bytes and layers. Each function walks one architecture as its paper (and its TFLite
graph: batch norm and ReLU fused, hard-swish and squeeze-and-excite not) lays it out.

What this module does not do: it holds no weights and runs nothing.
"""

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from weighin.gates.cost import Terms
from weighin.gates.devices.inception import (
    densenet_121,
    inception_resnet_v2,
    inception_v1,
    inception_v3,
    inception_v4,
)
from weighin.gates.devices.walk import Map, Walk


def _divisible(channels: float, by: int = 8) -> int:
    rounded = max(by, int(channels + by / 2) // by * by)
    return rounded + by if rounded < 0.9 * channels else rounded


def mobilenet_v1(walk: Walk, width: float, size: int) -> None:
    """Howard et al. 2017, arXiv:1704.04861, table 1."""
    x = walk.conv(Map(size, size, 3), int(32 * width), 3, 2)
    plan = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5]
    for out, stride in [*plan, (1024, 2), (1024, 1)]:
        x = walk.conv(walk.depthwise(x, 3, stride), int(out * width))
    walk.classify(x)


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """An inverted residual: expand, depthwise, optional squeeze-and-excite, project."""

    hidden: int
    out: int
    kernel: int
    stride: int
    squeeze: int = 0
    swish: bool = False


def _bottleneck(walk: Walk, x: Map, b: Bottleneck) -> Map:
    y = x
    if b.hidden != x.c:
        y = _activate(walk, walk.conv(y, b.hidden), b.swish)
    y = _activate(walk, walk.depthwise(y, b.kernel, b.stride), b.swish)
    if b.squeeze:
        gate = walk.conv(walk.conv(walk.mean(y), b.squeeze), b.hidden)
        walk.pointwise_op(gate)
        y = walk.pointwise_op(y)
    y = walk.conv(y, b.out)
    return walk.pointwise_op(y, 2) if b.stride == 1 and b.out == x.c else y


def _activate(walk: Walk, x: Map, swish: bool) -> Map:
    return walk.pointwise_op(x) if swish else x


def _repeat(
    walk: Walk, x: Map, rows: Iterable[tuple[int, int, int, int, int]], squeezed: set[int]
) -> Map:
    """Rows of (expansion, channels, repeats, stride, kernel); ``squeezed`` row numbers have SE."""
    for number, (expansion, out, repeats, stride, kernel) in enumerate(rows):
        for i in range(repeats):
            squeeze = _divisible(x.c * 0.25, 1) if number in squeezed else 0
            s = stride if i == 0 else 1
            x = _bottleneck(walk, x, Bottleneck(x.c * expansion, out, kernel, s, squeeze))
    return x


def mobilenet_v2(walk: Walk, width: float, size: int) -> None:
    """Sandler et al. 2018, arXiv:1801.04381, table 2."""
    x = walk.conv(Map(size, size, 3), _divisible(32 * width), 3, 2)
    table = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2)]
    table += [(6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
    x = _repeat(walk, x, [(t, _divisible(c * width), n, s, 3) for t, c, n, s in table], set())
    walk.classify(walk.conv(x, _divisible(1280 * max(1.0, width))))


def mnasnet_a1(walk: Walk, width: float, size: int) -> None:
    """Tan et al. 2019, arXiv:1807.11626, figure 7."""
    x = walk.conv(Map(size, size, 3), _divisible(32 * width), 3, 2)
    table = [(1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (3, 40, 3, 2, 5), (6, 80, 4, 2, 3)]
    table += [(6, 112, 2, 1, 3), (6, 160, 3, 2, 5), (6, 320, 1, 1, 3)]
    rows = [(t, _divisible(c * width), n, s, k) for t, c, n, s, k in table]
    walk.classify(walk.conv(_repeat(walk, x, rows, {2, 4, 5}), 1280), 1000)


def mnasnet_b1(walk: Walk, width: float, size: int) -> None:
    """The variant without squeeze-and-excite of the same paper, as TensorFlow hosts it."""
    x = walk.conv(Map(size, size, 3), _divisible(32 * width), 3, 2)
    table = [(1, 16, 1, 1, 3), (3, 24, 3, 2, 3), (3, 40, 3, 2, 5), (6, 80, 3, 2, 5)]
    table += [(6, 96, 2, 1, 3), (6, 192, 4, 2, 5), (6, 320, 1, 1, 3)]
    rows = [(t, _divisible(c * width), n, s, k) for t, c, n, s, k in table]
    walk.classify(walk.conv(_repeat(walk, x, rows, set()), 1280), 1000)


# kernel, expanded, out, squeeze-and-excite, hard-swish, stride
_V3_LARGE = (
    (3, 16, 16, 0, 0, 1), (3, 64, 24, 0, 0, 2), (3, 72, 24, 0, 0, 1), (5, 72, 40, 1, 0, 2),
    (5, 120, 40, 1, 0, 1), (5, 120, 40, 1, 0, 1), (3, 240, 80, 0, 1, 2), (3, 200, 80, 0, 1, 1),
    (3, 184, 80, 0, 1, 1), (3, 184, 80, 0, 1, 1), (3, 480, 112, 1, 1, 1), (3, 672, 112, 1, 1, 1),
    (5, 672, 160, 1, 1, 2), (5, 960, 160, 1, 1, 1), (5, 960, 160, 1, 1, 1),
)  # fmt: skip
_V3_SMALL = (
    (3, 16, 16, 1, 0, 2), (3, 72, 24, 0, 0, 2), (3, 88, 24, 0, 0, 1), (5, 96, 40, 1, 1, 2),
    (5, 240, 40, 1, 1, 1), (5, 240, 40, 1, 1, 1), (5, 120, 48, 1, 1, 1), (5, 144, 48, 1, 1, 1),
    (5, 288, 96, 1, 1, 2), (5, 576, 96, 1, 1, 1), (5, 576, 96, 1, 1, 1),
)  # fmt: skip


def mobilenet_v3(walk: Walk, width: float, size: int, *, large: bool, plain: bool) -> None:
    """Howard et al. 2019, arXiv:1905.02244, tables 1 and 2; ``plain`` is "minimalistic"."""
    x = _activate(walk, walk.conv(Map(size, size, 3), 16, 3, 2), not plain)
    into = 16  # channels before the block at width 1: hidden ones are a multiple of the real ones
    for kernel, hidden, out, squeeze, swish, stride in _V3_LARGE if large else _V3_SMALL:
        inner = _divisible(x.c * hidden / into)
        block = Bottleneck(
            hidden=inner,
            out=_divisible(out * width),
            kernel=3 if plain else kernel,
            stride=stride,
            squeeze=0 if plain or not squeeze else _divisible(inner / 4),
            swish=bool(swish) and not plain,
        )
        x, into = _bottleneck(walk, x, block), out
    x = _activate(walk, walk.conv(x, 6 * x.c), not plain)
    x = _activate(walk, walk.conv(walk.mean(x), 1280 if large else 1024), not plain)
    walk.pointwise_op(walk.conv(x, 1001))


_LITE = {0: (1.0, 1.0, 224), 1: (1.0, 1.1, 240), 2: (1.1, 1.2, 260), 3: (1.2, 1.4, 280)}
_LITE[4] = (1.4, 1.8, 300)


def efficientnet_lite(walk: Walk, level: int) -> None:
    """Tan and Le 2019, arXiv:1905.11946, without squeeze-and-excite; stem and head fixed."""
    width, depth, size = _LITE[level]
    x = walk.conv(Map(size, size, 3), 32, 3, 2)
    table = [(1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3)]
    table += [(6, 112, 3, 1, 5), (6, 192, 4, 2, 5), (6, 320, 1, 1, 3)]
    rows = [
        (t, _divisible(c * width), n if i in {0, 6} else math.ceil(n * depth), s, k)
        for i, (t, c, n, s, k) in enumerate(table)
    ]
    walk.classify(walk.conv(_repeat(walk, x, rows, set()), 1280), 1000)


def terms_of(name: str, item_bytes: int) -> Terms | None:
    """Terms of a network by its published name; ``None`` when its layout is not known here.

    Args:
        name: As the published tables call it; ``_quant`` and ``_8bit`` endings are ignored.
        item_bytes: Bytes of one value: 4 for float32, 1 for int8.
    """
    walk = Walk(item_bytes)
    plain = re.sub(r"(_quant|_8bit)$", "", name)
    for pattern, build in _SCALED:
        if found := re.fullmatch(pattern, plain):
            build(walk, found)
            return walk.terms
    if plain not in _FIXED:
        return None
    _FIXED[plain](walk)
    return walk.terms


def _width_and_size(
    build: Callable[[Walk, float, int], None],
) -> Callable[[Walk, re.Match[str]], None]:
    """A builder of the usual ``name_<width>_<size>``."""
    return lambda walk, found: build(walk, float(found[1]), int(found[2]))


_SCALED: tuple[tuple[str, Callable[[Walk, re.Match[str]], None]], ...] = (
    (r"mobilenet_v1_([\d.]+)_(\d+)", _width_and_size(mobilenet_v1)),
    (r"mobilenet_v2_([\d.]+)_(\d+)", _width_and_size(mobilenet_v2)),
    (r"mnasnet_a1_([\d.]+)_(\d+)", _width_and_size(mnasnet_a1)),
    (r"mnasnet_([\d.]+)_(\d+)", _width_and_size(mnasnet_b1)),
    (
        r"mobilenet_v3_(large|small)_([\d.]+)_(\d+)",
        lambda walk, found: mobilenet_v3(
            walk, float(found[2]), int(found[3]), large=found[1] == "large", plain=False
        ),
    ),
    (
        r"mobilenet_v3_(large|small)_minimalistic",
        lambda walk, found: mobilenet_v3(walk, 1.0, 224, large=found[1] == "large", plain=True),
    ),
    (r"efficientnet_lite(\d)", lambda walk, found: efficientnet_lite(walk, int(found[1]))),
)
_FIXED: dict[str, Callable[[Walk], None]] = {
    "inception_v1": inception_v1,
    "inception_v3": inception_v3,
    "inception_v4": inception_v4,
    "inception_resnet_v2": inception_resnet_v2,
    "densenet121": densenet_121,
}


def family_of(name: str) -> str:
    """Networks that share a design, and so the errors of a cost model, share a family."""
    if name.startswith("inception_resnet"):
        return "inception_resnet"
    families = ("mobilenet_v1", "mobilenet_v2", "mobilenet_v3", "mnasnet", "efficientnet_lite")
    return next((f for f in (*families, "inception") if name.startswith(f)), name)
