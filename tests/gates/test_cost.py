"""Costs read from artifacts, against values worked out by hand."""

import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from weighin.gates.cost import Arithmetic, Kind, ModelCost, read_cost
from weighin.gates.devices.latency import load_rules, unknown_operators
from weighin.gates.errors import SourceError
from weighin.gates.tensors import Lifetime, alive_bytes
from weighin.gates.variant import Format


@dataclass(frozen=True)
class Tensor:
    shape: tuple[int, ...]
    type: str = "FLOAT32"
    constant: bool = False
    signature: tuple[int, ...] = ()


@dataclass(frozen=True)
class Op:
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def tflite(path: Path, tensors: list[Tensor], ops: list[Op], outputs: list[int]) -> Path:
    """Write a small .tflite with the schema's own object API; tensor 0 is the input."""
    import flatbuffers  # type: ignore[import-untyped]
    from ai_edge_litert import schema_py_generated as schema

    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.buffers = 3, [schema.BufferT()]
    graph.tensors, graph.operators = [], []
    for spec in tensors:
        tensor = schema.TensorT()
        tensor.shape, tensor.type = list(spec.shape), getattr(schema.TensorType, spec.type)
        tensor.shapeSignature = list(spec.signature) or None
        buffer = schema.BufferT()
        if spec.constant:
            size = {"FLOAT32": 4, "FLOAT16": 2, "INT8": 1, "INT32": 4}[spec.type]
            buffer.data = [0] * (math.prod(spec.shape) * size)
        model.buffers.append(buffer)
        tensor.buffer = len(model.buffers) - 1
        graph.tensors.append(tensor)
    codes = sorted({op.name for op in ops})
    model.operatorCodes = []
    for name in codes:
        code = schema.OperatorCodeT()
        custom = not hasattr(schema.BuiltinOperator, name)
        number = schema.BuiltinOperator.CUSTOM if custom else getattr(schema.BuiltinOperator, name)
        code.builtinCode, code.deprecatedBuiltinCode = number, min(number, 127)
        code.customCode, code.version = name if custom else None, 1
        model.operatorCodes.append(code)
    for op in ops:
        operator = schema.OperatorT()
        operator.opcodeIndex = codes.index(op.name)
        operator.inputs, operator.outputs = list(op.inputs), list(op.outputs)
        graph.operators.append(operator)
    graph.inputs, graph.outputs = [0], outputs
    model.subgraphs = [graph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


def small_cnn(path: Path, weights: str = "FLOAT32", data: str = "FLOAT32") -> Path:
    """8x8x1 -> conv 3x3x4 -> depthwise 3x3 -> pointwise to 8 -> fully connected to 10."""
    tensors = [
        Tensor((1, 8, 8, 1), data),
        Tensor((4, 3, 3, 1), weights, constant=True),
        Tensor((1, 8, 8, 4), data),
        Tensor((1, 3, 3, 4), weights, constant=True),
        Tensor((1, 8, 8, 4), data),
        Tensor((8, 1, 1, 4), weights, constant=True),
        Tensor((1, 8, 8, 8), data),
        Tensor((10, 512), weights, constant=True),
        Tensor((1, 10), data),
    ]
    ops = [
        Op("CONV_2D", (0, 1, -1), (2,)),
        Op("DEPTHWISE_CONV_2D", (2, 3, -1), (4,)),
        Op("CONV_2D", (4, 5, -1), (6,)),
        Op("FULLY_CONNECTED", (6, 7, -1), (8,)),
    ]
    return tflite(path, tensors, ops, [8])


def test_multiply_adds_bytes_and_layers_equal_those_worked_out_by_hand(tmp_path: Path) -> None:
    cost = read_cost(small_cnn(tmp_path / "m.tflite"), Format.LITERT)
    assert cost.macs_of(Kind.CONV) == 8 * 8 * 4 * 3 * 3 * 1
    assert cost.macs_of(Kind.DEPTHWISE) == 8 * 8 * 4 * 3 * 3
    assert cost.macs_of(Kind.POINTWISE) == 8 * 8 * 8 * 4
    assert cost.macs_of(Kind.FULLY_CONNECTED) == 512 * 10
    assert cost.macs == cost.terms.macs == 2304 + 2304 + 2048 + 5120
    assert cost.macs_of(Kind.CONV, Arithmetic.FLOAT32) == 2304
    assert cost.macs_of(Kind.CONV, Arithmetic.INT8) == 0
    assert cost.weight_bytes == 4 * (36 + 36 + 32 + 5120)
    assert cost.terms.activation_bytes == 4 * (64 + 256 + 256 + 256 + 256 + 512 + 512 + 10)
    assert cost.terms.layers == 4
    assert cost.counts == (("CONV_2D", 2), ("DEPTHWISE_CONV_2D", 1), ("FULLY_CONNECTED", 1))
    assert cost.unsized == ()


def test_the_arena_is_the_most_that_is_alive_in_one_step(tmp_path: Path) -> None:
    cost = read_cost(small_cnn(tmp_path / "m.tflite"), Format.LITERT)
    assert cost.arena_bytes == 4 * (256 + 512)
    assert cost.least_memory_mib == (cost.weight_bytes + 4 * 768) / 2**20


@pytest.mark.parametrize(
    ("data", "weights", "expected"),
    [
        ("FLOAT32", "FLOAT32", Arithmetic.FLOAT32),
        ("INT8", "INT8", Arithmetic.INT8),
        ("FLOAT32", "INT8", Arithmetic.DYNAMIC_INT8),
        ("INT16", "INT8", Arithmetic.OTHER),
    ],
    ids=["float32", "int8", "hybrid", "int8 weights with int16 activations"],
)
def test_the_arithmetic_follows_from_the_types_of_data_and_weights(
    tmp_path: Path, data: str, weights: str, expected: Arithmetic
) -> None:
    cost = read_cost(small_cnn(tmp_path / "m.tflite", weights, data), Format.LITERT)
    assert cost.arithmetics == (expected,)


@pytest.mark.parametrize(
    ("stored", "expected"),
    [("FLOAT16", Arithmetic.FLOAT16), ("INT8", Arithmetic.WEIGHT_ONLY)],
    ids=["float16", "int8 weights only"],
)
def test_weights_widened_at_load_are_no_layer_and_weigh_what_they_are_executed_as(
    tmp_path: Path, stored: str, expected: Arithmetic
) -> None:
    tensors = [
        Tensor((1, 16)),
        Tensor((4, 16), stored, constant=True),
        Tensor((4, 16)),
        Tensor((1, 4)),
    ]
    ops = [Op("DEQUANTIZE", (1,), (2,)), Op("FULLY_CONNECTED", (0, 2, -1), (3,))]
    cost = read_cost(tflite(tmp_path / "m.tflite", tensors, ops, [3]), Format.LITERT)
    assert cost.arithmetics == (expected,)
    assert cost.counts == (("FULLY_CONNECTED", 1),)
    assert (cost.macs, cost.weight_bytes) == (64, 256)


def test_a_product_of_two_activations_is_not_taken_for_a_float_layer(tmp_path: Path) -> None:
    tensors = [Tensor((1, 16)), Tensor((4, 16)), Tensor((1, 4))]
    ops = [Op("FULLY_CONNECTED", (0, 1, -1), (2,))]
    cost = read_cost(tflite(tmp_path / "m.tflite", tensors, ops, [2]), Format.LITERT)
    assert (cost.macs, cost.macs_of(Kind.PRODUCT), cost.terms.product_macs) == (64, 64, 64)
    unknown = unknown_operators(load_rules(), cost.operators)
    assert unknown == ("FULLY_CONNECTED (product)",)


def test_a_custom_operator_is_listed_under_its_own_name(tmp_path: Path) -> None:
    tensors = [Tensor((1, 16)), Tensor((1, 16))]
    path = tflite(tmp_path / "m.tflite", tensors, [Op("MyFusedThing", (0,), (1,))], [1])
    assert read_cost(path, Format.LITERT).counts == (("custom MyFusedThing", 1),)


@pytest.mark.parametrize(
    "tensor",
    [Tensor((1, -1, 4)), Tensor((1, 1, 1, 3), signature=(-1, -1, -1, 3))],
    ids=["no size", "a size of one that stands for any"],
)
def test_a_size_only_known_at_run_time_is_named_instead_of_counted_as_nothing(
    tmp_path: Path, tensor: Tensor
) -> None:
    path = tflite(tmp_path / "m.tflite", [tensor, Tensor((1, 4))], [Op("MEAN", (0,), (1,))], [1])
    assert read_cost(path, Format.LITERT).unsized == (
        "tensor 0 has a size that is only known at run time",
    )


def test_flattening_a_batch_of_any_size_is_calibrated_movement_of_a_few_numbers(
    tmp_path: Path,
) -> None:
    """Keras writes Flatten as SHAPE, STRIDED_SLICE, PACK and RESHAPE."""
    tensors = [
        Tensor((1, 4, 4, 2), signature=(-1, 4, 4, 2)),
        Tensor((4,), "INT32"),
        Tensor((1,), "INT32"),
        Tensor((2,), "INT32"),
        Tensor((1, 32), signature=(-1, 32)),
    ]
    ops = [
        Op("SHAPE", (0,), (1,)),
        Op("STRIDED_SLICE", (1,), (2,)),
        Op("PACK", (2,), (3,)),
        Op("RESHAPE", (0, 3), (4,)),
    ]
    cost = read_cost(tflite(tmp_path / "m.tflite", tensors, ops, [4]), Format.LITERT)
    assert cost.unsized == ()
    assert unknown_operators(load_rules(), cost.operators) == ()
    moved = {op.name: op.moved_bytes for op in cost.operators}
    assert moved == {"SHAPE": 16, "STRIDED_SLICE": 20, "PACK": 12, "RESHAPE": 128 + 8 + 128}


def test_a_batch_of_any_size_is_counted_as_one(tmp_path: Path) -> None:
    tensors = [Tensor((1, 16), signature=(-1, 16)), Tensor((1,), "INT32")]
    path = tflite(tmp_path / "m.tflite", tensors, [Op("SHAPE", (0,), (1,))], [1])
    cost = read_cost(path, Format.LITERT)
    assert cost.unsized == ()
    assert cost.terms.activation_bytes == 4  # reading a shape reads no values


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(at=st.integers(min_value=0), value=st.integers(0, 255), cut=st.integers(0, 40))
def test_a_damaged_tflite_file_is_a_source_error_or_a_cost_never_a_crash(
    tmp_path: Path, at: int, value: int, cut: int
) -> None:
    path = small_cnn(tmp_path / "m.tflite", "INT8", "INT8")
    data = bytearray(path.read_bytes())
    data[at % 1200] = value
    path.write_bytes(bytes(data[: len(data) - cut]))
    with contextlib.suppress(SourceError):
        assert isinstance(read_cost(path, Format.LITERT), ModelCost)


@pytest.mark.parametrize("fmt", list(Format))
@pytest.mark.parametrize("content", [b"", b"not a model at all, just text"], ids=["empty", "text"])
def test_a_file_that_is_no_model_is_a_source_error_that_names_it(
    tmp_path: Path, fmt: Format, content: bytes
) -> None:
    path = tmp_path / f"m{fmt.suffix}"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"m\."):
        read_cost(path, fmt)


