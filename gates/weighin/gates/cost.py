"""What a model costs, read from the artifact itself: MACs, bytes, layers, operators.

A *MAC* is one multiply and one add. Costs are counted per operator kind and per arithmetic,
because a phone runs a depthwise MAC several times slower than a pointwise one and an int8 MAC
faster than a float32 one. Whatever cannot be counted is named, never left out of a sum.

What this module does not do: it runs no model and knows no device.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import assert_never

from weighin.gates.errors import SourceError
from weighin.gates.variant import Format


class Kind(StrEnum):
    """Operator kinds that multiply and add, told apart because their speed differs.

    ``grouped`` is a convolution of several groups that is not depthwise, ``product`` the matrix
    product of two activations (attention).
    """

    CONV = "conv"
    POINTWISE = "pointwise"
    DEPTHWISE = "depthwise"
    FULLY_CONNECTED = "fully_connected"
    GROUPED = "grouped"
    TRANSPOSED = "transposed"
    PRODUCT = "product"


class Arithmetic(StrEnum):
    """Which kernel a multiplying operator runs.

    ``float16`` means weights stored as float16 and widened to float32 once, at load;
    ``dynamic_int8`` means int8 weights with activations quantized on the fly;
    ``weight_only`` means integer weights widened at load; ``other`` is everything else.
    """

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    INT8 = "int8"
    DYNAMIC_INT8 = "dynamic_int8"
    WEIGHT_ONLY = "weight_only"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a cost model multiplies with its coefficients.

    Attributes:
        conv_macs: MACs of convolutions larger than 1x1.
        pointwise_macs: MACs of 1x1 convolutions.
        depthwise_macs: MACs of depthwise convolutions.
        fully_connected_macs: MACs of fully connected layers.
        activation_bytes: Bytes of activations read and written, summed over operators.
        weight_bytes: Bytes of constants as they are executed.
        layers: Operators executed.
        grouped_macs: MACs of grouped convolutions that are not depthwise.
        transposed_macs: MACs of transposed convolutions.
        product_macs: MACs of matrix products of two activations.
    """

    conv_macs: int
    pointwise_macs: int
    depthwise_macs: int
    fully_connected_macs: int
    activation_bytes: int
    weight_bytes: int
    layers: int
    grouped_macs: int = 0
    transposed_macs: int = 0
    product_macs: int = 0

    @property
    def macs(self) -> int:
        """All multiply-adds."""
        dense = self.conv_macs + self.pointwise_macs + self.fully_connected_macs
        return dense + self.depthwise_macs + self.rare_macs

    @property
    def rare_macs(self) -> int:
        """MACs of the kinds that few published networks have."""
        return self.grouped_macs + self.transposed_macs + self.product_macs


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """One constant that an operator multiplies with.

    Attributes:
        name: Its name in the file.
        type: How it is stored, such as ``float16``.
        shape: Its sides.
        zeros: How many of its values mean zero; ``None`` if they were not looked at.
        channels: Output channels.
        zero_channels: Output channels of nothing but zeros: a structured pruning removes them.
    """

    name: str
    type: str
    shape: tuple[int, ...]
    zeros: int | None = None
    channels: int = 0
    zero_channels: int = 0

    @property
    def count(self) -> int:
        """How many values it has."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """One executed operator.

    Attributes:
        name: Operator name in the file's format, such as ``CONV_2D`` or ``Conv``.
        moved_bytes: Activation bytes read and written.
        macs: Multiply-adds; 0 for operators that do not multiply matrices.
        kind: Set exactly when the operator's multiply-adds were counted.
        arithmetic: Set exactly when ``kind`` is.
        written_bytes: Activation bytes written; the rest of ``moved_bytes`` is read.
        weight_bytes: Bytes of constants read, as they are executed.
        types: Types of the activations read and written, each once, such as ``float32``.
        inputs: Names of the activations read.
        outputs: Names of what it writes.
        weight: Name of its :class:`Weight`; empty if it has none.
        dynamic: Whether a size that it reads or writes is only known at run time.
        delegate: The delegate that the file hands it to; empty if it names none.
    """

    name: str
    moved_bytes: int
    macs: int = 0
    kind: Kind | None = None
    arithmetic: Arithmetic | None = None
    written_bytes: int = 0
    weight_bytes: int = 0
    types: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    weight: str = ""
    dynamic: bool = False
    delegate: str = ""

    @property
    def label(self) -> str:
        """What it writes: the only name that operators have in most files."""
        return self.outputs[0] if self.outputs else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCost:
    """What one artifact costs per inference of batch size one.

    Attributes:
        format: The artifact's format.
        operators: Every operator executed, in order.
        weight_bytes: Bytes of constants as they are executed (float16 widened to float32).
        arena_bytes: Most activation bytes alive at once: no runtime can use less.
        unsized: What could not be counted (unknown shapes, several subgraphs), in words.
        parameters: Values of the constants that training set: weights, biases, scales.
        weights: The constants that operators multiply with, each once.
        timeline: Activation bytes alive while each operator runs.
    """

    format: Format
    operators: tuple[Operator, ...]
    weight_bytes: int
    arena_bytes: int
    unsized: tuple[str, ...] = ()
    parameters: int = 0
    weights: tuple[Weight, ...] = ()
    timeline: tuple[int, ...] = ()

    @property
    def terms(self) -> Terms:
        """The sums that a cost model uses."""
        return Terms(
            conv_macs=self.macs_of(Kind.CONV),
            pointwise_macs=self.macs_of(Kind.POINTWISE),
            depthwise_macs=self.macs_of(Kind.DEPTHWISE),
            fully_connected_macs=self.macs_of(Kind.FULLY_CONNECTED),
            activation_bytes=sum(op.moved_bytes for op in self.operators),
            weight_bytes=self.weight_bytes,
            layers=len(self.operators),
            grouped_macs=self.macs_of(Kind.GROUPED),
            transposed_macs=self.macs_of(Kind.TRANSPOSED),
            product_macs=self.macs_of(Kind.PRODUCT),
        )

    @property
    def macs(self) -> int:
        """All multiply-adds of one inference."""
        return sum(op.macs for op in self.operators)

    @property
    def arithmetics(self) -> tuple[Arithmetic, ...]:
        """The kernels its multiplying operators run, each once."""
        return tuple(sorted({op.arithmetic for op in self.operators if op.arithmetic}))

    @property
    def counts(self) -> tuple[tuple[str, int], ...]:
        """Operator names with how often each is executed, sorted by name."""
        names = [op.name for op in self.operators]
        return tuple((name, names.count(name)) for name in sorted(set(names)))

    @property
    def least_memory_mib(self) -> float:
        """Weights plus activations: the computed lower bound of what a runtime needs."""
        return (self.weight_bytes + self.arena_bytes) / 2**20

    def macs_of(self, kind: Kind, arithmetic: Arithmetic | None = None) -> int:
        """Multiply-adds of one operator kind, of one arithmetic if given."""
        chosen = (op for op in self.operators if op.kind is kind)
        return sum(op.macs for op in chosen if arithmetic in (None, op.arithmetic))


def read_cost(path: Path, fmt: Format) -> ModelCost:
    """Read what the model in ``path`` costs.

    Raises:
        SourceError: the file is not a readable model of this format, or its costs cannot be
            counted in it.
    """
    match fmt:
        case Format.LITERT:
            from weighin.gates.cost_tflite import read_tflite

            return read_tflite(path)
        case Format.ONNX:
            from weighin.gates.cost_onnx import read_onnx

            return read_onnx(path)
        case Format.ORT:
            from weighin.gates.cost_ort import read_ort

            return read_ort(path)
        case Format.EXECUTORCH:
            from weighin.gates.cost_pte import read_pte

            return read_pte(path)
        case Format.COREML:
            raise SourceError(f"{path.name}: not counted: its operators are Core ML's own")
        case _:
            assert_never(fmt)
