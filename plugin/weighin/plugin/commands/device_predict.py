"""``weighin device predict``: what a model, or a row of counts, takes on a phone."""

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weighin.plugin.console import say, say_json

if TYPE_CHECKING:
    from weighin.gates.cost import Arithmetic
    from weighin.gates.profile import Calibration, DeviceProfile

SUMMARY = "predict the latency of a model on a phone"
DESCRIPTION = (
    "Predicts mean latency with its 90 % band from the counts of a model's work, or from the model "
    "itself. Says why where there is no number."
)
EXAMPLE = """examples:
  weighin device predict int8.tflite --profile pixel-4
  weighin device predict --cost counts.json --profile mate-10     columns of ncnn_model_features.csv
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what it takes."""
    parser.add_argument("model", nargs="?", type=Path, help="a .tflite, .onnx or .pte file")
    parser.add_argument("--profile", required=True, help="as `weighin device list` shows it")
    parser.add_argument("--cost", type=Path, metavar="FILE.json", help="counts, one object or more")
    parser.add_argument("--runtime", help="whose prices; the profile's first if not given")
    parser.add_argument("--dtype", help="float32 (the default) or int8")
    parser.add_argument("--threads", type=int, help="the profile's first if not given")
    parser.add_argument("--json", action="store_true", help="print JSON")


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """One line of the answer: a value with its band, or a reason."""

    model: str
    value_ms: float | None = None
    lower_ms: float | None = None
    upper_ms: float | None = None
    reason: str = ""
    rule: str = ""


def run(args: argparse.Namespace) -> int:
    """Predict; 1 if any of the models got no number."""
    from weighin.gates.errors import ConfigError
    from weighin.gates.profile import load_profile
    from weighin.plugin.commands.device import own_folder

    if (args.model is None) == (args.cost is None):
        raise ConfigError("give a model file or --cost FILE.json, one of the two")
    own = own_folder(Path.cwd())
    profile = load_profile(args.profile, own)
    if args.model is not None:
        return _of_file(args, profile, own)
    rows = _read(args.cost)
    calibration, reason = _calibration(args, profile)
    found = [_of_counts(row, profile, calibration, reason, own) for row in rows]
    _show(args, profile, calibration, found)
    return 0 if all(one.value_ms is not None for one in found) else 1


def _read(path: Path) -> list[Mapping[str, Any]]:
    from weighin.gates.errors import DataError

    try:
        document = json.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    rows = document if isinstance(document, list) else [document]
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise DataError(f"{path}: must be an object with counts, or a list of them")
    return rows


def _calibration(
    args: argparse.Namespace, profile: "DeviceProfile"
) -> tuple["Calibration | None", str]:
    """The runs that settle the phone's prices, or why there are none."""
    arithmetic = _arithmetic(args.dtype)
    fitting = [
        one
        for one in profile.calibrations
        if one.arithmetic is arithmetic
        and args.runtime in (None, one.runtime)
        and args.threads in (None, one.threads)
    ]
    if fitting:
        return fitting[0], ""
    wanted = " ".join(str(p) for p in (args.runtime, arithmetic, args.threads) if p is not None)
    there = [f"{c.runtime} {c.arithmetic} threads {c.threads}" for c in profile.calibrations]
    return None, f"{profile.title} has no {wanted} runs; it has: {', '.join(there) or 'none'}"


def _arithmetic(dtype: str | None) -> "Arithmetic":
    from weighin.gates.cost import Arithmetic
    from weighin.gates.errors import ConfigError

    names = {"float32": Arithmetic.FLOAT32, "fp32": Arithmetic.FLOAT32, "int8": Arithmetic.INT8}
    if dtype is not None and dtype not in names:
        raise ConfigError(f"--dtype {dtype}: must be one of {', '.join(names)}")
    return names[dtype or "float32"]