def test_a_published_mlp_has_the_multiply_adds_of_its_three_layers(shared_dir: Path) -> None:
    path = shared_dir / "models" / "hand-gesture-keras" / "keypoint_classifier.tflite"
    cost = read_cost(path, Format.LITERT)
    assert cost.macs == 42 * 20 + 20 * 10 + 10 * 3
    assert cost.arithmetics == (Arithmetic.FLOAT32,)


def onnx_model(path: Path, nodes: list[Any], weights: dict[str, Any], **shapes: Any) -> Path:
    """Write an ONNX model from x (with the given shape) to y."""
    import onnx

    graph = onnx.helper.make_graph(
        nodes,
        "g",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shapes["x"])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, shapes.get("y"))],
        [onnx.numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    opset = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), str(path))
    return path


def onnx_cnn(path: Path) -> Path:
    """Symbolic batch, grouped and pointwise convolutions, Gemm with transB."""
    import numpy as np
    from onnx import helper

    f = np.float32
    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["a", "w2"], ["b"], pads=[1, 1, 1, 1], group=4),
        helper.make_node("Conv", ["b", "w3"], ["c"]),
        helper.make_node("Flatten", ["c"], ["d"]),
        helper.make_node("Gemm", ["d", "w4"], ["y"], transB=1),
    ]
    weights = {
        "w1": np.zeros((4, 1, 3, 3), f),
        "w2": np.zeros((4, 1, 3, 3), f),
        "w3": np.zeros((8, 4, 1, 1), f),
        "w4": np.zeros((10, 512), f),
    }
    return onnx_model(path, nodes, weights, x=["batch", 1, 8, 8])


