"""Quality on this machine: other metrics, slices, step by step, and both forms of a runtime."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from weighin.gates.child import Limits
from weighin.gates.devices.bench import Candidate, HostSettings
from weighin.gates.devices.host import measure_host
from weighin.gates.measurement import Measurement, Reading, Unreadable
from weighin.gates.meters.backends import backend_disagreement
from weighin.gates.meters.metrics import BUILT_IN, quality_metric
from weighin.gates.meters.quality import Quality
from weighin.gates.meters.stamp import Stamp
from weighin.gates.metric import Metric
from weighin.gates.variant import Format

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
LIMITS = Limits(wall_seconds=60, memory_mib=2000)
DROP, SLICES = Metric.ACCURACY_DROP_POINTS, Metric.SLICE_DROP_POINTS
STAMP = Stamp(artifact_sha256="a" * 64, runtime="r 1", device="host", measured_at=NOW)
ROWS = 4000


def measured(reading: Reading) -> Measurement:
    assert isinstance(reading, Measurement), reading
    return reading


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory, tiny_weights: Any) -> Path:
    """Evaluation data [4000, 8] with a column of cameras; the model errs more on the last one."""
    weights, bias = tiny_weights
    random = np.random.default_rng(3)
    x = random.normal(size=(ROWS, 8)).astype(np.float32)
    camera = np.array(["front", "back", "wide", "wide"])[np.arange(ROWS) % 4]
    noise = np.where(camera == "wide", 1.5, 0.3)[:, None] * random.normal(size=(ROWS, 3))
    path = tmp_path_factory.mktemp("big") / "evaluation.npz"
    y = (x @ weights + bias + noise).argmax(axis=1)
    np.savez(path, x=x, y=y, camera=camera, number=np.arange(ROWS))
    np.save(path.with_name("reference.npy"), x @ weights + bias)
    return path


def weigh(data: Path, model: Path, work: Path, quality: Quality) -> dict[Metric, Reading]:
    one = Candidate(
        label=model.name,
        path=model,
        format=Format.ONNX,
        sha256=hashlib.sha256(model.read_bytes()).hexdigest(),
    )
    settings = HostSettings(quality=quality)
    reference = data.with_name("reference.npy")
    found = measure_host(
        [one], data, reference, work, LIMITS, NOW, settings, metrics=(Metric.SIZE_MIB, DROP)
    )
    return {reading.metric: reading for reading in found[model.name]}


@pytest.fixture(scope="module")
def worse(tmp_path_factory: pytest.TempPathFactory, tiny_weights: Any) -> Path:
    """The tiny model with one class's bias wrong: it loses about twenty points."""
    from onnx import TensorProto, helper, numpy_helper, save

    weights, bias = tiny_weights
    shifted = (bias + np.array([2.0, 0, 0])).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "weights", "bias"], ["logits"])],
        "worse",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 8])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 3])],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(shifted, "bias")],
    )
    path = tmp_path_factory.mktemp("worse") / "worse.onnx"
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    save(model, path)
    return path


def test_a_clear_pass_stops_early_and_says_after_how_many_rows(
    big: Path, tiny_onnx: Path, tmp_path: Path
) -> None:
    drop = measured(weigh(big, tiny_onnx, tmp_path, Quality(margins=(1.0,)))[DROP])
    assert drop.n < ROWS
    assert drop.upper <= 1.0
    assert "rows in the order of seed 0" in dict(drop.conditions)["sequential"]
    assert drop.confidence == 0.95


def test_a_clear_fail_stops_at_the_first_look(big: Path, worse: Path, tmp_path: Path) -> None:
    drop = measured(weigh(big, worse, tmp_path, Quality(margins=(1.0,)))[DROP])
    assert drop.n == ROWS // 16
    assert drop.lower > 1.0
    assert "look 1 of 5" in dict(drop.conditions)["sequential"]


def test_what_stays_undecided_looks_at_every_row(big: Path, worse: Path, tmp_path: Path) -> None:
    whole = measured(weigh(big, worse, tmp_path / "all", Quality())[DROP])
    step = measured(weigh(big, worse, tmp_path / "step", Quality(margins=(whole.value,)))[DROP])
    assert step.n == ROWS
    assert step.value == pytest.approx(whole.value)
    assert step.lower < whole.lower < whole.upper < step.upper


