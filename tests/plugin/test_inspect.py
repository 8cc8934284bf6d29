"""``weighin inspect`` on files as people have them, good and bad, in an empty folder."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from weighin.gates.inspection import SCHEMA
from weighin.plugin.cli import main
from weighin.plugin.inspect_words import count, in_ascii, size, sparkline


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, as the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_onnx(path: Path, name: str = "y", **weights: Any) -> Path:
    """Two products with an odd operator between them; half of the first weights are zero."""
    from onnx import TensorProto, helper, numpy_helper, save

    first = np.ones((8, 4), np.float32)
    first[:, :2] = 0
    constants = {"w1": first, "w2": np.ones((4, 2), np.float32), **weights}
    nodes = [
        helper.make_node("MatMul", ["x", "w1"], ["a"]),
        helper.make_node("Mystery", ["a"], ["b"], domain="somebody.else"),
        helper.make_node("MatMul", ["b", "w2"], [name]),
    ]
    ends = (("x", ["n", 8]), (name, [1, 2]))
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n, shape in ends)
    b = helper.make_tensor_value_info("b", TensorProto.FLOAT, [1, 4])
    made = [numpy_helper.from_array(value, n) for n, value in constants.items()]
    graph = helper.make_graph(nodes, "g", [x], [y], made, value_info=[b])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("somebody.else", 1)]
    save(helper.make_model(graph, opset_imports=opsets, ir_version=8), str(path))
    return path


def inspected(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main(["inspect", *arguments, "--json"]) == 0
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


KEYS = {
    "schema", "file", "format", "size_bytes", "sha256", "complete", "macs", "macs_by_kind",
    "macs_by_arithmetic", "parameters", "operators", "operators_by_name", "activation_bytes",
    "weight_bytes", "arena_bytes", "least_memory_mib", "groups", "weights", "delegates",
    "warnings", "not_counted",
}  # fmt: skip


def test_json_has_the_documented_keys_and_counts(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_onnx(here / "m.onnx")
    told = inspected(capsys, "m.onnx")
    assert set(told) == KEYS
    documented = (Path(__file__).parents[2] / "docs" / "inspect.md").read_text("utf-8")
    assert all(f"`{key}`" in documented for key in KEYS)
    assert (told["schema"], told["file"], told["format"]) == (SCHEMA, "m.onnx", "onnx")
    assert told["macs"] == told["macs_by_kind"]["fully_connected"] == 32 + 8
    assert told["parameters"] == told["weights"]["values"] == 40
    assert told["weights"]["zero_share"] == 16 / 40
    assert told["weights"]["zero_channels"] == 2
    assert told["arena_bytes"] == 4 * (8 + 4)
    assert told["complete"] is False
    assert told["not_counted"] == ["value a of unknown shape"] or told["not_counted"] == [
        "multiply-adds inside Mystery"
    ]


def test_layers_list_every_operator_with_what_the_delegate_says(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_onnx(here / "m.onnx")
    told = inspected(capsys, "m.onnx", "--delegate", "xnnpack")
    assert [layer["operator"] for layer in told["layers"]] == ["MatMul", "Mystery", "MatMul"]
    assert [layer["delegates"]["xnnpack"] for layer in told["layers"]] == [
        "taken", "not_taken", "taken",
    ]  # fmt: skip
    (delegate,) = told["delegates"]
    assert (delegate["partitions"], delegate["pieces"]) == (2, 3)
    assert delegate["operators_not_taken"] == {"Mystery": 1}


def test_people_are_told_totals_the_dearest_layers_and_what_was_not_counted(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_onnx(here / "m.onnx")
    assert main(["inspect", "m.onnx", "--layers"]) == 0
    told = capsys.readouterr().out
    for words in (
        "40 multiply-adds",
        "40 parameters",
        "dearest layers",
        "arena over 3 operators",
        "40.0% of 40 weights are zero; 2 of 6 output channels",
        "not counted: multiply-adds inside Mystery",
        "Mystery x1",
    ):
        assert words in told


def test_a_name_in_the_file_cannot_steer_the_terminal(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_onnx(here / "m.onnx", name="y\x1b[31m\x07")
    assert main(["inspect", "m.onnx", "--layers"]) == 0
    told = capsys.readouterr().out
    assert "\x1b" not in told
    assert "\x07" not in told


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("m.tflite", b"", "empty file"),
        ("m.tflite", b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        ("m.tflite", b"\x00" * 100, "not a .tflite file"),
        ("m.onnx", b"\x1c\x00\x00\x00TFL3" + b"\x00" * 20, "holds a .tflite model"),
        ("m.bin", b"nothing in particular", "by its name or by its content"),
        ("m.tflite", b"\x1c\x00\x00\x00TFL3" + b"\xff" * 64, "damaged"),
        ("m.mlpackage.zip", b"PK", "Core ML"),
    ],
    ids=["empty", "LFS pointer", "zeros", "wrong name", "no name", "broken", "Core ML"],
)
def test_a_bad_file_is_one_sentence_that_helps(
    here: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes, words: str
) -> None:
    (here / name).write_bytes(content)
    assert main(["inspect", name]) == 1
    told = capsys.readouterr().err
    assert words in told
    assert name in told
    assert told.count("\n") == 1


def test_a_mistyped_name_suggests_the_file_that_is_there(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_onnx(here / "model.onnx")
    assert main(["inspect", "modle.onnx"]) == 1
    assert "did you mean model.onnx?" in capsys.readouterr().err
    assert main(["inspect", "."]) == 1
    assert "a folder" in capsys.readouterr().err


def test_a_cut_file_is_refused_at_every_length(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = write_onnx(here / "m.onnx").read_bytes()
    for length in range(1, len(whole), 7):
        (here / "cut.onnx").write_bytes(whole[:length])
        assert main(["inspect", "cut.onnx"]) in {0, 1}
    assert "Traceback" not in capsys.readouterr().err


def test_nothing_heavy_is_imported_to_inspect_a_tflite_file(here: Path) -> None:
    (here / "m.tflite").write_bytes(b"\x1c\x00\x00\x00TFL3" + b"\xff" * 64)
    script = (
        "import sys; from weighin.plugin.cli import main; main(['inspect', 'm.tflite']); "
        "heavy = {'mlflow', 'torch', 'tensorflow', 'dvc', 'onnx', 'onnxruntime', 'rich', "
        "'ai_edge_litert', 'pydantic', 'tuf'}; sys.exit(bool(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("values", "width", "line"),
    [((1, 8, 4), 60, "▂█▅"), ((0, 0), 60, ""), ((1, 2, 8, 4), 2, "▃█"), ((), 60, "")],
    ids=["scaled to the largest", "nothing alive", "two to a bar", "no operators"],
)
def test_the_arena_is_drawn_as_bars(values: tuple[int, ...], width: int, line: str) -> None:
    assert sparkline(values, width) == line


def test_counts_and_sizes_have_units() -> None:
    assert [count(n) for n in (0, 999, 1_500, 40_551_040, 3_000_000_000)] == [
        "0", "999", "1.5 k", "40.6 M", "3 G",
    ]  # fmt: skip
    assert [size(n) for n in (0, 1023, 1024, 1_076_392)] == ["0 B", "1023 B", "1 KiB", "1.03 MiB"]


def test_a_terminal_without_unicode_gets_plain_bars() -> None:
    assert in_ascii("▁█ · \u2013 é") == "_# . - ?"
