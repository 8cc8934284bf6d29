"""An ONNX file becomes a graph that says what ONNX Runtime says, or is refused with the reason."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from weighin.gates.errors import SourceError
from weighin.plugin.fx import operator_name
from weighin.plugin.graph import same_outputs, to_graph
from weighin.plugin.sources.onnx_file import OnnxModel, normal_form, onnx_runner, read_onnx
from weighin.plugin.sources.onnx_module import onnx_module

Shape = tuple[int, ...]


def model(
    *nodes: Any, shape: Shape = (4, 6, 6), opset: int = 18, **weights: Any
) -> onnx.ModelProto:
    """A model from ``x`` to ``y`` for any number of rows."""
    ends = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", *shape]),
        helper.make_tensor_value_info("y", TensorProto.FLOAT, None),
    ]
    known = [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()]
    graph = helper.make_graph(list(nodes), "g", ends[:1], ends[1:], known)
    imports = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=imports, ir_version=8)


def node(kind: str, *inputs: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(kind, inputs or ("x",), ["y"], **attributes)


def random(*shape: int) -> Any:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def rows(shape: Shape, count: int = 3) -> Any:
    return torch.from_numpy(random(count, *shape))


def check(proto: onnx.ModelProto, shape: Shape = (4, 6, 6)) -> None:
    made = normal_form(proto)
    x = rows(shape)
    with torch.no_grad():
        got, wanted = onnx_module(made.proto)(x), onnx_runner(made)(x)
    assert got.shape == wanted.shape
    assert torch.allclose(got, wanted, atol=1e-5, rtol=1e-4, equal_nan=True)


W = random(8, 4, 3, 3)
LAYERS = {
    "conv": model(node("Conv", "x", "w", pads=[1, 1, 1, 1]), w=W),
    "conv with bias and strides": model(
        node("Conv", "x", "w", "b", strides=[2, 2]), w=W, b=random(8)
    ),
    "conv padded on one side": model(node("Conv", "x", "w", pads=[0, 0, 1, 1]), w=W),
    "conv same": model(node("Conv", "x", "w", auto_pad="SAME_UPPER", strides=[2, 2]), w=W),
    "conv dilated": model(node("Conv", "x", "w", dilations=[2, 2]), w=W),
    "conv depthwise": model(node("Conv", "x", "w", group=4), w=random(4, 1, 3, 3)),
    "conv transposed": model(
        node("ConvTranspose", "x", "w", strides=[2, 2], pads=[1, 1, 1, 1]), w=random(4, 5, 3, 3)
    ),
    "batch norm": model(
        node("BatchNormalization", "x", *"sbmv"),
        s=random(4),
        b=random(4),
        m=random(4),
        v=random(4) ** 2 + 1,
    ),
    "layer norm": model(
        node("LayerNormalization", "x", "s", "b", axis=-1), s=random(6), b=random(6)
    ),
    "max pool": model(node("MaxPool", kernel_shape=[2, 2], strides=[2, 2])),
    "max pool same": model(
        node("MaxPool", kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER")
    ),
    "average pool": model(node("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1])),
    "average pool counting": model(
        node("AveragePool", kernel_shape=[3, 3], pads=[0, 1, 1, 1], count_include_pad=1)
    ),
    "global average": model(node("GlobalAveragePool")),
    "global max": model(node("GlobalMaxPool")),
    "matmul": model(node("MatMul", "x", "w"), w=random(6, 5)),
    "add a number": model(node("Add", "x", "w"), w=np.float32(2)),
    "number minus": model(node("Sub", "w", "x"), w=np.float32(2)),
    "divide by channels": model(node("Div", "x", "w"), w=random(4, 1, 1)),
    "clip": model(node("Clip", "x", "a", "b"), a=np.float32(-1), b=np.float32(1)),
    "relu6": model(node("Clip", "x", "a", "b"), a=np.float32(0), b=np.float32(6)),
    "min": model(node("Min", "x", "w"), w=random(1, 4, 1, 1)),
    "prelu": model(node("PRelu", "x", "w"), w=random(4, 1, 1)),
    "leaky relu": model(node("LeakyRelu", alpha=0.3)),
    "elu": model(node("Elu")),
    "hard swish": model(node("HardSwish")),
    "hard sigmoid of Keras": model(node("HardSigmoid")),
    "hard sigmoid of PyTorch": model(node("HardSigmoid", alpha=1 / 6)),
    "softmax": model(node("Softmax", axis=1)),
    "mean": model(node("ReduceMean", "x", "a", keepdims=0), a=np.array([2, 3])),
    "mean with old axes": model(node("ReduceMean", axes=[2, 3]), opset=13),
    "length": model(node("ReduceL2", "x", "a"), a=np.array([1])),
    "transpose": model(node("Transpose", perm=[0, 2, 3, 1])),
    "flatten": model(node("Flatten")),
    "reshape": model(node("Reshape", "x", "s"), s=np.array([0, -1])),
    "squeeze": model(node("Squeeze", "x", "a"), shape=(1, 6), a=np.array([1])),
    "unsqueeze": model(node("Unsqueeze", "x", "a"), a=np.array([1])),
    "concat": model(node("Concat", "x", "x", axis=1)),
    "slice": model(
        node("Slice", "x", "s", "e", "a", "t"),
        s=np.array([1, 0]),
        e=np.array([3, 2**62]),
        a=np.array([1, 2]),
        t=np.array([1, 2]),
    ),
    "slice backwards": model(
        node("Slice", "x", "s", "e", "a", "t"),
        s=np.array([-1]),
        e=np.array([-(2**62)]),
        a=np.array([2]),
        t=np.array([-1]),
    ),
    "gather one": model(node("Gather", "x", "i", axis=1), i=np.array(2)),
    "gather some": model(node("Gather", "x", "i", axis=1), i=np.array([3, -1])),
    "pad": model(node("Pad", "x", "p", "v"), p=np.array([0, 1, 0, 1, 0, 0, 2, 0]), v=np.float32(3)),
    "pad by reflection": model(
        node("Pad", "x", "p", mode="reflect"), p=np.array([0, 0, 1, 1, 0, 0, 1, 1])
    ),
    "resize": model(node("Resize", "x", "", "s"), s=np.array([1, 1, 2, 2], np.float32)),
    "expand": model(node("Expand", "x", "s"), s=np.array([1, 4, 6, 6])),
    "old softmax": model(node("Softmax", axis=1), opset=11, shape=(6,)),
    "old clip": model(node("Clip", min=-1.0, max=0.5), opset=10),
    "dropout": model(node("Dropout")),
} | {
    kind: model(node(kind))
    for kind in ("Abs", "Erf", "Exp", "Neg", "Relu", "Sigmoid", "Softplus", "Tanh", "Floor")
}


@pytest.mark.parametrize("name", LAYERS)
def test_an_operator_computes_what_onnx_runtime_computes(name: str) -> None:
    proto = LAYERS[name]
    sizes = proto.graph.input[0].type.tensor_type.shape.dim
    check(proto, tuple(size.dim_value for size in sizes[1:]))


@settings(max_examples=25, deadline=None)
@given(
    kind=st.sampled_from(["Conv", "MaxPool", "AveragePool"]),
    kernel=st.integers(1, 3),
    stride=st.integers(1, 3),
    pads=st.lists(st.integers(0, 2), min_size=4, max_size=4),
    counted=st.booleans(),
)
def test_any_window_and_padding_is_the_one_of_onnx_runtime(
    kind: str, kernel: int, stride: int, pads: list[int], counted: bool
) -> None:
    pads = [min(pad, kernel - 1) for pad in pads]
    shape = {"kernel_shape": [kernel, kernel], "strides": [stride, stride], "pads": pads}
    if kind == "Conv":
        check(model(node(kind, "x", "w", **shape), w=random(5, 4, kernel, kernel)))
    elif kind == "MaxPool":
        check(model(node(kind, **shape)))
    else:
        check(model(node(kind, **shape, count_include_pad=int(counted))))


def flattened(*between: Any, **weights: Any) -> onnx.ModelProto:
    """Shape arithmetic as TensorFlow and old PyTorch export it: flatten all but the rows."""
    return model(
        *between,
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "zero"], ["rows"]),
        helper.make_node("Unsqueeze", ["rows", "axes"], ["first"]),
        helper.make_node("Concat", ["first", "rest"], ["wanted"], axis=0),
        node("Reshape", "h" if between else "x", "wanted"),
        zero=np.array(0),
        axes=np.array([0]),
        rest=np.array([-1]),
        **weights,
    )


def test_shape_arithmetic_leaves_no_trace_and_any_number_of_rows() -> None:
    conv = helper.make_node("Conv", ["x", "w"], ["h"], pads=[1, 1, 1, 1])
    made = normal_form(flattened(conv, w=W))
    graph = to_graph(onnx_module(made.proto), rows((4, 6, 6), 2))
    same_outputs(onnx_runner(made), graph, rows((4, 6, 6), 5))
    names = [name for item in graph.graph.nodes if (name := operator_name(item))]
    assert names == ["conv2d", "reshape"]
    assert [tuple(weight.shape) for weight in graph.parameters()] == [(8, 4, 3, 3)]


def test_what_torch_exports_comes_back_the_same(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(4, 8, 3), torch.nn.SiLU(), torch.nn.Flatten(), torch.nn.Linear(128, 3)
    ).eval()
    program: Any = torch.onnx.export(module, (rows((4, 6, 6), 1),), dynamo=True, verbose=False)
    program.save(tmp_path / "model.onnx", external_data=True)
    assert (tmp_path / "model.onnx.data").is_file()
    made = read_onnx(tmp_path / "model.onnx")
    assert made.batch == 1
    graph = to_graph(onnx_module(made.proto), rows((4, 6, 6), 1))
    x = rows((4, 6, 6))
    assert torch.allclose(graph(x), module(x), atol=1e-5)


def training(kind: str) -> onnx.ModelProto:
    if kind == "Dropout":
        on = np.array(True)
        return model(node("Dropout", "x", "r", "t"), r=np.float32(0.9), t=on)
    names = ["y", "mean", "variance"]
    norm = helper.make_node("BatchNormalization", ["x", *"sbmv"], names, training_mode=1)
    return model(norm, s=random(4), b=random(4), m=random(4), v=random(4) ** 2 + 1)


@pytest.mark.parametrize("kind", ["Dropout", "BatchNormalization"])
def test_what_was_left_in_training_mode_is_switched_off_and_noted(kind: str) -> None:
    made: OnnxModel = normal_form(training(kind))
    assert kind in dict(made.notes)["switched_off"]
    x = rows((4, 6, 6))
    with torch.no_grad():
        assert torch.allclose(onnx_module(made.proto)(x), onnx_runner(made)(x), atol=1e-5)


def two_inputs() -> onnx.ModelProto:
    proto = model(node("Add", "x", "z"))
    proto.graph.input.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, ["n", 4, 6, 6]))
    return proto


def integers() -> onnx.ModelProto:
    proto = model(node("Abs"))
    proto.graph.input[0].type.tensor_type.elem_type = TensorProto.INT64
    return proto


@pytest.mark.parametrize(
    ("proto", "words"),
    [
        pytest.param(two_inputs(), r"2 inputs \(x, z\)", id="two inputs"),
        pytest.param(integers(), "takes int64", id="integers"),
        pytest.param(model(node("RandomNormalLike")), "random numbers", id="random"),
        pytest.param(
            model(
                node("QuantizeLinear", "x", "s", "z"),
                s=np.float32(0.1),
                z=np.zeros((), np.uint8),
            ),
            r"quantized already \(QuantizeLinear\)",
            id="quantized",
        ),
        pytest.param(
            model(node("Add", "x", "w"), w=np.array([np.nan] * 6, np.float32)),
            "w holds NaN",
            id="NaN",
        ),
    ],
)
def test_what_nothing_can_be_made_of_is_refused(proto: onnx.ModelProto, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        normal_form(proto)


def branch() -> onnx.ModelProto:
    arms = [
        helper.make_graph(
            [helper.make_node(kind, ["x"], ["r"])],
            kind,
            [],
            [helper.make_tensor_value_info("r", TensorProto.FLOAT, None)],
        )
        for kind in ("Abs", "Neg")
    ]
    total = helper.make_node("ReduceSum", ["x"], ["total"], keepdims=0)
    above = helper.make_node("Greater", ["total", "zero"], ["above"])
    both = helper.make_node("If", ["above"], ["y"], then_branch=arms[0], else_branch=arms[1])
    return model(total, above, both, zero=np.float32(0))


@pytest.mark.parametrize(
    ("proto", "words"),
    [
        pytest.param(branch(), r"control flow \(If\)", id="control flow"),
        pytest.param(model(node("Det")), "no rule for the operators Det", id="operator"),
        pytest.param(model(node("Magic", domain="acme")), "acme.Magic", id="foreign operator"),
    ],
)
def test_what_cannot_be_trained_says_so(proto: onnx.ModelProto, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        onnx_module(normal_form(proto).proto)


def test_a_shape_that_depends_on_data_says_so() -> None:
    cast = helper.make_node("Cast", ["x"], ["c"], to=TensorProto.INT64)
    flat = helper.make_node("Reshape", ["c", "s"], ["shape"])
    proto = model(cast, flat, node("Expand", "x", "shape"), s=np.array([-1]), shape=(1,))
    with pytest.raises(SourceError, match="depend on the data"):
        onnx_module(normal_form(proto).proto)(rows((1,)))


@pytest.mark.parametrize(
    "content", [pytest.param(b"", id="empty"), pytest.param(b"not a model at all", id="garbage")]
)
def test_what_is_no_onnx_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(SourceError, match="cannot be read as ONNX"):
        read_onnx(tmp_path / "model.onnx")


def test_weights_outside_of_the_models_folder_are_refused(tmp_path: Path) -> None:
    proto = model(node("Add", "x", "w"), w=random(4, 6, 6))
    (tmp_path / "secret").write_bytes(bytes(4 * 144))
    weight = proto.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="../secret")
    (tmp_path / "in").mkdir()
    (tmp_path / "in/model.onnx").write_bytes(proto.SerializeToString())
    with pytest.raises(SourceError, match="cannot be read as ONNX"):
        read_onnx(tmp_path / "in/model.onnx")


def test_the_real_resnet_says_what_its_file_says(shared_dir: Path) -> None:
    folder = shared_dir / "models/cifar10-resnet-torch"
    made = read_onnx(folder / "resnet20.onnx")
    with np.load(folder / "eval.npz") as data:
        x, y = _prepared(data["x"][:500]), data["y"][:500]
    run: Callable[[Any], Any] = onnx_runner(made)
    graph = to_graph(onnx_module(made.proto), x[:2])
    with torch.no_grad():
        got, wanted = graph(x).argmax(1).numpy(), run(x).argmax(1).numpy()
    assert (got == wanted).all()
    assert (got == y).mean() > 0.9


def _prepared(pictures: Any) -> Any:
    """As the network's authors did: the mean and deviation of ImageNet."""
    mean, deviation = (
        np.array([0.485, 0.456, 0.406], np.float32),
        np.array([0.229, 0.224, 0.225], np.float32),
    )
    scaled = (pictures.astype(np.float32) / 255 - mean) / deviation
    return torch.from_numpy(scaled.transpose(0, 3, 1, 2).copy())
