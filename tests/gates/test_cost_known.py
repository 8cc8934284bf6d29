"""Costs of networks whose figures everybody knows, rebuilt with zeros for weights."""

from pathlib import Path
from typing import Any

import pytest

from weighin.gates.cost import Kind, ModelCost, read_cost
from weighin.gates.variant import Format

BLOCKS = (
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
    (6, 320, 1, 1),
)  # fmt: skip
"""MobileNet v2, table 2 of its paper: expansion, channels, repeats, stride of the first."""


class Net:
    """Writes convolutions in a chain as ONNX."""

    def __init__(self, channels: int) -> None:
        self.nodes: list[Any] = []
        self.weights: dict[str, Any] = {}
        self.now, self.channels = "x", channels

    def conv(self, out: int, side: int = 1, stride: int = 1, groups: int = 1) -> "Net":
        import numpy as np
        from onnx import helper

        name = f"c{len(self.nodes)}"
        self.weights[f"{name}.w"] = np.zeros((out, self.channels // groups, side, side), "f4")
        self.weights[f"{name}.b"] = np.zeros(out, "f4")
        self.nodes.append(
            helper.make_node(
                "Conv",
                [self.now, f"{name}.w", f"{name}.b"],
                [name],
                group=groups,
                strides=[stride] * 2,
                pads=[side // 2] * 4,
            )
        )
        self.now, self.channels = name, out
        return self

    def pool(self) -> "Net":
        from onnx import helper

        name = f"p{len(self.nodes)}"
        sides: dict[str, Any] = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1] * 4}
        self.nodes.append(helper.make_node("MaxPool", [self.now], [name], **sides))
        self.now = name
        return self

    def add(self, other: str) -> None:
        from onnx import helper

        name = f"a{len(self.nodes)}"
        self.nodes.append(helper.make_node("Add", [self.now, other], [name]))
        self.now = name

    def classify(self, classes: int) -> None:
        import numpy as np
        from onnx import helper

        self.weights["w"] = np.zeros((classes, self.channels), "f4")
        self.weights["b"] = np.zeros(classes, "f4")
        self.nodes += [
            helper.make_node("GlobalAveragePool", [self.now], ["pooled"]),
            helper.make_node("Flatten", ["pooled"], ["flat"]),
            helper.make_node("Gemm", ["flat", "w", "b"], ["y"], transB=1),
        ]

    def save(self, path: Path, side: int) -> Path:
        from onnx import TensorProto, helper, numpy_helper, save

        graph = helper.make_graph(
            self.nodes,
            "net",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, side, side])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
            [numpy_helper.from_array(value, name) for name, value in self.weights.items()],
        )
        opset = [helper.make_opsetid("", 17)]
        save(helper.make_model(graph, opset_imports=opset, ir_version=10), str(path))
        return path


def mobilenet_v2() -> Net:
    net = Net(3).conv(32, 3, 2)
    for expansion, channels, repeats, first in BLOCKS:
        for number in range(repeats):
            before, came = net.now, net.channels
            if expansion > 1:
                net.conv(came * expansion)
            stride = first if number == 0 else 1
            net.conv(net.channels, 3, stride, groups=net.channels).conv(channels)
            if number:
                net.add(before)
    net.conv(1280).classify(1000)
    return net


def resnet_18() -> Net:
    net = Net(3).conv(64, 7, 2).pool()
    for channels, first in ((64, 1), (128, 2), (256, 2), (512, 2)):
        for stride in (first, 1):
            before, came = net.now, net.channels
            net.conv(channels, 3, stride).conv(channels, 3)
            if came != channels:
                body = net.now
                net.now, net.channels = before, came
                net.conv(channels, 1, stride)
                before, net.now = net.now, body
            net.add(before)
    net.classify(1000)
    return net


@pytest.fixture(scope="module")
def mobilenet(tmp_path_factory: pytest.TempPathFactory) -> ModelCost:
    path = mobilenet_v2().save(tmp_path_factory.mktemp("known") / "mobilenet_v2.onnx", 224)
    return read_cost(path, Format.ONNX)


def test_mobilenet_v2_costs_what_its_paper_says(mobilenet: ModelCost) -> None:
    """300 M multiply-adds and 3.4 M parameters (Sandler et al. 2018, table 4)."""
    assert mobilenet.macs == 300_774_272
    assert round(mobilenet.macs / 1e6) == 301
    assert mobilenet.parameters == 3_487_816
    assert mobilenet.unsized == ()


def test_most_of_mobilenet_v2_is_pointwise(mobilenet: ModelCost) -> None:
    shares = {kind: mobilenet.macs_of(kind) / mobilenet.macs for kind in Kind}
    assert shares[Kind.POINTWISE] > 0.85
    assert 0.05 < shares[Kind.DEPTHWISE] < 0.1
    assert shares[Kind.GROUPED] == shares[Kind.PRODUCT] == 0


def test_resnet_18_costs_what_everybody_counts(tmp_path: Path) -> None:
    """1.81 G multiply-adds and 11.68 M parameters, its batch norms folded."""
    cost = read_cost(resnet_18().save(tmp_path / "resnet18.onnx", 224), Format.ONNX)
    assert round(cost.macs / 1e9, 2) == 1.81
    assert round(cost.parameters / 1e6, 2) == 11.68
    assert cost.macs_of(Kind.DEPTHWISE) == 0
    assert cost.unsized == ()
