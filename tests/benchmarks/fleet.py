"""How long it takes to predict and judge 20 variants on 30 phones.

    python tests/benchmarks/fleet.py [--json]

Everything that depends on a phone is timed: profiles and files are read, every file is predicted
for every phone, and every verdict is judged. What this machine measures by itself is left out: it
does not grow with the phones.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from weighin.gates.belief import Moment
from weighin.gates.child import Limits
from weighin.gates.devices.bench import HostSettings
from weighin.gates.digest import sha256_of
from weighin.gates.profile import OWN_FOLDER, Tier, all_profiles
from weighin.gates.variant import Format, Variant
from weighin.plugin.config_file import parse_config
from weighin.plugin.phones import Phones
from weighin.plugin.plan import make_plan
from weighin.plugin.scales import Scales
from weighin.plugin.weighing import judge_variants

PHONES, VARIANTS = 30, 20
REPEATS = 5
NOW = datetime(2026, 1, 1, tzinfo=UTC)


_CONVERT = """
import sys, keras, tensorflow as tf
model = keras.applications.MobileNetV2(weights=None)
open(sys.argv[1], "wb").write(tf.lite.TFLiteConverter.from_keras_model(model).convert())
"""


def mobilenet(folder: Path) -> Path:
    """MobileNet v2 with random weights as LiteRT, 14 MB; made by a child, which talks a lot."""
    path = folder / "mobilenet.tflite"
    subprocess.run([sys.executable, "-c", _CONVERT, path], check=True, capture_output=True)
    return path


def variants_of(file: Path, count: int) -> tuple[Variant, ...]:
    """Files of one layout and different weights."""
    content = bytearray(file.read_bytes())
    made = []
    for number in range(count):
        path = file.with_name(f"v{number}.tflite")
        content[-1] = number  # the last weight: another file of the same cost
        path.write_bytes(content)
        made.append(
            Variant(
                recipe=f"v{number}",
                format=Format.LITERT,
                sha256=sha256_of(path),
                size_bytes=path.stat().st_size,
                path=path.name,
                parent="p",
                tools=(),
            )
        )
    return tuple(made)


def phones(count: int) -> tuple[str, ...]:
    """The shipped phones with published runs first: the others are quicker."""
    shipped = [profile for profile in all_profiles() if profile.tier is not Tier.HOST]
    shipped.sort(key=lambda profile: (not profile.calibrations, profile.name))
    return tuple(profile.name for profile in shipped[:count])


def seconds_to_judge(
    folder: Path, variants: Sequence[Variant], devices: Sequence[str]
) -> tuple[float, float]:
    """Wall and processor seconds of predicting and judging all of them once."""
    budgets = {"latency_p90_ms": 40, "energy_mj": 200, "peak_memory_mib": 100, "size_mib": 20}
    model = {
        "evaluation": "e.npz",
        "calibration": "c.npz",
        "recipes": ["int8"],
        "devices": list(devices),
        "usage": {"inferences_per_second": 1},
    }
    document = {"budgets": {"default": budgets}, "models": {"m": model}}
    plan = make_plan(parse_config(document), "m", (), {})
    scales = Scales(
        root=folder,
        evaluation=folder,
        reference=folder,
        workdir=folder,
        limits=Limits(wall_seconds=1, memory_mib=1),
        moment=Moment(now=NOW, max_age=timedelta(days=1)),
        settings=HostSettings(),
    )
    here = {variant.label: () for variant in variants}
    began, worked = time.perf_counter(), time.process_time()
    asked = Phones(folder / OWN_FOLDER, plan.settings.use, NOW)
    results = judge_variants(variants, here, {}, {}, asked, plan, scales, lambda *_: None)
    took = time.perf_counter() - began, time.process_time() - worked
    assert sum(len(result.verdicts) for result in results) == len(variants) * len(devices)
    return took


def measured() -> dict[str, float]:
    """The figures of this benchmark."""
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        variants = variants_of(mobilenet(folder), VARIANTS)
        devices = phones(PHONES)
        runs = [seconds_to_judge(folder, variants, devices) for _ in range(REPEATS)]
    return {
        "judge_600_seconds": statistics.median(wall for wall, _ in runs),
        "judge_600_cpu_seconds": statistics.median(cpu for _, cpu in runs),
    }


def main(argv: Sequence[str]) -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print JSON")
    args = parser.parse_args(argv)
    figures: dict[str, Any] = measured()
    if args.json:
        sys.stdout.write(json.dumps(figures, indent=2) + "\n")
        return 0
    for name, value in figures.items():
        sys.stdout.write(f"{name:<28}{value:.2f}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
