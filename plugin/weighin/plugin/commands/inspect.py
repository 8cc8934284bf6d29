"""``weighin inspect``: what a model file costs, read from the file itself."""

import argparse
import sys
from pathlib import Path

from weighin.plugin.console import say, say_json

SUMMARY = "say what a model file costs"
DESCRIPTION = (
    "Say what a model file costs, read from the file itself: multiply-adds by operator kind and "
    "arithmetic, bytes moved, weights and their zeros, the activation arena, and what a delegate "
    "would leave to the runtime. Nothing is run, and no weighin.toml is needed."
)
EXAMPLE = """examples:
  weighin inspect model.tflite                       the totals, the dearest layers, warnings
  weighin inspect model.onnx --layers                every operator
  weighin inspect model.tflite --delegate xnnpack    what XNNPACK would take, layer by layer
  weighin inspect model.pte --json > cost.json       for another program; see docs/inspect.md

reads .tflite, .onnx, .ort and .pte files
"""
DELEGATES = ("xnnpack", "nnapi", "gpu")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what it takes."""
    parser.add_argument("file", type=Path, help="a .tflite, .onnx, .ort or .pte file")
    parser.add_argument("--layers", action="store_true", help="list every operator")
    parser.add_argument(
        "--delegate",
        choices=DELEGATES,
        help="only this delegate, and what it makes of every operator",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Read, and tell."""
    from weighin.gates.delegates import Delegate
    from weighin.gates.inspection import document
    from weighin.plugin.inspect_file import inspect_file
    from weighin.plugin.inspect_words import in_ascii, lines

    asked = (Delegate(args.delegate),) if args.delegate else tuple(Delegate)
    inspection = inspect_file(args.file, asked)
    layers = args.layers or args.delegate is not None
    if args.json:
        say_json(document(inspection, layers=layers))
        return 0
    told = "\n".join(lines(inspection, layers=layers))
    unicode = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    say(told if unicode else in_ascii(told))
    return 0
