"""``weighin device measure``: measure models on phones that are plugged in."""

import argparse
import json
import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from weighin.plugin.console import say, say_json, warn

if TYPE_CHECKING:
    from weighin.gates.devices.phone.adb import Server
    from weighin.gates.devices.phone.bench import Asked
    from weighin.gates.devices.phone.link import Link
    from weighin.gates.devices.phone.measure import Job, ModelFile
    from weighin.gates.devices.phone.rows import RowsAsked
    from weighin.plugin.phone_bench import Finished
    from weighin.plugin.phone_project import PhonePlace

SUMMARY = "measure models on phones over adb"
DESCRIPTION = (
    "Push a benchmark tool and models to one or several phones, run them on the fastest cores, "
    "interleaved with the float model, until the latency's interval is narrow enough, and keep "
    "every run in devices/NAME.runs.jsonl. The gate uses them as `device` evidence."
)
EXAMPLE = """examples:
  weighin device measure int8.tflite --float float32.tflite
  weighin device measure variants/digits/v1/*.tflite --serial A --serial B --resume
  weighin device measure int8.tflite --energy      minutes more; unplugged, adb over Wi-Fi
  weighin device measure m.onnx --tool ./onnxruntime_perf_test --runtime-version 1.31.1

exit codes: 0 everything measured; 1 a phone or a model failed, the rest is kept; 2 usage
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what it takes."""
    parser.add_argument("models", metavar="MODEL", nargs="+", type=Path, help=".tflite or .onnx")
    parser.add_argument("--serial", metavar="S", action="append", help="a phone; may be repeated")
    parser.add_argument("--device", metavar="NAME", help="keep the runs for this profile")
    parser.add_argument(
        "--float",
        metavar="MODEL",
        type=Path,
        dest="reference",
        help="the float model to interleave with",
    )
    parser.add_argument("--tool", metavar="PATH", type=Path, help="the benchmark tool")
    parser.add_argument(
        "--runtime-version", metavar="V", help="release that the tool was built from"
    )
    parser.add_argument(
        "--threads", metavar="N", type=int, default=4, help="as the app will use (4)"
    )
    parser.add_argument("--delegate", metavar="NAME", default="", help="xnnpack, gpu, nnapi, qnn")
    parser.add_argument(
        "--half-width",
        metavar="%",
        type=float,
        default=5.0,
        help="of the latency's interval that is narrow enough (5)",
    )
    parser.add_argument(
        "--minutes", metavar="M", type=float, default=6.0, help="at most, per model (6)"
    )
    parser.add_argument("--no-memory", action="store_true", help="leave peak memory out")
    parser.add_argument("--energy", action="store_true", help="measure energy, too")
    parser.add_argument(
        "--energy-seconds",
        metavar="S",
        type=float,
        default=60.0,
        help="length of each of six windows (60)",
    )
    parser.add_argument(
        "--away-seconds", metavar="S", type=float, default=60.0, help="a phone may be away (60)"
    )
    parser.add_argument(
        "--data", metavar="NPZ", type=Path, help="compare outputs on 64 of these rows (x)"
    )
    parser.add_argument(
        "--runner", metavar="PATH", type=Path, help="program for the phone that runs rows"
    )
    parser.add_argument("--resume", action="store_true", help="leave out what was measured already")
    parser.add_argument("--json", action="store_true", help="print the runs as JSON")


def run(args: argparse.Namespace) -> int:
    """Measure every model on every phone."""
    from weighin.plugin.phone_bench import Place, measure_all
    from weighin.plugin.phone_project import phone_place

    asked = _asked(args)
    place = phone_place(Path.cwd())
    work = _work(args, place, asked)
    kept = Place(
        folder=place.own,
        locks=place.locks,
        now=lambda: datetime.now(UTC),
        fresh=place.fresh if args.resume else None,
    )
    finished = measure_all(work, kept, warn)
    _show(finished, place.own, as_json=args.json)
    return 0 if all(_went_well(one) for one in finished) else 1


