"""Layer by layer costs of the larger published networks: Inception, Inception-ResNet, DenseNet.

Shapes follow the TF-Slim definitions that TensorFlow's hosted ``.tflite`` files come from.
"""

from weighin.gates.devices.walk import Map, Walk

Layer = tuple[int, int | tuple[int, int]]
"""Channels and kernel of a convolution."""


def _chain(walk: Walk, x: Map, *layers: Layer) -> Map:
    """Convolutions (channels, kernel) one after the other, stride 1, same padding."""
    for out, kernel in layers:
        x = walk.conv(x, out, kernel)
    return x


def inception_v1(walk: Walk, size: int = 224) -> None:
    """Szegedy et al. 2014, arXiv:1409.4842, table 1 (3x3 instead of 5x5, as in TF-Slim)."""
    x = walk.pool(walk.conv(Map(size, size, 3), 64, 7, 2), 3, 2)
    x = walk.pool(_chain(walk, x, (64, 1), (192, 3)), 3, 2)
    table = [(64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64), (192, 96, 208, 16, 48, 64)]
    table += [(160, 112, 224, 24, 64, 64), (128, 128, 256, 24, 64, 64), (112, 144, 288, 32, 64, 64)]
    table += [(256, 160, 320, 32, 128, 128), (256, 160, 320, 32, 128, 128)]
    table += [(384, 192, 384, 48, 128, 128)]
    for number, (one, reduce3, three, reduce5, five, after_pool) in enumerate(table):
        if number in {2, 7}:
            x = walk.pool(x, 3 if number == 2 else 2, 2)
        parts = [walk.conv(x, one), _chain(walk, x, (reduce3, 1), (three, 3))]
        parts += [_chain(walk, x, (reduce5, 1), (five, 3))]
        x = walk.concat([*parts, walk.conv(walk.pool(x, 3, 1), after_pool)])
    walk.classify(x)


def _stem_v3(walk: Walk, size: int) -> Map:
    """The first layers of Inception v3, shared with Inception-ResNet v2."""
    x = walk.conv(Map(size, size, 3), 32, 3, 2, valid=True)
    x = walk.conv(walk.conv(x, 32, 3, valid=True), 64, 3)
    x = walk.pool(x, 3, 2, valid=True)
    x = walk.conv(walk.conv(x, 80), 192, 3, valid=True)
    return walk.pool(x, 3, 2, valid=True)


def inception_v3(walk: Walk, size: int = 299) -> None:
    """Szegedy et al. 2015, arXiv:1512.00567, table 1."""
    x = _stem_v3(walk, size)
    for pooled in (32, 64, 64):
        parts = [walk.conv(x, 64), _chain(walk, x, (48, 1), (64, 5))]
        parts += [_chain(walk, x, (64, 1), (96, 3), (96, 3))]
        x = walk.concat([*parts, walk.conv(walk.pool(x, 3, 1), pooled)])
    parts = [walk.conv(x, 384, 3, 2, valid=True), walk.pool(x, 3, 2, valid=True)]
    x = walk.concat([*parts, walk.conv(_chain(walk, x, (64, 1), (96, 3)), 96, 3, 2, valid=True)])
    for c in (128, 160, 160, 192):
        parts = [walk.conv(x, 192), _chain(walk, x, (c, 1), (c, (1, 7)), (192, (7, 1)))]
        long: list[Layer] = [(c, 1), (c, (7, 1)), (c, (1, 7)), (c, (7, 1)), (192, (1, 7))]
        parts += [_chain(walk, x, *long), walk.conv(walk.pool(x, 3, 1), 192)]
        x = walk.concat(parts)
    left = walk.conv(walk.conv(x, 192), 320, 3, 2, valid=True)
    right = _chain(walk, x, (192, 1), (192, (1, 7)), (192, (7, 1)))
    x = walk.concat([left, walk.conv(right, 192, 3, 2, valid=True), walk.pool(x, 3, 2, valid=True)])
    for _ in range(2):
        middle, deep = walk.conv(x, 384), _chain(walk, x, (448, 1), (384, 3))
        parts = [walk.conv(y, 384, k) for y in (middle, deep) for k in ((1, 3), (3, 1))]
        x = walk.concat([walk.conv(x, 320), *parts, walk.conv(walk.pool(x, 3, 1), 192)])
    walk.classify(x)


