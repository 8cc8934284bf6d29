"""The user's own runs as a table: prices, bands and operators of a runtime nobody published."""

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.gates.phone.test_phone_run import RUN
from tests.gates.test_prices import networks, run_ms
from weighin.gates.cost import Arithmetic, Terms
from weighin.gates.devices.fitting import coefficients_of, fit_runtime
from weighin.gates.devices.phone_run import run_to_line
from weighin.gates.devices.tables import read_tables
from weighin.gates.stats import Interval
from weighin.gates.variant import Format

LOGS = (0.0, 0.2, 1.5, 1.0, 1.0, 0.5, -2.0)


def write_runs(folder: Path, phones: int = 4, nets: int = 8) -> None:
    for phone in range(phones):
        lines = ""
        for i, amounts in enumerate(networks(nets)):
            conv, pointwise, depthwise, connected, moved, weights, layers = amounts
            ms = (1 + phone) * run_ms(LOGS, amounts)
            run = dataclasses.replace(
                RUN,
                measured_at=datetime(2026, 11, 26, tzinfo=UTC) + timedelta(seconds=i),
                device=f"phone-{phone}",
                artifact_sha256=f"{i:064d}",
                title=f"net{i}",
                format=Format.ONNX,
                arithmetics=(Arithmetic.FLOAT32,),
                operators=("Conv", "Relu") if i else ("Conv", "Gemm"),
                terms=Terms(
                    conv_macs=int(conv * 1e6),
                    pointwise_macs=int(pointwise * 1e6),
                    depthwise_macs=int(depthwise * 1e6),
                    fully_connected_macs=int(connected * 1e6),
                    activation_bytes=int(moved * 4e6),
                    weight_bytes=int(weights * 4e6),
                    layers=max(1, int(layers)),
                ),
                latency_ms=Interval(value=ms, lower=ms, upper=ms),
                mean_ms=ms,
                simulated=False,
                delegate="",
            )
            lines += run_to_line(run)
        (folder / f"phone-{phone}.runs.jsonl").write_text(lines, "utf-8")


def test_own_runs_teach_prices_and_name_their_operators(tmp_path: Path) -> None:
    write_runs(tmp_path)
    table = read_tables([tmp_path])
    runs = table.of("onnx", Arithmetic.FLOAT32)
    assert {r.device for r in runs} == {f"phone-{i}" for i in range(4)}
    assert table.operators_of("onnx") == ("Conv", "Gemm", "Relu")
    fits = fit_runtime(table, "onnx")
    fitted = coefficients_of(fits, "mine", table.operators_of("onnx"))
    (only,) = fitted.learned
    assert only[0] is Arithmetic.FLOAT32
    assert only[1].runs == 32
    assert len(fits[0].known.residuals) > 0


def test_runs_of_simulated_phones_teach_nothing(tmp_path: Path) -> None:
    line = run_to_line(dataclasses.replace(RUN, simulated=True, device="phone-0"))
    (tmp_path / "phone-0.runs.jsonl").write_text(line, "utf-8")
    assert read_tables([tmp_path]).runs == ()