def test_onnx_and_tflite_agree_on_the_same_network(tmp_path: Path) -> None:
    onnx_cost = read_cost(onnx_cnn(tmp_path / "m.onnx"), Format.ONNX)
    tflite_cost = read_cost(small_cnn(tmp_path / "m.tflite"), Format.LITERT)
    for kind in Kind:
        assert onnx_cost.macs_of(kind) == tflite_cost.macs_of(kind)
    assert onnx_cost.weight_bytes == tflite_cost.weight_bytes
    assert onnx_cost.unsized == ()


def test_shapes_computed_inside_an_onnx_graph_are_resolved(tmp_path: Path) -> None:
    import numpy as np
    from onnx import helper

    weights = {
        "half": np.array([1, 8], np.int64),
        "two": np.array([2], np.int64),
        "w": np.zeros((16, 3), np.float32),
    }
    nodes = [
        helper.make_node("Mul", ["half", "two"], ["shape"]),
        helper.make_node("Slice", ["shape", "one", "two"], ["tail"]),
        helper.make_node("Concat", ["one", "tail"], ["full"], axis=0),
        helper.make_node("Reshape", ["x", "full"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["y"]),
    ]
    weights["one"] = np.array([1], np.int64)
    cost = read_cost(onnx_model(tmp_path / "m.onnx", nodes, weights, x=[1, 4, 4]), Format.ONNX)
    assert cost.macs == 16 * 3
    assert cost.counts == (("MatMul", 1), ("Reshape", 1))


Rewrite = Callable[[Path, Path], None]


def _static(source: Path, target: Path) -> None:
    import numpy as np
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.rows = iter([{"x": np.zeros((1, 1, 8, 8), np.float32)}] * 2)

        def get_next(self) -> Any:
            return next(self.rows, None)

    quantize_static(str(source), str(target), Reader(), quant_format=QuantFormat.QDQ)


def _dynamic(source: Path, target: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(str(source), str(target), weight_type=QuantType.QUInt8)


@pytest.mark.parametrize(
    ("quantize", "expected"),
    [(_static, Arithmetic.INT8), (_dynamic, Arithmetic.DYNAMIC_INT8)],
    ids=["static QDQ", "dynamic"],
)
def test_quantizing_with_onnx_runtime_keeps_the_macs_and_changes_the_arithmetic(
    tmp_path: Path, quantize: Rewrite, expected: Arithmetic
) -> None:
    before = onnx_cnn(tmp_path / "float.onnx")
    quantize(before, tmp_path / "quantized.onnx")
    cost = read_cost(tmp_path / "quantized.onnx", Format.ONNX)
    assert cost.arithmetics == (expected,)
    assert cost.macs == read_cost(before, Format.ONNX).macs
    assert cost.weight_bytes < read_cost(before, Format.ONNX).weight_bytes


def test_resnet_20_has_its_published_multiply_adds(shared_dir: Path) -> None:
    path = shared_dir / "models" / "cifar10-resnet-torch" / "resnet20.onnx"
    cost = read_cost(path, Format.ONNX)
    assert cost.macs == 40_551_040
    assert cost.unsized == ()


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 99), st.integers(0, 9), st.integers(0, 9)).map(
            lambda t: Lifetime(bytes=t[0], born=min(t[1:]), dies=max(t[1:]))
        )
    )
)
def test_the_arena_is_between_the_largest_tensor_and_all_of_them(tensors: list[Lifetime]) -> None:
    peak = max(alive_bytes(tensors, 10), default=0)
    assert max((t.bytes for t in tensors), default=0) <= peak <= sum(t.bytes for t in tensors)