def _of_counts(
    row: Mapping[str, Any],
    profile: "DeviceProfile",
    calibration: "Calibration | None",
    reason: str,
    own: Path | None,
) -> Predicted:
    from weighin.gates.devices.basis import LEAST_ANCHORS, phone_of
    from weighin.gates.devices.coefficients import load_coefficients, own_coefficients
    from weighin.gates.devices.latency import predict_mean
    from weighin.gates.devices.tables import amounts_of_counts, ncnn_name, uncounted_work

    name = ncnn_name(str(row.get("model", "")))
    if calibration is None:
        return Predicted(model=name, reason=reason)
    fitted = (c for c in own_coefficients(own) if c.runtime == calibration.runtime)
    coefficients = next(fitted, None) or load_coefficients(calibration.runtime)
    learned = coefficients.of(calibration.arithmetic) if coefficients else None
    counts = {key: str(value) for key, value in row.items()}
    if learned is None or len(calibration.anchors) < LEAST_ANCHORS:
        few = f"fewer than {LEAST_ANCHORS} {calibration.runtime} runs on {profile.title}"
        return Predicted(model=name, reason=few)
    if (uncounted := uncounted_work(counts)) is not None:
        return Predicted(model=name, reason=uncounted)
    amounts, phone = amounts_of_counts(counts), phone_of(calibration, learned)
    known = learned.amounts(name) == amounts
    effect = learned.prior.effect(name) if known else None
    found = predict_mean(learned, phone, amounts, effect)
    if isinstance(found, str):
        return Predicted(model=name, reason=found)
    return Predicted(
        model=name,
        value_ms=found.value_ms,
        lower_ms=found.lower_ms,
        upper_ms=found.upper_ms,
        rule=found.rule,
    )


def _show(
    args: argparse.Namespace,
    profile: "DeviceProfile",
    calibration: "Calibration | None",
    found: list[Predicted],
) -> None:
    import dataclasses

    setup = (
        {}
        if calibration is None
        else {
            "runtime": calibration.runtime,
            "arithmetic": calibration.arithmetic.value,
            "threads": calibration.threads,
            "kernels": calibration.kernels,
            "anchors": len(calibration.anchors),
        }
    )
    if args.json:
        models = [dataclasses.asdict(one) for one in found]
        say_json(
            {
                "schema": "weighin/device-predict/v1",
                "profile": profile.name,
                **setup,
                "statistic": "mean latency, 90 % band",
                "predictions": models,
            }
        )
        return
    if calibration is not None:
        say(
            f"{profile.title}, {calibration.runtime} {calibration.arithmetic}, threads: "
            f"{calibration.threads}; mean latency with its 90 % band"
        )
    for one in found:
        label = f"{one.model}: " if one.model else ""
        if one.value_ms is None:
            say(f"{label}no number: {one.reason}")
            continue
        say(f"{label}{one.value_ms:.4g} ms ({one.lower_ms:.4g} to {one.upper_ms:.4g})")
        say(f"  {one.rule}")


def _of_file(args: argparse.Namespace, profile: "DeviceProfile", own: Path | None) -> int:
    """The readings that a gate would get for the file."""
    from datetime import UTC, datetime

    from weighin.gates.digest import sha256_of
    from weighin.gates.errors import ConfigError
    from weighin.gates.measurement import Measurement
    from weighin.gates.variant import Format
    from weighin.plugin.phones import Phones

    formats = {one.suffix: one for one in Format}
    fmt = formats.get(args.model.suffix)
    if fmt is None:
        raise ConfigError(f"{args.model}: expected one of {', '.join(sorted(formats))}")
    if not args.model.is_file():
        raise ConfigError(f"{args.model}: no such file")
    phones = Phones(own or Path("devices"), None, datetime.now(UTC))
    found = phones.known(args.model, fmt, sha256_of(args.model), profile.name)
    numbers = 0
    for reading in found:
        if isinstance(reading, Measurement):
            numbers += 1
            ends = f"{reading.lower:.4g} to {reading.upper:.4g}"
            say(f"{reading.metric}: {reading.value:.4g} ({ends})")
            for key, value in reading.conditions:
                say(f"  {key}: {value}")
        else:
            say(f"{reading.metric}: no number: {reading.reason}")
    return 0 if numbers else 1
