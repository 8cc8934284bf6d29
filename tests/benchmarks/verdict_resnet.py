"""The real ResNet-20, damaged so that it loses 0, 0.5, 1.3 and 3 points on all its test images.

Either some of its smallest weights are set to zero, or the score of one class is lowered. Each file
runs in ONNX Runtime through the product's own stage, on all 10,000 images, step by step too, and on
the first 300.
"""

import argparse
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
PICTURE = Path(__file__).parents[2] / "docs" / "images" / "verdict.png"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One damaged model: its readings on all images, step by step, and on few."""

    damage: Damage
    whole: Reading
    steps: Reading
    few: Reading

    @property
    def outcomes(self) -> list[Outcome]:
        return [_outcome(self.damage.label, one) for one in (self.whole, self.steps, self.few)]

    @property
    def right(self) -> bool:
        return self.outcomes == [self.damage.outcome, self.damage.outcome, Outcome.UNDECIDED]

    def row(self) -> dict[str, object]:
        said = self.outcomes
        return {
            "ResNet-20 with": self.damage.words,
            "10,000 images": f"{_words(self.whole)}: {said[0]}",
            "step by step": f"{_words(self.steps)}, {_rows(self.steps)}: {said[1]}",
            f"{FEW} images": f"{_words(self.few)}: {said[2]}",
        }


def family() -> list[Judged]:
    """Every damaged model, judged three times.

    Raises:
        SystemExit: the real model is not beside this checkout, or a file was not measured.
    """
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
    return [
        Judged(damage=one, whole=whole[one.label], steps=steps[one.label], few=few[one.label])
        for one in (*DAMAGES, WIDE)
    ]


def family_figure() -> Iterator[Figure]:
    """How many of the four come out as they should on all images and are open on few."""
    judged = family()
    yield Figure(
        name="resnet_family_verdicts_right",
        value=sum(one.right for one in judged if one.damage in DAMAGES),
        goal=len(DAMAGES),
        op=">=",
        detail=f"margin {MARGIN:g} point, all test images, step by step too, open on {FEW}",
        rows=tuple(one.row() for one in judged),
    )


def draw(judged: list[Judged], path: Path) -> None:
    """The intervals against the budget, on all images and on few."""
    import vl_convert

    values = []
    for one in judged:
        sets = (("10,000 images", one.whole), (f"{FEW} images", one.few))
        for (title, reading), outcome in zip(sets, one.outcomes[::2], strict=True):
            assert isinstance(reading, Measurement)
            values.append(
                {
                    "variant": one.damage.words,
                    "rows": title,
                    "drop": reading.value,
                    "lower": reading.lower,
                    "upper": reading.upper,
                    "verdict": outcome.value,
                }
            )
    path.write_bytes(vl_convert.vegalite_to_png(_chart(values), scale=2))


def _chart(values: list[dict[str, object]]) -> dict[str, object]:
    colours = {"PASS": "#1a7f4b", "FAIL": "#b3261e", "UNDECIDED": "#8a6d00"}
    colour = {
        "field": "verdict",
        "scale": {"domain": list(colours), "range": list(colours.values())},
        "legend": {"title": None, "orient": "top"},
    }
    y = {
        "field": "variant",
        "sort": None,
        "title": None,
        "axis": {"labelLimit": 260, "ticks": False, "domain": False},
    }
    title = "points of accuracy lost, with the interval that the gate judges"
    bars = {
        "mark": {"type": "rule", "strokeWidth": 3},
        "encoding": {
            "x": {"field": "lower", "type": "quantitative", "title": title},
            "x2": {"field": "upper"},
            "color": colour,
        },
    }
    points = {
        "mark": {"type": "point", "filled": True, "size": 70, "opacity": 1},
        "encoding": {"x": {"field": "drop", "type": "quantitative"}, "color": colour},
    }
    budget = {
        "mark": {"type": "rule", "strokeDash": [5, 4], "color": "#333"},
        "encoding": {"x": {"datum": MARGIN}},
    }
    return {
        "background": "white",
        "data": {"values": values},
        "facet": {"field": "rows", "title": None, "header": {"labelFontSize": 13}},
        "columns": 2,
        "spec": {
            "width": 330,
            "height": 170,
            "encoding": {"y": y},
            "layer": [budget, bars, points],
        },
        "config": {"axis": {"labelFontSize": 12, "titleFontSize": 12}, "view": {"stroke": None}},
    }


def _words(reading: Reading) -> str:
    if not isinstance(reading, Measurement):
        return reading.reason
    return f"{reading.value:.2f} ({reading.lower:.2f} to {reading.upper:.2f})"


def _rows(reading: Reading) -> str:
    return f"{reading.n:,} rows" if isinstance(reading, Measurement) else "no rows"


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draw", type=Path, default=PICTURE, help="the picture (%(default)s)")
    args = parser.parse_args()
    judged = family()
    rows = [one.row() for one in judged]
    print(f"| {' | '.join(rows[0])} |\n| {' | '.join('---' for _ in rows[0])} |")
    for row in rows:
        print(f"| {' | '.join(map(str, row.values()))} |")
    draw(judged, args.draw)


if __name__ == "__main__":
    main()
