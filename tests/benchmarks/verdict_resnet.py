"""The real ResNet-20, damaged so that it loses 0, 0.5, 1.3 and 3 points on all its test images.

Either some of its smallest weights are set to zero, or the score of one class is lowered. Each file
runs in ONNX Runtime through the product's own stage, on all 10,000 images, step by step too, and on
the first 300.
"""

import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from cases import SHARED, prepared
from figures import Figure

from weighin.gates.child import Limits
from weighin.gates.devices.bench import Candidate, HostSettings
from weighin.gates.devices.host import measure_host
from weighin.gates.digest import sha256_of
from weighin.gates.judge import Moment, Outcome, Subject, judge
from weighin.gates.measurement import Measurement, Reading
from weighin.gates.meters.quality import Quality
from weighin.gates.metric import Budget, Metric
from weighin.gates.variant import Format

FOLDER = "cifar10-resnet-torch"
METRIC = Metric.ACCURACY_DROP_POINTS
MARGIN = 1.0
LIMITS = Limits(wall_seconds=1800, memory_mib=8000)
FEW = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """What is done to the model, the drop that comes of it, and what the gate should say.

    Attributes:
        zero_percent: Share of the weights that becomes zero, the smallest ones.
        of_class: Whose score is lowered.
        lowered: By how much.
        points: The drop on all images, about.
        outcome: What a margin of one point makes of it.
    """

    zero_percent: float = 0.0
    of_class: int = 0
    lowered: float = 0.0
    points: float
    outcome: Outcome

    @property
    def label(self) -> str:
        return f"zero{self.zero_percent:g}-lower{self.of_class}by{self.lowered:g}.onnx"

    @property
    def words(self) -> str:
        if self.lowered:
            return f"score of class {self.of_class} lowered by {self.lowered:g}"
        return f"{self.zero_percent:g} % of the weights zero"


DAMAGES = (
    Damage(of_class=1, lowered=1.5, points=0.0, outcome=Outcome.PASS),
    Damage(zero_percent=38.0, points=0.5, outcome=Outcome.PASS),
    Damage(lowered=5.7, points=1.3, outcome=Outcome.FAIL),
    Damage(zero_percent=54.0, points=3.0, outcome=Outcome.FAIL),
)
"""Found on all test images: the drop is the truth here, and no claim about the damage."""

WIDE = Damage(zero_percent=48.0, points=1.3, outcome=Outcome.UNDECIDED)
"""The same drop with twice as many flips: 10,000 images do not tell it from one point."""


def family_figure() -> Iterator[Figure]:
    """How many of the four come out as they should on all images and are open on few."""
    if not (SHARED / FOLDER).is_dir():
        raise SystemExit(f"{SHARED / FOLDER} is not there: this needs the real ResNet-20")
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        with np.load(SHARED / FOLDER / "eval.npz") as data:
            x, y = prepared(FOLDER, data["x"]), data["y"].astype(np.int64)
        files = _files(work, x)
        sets = {rows: _data(work, x, y, rows) for rows in (len(y), FEW)}
        whole = _drops(files, sets[len(y)], work / "all", Quality())
        steps = _drops(files, sets[len(y)], work / "steps", Quality(margins=(MARGIN,)))
        few = _drops(files, sets[FEW], work / "few", Quality())
    rows = tuple(_row(damage, whole, steps, few) for damage in (*DAMAGES, WIDE))
    yield Figure(
        name="resnet_family_verdicts_right",
        value=sum(row["right"] is True for row in rows[: len(DAMAGES)]),
        goal=len(DAMAGES),
        op=">=",
        detail=f"margin {MARGIN:g} point, {len(y):,} images, open on {FEW}",
        rows=rows,
    )


def _row(
    damage: Damage,
    whole: Mapping[str, Reading],
    steps: Mapping[str, Reading],
    few: Mapping[str, Reading],
) -> dict[str, object]:
    label = damage.label
    said = [_outcome(label, found[label]) for found in (whole, steps, few)]
    return {
        "damage": damage.words,
        "all images": f"{_words(whole[label])}: {said[0]}",
        "step by step": f"{_words(steps[label])}: {said[1]}",
        f"{FEW} images": f"{_words(few[label])}: {said[2]}",
        "right": said == [damage.outcome, damage.outcome, Outcome.UNDECIDED],
    }


def _words(reading: Reading) -> str:
    if not isinstance(reading, Measurement):
        return reading.reason
    return f"{reading.value:.2f} ({reading.lower:.2f} to {reading.upper:.2f}), n = {reading.n:,}"


def _outcome(label: str, reading: Reading) -> Outcome:
    if not isinstance(reading, Measurement):
        raise SystemExit(f"{label} was not measured: {reading.reason}")
    subject = Subject(
        artifact_sha256=reading.artifact_sha256, device="host", runtime=reading.runtime
    )
    moment = Moment(now=datetime.now(UTC), max_age=timedelta(days=1))
    return judge(subject, [Budget(metric=METRIC, at_most=MARGIN)], [reading], moment).outcome


def _drops(
    files: Mapping[str, Path], data: tuple[Path, Path], work: Path, quality: Quality
) -> dict[str, Reading]:
    candidates = [
        Candidate(label=label, path=path, format=Format.ONNX, sha256=sha256_of(path))
        for label, path in files.items()
    ]
    settings = HostSettings(quality=quality)
    now = datetime.now(UTC)
    found = measure_host(candidates, *data, work, LIMITS, now, settings, metrics=(METRIC,))
    return {
        label: next(one for one in readings if one.metric is METRIC)
        for label, readings in found.items()
    }


def _data(work: Path, x: Any, y: Any, rows: int) -> tuple[Path, Path]:
    """The first rows, and the undamaged model's outputs on them."""
    evaluation, reference = work / f"eval-{rows}.npz", work / f"reference-{rows}.npy"
    np.savez(evaluation, x=x[:rows], y=y[:rows])
    np.save(reference, np.load(work / "reference.npy")[:rows])
    return evaluation, reference


def _files(work: Path, x: Any) -> dict[str, Path]:
    """The damaged models as ONNX files; the undamaged one's outputs as ``reference.npy``."""
    import torch

    sys.path.insert(0, str(SHARED / FOLDER))
    import load  # type: ignore[import-not-found]

    whole = load.model(20).eval()
    with torch.no_grad():
        parts = [whole(torch.from_numpy(part)).numpy() for part in np.array_split(x, 40)]
    np.save(work / "reference.npy", np.concatenate(parts))
    files = {}
    for damage in (*DAMAGES, WIDE):
        model, path = load.model(20).eval(), work / damage.label
        _spoil(model, damage)
        example = (torch.from_numpy(x[:1]),)
        torch.onnx.export(model, example, path, dynamo=True, external_data=False, verbose=False)
        files[damage.label] = path
    return files


def _spoil(model: Any, damage: Damage) -> None:
    """Set the smallest weights of all layers together to zero, and lower a class's score."""
    import torch

    weights = [one for one in model.parameters() if one.dim() > 1]
    sizes = torch.cat([one.detach().abs().flatten() for one in weights])
    count = int(damage.zero_percent / 100 * len(sizes))
    last = [one for one in model.modules() if isinstance(one, torch.nn.Linear)][-1]
    with torch.no_grad():
        last.bias[damage.of_class] -= damage.lowered
        if count:
            least = sizes.kthvalue(count).values
            for one in weights:
                one[one.abs() <= least] = 0
