"""Rebuilds the networks of the published latency tables as .tflite files with random weights.

The layers come from :mod:`weighin.gates.devices.networks`, whose functions call a walk layer by
layer: here the walk builds a graph. So a file has exactly the MACs that the cost model counts.
Weights are drawn with a fixed seed; time does not depend on them.

What this module does not do: nothing here is accurate on any data, and nothing is measured.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from weighin.gates.devices.networks import _FIXED, _SCALED
from weighin.gates.devices.walk import Map, Walk

SEED = 5


@dataclass(frozen=True, slots=True)
class Tensor(Map):
    """A feature map that is made by a layer."""

    of: Any = None


@dataclass(slots=True)
class GraphWalk(Walk):
    """Builds a Keras graph from the calls that a network makes.

    Attributes:
        element: The operation of element-wise layers with one operand: hard-swish (MobileNet v3)
            or a product with a constant per channel (scaling, batch norm that does not fuse).
        start: The graph's input.
        made: All tensors, in order.
        gate: A squeeze-and-excite gate that waits for its product.
        chained: Tensors that an element-wise layer was made from.
    """

    element: str = "scale"
    start: Any = None
    made: list[Tensor] = field(default_factory=list)
    gate: Any = None

    def conv(
        self, x: Map, out: int, k: int | tuple[int, int] = 1, s: int = 1, *, valid: bool = False
    ) -> Map:
        """Convolution with bias; the clamp of its activation costs the same, whichever it is."""
        import keras

        y = Walk.conv(self, x, out, k, s, valid=valid)
        layer = keras.layers.Conv2D(
            out, k, s, "valid" if valid else "same", activation=self._fused(), **_weights()
        )
        return self._keep(y, layer(self._of(x)))

    def depthwise(self, x: Map, k: int, s: int = 1) -> Map:
        """Depthwise convolution with bias."""
        import keras

        y = Walk.depthwise(self, x, k, s)
        draw = keras.initializers.VarianceScaling(2.0, seed=SEED)
        layer = keras.layers.DepthwiseConv2D(
            k, s, "same", activation=self._fused(), depthwise_initializer=draw
        )
        return self._keep(y, layer(self._of(x)))

    def dense(self, x: Map, out: int) -> Map:
        """Fully connected layer."""
        import keras

        y = Walk.dense(self, x, out)
        flat = keras.layers.Flatten()(self._of(x))
        return self._keep(y, keras.layers.Dense(out, **_weights())(flat))

    def pool(self, x: Map, k: int, s: int, *, valid: bool = False) -> Map:
        """Maximum when it shrinks the map, average otherwise."""
        import keras

        y = Walk.pool(self, x, k, s, valid=valid)
        kind = keras.layers.MaxPooling2D if s > 1 else keras.layers.AveragePooling2D
        return self._keep(y, kind(k, s, "valid" if valid else "same")(self._of(x)))

    def mean(self, x: Map) -> Map:
        """Global average."""
        import keras

        y = Walk.mean(self, x)
        return self._keep(y, keras.layers.GlobalAveragePooling2D(keepdims=True)(self._of(x)))

    def concat(self, parts: Any) -> Map:
        """Join along channels."""
        import keras

        y = Walk.concat(self, parts)
        return self._keep(y, keras.layers.Concatenate()([self._of(part) for part in parts]))

    def pointwise_op(self, x: Map, reads: int = 1) -> Map:
        """A sum with the last other tensor of this shape, a gate, its product, or an element."""
        import keras

        y = Walk.pointwise_op(self, x, reads)
        if reads == 2:
            return self._keep(y, keras.layers.Add()([self._of(x), self._partner(x)]))
        if self.gate is not None and x.c == self.gate.shape[-1]:
            gate, self.gate = self.gate, None
            return self._keep(y, keras.layers.Multiply()([self._of(x), gate]))
        if x.h == x.w == 1 and self._squeezed(x):
            self.gate = keras.layers.Activation("sigmoid")(self._of(x))
            return self._keep(y, self.gate)
        return self._keep(y, _element(self.element, x.c)(self._of(x)))

    def classify(self, x: Map, classes: int = 1001) -> Map:
        """Global average, classifier, softmax."""
        return self._softmax(self.dense(self.mean(x), classes))

    def model(self) -> Any:
        """The whole graph; a last layer that is no softmax stays as it is."""
        import keras

        return keras.Model(self.start, self.made[-1].of)

    def _softmax(self, x: Map) -> Map:
        import keras

        y = Walk.pointwise_op(self, x)
        return self._keep(y, keras.layers.Softmax()(self._of(x)))

    def _fused(self) -> str | None:
        return None if self.element == "swish" else "relu"

    def _keep(self, y: Map, made: Any) -> Tensor:
        kept = Tensor(y.h, y.w, y.c, made)
        self.made.append(kept)
        return kept

    def _of(self, x: Map) -> Any:
        import keras

        if isinstance(x, Tensor):
            return x.of
        self.start = keras.Input((x.h, x.w, x.c), batch_size=1)
        return self.start

    def _partner(self, x: Map) -> Any:
        """The last tensor of the same shape that is neither ``x`` nor made along with it."""
        number = next(k for k, one in enumerate(self.made) if one is x)
        wide = [k for k, one in enumerate(self.made[:number]) if one.c != x.c or one.h != x.h]
        before = self.made[: wide[-1] if wide else number - 1]
        return [one for one in before if (one.h, one.w, one.c) == (x.h, x.w, x.c)][-1].of

    def _squeezed(self, x: Map) -> bool:
        """Whether the two convolutions and the mean of a gate came before."""
        before = self.made[-3:]
        return (
            len(before) == 3
            and all(one.h == one.w == 1 for one in before)
            and (before[0].c == before[2].c == x.c)
        )


def _weights() -> dict[str, Any]:
    import keras

    return {"kernel_initializer": keras.initializers.VarianceScaling(2.0, seed=SEED)}


def _element(kind: str, channels: int) -> Any:
    import keras
    import numpy as np
    import tensorflow as tf

    if kind == "swish":
        return keras.layers.Lambda(lambda t: t * tf.nn.relu6(t + 3.0) * (1 / 6))
    by = np.linspace(0.5, 1.5, channels, dtype=np.float32)
    return keras.layers.Lambda(lambda t: t * by)


def build(name: str, quantized: bool, folder: Path) -> Path:
    """Write one network as a .tflite file.

    Args:
        name: As the published tables call it.
        quantized: Whether weights and activations are int8.
        folder: Where to.

    Raises:
        KeyError: its layout is not known.
    """
    import keras
    import numpy as np
    import tensorflow as tf

    keras.utils.set_random_seed(SEED)
    plain = re.sub(r"(_quant|_8bit)$", "", name)
    v3 = plain.startswith("mobilenet_v3") and not plain.endswith("minimalistic")
    walk = GraphWalk(item_bytes=1 if quantized else 4, element="swish" if v3 else "scale")
    _network(plain)(walk)
    model = walk.model()
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if quantized:
        rng = np.random.default_rng(SEED)
        shape = (1, *model.input_shape[1:])
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: iter([[rng.random(shape, np.float32)]])
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    path = folder / f"{plain}_{'int8' if quantized else 'float32'}.tflite"
    path.write_bytes(converter.convert())
    return path


def _network(plain: str) -> Callable[[Walk], None]:
    for pattern, make in _SCALED:
        if found := re.fullmatch(pattern, plain):
            return lambda walk: make(walk, found)
    return _FIXED[plain]