def test_two_seeds_look_at_other_rows(big: Path, worse: Path, tmp_path: Path) -> None:
    one, two = (
        measured(weigh(big, worse, tmp_path / f"{s}", Quality(margins=(1.0,), seed=s))[DROP])
        for s in (1, 2)
    )
    assert one.value != two.value


def test_slices_are_judged_apart_and_take_every_row(big: Path, worse: Path, tmp_path: Path) -> None:
    quality = Quality(slices=("camera", "label"), margins=(1.0,))
    found = weigh(big, worse, tmp_path, quality)
    slices = measured(found[SLICES])
    assert measured(found[DROP]).n == ROWS
    names = [one.name for one in slices.slices]
    assert names == [
        *("camera=back", "camera=front", "camera=wide"),
        *("label=0", "label=1", "label=2"),
    ]
    assert sum(one.rows for one in slices.slices[:3]) == ROWS
    again = weigh(big, worse, tmp_path, quality)
    assert again[SLICES] == slices, "kept, and read back"


@pytest.mark.parametrize(
    ("column", "said"),
    [
        pytest.param("lens", "no column 'lens'", id="not-there"),
        pytest.param("number", "4000 different values", id="too-many-values"),
        pytest.param("x", "shape", id="not-one-per-row"),
    ],
)
def test_a_column_that_cannot_be_slices_is_an_error_that_names_it(
    big: Path, tiny_onnx: Path, tmp_path: Path, column: str, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        weigh(big, tiny_onnx, tmp_path, Quality(slices=(column,)))


@pytest.mark.parametrize("name", ["f1_macro", "roc_auc", "log_loss", "top5_accuracy"])
def test_another_metric_is_judged_by_its_own_drop(
    big: Path, worse: Path, tmp_path: Path, name: str
) -> None:
    found = weigh(big, worse, tmp_path, Quality(metric=BUILT_IN[name], slices=("camera",)))
    drop = measured(found[DROP])
    assert drop.value == 0 if name == "top5_accuracy" else drop.lower > 0
    assert len(measured(found[SLICES]).slices) == 3


USERS = """
import numpy as np, os, sys
def agreement(labels, outputs):
    return (outputs.argmax(1) == labels).astype(float)
def whole(labels, outputs):
    return float((outputs.argmax(1) == labels).mean())
def broken(labels, outputs):
    raise ValueError("no such thing")
def crash(labels, outputs):
    os.abort()
def nan(labels, outputs):
    return float("nan")
def text(labels, outputs):
    return "very good"
def shape(labels, outputs):
    return np.ones((3, 2))
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("root")
    (folder / "mine.py").write_text(USERS)
    return folder


@pytest.mark.parametrize("function", ["agreement", "whole"])
def test_a_users_own_function_comes_to_what_the_counts_say(
    big: Path, worse: Path, tmp_path: Path, root: Path, function: str
) -> None:
    counts = measured(weigh(big, worse, tmp_path / "counts", Quality())[DROP])
    quality = Quality(metric=quality_metric(f"mine:{function}"), root=str(root))
    own = measured(weigh(big, worse, tmp_path / "own", quality)[DROP])
    assert own.value == pytest.approx(counts.value)
    assert own.upper - own.lower == pytest.approx(counts.upper - counts.lower, rel=0.45)


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("broken", "no such thing"),
        ("crash", "SIGABRT"),
        ("nan", "nan on these rows"),
        ("text", ""),
        ("shape", ""),
        ("missing", "missing"),
    ],
)
def test_a_function_that_gives_no_number_gives_its_reason(
    big: Path, tiny_onnx: Path, tmp_path: Path, root: Path, function: str, said: str
) -> None:
    quality = Quality(metric=quality_metric(f"mine:{function}"), root=str(root))
    reading = weigh(big, tiny_onnx, tmp_path, quality)[DROP]
    assert isinstance(reading, Unreadable), reading
    assert f"mine:{function} cannot be" in reading.reason
    assert said in reading.reason


def test_two_forms_that_agree_have_an_upper_end_above_zero(
    big: Path, tiny_onnx: Path, tmp_path: Path
) -> None:
    metric = Metric.BACKEND_DISAGREEMENT_PERCENT
    one = Candidate(
        label="float32.onnx",
        path=tiny_onnx,
        format=Format.ONNX,
        sha256=hashlib.sha256(tiny_onnx.read_bytes()).hexdigest(),
    )
    reference = big.with_name("reference.npy")
    found = measure_host([one], big, reference, tmp_path, LIMITS, NOW, metrics=(metric,))
    reading = measured({r.metric: r for r in found["float32.onnx"]}[metric])
    assert (reading.value, reading.lower) == (0, 0)
    assert reading.upper == pytest.approx(100 * (1 - 0.05 ** (1 / reading.n)), rel=1e-3)
    assert "alarm" not in dict(reading.conditions)


def outputs(*classes: int) -> np.ndarray:
    return np.eye(3, dtype=np.float32)[list(classes)]


@pytest.mark.parametrize(
    ("fast", "plain", "apart", "alarm"),
    [
        pytest.param([0] * 100, [0] * 100, 0, None, id="alike"),
        pytest.param([0] * 100, [0] * 99 + [1], 1, None, id="one-row"),
        pytest.param([0] * 100, [1] * 20 + [0] * 80, 20, "differ on 20 of 100", id="many-rows"),
        pytest.param([1] * 20 + [0] * 80, [1] * 20 + [0] * 80, 0, "registered", id="not-the-model"),
    ],
)
def test_an_alarm_names_the_form_that_answers_differently(
    fast: list[int], plain: list[int], apart: int, alarm: str | None
) -> None:
    both = np.stack([outputs(*fast), outputs(*plain)])
    reading = measured(
        backend_disagreement(both, outputs(*[0] * 100), Format.LITERT, STAMP, 0.95, is_float=True)
    )
    assert reading.value == apart
    assert reading.lower <= reading.value <= reading.upper
    said = dict(reading.conditions).get("alarm")
    assert (said is None) if alarm is None else (said is not None and alarm in said)


def test_what_is_not_finite_differs_from_everything() -> None:
    both = np.stack([outputs(0, 1, 2), outputs(0, 1, 2)])
    both[:, 0] = np.nan
    reading = measured(
        backend_disagreement(both, outputs(0, 1, 2), Format.ONNX, STAMP, 0.95, is_float=False)
    )
    assert reading.value == pytest.approx(100 / 3)


def test_outputs_of_another_shape_are_no_reading() -> None:
    both = np.zeros((2, 3, 4), np.float32)
    reading = backend_disagreement(both, outputs(0, 1, 2), Format.ONNX, STAMP, 0.95, is_float=False)
    assert isinstance(reading, Unreadable)


def test_numbers_differ_when_they_are_far_off() -> None:
    reference = np.linspace(0, 10, 50, dtype=np.float32)[:, None]
    near, far = reference + 0.01, reference + np.where(np.arange(50)[:, None] < 5, 3, 0)
    alike = backend_disagreement(
        np.stack([reference, near]), reference, Format.ONNX, STAMP, 0.95, is_float=False
    )
    apart = backend_disagreement(
        np.stack([reference, far]), reference, Format.ONNX, STAMP, 0.95, is_float=False
    )
    assert (measured(alike).value, measured(apart).value) == (0, 10)


def test_confidence_asked_for_is_the_one_that_readings_carry(
    big: Path, tiny_onnx: Path, tmp_path: Path
) -> None:
    one = Candidate(
        label="float32.onnx",
        path=tiny_onnx,
        format=Format.ONNX,
        sha256=hashlib.sha256(tiny_onnx.read_bytes()).hexdigest(),
    )
    settings = replace(HostSettings(), confidence=0.99)
    reference = big.with_name("reference.npy")
    found = measure_host(
        [one], big, reference, tmp_path, LIMITS, NOW, settings, metrics=(DROP, Metric.SIZE_MIB)
    )
    by_metric = {reading.metric: reading for reading in found["float32.onnx"]}
    assert measured(by_metric[DROP]).confidence == 0.99
    assert measured(by_metric[Metric.SIZE_MIB]).confidence == 1.0