def inception_v4(walk: Walk, size: int = 299) -> None:
    """Szegedy et al. 2016, arXiv:1602.07261, figures 3 to 9."""
    x = walk.conv(Map(size, size, 3), 32, 3, 2, valid=True)
    x = walk.conv(walk.conv(x, 32, 3, valid=True), 64, 3)
    x = walk.concat([walk.pool(x, 3, 2, valid=True), walk.conv(x, 96, 3, 2, valid=True)])
    left = walk.conv(walk.conv(x, 64), 96, 3, valid=True)
    right = _chain(walk, x, (64, 1), (64, (1, 7)), (64, (7, 1)))
    x = walk.concat([left, walk.conv(right, 96, 3, valid=True)])
    x = walk.concat([walk.conv(x, 192, 3, 2, valid=True), walk.pool(x, 3, 2, valid=True)])
    for _ in range(4):
        parts = [walk.conv(x, 96), _chain(walk, x, (64, 1), (96, 3))]
        parts += [_chain(walk, x, (64, 1), (96, 3), (96, 3))]
        x = walk.concat([*parts, walk.conv(walk.pool(x, 3, 1), 96)])
    parts = [walk.conv(x, 384, 3, 2, valid=True), walk.pool(x, 3, 2, valid=True)]
    x = walk.concat([*parts, walk.conv(_chain(walk, x, (192, 1), (224, 3)), 256, 3, 2, valid=True)])
    for _ in range(7):
        parts = [walk.conv(x, 384), _chain(walk, x, (192, 1), (224, (1, 7)), (256, (7, 1)))]
        long: list[Layer] = [(192, 1), (192, (7, 1)), (224, (1, 7)), (224, (7, 1)), (256, (1, 7))]
        parts += [_chain(walk, x, *long), walk.conv(walk.pool(x, 3, 1), 128)]
        x = walk.concat(parts)
    left = walk.conv(walk.conv(x, 192), 192, 3, 2, valid=True)
    right = _chain(walk, x, (256, 1), (256, (1, 7)), (320, (7, 1)))
    x = walk.concat([left, walk.conv(right, 320, 3, 2, valid=True), walk.pool(x, 3, 2, valid=True)])
    for _ in range(3):
        middle, deep = walk.conv(x, 384), _chain(walk, x, (384, 1), (448, (1, 3)), (512, (3, 1)))
        parts = [walk.conv(y, 256, k) for y in (middle, deep) for k in ((1, 3), (3, 1))]
        x = walk.concat([walk.conv(x, 256), *parts, walk.conv(walk.pool(x, 3, 1), 256)])
    walk.classify(x)


def _residual(walk: Walk, x: Map, parts: list[Map]) -> Map:
    """Join the branches, project back, scale and add (Inception-ResNet)."""
    up = walk.conv(walk.concat(parts), x.c)
    return walk.pointwise_op(walk.pointwise_op(walk.pointwise_op(up), 2))


def inception_resnet_v2(walk: Walk, size: int = 299) -> None:
    """Szegedy et al. 2016, arXiv:1602.07261, figures 15 to 19, as in TF-Slim."""
    x = _stem_v3(walk, size)
    parts = [walk.conv(x, 96), _chain(walk, x, (48, 1), (64, 5))]
    parts += [_chain(walk, x, (64, 1), (96, 3), (96, 3)), walk.conv(walk.pool(x, 3, 1), 64)]
    x = walk.concat(parts)
    for _ in range(10):
        parts = [walk.conv(x, 32), _chain(walk, x, (32, 1), (32, 3))]
        x = _residual(walk, x, [*parts, _chain(walk, x, (32, 1), (48, 3), (64, 3))])
    parts = [walk.conv(x, 384, 3, 2, valid=True), walk.pool(x, 3, 2, valid=True)]
    x = walk.concat([*parts, walk.conv(_chain(walk, x, (256, 1), (256, 3)), 384, 3, 2, valid=True)])
    for _ in range(20):
        right = _chain(walk, x, (128, 1), (160, (1, 7)), (192, (7, 1)))
        x = _residual(walk, x, [walk.conv(x, 192), right])
    parts = [walk.conv(walk.conv(x, 256), c, 3, 2, valid=True) for c in (384, 288)]
    deep = walk.conv(_chain(walk, x, (256, 1), (288, 3)), 320, 3, 2, valid=True)
    x = walk.concat([*parts, deep, walk.pool(x, 3, 2, valid=True)])
    for _ in range(10):
        right = _chain(walk, x, (192, 1), (224, (1, 3)), (256, (3, 1)))
        x = _residual(walk, x, [walk.conv(x, 192), right])
    walk.classify(walk.conv(x, 1536))


def densenet_121(walk: Walk, size: int = 224) -> None:
    """Huang et al. 2016, arXiv:1608.06993, table 1; batch norm before ReLU does not fuse."""
    x = walk.pool(walk.conv(Map(size, size, 3), 64, 7, 2), 3, 2)
    for number, repeats in enumerate((6, 12, 24, 16)):
        for _ in range(repeats):
            y = walk.conv(walk.pointwise_op(walk.pointwise_op(x)), 128)
            x = walk.concat([x, walk.conv(y, 32, 3)])
        if number < 3:
            x = walk.conv(walk.pointwise_op(walk.pointwise_op(x)), x.c // 2)
            x = walk.pool(x, 2, 2, valid=True)
    walk.classify(walk.pointwise_op(walk.pointwise_op(x)), 1000)
