"""``weighin device fit`` and ``weighin device predict`` as a user runs them."""

import gzip
import json
import random
from pathlib import Path

import pytest

from weighin.plugin.cli import main

HEADER = "device_header,threads,powersave,gpu_device,model,avg_ms,class"
COLUMNS = (
    *("macs_conv", "macs_dw", "macs_pw", "macs_fc", "macs_attn"),
    *("params", "act_out", "act_in", "layers", "missing"),
)
PRICES = (0.05, 0.15, 0.06, 0.2, 0.0, 1e-6, 1e-7, 1e-7, 0.02, 0.0)


def counts(seed: int) -> dict[str, float]:
    draw = random.Random(seed)
    scale = (3e8, 2e7, 3e8, 4e6, 0, 5e6, 6e6, 6e6, 60, 0)
    return {
        name: round(s * draw.lognormvariate(0, 0.6)) for name, s in zip(COLUMNS, scale, strict=True)
    }


def table(folder: Path, phones: int = 7, nets: int = 10) -> Path:
    """Phones whose latencies follow one law, each with a speed of its own and 3 % noise."""
    draw = random.Random(5)
    networks = {f"net{i}": counts(i) for i in range(nets)}
    rows = [HEADER]
    for phone in range(phones):
        speed = draw.lognormvariate(0, 1)
        for name, one in networks.items():
            macs = sum(p * v / 1e6 for p, v in zip(PRICES[:4], list(one.values())[:4], strict=True))
            ms = speed * (macs + 0.02 * one["layers"] + one["act_in"] / 1e6 * 0.2)
            rows.append(
                f"Phone {phone},1,2,-1,{name},{ms * draw.lognormvariate(0, 0.03):.4f},phone"
            )
    folder.mkdir(exist_ok=True)
    (folder / "ncnn_bench_all.csv.gz").write_bytes(gzip.compress("\n".join(rows).encode()))
    lines = [",".join(("model", *COLUMNS))]
    lines += [",".join((n, *(str(v) for v in one.values()))) for n, one in networks.items()]
    (folder / "ncnn_model_features.csv").write_text("\n".join(lines), "utf-8")
    return folder


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = main(["device", *arguments])
    read = capsys.readouterr()
    return code, read.out if code in {0, 1} and read.out else read.err


def test_a_fit_prints_held_out_errors_and_writes_prices(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = table(tmp_path / "t")
    code, text = said(capsys, "fit", "--table", str(folder), "--write", str(tmp_path / "devices"))
    assert code == 0
    assert "ncnn float32: 70 runs of 10 networks" in text
    assert "phone left out, 5 anchors" in text
    assert (tmp_path / "devices" / "prices-ncnn.toml").is_file()


def test_held_out_phones_are_predicted_with_value_and_band(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = table(tmp_path / "t")
    code, text = said(
        capsys, "fit", "--table", str(folder), "--holdout", "Phone 3, phone 4", "--json"
    )
    assert code == 0
    found = json.loads(text)["held_out"]["ncnn float32"]
    assert {p["device"] for p in found["predictions"]} == {"Phone 3", "Phone 4"}
    assert found["errors"]["median_percent"] < 15
    one = found["predictions"][0]
    assert one["lower_ms"] < one["predicted_ms"] < one["upper_ms"]


def test_a_name_that_matches_nothing_lists_the_phones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = said(capsys, "fit", "--table", str(table(tmp_path / "t")), "--holdout", "Nokia")
    assert code == 2
    assert "no run matches Nokia" in text
    assert "Phone 6" in text


def test_a_runtime_that_the_tables_do_not_hold_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = said(capsys, "fit", "--table", str(table(tmp_path / "t")), "--runtime", "onnx")
    assert code == 2
    assert "no run of onnx" in text


RESNET50 = {
    "model": "resnet50",
    "layers": 89,
    "macs_conv": 1967702016,
    "macs_dw": 0,
    "macs_pw": 1888223232,
    "macs_fc": 2048000,
    "params": 25529472,
    "act_out": 21830608,
    "act_in": 27599848,
}


def predicted(
    capsys: pytest.CaptureFixture[str], row: object, *more: str, profile: str = "mate-10"
) -> tuple[int, str]:
    Path("counts.json").write_text(json.dumps(row), "utf-8")
    return said(capsys, "predict", "--profile", profile, "--cost", "counts.json", *more)


def test_counts_of_a_published_network_give_about_its_published_latency(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, text = predicted(capsys, RESNET50, "--json")
    assert code == 0
    document = json.loads(text)
    (one,) = document["predictions"]
    assert (document["runtime"], document["threads"]) == ("ncnn", 1)
    assert one["lower_ms"] < 495 < one["upper_ms"]


def test_a_network_nobody_ran_has_another_band_than_a_known_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, known = predicted(capsys, RESNET50)
    _, new = predicted(capsys, {**RESNET50, "model": "mine"})
    assert "known from other phones" in known
    assert "never seen" in new


def test_a_transformer_is_refused_on_a_phone_calibrated_with_convolutions(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, text = predicted(capsys, {**RESNET50, "model": "vit", "macs_attn": 4492707840})
    assert code == 1
    assert "no number: no calibration for attention" in text


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"layers": 5}, "macs_conv"),
        ({**RESNET50, "params": "many"}, "params"),
        ({**RESNET50, "layers": -3}, "layers"),
        ([], "must be an object"),
        ([3], "must be an object"),
    ],
    ids=["columns missing", "a word", "negative", "empty list", "a number"],
)
def test_bad_counts_are_named(capsys: pytest.CaptureFixture[str], row: object, why: str) -> None:
    code, text = predicted(capsys, row)
    assert code == 1
    assert why in text


def test_a_phone_without_runs_says_what_it_has(capsys: pytest.CaptureFixture[str]) -> None:
    code, text = predicted(capsys, RESNET50, "--runtime", "ncnn", profile="pixel-3")
    assert code == 1
    assert "Pixel 3 has no ncnn float32 runs; it has: litert float32 threads 4" in text


def test_a_mistyped_profile_is_answered_with_the_right_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, text = predicted(capsys, RESNET50, profile="mate10")
    assert code == 2
    assert "did you mean mate-10" in text


def test_a_model_file_gets_the_readings_that_a_gate_would(
    tiny_tflite: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = said(capsys, "predict", str(tiny_tflite), "--profile", "pixel-3")
    assert code == 0
    assert "latency_p90_ms: " in text
    assert "peak_memory_mib: no number" in text


@pytest.mark.parametrize(
    "arguments",
    [
        ("--profile", "pixel-3"),
        ("x.bin", "--profile", "pixel-3"),
        ("no.tflite", "--profile", "pixel-3"),
    ],
    ids=["neither", "unknown ending", "missing file"],
)
def test_wrong_usage_is_explained(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(capsys, "predict", *arguments)[0] == 2
