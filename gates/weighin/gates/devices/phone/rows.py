"""Whether a phone's kernels see the same classes as this machine's, on a sample of rows.

A *runner* is any program for the phone that takes ``--model``, ``--inputs`` (an .npy, [n, ...]),
``--outputs`` and ``--threads``, and writes the model's outputs, [n, classes], as an .npy, row by
row. What this module does not do: it knows no labels; whether the class is the right one is the
accuracy's business, which is judged on all rows here.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weighin.gates.child import Limits, run_child
from weighin.gates.devices.phone.bench import Rig
from weighin.gates.devices.phone.link import FOLDER
from weighin.gates.devices.phone.stage import stage_model, stage_program
from weighin.gates.devices.phone.tools import failure_of
from weighin.gates.devices.phone_run import Figure, Missing
from weighin.gates.digest import sha256_of
from weighin.gates.stats import percent_interval
from weighin.gates.variant import Format

NOT_ASKED = Missing(reason="not asked for (--data and --runner)")

COMPARED_ROWS = "compared_rows"
"""Condition of a run: how many rows its outputs were compared on."""

_OUTPUTS = f"{FOLDER}/outputs.npy"
_LIMITS = Limits(wall_seconds=300, memory_mib=4096)
_TIMEOUT_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsAsked:
    """What a phone's outputs are compared on.

    Attributes:
        data: An .npz whose ``x``, [n, ...], is what the model takes.
        runner: The program for the phone.
        workdir: For the sample, and for the child that runs the model here.
        seed: Of the order from which the first rows are taken.
    """

    data: Path
    runner: Path
    workdir: Path
    seed: int = 0

    @property
    def count(self) -> int:
        """How many rows are compared."""
        import numpy as np

        from weighin.gates.arm.readings import SAMPLED_ROWS

        with np.load(self.data, allow_pickle=False) as archive:
            return min(SAMPLED_ROWS, len(archive["x"]))


def measure_disagreement(
    rig: Rig, remote: str, model: Path, format: Format, asked: RowsAsked
) -> Figure:
    """The share of sampled rows at another class than here, in percent, with its exact interval.

    Args:
        rig: The phone.
        remote: Where the model is on it.
        model: The same file here.
        format: Its format.
        asked: What it is compared on.

    Raises:
        PhoneError: the phone refuses.
        PhoneGone: it went away and did not come back.
    """
    import numpy as np

    from weighin.gates.arm.disagreement import compare
    from weighin.gates.arm.readings import sample_rows

    asked.workdir.mkdir(parents=True, exist_ok=True)
    sample = sample_rows(asked.data, asked.workdir / "rows.npz", asked.seed)
    with np.load(sample, allow_pickle=False) as archive:
        np.save(asked.workdir / "rows.npy", archive["x"])
    here = _here(model, format, sample, asked.workdir)
    if isinstance(here, Missing):
        return here
    there = _there(rig, remote, asked)
    if isinstance(there, Missing):
        return there
    if here.ndim != 2 or there.shape != here.shape or not len(here):
        shapes = f"{list(there.shape)} on the phone, {list(here.shape)} here"
        return Missing(reason=f"the outputs are no rows of classes of one shape: {shapes}")
    if there.dtype.kind not in "fiu":
        return Missing(reason=f"the runner's outputs are no numbers ({there.dtype})")
    found = compare(there, here)
    return percent_interval(found.disagreeing, found.rows, rig.asked.confidence)


def _here(model: Path, format: Format, sample: Path, workdir: Path) -> Any:
    """This machine's outputs, from a child process."""
    import numpy as np

    with np.load(sample, allow_pickle=False) as archive:
        np.save(workdir / "order.npy", np.arange(len(archive["x"])))
    outputs = (workdir / "here.npy").resolve()
    item = {"label": "it", "path": str(model.resolve()), "format": format.value}
    job = {
        "kind": "predict",
        "data": str(sample.resolve()),
        "rows": str((workdir / "order.npy").resolve()),
        "threads": 1,
        "seconds_each": _LIMITS.wall_seconds,
        "variants": [item | {"outputs": str(outputs)}],
    }
    result = run_child("weighin.gates.meters.runner", job, workdir / "child", _LIMITS)
    if not result.ended.ok:
        return Missing(reason=f"this machine cannot run the model: {result.ended.reason}")
    return np.load(outputs, allow_pickle=False)


def _there(rig: Rig, remote: str, asked: RowsAsked) -> Any:
    """The phone's outputs."""
    import numpy as np

    rows = asked.workdir / "rows.npy"
    inputs = rig.patiently(lambda: stage_model(rig.link, rows, sha256_of(rows)))
    program = rig.patiently(lambda: stage_program(rig.link, asked.runner))
    command = (
        f"{program} --model={remote} --inputs={inputs} --outputs={_OUTPUTS} "
        f"--threads={rig.asked.threads} 2>&1"
    )
    answer = rig.patiently(lambda: rig.link.run(command, timeout_s=_TIMEOUT_S))
    if not answer.ok:
        return Missing(reason=failure_of(asked.runner.name, answer))
    local = asked.workdir / "there.npy"
    rig.patiently(lambda: rig.link.pull(_OUTPUTS, local))
    rig.link.run(f"rm -f {inputs} {_OUTPUTS}")
    try:
        return np.load(local, allow_pickle=False)
    except ValueError as error:
        return Missing(reason=f"{asked.runner.name} wrote no .npy of numbers: {error}")