@pytest.mark.parametrize(
    ("name", "tensors", "inputs", "kind", "macs"),
    [
        (
            "CONV_2D",
            [Tensor((1, 8, 8, 16)), Tensor((16, 3, 3, 4), constant=True), Tensor((1, 8, 8, 16))],
            (0, 1),
            Kind.GROUPED,
            8 * 8 * 16 * 3 * 3 * 4,
        ),
        (
            "TRANSPOSE_CONV",
            [
                Tensor((1, 4, 4, 8)),
                Tensor((4,), "INT32", constant=True),
                Tensor((2, 3, 3, 8), constant=True),
                Tensor((1, 8, 8, 2)),
            ],
            (1, 2, 0),
            Kind.TRANSPOSED,
            4 * 4 * 8 * 3 * 3 * 2,
        ),
        (
            "BATCH_MATMUL",
            [Tensor((2, 5, 7)), Tensor((2, 7, 3)), Tensor((2, 5, 3))],
            (0, 1),
            Kind.PRODUCT,
            2 * 5 * 7 * 3,
        ),
        (
            "BATCH_MATMUL",
            [Tensor((2, 5, 7)), Tensor((7, 3), constant=True), Tensor((2, 5, 3))],
            (0, 1),
            Kind.FULLY_CONNECTED,
            2 * 5 * 7 * 3,
        ),
    ],
    ids=["four groups", "transposed", "of two activations", "with constant weights"],
)
def test_rarer_kinds_are_counted_as_kinds_of_their_own(
    tmp_path: Path,
    name: str,
    tensors: list[Tensor],
    inputs: tuple[int, ...],
    kind: Kind,
    macs: int,
) -> None:
    out = len(tensors) - 1
    path = tflite(tmp_path / "m.tflite", tensors, [Op(name, inputs, (out,))], [out])
    cost = read_cost(path, Format.LITERT)
    assert (cost.operators[0].kind, cost.macs, cost.terms.macs) == (kind, macs, macs)
    assert cost.arithmetics == (Arithmetic.FLOAT32,)
    assert cost.unsized == ()


