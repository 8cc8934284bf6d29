"""Runs on disk: what is read is what was written, and damage is said, line by line."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighin.gates.cost import Arithmetic, Terms
from weighin.gates.devices.phone.evidence import anchors_of, newest_run, readings_of
from weighin.gates.devices.phone.runs_file import append_run, read_runs, runs_path, sole_user
from weighin.gates.devices.phone.tool_output import Partition
from weighin.gates.devices.phone_run import (
    Missing,
    PhoneRun,
    run_to_line,
    runs_from_bytes,
    runs_to_bytes,
)
from weighin.gates.errors import PhoneError
from weighin.gates.measurement import Measurement, Unreadable
from weighin.gates.metric import Metric, Origin
from weighin.gates.quantiles import spread_of
from weighin.gates.stats import Interval
from weighin.gates.variant import Format

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
RUN = PhoneRun(
    measured_at=NOW,
    serial_sha256="a" * 64,
    device="my-phone",
    artifact_sha256="b" * 64,
    title="int8.tflite",
    format=Format.LITERT,
    runtime_version="2.3.0",
    tool_sha256="c" * 64,
    arithmetics=(Arithmetic.INT8,),
    operators=("ADD", "CONV_2D"),
    terms=Terms(
        conv_macs=1,
        pointwise_macs=2,
        depthwise_macs=3,
        fully_connected_macs=4,
        activation_bytes=5,
        weight_bytes=6,
        layers=7,
    ),
    threads=4,
    cores="f0",
    delegate="",
    partitions=(Partition(delegate="TfLiteXNNPackDelegate", nodes=2, of=3, partitions=2),),
    latency_ms=Interval(value=12.5, lower=12.0, upper=13.0),
    p50_ms=12.0,
    mean_ms=12.1,
    n=90,
    processes=30,
    confidence=0.95,
    ratio=Interval(value=0.5, lower=0.4, upper=0.6),
    reference_sha256="d" * 64,
    memory_mib=Interval(value=8.0, lower=7.5, upper=8.5),
    energy_mj=Missing(reason="not asked for (--energy)"),
    disagreement_percent=Missing(reason="not asked for (--data and --runner)"),
    thermal_before="thermal status 0, 30.0 C",
    thermal_after="thermal status 0, 31.0 C",
    conditions=(("power", "unplugged"),),
    simulated=False,
)
TEXT = st.text(st.characters(codec="utf-8"))
ENDS = st.tuples(*[st.floats(0, 1e9)] * 3).map(sorted)
FIGURES = st.one_of(
    TEXT.map(lambda reason: Missing(reason=reason)),
    ENDS.map(lambda ends: Interval(lower=ends[0], value=ends[1], upper=ends[2])),
)


@given(
    st.lists(
        st.builds(
            lambda title, latency, memory, seconds, simulated, of, times: replace(
                RUN,
                title=title,
                latency_ms=latency,
                memory_mib=memory,
                measured_at=NOW + timedelta(seconds=seconds),
                simulated=simulated,
                quantiles=spread_of(times),
                partitions=(Partition(delegate=title, nodes=1, of=of, partitions=1),),
            ),
            TEXT,
            FIGURES,
            FIGURES,
            st.integers(0, 10**6),
            st.booleans(),
            st.none() | st.integers(0, 99),
            st.lists(st.floats(0, 1e9), max_size=4),
        ),
        max_size=3,
    )
)
def test_what_is_read_is_what_was_written(runs: list[PhoneRun]) -> None:
    found = runs_from_bytes(runs_to_bytes(runs))
    assert found.runs == tuple(runs)
    assert found.cut_off == ""


@given(st.integers(0, 10_000))
def test_a_line_that_ends_too_early_is_never_a_run(at: int) -> None:
    line = run_to_line(RUN).encode()
    torn = line[: at % (len(line) - 1)] + b"\n"
    with pytest.raises(ValueError, match="line 2"):
        runs_from_bytes(line + torn)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"threads": 4', '"threads": 4.5', "line 2: threads"),
        ('"threads": 4, ', "", "line 2: threads"),
        ('"simulated": false', '"simulated": 0', "line 2: simulated"),
        ('"cores": "f0"', '"cores": "f0", "extra": 1', "line 2: unknown field 'extra'"),
        ('"value": 12.5', '"value": 99', "line 2: latency_ms: no interval"),
        ('"value": 12.5', '"value": "NaN"', "line 2: latency_ms: no interval"),
        ("phone-run/v1", "phone-run/v9", "line 2: schema"),
        ("2026-11-26T12:00:00Z", "2026-11-26T12:00:00", "line 2: measured_at"),
        ('"layers": 7', '"layers": "7"', "line 2: layers"),
    ],
)
def test_a_damaged_line_is_an_error_that_names_the_line(old: str, new: str, says: str) -> None:
    line = run_to_line(RUN)
    assert old in line
    with pytest.raises(ValueError, match="line 2") as caught:
        runs_from_bytes((line + line.replace(old, new) + line).encode())
    assert says in str(caught.value)


def test_a_last_line_that_was_never_finished_is_cut_off_and_said(tmp_path: Path) -> None:
    append_run(tmp_path, RUN)
    path = runs_path(tmp_path, RUN.device)
    with path.open("ab") as stream:
        stream.write(run_to_line(RUN).encode()[:100])
    assert read_runs(tmp_path, RUN.device).runs == (RUN,)
    assert read_runs(tmp_path, RUN.device).cut_off.startswith('{"schema"')
    second = replace(RUN, title="fp16.tflite")
    assert append_run(tmp_path, second).startswith('{"schema"')
    assert read_runs(tmp_path, RUN.device).runs == (RUN, second)
    assert append_run(tmp_path, RUN) == ""


def test_a_damaged_file_names_itself_and_is_never_written_over(tmp_path: Path) -> None:
    path = runs_path(tmp_path, RUN.device)
    path.write_text("{}\n")
    with pytest.raises(PhoneError, match=r"my-phone\.runs\.jsonl: line 1: schema"):
        read_runs(tmp_path, RUN.device)
    append_run(tmp_path, RUN)
    assert path.read_text().startswith("{}\n")


def test_a_phone_is_measured_by_one_at_a_time(tmp_path: Path) -> None:
    with (
        sole_user(tmp_path, "a" * 64),
        sole_user(tmp_path, "b" * 64),
        pytest.raises(PhoneError, match="another weighin measures on this phone"),
        sole_user(tmp_path, "a" * 64),
    ):
        pass
    with sole_user(tmp_path, "a" * 64):
        pass


def test_a_run_becomes_device_readings_of_its_own_phone() -> None:
    latency, memory = readings_of(RUN)
    assert isinstance(latency, Measurement)
    assert latency.origin is Origin.DEVICE
    assert (latency.device, latency.runtime) == ("my-phone", "ai-edge-litert 2.3.0")
    assert (latency.lower, latency.value, latency.upper, latency.n) == (12.0, 12.5, 13.0, 90)
    assert dict(latency.conditions)["ratio_to_float32"] == "0.5000"
    assert memory.metric is Metric.PEAK_MEMORY_MIB


def test_how_the_runs_are_spread_is_said_of_the_latency_only() -> None:
    spread = spread_of([12.0, 12.5, 13.0])
    readings = readings_of(replace(RUN, quantiles=spread))
    assert [one.quantiles for one in readings if isinstance(one, Measurement)] == [spread, ()]


@pytest.mark.parametrize("written", [[[0.5, 1.0], [0.5, 2.0]], [[2.0, 1.0]], "fast"])
def test_a_line_with_an_impossible_spread_is_damaged(written: object) -> None:
    line = json.loads(run_to_line(RUN)) | {"quantiles": written}
    with pytest.raises(ValueError, match="line 1: quantiles"):
        runs_from_bytes(json.dumps(line).encode() + b"\n")


@pytest.mark.parametrize(
    ("run", "says"),
    [
        (replace(RUN, simulated=True), "no evidence about my-phone"),
        (replace(RUN, device="simulated-x"), "no evidence about simulated-x"),
        (replace(RUN, runtime_version=""), "tool of unknown release"),
        (replace(RUN, latency_ms=Missing(reason="it crashed")), "on the phone: it crashed"),
    ],
    ids=["simulated on a real profile", "real on a simulated one", "no release", "crash"],
)
def test_what_is_no_evidence_says_why(run: PhoneRun, says: str) -> None:
    reading = readings_of(run)[0]
    assert isinstance(reading, Unreadable)
    assert says in reading.reason


def test_a_simulated_run_speaks_of_simulated_phones_and_says_so() -> None:
    reading = readings_of(replace(RUN, simulated=True, device="simulated-pixel-4"))[0]
    assert isinstance(reading, Measurement)
    assert reading.device == "simulated-pixel-4"
    assert "no evidence about any real one" in dict(reading.conditions)["simulated"]


def test_the_newest_run_of_a_file_counts() -> None:
    newer = replace(RUN, measured_at=NOW + timedelta(hours=1), p50_ms=1.0)
    assert newest_run((newer, RUN), RUN.artifact_sha256) == newer
    assert newest_run((RUN,), "e" * 64) is None


def test_anchors_are_what_can_be_counted_and_was_timed_once_per_setup() -> None:
    newer = replace(RUN, measured_at=NOW + timedelta(hours=1), mean_ms=11.0)
    others = (
        replace(RUN, threads=1, mean_ms=30.0),
        replace(RUN, terms=None, artifact_sha256="1" * 64),
        replace(RUN, latency_ms=Missing(reason="x"), artifact_sha256="2" * 64),
        replace(RUN, simulated=True, artifact_sha256="3" * 64),
    )
    found = anchors_of((RUN, newer, *others))
    assert {(one.threads, one.mean_ms) for one in found} == {(4, 11.0), (1, 30.0)}
    assert all(one.terms == RUN.terms for one in found)
