"""Budgets on ARM kernels: weighed only where they are set, and never passed without a machine."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from weighin.gates.belief import Moment
from weighin.gates.child import Limits
from weighin.gates.devices.bench import HostSettings
from weighin.gates.digest import sha256_of
from weighin.gates.judge import Outcome
from weighin.gates.metric import Budget, Metric
from weighin.gates.variant import Format, Variant
from weighin.gates.weigh_in import Result
from weighin.plugin.config import ModelConfig
from weighin.plugin.plan import Plan, Target
from weighin.plugin.scales import Scales
from weighin.plugin.weighing import weigh_variants

ARM = Metric.ARM_DISAGREEMENT_PERCENT
Array = NDArray[np.float32]


@pytest.fixture
def scales(tmp_path: Path, tiny_tflite: Path, tiny_weights: tuple[Array, Array]) -> Scales:
    weights, bias = tiny_weights
    rows = np.random.default_rng(1).normal(size=(100, 8)).astype(np.float32)
    logits = rows @ weights + bias
    np.savez(tmp_path / "evaluation.npz", x=rows, y=logits.argmax(axis=1))
    np.save(tmp_path / "reference.npy", logits)
    return Scales(
        root=tiny_tflite.parent,
        evaluation=tmp_path / "evaluation.npz",
        reference=tmp_path / "reference.npy",
        workdir=tmp_path / "work",
        limits=Limits(wall_seconds=60, memory_mib=2000),
        moment=Moment(now=datetime(2026, 11, 26, tzinfo=UTC), max_age=timedelta(days=1)),
        settings=HostSettings(processes=1, rounds=40, memory_processes=1, session_seconds=0.5),
        arm=tmp_path / "no machine",
    )


def weigh(scales: Scales, path: Path, budgets: dict[str, tuple[Metric, ...]]) -> Result:
    variant = Variant(
        recipe="tiny",
        format=Format.LITERT,
        sha256=sha256_of(path),
        size_bytes=path.stat().st_size,
        path=path.name,
        parent="p",
        tools=(),
    )
    plan = Plan(
        model="tiny",
        recipes=(),
        search=None,
        formats=(Format.LITERT,),
        targets=tuple(
            Target(device=name, budgets=tuple(Budget(metric=m, at_most=5) for m in metrics))
            for name, metrics in budgets.items()
        ),
        settings=ModelConfig(evaluation="e", calibration="c"),
        data=(),
        digest="d",
    )
    (result,) = weigh_variants([variant], plan, scales, lambda *_: None)
    return result


def test_a_budget_on_arm_kernels_is_undecided_without_a_machine(
    scales: Scales, tiny_tflite: Path
) -> None:
    budgets = {"pixel-4": (Metric.SIZE_MIB, ARM), "pixel-1": (Metric.SIZE_MIB,), "host": (ARM,)}
    found = {v.subject.device: v for v in weigh(scales, tiny_tflite, budgets).verdicts}
    assert found["pixel-4"].outcome is Outcome.UNDECIDED
    assert "is not set up here; run `weighin doctor --arm`" in found["pixel-4"].reason
    assert found["pixel-1"].outcome is Outcome.PASS
    assert found["host"].outcome is Outcome.UNDECIDED
    assert "'host' is this machine" in found["host"].reason


def test_without_a_budget_on_arm_kernels_nothing_is_said_of_them(
    scales: Scales, tiny_tflite: Path
) -> None:
    result = weigh(scales, tiny_tflite, {"pixel-4": (Metric.SIZE_MIB,)})
    assert all(reading.metric is not ARM for reading in result.readings)
    assert result.verdicts[0].outcome is Outcome.PASS