@pytest.mark.parametrize("name", ["UNIDIRECTIONAL_SEQUENCE_LSTM", "MyFusedThing"])
def test_work_that_nobody_counts_is_named(tmp_path: Path, name: str) -> None:
    tensors = [Tensor((1, 16)), Tensor((1, 16))]
    path = tflite(tmp_path / "m.tflite", tensors, [Op(name, (0,), (1,))], [1])
    (told,) = read_cost(path, Format.LITERT).unsized
    assert told.startswith("multiply-adds inside ")
    assert told.endswith(name)


def test_tensors_of_the_same_name_are_told_apart(tmp_path: Path) -> None:
    """The helper gives no names at all, the benchmark's network one and the same to all."""
    cost = read_cost(small_cnn(tmp_path / "m.tflite"), Format.LITERT)
    edges = [(op.inputs, op.outputs) for op in cost.operators]
    assert [outputs for _, outputs in edges[:-1]] == [inputs for inputs, _ in edges[1:]]
    assert len({op.label for op in cost.operators}) == len({w.name for w in cost.weights}) == 4


def test_parameters_weights_and_zeros_are_read_from_the_file(tmp_path: Path) -> None:
    """All weights of the small network are zero; shapes and paddings are no parameters."""
    cost = read_cost(small_cnn(tmp_path / "m.tflite"), Format.LITERT)
    assert cost.parameters == sum(w.count for w in cost.weights) == 36 + 36 + 32 + 5120
    assert [(w.channels, w.zero_channels) for w in cost.weights] == [
        (4, 4),
        (4, 4),
        (8, 8),
        (10, 10),
    ]
    assert all(w.zeros == w.count for w in cost.weights)
    assert cost.timeline == (4 * 320, 4 * 512, 4 * 768, 4 * 522)


@pytest.mark.parametrize(
    ("op", "data", "weights", "out", "kind", "macs"),
    [
        ("Conv", [1, 16, 8, 8], (16, 4, 3, 3), None, Kind.GROUPED, 8 * 8 * 16 * 9 * 4),
        ("ConvTranspose", [1, 8, 4, 4], (8, 2, 3, 3), None, Kind.TRANSPOSED, 16 * 8 * 9 * 2),
        ("MatMul", [1, 5, 7], None, None, Kind.PRODUCT, 5 * 7 * 5),
    ],
    ids=["four groups", "transposed", "of two activations"],
)
def test_rarer_kinds_of_onnx_are_counted_as_kinds_of_their_own(
    tmp_path: Path,
    op: str,
    data: list[int],
    weights: tuple[int, ...] | None,
    out: Any,
    kind: Kind,
    macs: int,
) -> None:
    import numpy as np
    from onnx import helper

    if weights is None:
        nodes = [
            helper.make_node("Transpose", ["x"], ["t"], perm=[0, 2, 1]),
            helper.make_node("MatMul", ["x", "t"], ["y"]),
        ]
        path = onnx_model(tmp_path / "m.onnx", nodes, {}, x=data, y=out)
    else:
        extra: dict[str, Any] = {"group": 4, "pads": [1] * 4} if op == "Conv" else {}
        nodes = [helper.make_node(op, ["x", "w"], ["y"], **extra)]
        path = onnx_model(
            tmp_path / "m.onnx", nodes, {"w": np.ones(weights, np.float32)}, x=data, y=out
        )
    cost = read_cost(path, Format.ONNX)
    assert (cost.terms.macs, cost.macs_of(kind)) == (macs, macs)
    assert cost.unsized == ()


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"Conv", b"C\xff\xfev"), (b"w1", b"\xff1")],
    ids=["an operator's name", "an edge's name"],
)
def test_a_name_that_is_no_text_is_damage(tmp_path: Path, old: bytes, new: bytes) -> None:
    path = onnx_cnn(tmp_path / "m.onnx")
    path.write_bytes(path.read_bytes().replace(old, new))
    with pytest.raises(SourceError, match=r"damaged|not a readable"):
        read_cost(path, Format.ONNX)