def _asked(args: argparse.Namespace) -> "Asked":
    """How to measure.

    Raises:
        ConfigError: a number is out of range.
    """
    from weighin.gates.devices.phone.bench import Asked
    from weighin.gates.devices.phone.tools import DELEGATES
    from weighin.gates.errors import ConfigError

    limits = {
        "--threads": (args.threads, 1, 16),
        "--half-width": (args.half_width, 0.5, 50),
        "--minutes": (args.minutes, 0.1, 600),
        "--energy-seconds": (args.energy_seconds, 5, 3600),
        "--away-seconds": (args.away_seconds, 0, 86400),
    }
    for name, (value, least, most) in limits.items():
        if not least <= value <= most:
            raise ConfigError(f"{name}: {least:g} to {most:g} is possible, not {value:g}")
    known = {name for names in DELEGATES.values() for name in names}
    if args.delegate and args.delegate not in known:
        raise ConfigError(f"no delegate '{args.delegate}'; there are {', '.join(sorted(known))}")
    return Asked(
        threads=args.threads,
        delegate=args.delegate,
        half_width=args.half_width / 100,
        minutes=args.minutes,
        memory_processes=0 if args.no_memory else 3,
        energy=args.energy,
        energy_s=args.energy_seconds,
        away_s=args.away_seconds,
    )


def _work(
    args: argparse.Namespace, place: "PhonePlace", asked: "Asked"
) -> list[tuple["Link", tuple["Job", ...]]]:
    from weighin.gates.devices.phone.adb import choose, list_phones, server_of
    from weighin.gates.devices.phone.measure import open_model
    from weighin.gates.errors import ConfigError

    models = [open_model(path) for path in args.models]
    reference = open_model(args.reference) if args.reference else None
    formats = list(dict.fromkeys(model.format for model in models))
    if args.tool is not None and len(formats) > 1:
        raise ConfigError("--tool measures one format; measure .tflite and .onnx one after another")
    server = server_of(os.environ)
    serials = choose(list_phones(server), tuple(args.serial or ()))
    if args.device is not None and len(serials) > 1:
        raise ConfigError("--device is the profile of one phone; leave it out for several")
    return [_on_phone(args, place, asked, server, serial, models, reference) for serial in serials]


def _on_phone(
    args: argparse.Namespace,
    place: "PhonePlace",
    asked: "Asked",
    server: "Server",
    serial: str,
    models: "Sequence[ModelFile]",
    reference: "ModelFile | None",
) -> tuple["Link", tuple["Job", ...]]:
    """The jobs of one phone: one per format, because each format has its own tool."""
    from weighin.gates.devices.phone.adb import AdbLink
    from weighin.gates.devices.phone.facts import read_facts
    from weighin.gates.devices.phone.measure import Job
    from weighin.plugin.phone_project import device_for, tool_for

    link = AdbLink(server, serial)
    facts = read_facts(link)
    device = device_for(place, facts, args.device)
    jobs = [
        Job(
            device=device,
            facts=facts,
            tool=tool_for(place, format, args.tool, args.runtime_version),
            models=tuple(model for model in models if model.format is format),
            reference=reference if reference and reference.format is format else None,
            asked=asked,
            rows=_rows(args, place, serial),
        )
        for format in dict.fromkeys(model.format for model in models)
    ]
    return link, tuple(jobs)


def _rows(args: argparse.Namespace, place: "PhonePlace", serial: str) -> "RowsAsked | None":
    """What outputs are compared on.

    Raises:
        ConfigError: one of the two files is missing.
    """
    from weighin.gates.devices.phone.rows import RowsAsked
    from weighin.gates.errors import ConfigError

    if args.data is None and args.runner is None:
        return None
    if args.data is None or args.runner is None:
        raise ConfigError("--data and --runner go together: rows, and what runs them on the phone")
    for path in (args.data, args.runner):
        if not path.is_file():
            raise ConfigError(f"no file {path}")
    folder = re.sub(r"[^A-Za-z0-9]", "-", serial)
    workdir = place.locks / "work" / "phones" / folder
    return RowsAsked(data=args.data, runner=args.runner, workdir=workdir)


def _went_well(finished: "Finished") -> bool:
    from weighin.gates.devices.phone_run import Missing

    missing = any(isinstance(run.latency_ms, Missing) for run in finished.runs)
    return not finished.stopped and not missing


def _show(finished: "Sequence[Finished]", folder: Path, *, as_json: bool) -> None:
    from weighin.gates.devices.phone.show import run_lines
    from weighin.gates.devices.phone_run import run_to_line

    if as_json:
        say_json([json.loads(run_to_line(run)) for one in finished for run in one.runs])
    for one in finished:
        if not as_json:
            for run in one.runs:
                for line in run_lines(run):
                    say(line)
            if one.skipped:
                say(f"{one.device}: {one.skipped} measured before, left out")
        if one.stopped:
            warn(f"{one.device}: stopped: {one.stopped}")
        if one.runs and not as_json:
            say(f"kept in {folder / one.device}.runs.jsonl")
