"""Which files may compute in half floats: the others do not need a core that can."""

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from weighin.gates.arm.half_floats import half_floats
from weighin.gates.arm.known import known_models
from weighin.gates.variant import Format


def written(path: Path, nodes: list[Any], constants: dict[str, Any], ends: int = 1) -> Path:
    from onnx import helper, numpy_helper, save

    graph = helper.make_graph(
        nodes,
        "model",
        [helper.make_tensor_value_info("x", ends, [1, 2])],
        [helper.make_tensor_value_info("y", ends, [1, 2])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    return path


def onnx_file(path: Path, kind: str) -> Path:
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    node, half = helper.make_node, np.ones((1, 2), np.float16)
    whole = half.astype(np.float32)
    inner = helper.make_graph(
        [node("Cast", ["x"], ["z"], to=TensorProto.FLOAT16)],
        "inner",
        [],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT16, [1, 2])],
    )
    constant = numpy_helper.from_array(half)
    match kind:
        case "stored":
            nodes = [node("Cast", ["w"], ["v"], to=1), node("Add", ["x", "v"], ["y"])]
            return written(path, nodes, {"w": half})
        case "whole":
            return written(path, [node("Add", ["x", "w"], ["y"])], {"w": whole})
        case "weights":
            return written(path, [node("Add", ["x", "w"], ["y"])], {"w": half}, ends=10)
        case "cast":
            nodes = [
                node("Cast", ["x"], ["v"], to=TensorProto.FLOAT16),
                node("Cast", ["v"], ["y"], to=1),
            ]
            return written(path, nodes, {})
        case "constant":
            return written(path, [node("Constant", [], ["y"], value=constant)], {})
        case _:
            yes = np.array(True)
            both = node("If", ["yes"], ["y"], then_branch=inner, else_branch=inner)
            return written(path, [both], {"yes": yes})


@pytest.mark.parametrize("kind", ["stored", "whole"])
def test_half_floats_that_are_widened_before_use_do_not_count(tmp_path: Path, kind: str) -> None:
    assert half_floats(onnx_file(tmp_path / "m.onnx", kind), Format.ONNX) is None


@pytest.mark.parametrize("kind", ["weights", "cast", "constant", "inside a branch"])
def test_half_floats_that_are_computed_with_are_found(tmp_path: Path, kind: str) -> None:
    why = half_floats(onnx_file(tmp_path / "m.onnx", kind), Format.ONNX)
    assert why is not None
    assert "half floats" in why


@pytest.mark.parametrize("format", [Format.LITERT, Format.ONNX])
def test_the_known_models_compute_none(tmp_path: Path, format: Format) -> None:
    for known in known_models(format):
        path = tmp_path / known.label
        path.write_bytes(known.content)
        assert half_floats(path, format) is None


def test_a_tflite_file_with_half_float_operators_is_found(tmp_path: Path) -> None:
    schema: Any = import_module("ai_edge_litert.schema_py_generated")
    flatbuffers: Any = import_module("flatbuffers")
    known = next(one for one in known_models(Format.LITERT) if "float" in one.label)
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(known.content, 0))
    model.subgraphs[0].tensors[1].type = schema.TensorType.FLOAT16
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path = tmp_path / "m.tflite"
    path.write_bytes(bytes(builder.Output()))
    assert half_floats(path, Format.LITERT) == "its CONV_2D works on half floats"
    path.write_bytes(known.content + b"reduced_precision_support")
    assert half_floats(path, Format.LITERT) == "the file permits reduced precision"


@pytest.mark.parametrize("format", [Format.LITERT, Format.ONNX, Format.ORT])
def test_a_file_that_cannot_be_read_gets_no_benefit_of_the_doubt(
    tmp_path: Path, format: Format
) -> None:
    path = tmp_path / "m"
    path.write_bytes(b"\xff" * 64)
    assert half_floats(path, format) is not None