def test_zeros_of_an_onnx_file_are_found_behind_their_zero_point(tmp_path: Path) -> None:
    import numpy as np
    from onnx import helper

    stored = np.full((4, 2, 1, 1), 128, np.uint8)
    stored[0] = 7
    weights = {"w8": stored, "s": np.array(0.1, np.float32), "z": np.array(128, np.uint8)}
    nodes = [
        helper.make_node("DequantizeLinear", ["w8", "s", "z"], ["w"]),
        helper.make_node("Conv", ["x", "w"], ["y"]),
    ]
    cost = read_cost(onnx_model(tmp_path / "m.onnx", nodes, weights, x=[1, 2, 3, 3]), Format.ONNX)
    (weight,) = cost.weights
    assert (weight.type, weight.zeros, weight.channels, weight.zero_channels) == ("uint8", 6, 4, 3)
    assert cost.parameters == 8


@pytest.mark.parametrize(
    ("op", "constants"),
    [
        ("ConstantOfShape", {"big": [2**20, 2**20]}),
        ("Expand", {"one": [1], "big": [2**20, 2**20]}),
        ("Range", {"zero": 0, "big": 2**40, "step": 1}),
    ],
    ids=str,
)
def test_a_small_file_that_asks_for_terabytes_is_not_given_them(
    tmp_path: Path, op: str, constants: dict[str, Any]
) -> None:
    import numpy as np
    from onnx import helper

    weights = {name: np.array(value, np.int64) for name, value in constants.items()}
    nodes = [
        helper.make_node(op, list(constants), ["huge"]),
        helper.make_node("Cast", ["huge"], ["h"], to=1),
        helper.make_node("Add", ["x", "h"], ["y"]),
    ]
    path = onnx_model(tmp_path / "m.onnx", nodes, weights, x=[1])
    with contextlib.suppress(SourceError):
        assert read_cost(path, Format.ONNX).macs == 0


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    flips=st.lists(st.tuples(st.integers(0), st.integers(0, 255)), max_size=4),
    cut=st.integers(0, 60),
)
@pytest.mark.parametrize("fmt", [Format.ONNX, Format.ORT], ids=str)
def test_a_damaged_file_is_a_source_error_or_a_cost_never_a_crash(
    tmp_path_factory: pytest.TempPathFactory,
    small_files: dict[Format, Path],
    fmt: Format,
    flips: list[tuple[int, int]],
    cut: int,
) -> None:
    data = bytearray(small_files[fmt].read_bytes())
    for at, value in flips:
        data[at % len(data)] = value
    path = tmp_path_factory.getbasetemp() / f"damaged{fmt.suffix}"
    path.write_bytes(bytes(data[: len(data) - cut]))
    with contextlib.suppress(SourceError):
        assert isinstance(read_cost(path, fmt), ModelCost)


@pytest.fixture(scope="module")
def small_files(tmp_path_factory: pytest.TempPathFactory) -> dict[Format, Path]:
    import onnxruntime

    folder = tmp_path_factory.mktemp("small")
    path = onnx_cnn(folder / "m.onnx")
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(folder / "m.ort")
    options.add_session_config_entry("session.save_model_format", "ORT")
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return {Format.ONNX: path, Format.ORT: folder / "m.ort"}


def test_the_runtime_s_own_format_costs_what_its_onnx_file_costs(
    small_files: dict[Format, Path],
) -> None:
    plain, own = (read_cost(path, fmt) for fmt, path in small_files.items())
    assert own.unsized == ()
    assert [own.macs_of(kind) for kind in Kind] == [plain.macs_of(kind) for kind in Kind]
    assert own.parameters == plain.parameters
