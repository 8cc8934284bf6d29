"""Files that nobody vouches for: schemas that hold, and hostile bytes that end quickly."""

import re
import struct
from importlib import import_module, resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from weighin.gates import cost_xnnpack, tflite_names
from weighin.gates.cost import read_cost
from weighin.gates.errors import SourceError
from weighin.gates.flat import Flat, Table
from weighin.gates.variant import Format


def test_names_of_tflite_operators_and_types_are_those_of_the_shipped_schema() -> None:
    schema = import_module("ai_edge_litert.schema_py_generated")
    for enum, names in (
        (schema.BuiltinOperator, tflite_names.OPERATORS),
        (schema.TensorType, tflite_names.TYPES),
    ):
        numbers = {k: v for k, v in vars(enum).items() if isinstance(v, int)}
        assert {name.upper(): at for at, name in enumerate(names)} == numbers


@pytest.mark.parametrize(
    ("table", "method", "field"),
    [
        ("InferenceSession", "Model", 1),
        ("Model", "Graph", 7),
        ("Graph", "Initializers", 0),
        ("Graph", "NodeArgs", 1),
        ("Graph", "Nodes", 2),
        ("Graph", "Inputs", 5),
        ("Graph", "Outputs", 6),
        ("Node", "Domain", 2),
        ("Node", "OpType", 5),
        ("Node", "Inputs", 8),
        ("Node", "Outputs", 9),
        ("Node", "Attributes", 10),
        ("Attribute", "I", 4),
        ("ValueInfo", "Type", 2),
        ("TypeInfo", "ValueType", 1),
        ("TypeInfo", "Value", 2),
        ("TensorTypeAndShape", "Shape", 1),
        ("DimensionValue", "DimParam", 2),
        ("Tensor", "Dims", 2),
        ("Tensor", "DataType", 3),
        ("Tensor", "RawData", 4),
    ],
)
def test_fields_of_the_ort_format_are_those_of_the_shipped_reader(
    table: str, method: str, field: int
) -> None:
    home = "onnxruntime.tools.ort_format_model.ort_flatbuffers_py.fbs"
    source = (resources.files(home) / f"{table}.py").read_text("utf-8")
    body = source.split(f"    def {method}(self", 1)[1]
    found = re.search(r"Offset\((\d+)\)", body)
    assert found is not None
    assert int(found.group(1)) == 4 + 2 * field


def fields_of(schema: str, table: str) -> list[str]:
    """Fields of a table in a .fbs text, a union twice because it takes two numbers."""
    text = re.sub(r"//[^\n]*", "", schema)
    unions = set(re.findall(r"union (\w+)", text))
    body = re.search(rf"table {table} {{(.*?)}}", text, re.DOTALL)
    assert body is not None, table
    found: list[str] = []
    for name, kind in re.findall(r"(\w+)\s*:\s*(\[?\w+\]?)", body.group(1)):
        found += [f"{name}_type", name] if kind in unions else [name]
    return found


def shipped(file: str) -> str:
    """A schema of ExecuTorch's, without importing all of it."""
    spec = find_spec("executorch")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(next(iter(spec.submodule_search_locations)), file).read_text("utf-8")


def test_nodes_of_xnnpack_are_those_of_the_shipped_schema() -> None:
    schema = re.sub(r"//[^\n]*", "", shipped("backends/xnnpack/serialization/schema.fbs"))
    union = re.search(r"union XNodeUnion {(.*?)}", schema, re.DOTALL)
    assert union is not None
    members = [line.strip() for line in union.group(1).split(",") if line.strip()]
    assert [m.split(":")[0].removeprefix("XNN") for m in members] == [
        name for name, _ in cost_xnnpack.NODES
    ]
    for member, (name, (inputs, output)) in zip(members, cost_xnnpack.NODES, strict=True):
        fields = fields_of(schema, member.split(":")[-1].strip())
        read, written = [fields[at] for at in inputs], fields[output]
        assert all("id" in field and "output" not in field for field in read), name
        assert "output" in written, name
        ids = {f for f in fields if f.endswith("_id") and "output" not in f}
        assert set(read) == ids, name


@pytest.mark.parametrize(
    ("table", "fields"),
    [
        ("Program", {1: "execution_plan", 3: "backend_delegate_data", 4: "segments"}),
        ("Program", {7: "named_data"}),
        ("ExecutionPlan", {0: "name", 2: "values", 4: "outputs", 5: "chains", 6: "operators"}),
        ("ExecutionPlan", {7: "delegates"}),
        ("Tensor", {0: "scalar_type", 2: "sizes", 5: "data_buffer_idx", 6: "allocation_info"}),
        ("Tensor", {8: "shape_dynamism"}),
        ("Chain", {2: "instructions"}),
        ("KernelCall", {0: "op_index", 1: "args"}),
        ("DelegateCall", {0: "delegate_index", 1: "args"}),
        ("BackendDelegate", {0: "id", 1: "processed"}),
        ("DataSegment", {0: "offset", 1: "size"}),
        ("NamedData", {0: "key", 1: "segment_index"}),
        ("Instruction", {0: "instr_args_type", 1: "instr_args"}),
        ("EValue", {0: "val_type", 1: "val"}),
    ],
)
def test_fields_of_a_program_are_those_of_the_shipped_schema(
    table: str, fields: dict[int, str]
) -> None:
    schema = shipped("exir/_serialize/program.fbs")
    names = fields_of(schema, table)
    assert {at: names[at] for at in fields} == fields


def vector_of_tables(count: int, target: int) -> bytes:
    """A root table whose first field is a vector of offsets to one and the same table."""
    head = struct.pack("<I", 12) + struct.pack("<HHHH", 6, 8, 4, 0)
    root = struct.pack("<iI", 8, 4)
    items = b"".join(struct.pack("<I", target) for _ in range(count))
    return head + root + struct.pack("<I", count) + items


def test_a_vector_longer_than_the_file_is_refused_before_it_is_read() -> None:
    data = bytearray(vector_of_tables(4, 4))
    struct.pack_into("<I", data, 20, 0x7FFFFFFF)
    with pytest.raises(ValueError, match="longer than the file"):
        Flat(bytes(data)).root.tables(0)


def test_a_table_outside_of_the_file_is_refused() -> None:
    tables = Flat(vector_of_tables(1, 0x40000000)).root.tables(0)
    with pytest.raises(ValueError, match="not in the file"):
        tables[0].number(0)


def test_a_file_that_points_at_itself_over_and_over_runs_out_of_budget() -> None:
    root = Flat(vector_of_tables(60_000, 4)).root

    def read_all(table: Table) -> None:
        while True:
            table.tables(0)

    with pytest.raises(ValueError, match="over and over"):
        read_all(root)


@pytest.mark.parametrize(
    ("fmt", "mark"),
    [(Format.LITERT, b"TFL3"), (Format.ORT, b"ORTM"), (Format.EXECUTORCH, b"ET12")],
    ids=str,
)
@pytest.mark.parametrize("rest", [b"", b"\xff" * 64, b"\x00" * 64], ids=["end", "ones", "zeros"])
def test_a_mark_without_a_model_is_a_source_error(
    tmp_path: Path, fmt: Format, mark: bytes, rest: Any
) -> None:
    path = tmp_path / f"m{fmt.suffix}"
    path.write_bytes(b"\x08\x00\x00\x00" + mark + rest)
    with pytest.raises(SourceError, match="damaged"):
        read_cost(path, fmt)
