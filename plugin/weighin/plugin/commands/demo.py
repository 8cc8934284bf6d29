"""``weighin demo``: the whole flow on handwritten digits, in about two minutes."""

import argparse
from pathlib import Path

from weighin.plugin.console import say, say_json

SUMMARY = "see all of it on handwritten digits, nothing downloaded"
DESCRIPTION = (
    "Train a PyTorch and a Keras model on scikit-learn's digits, register both, "
    "weigh them, release what passed, pull one for a phone, and classify a digit with it."
)
EXAMPLE = """examples:
  weighin demo               in the new folder ./weighin-demo
  weighin demo --dir /tmp/d  somewhere else
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what it takes."""
    parser.add_argument("--dir", type=Path, default=Path("weighin-demo"), help="folder to use")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(args: argparse.Namespace) -> int:
    """Run the demo and say where everything is."""
    from weighin.plugin.demo import run_demo

    demo = run_demo(args.dir.resolve(), quiet=args.json)
    document = demo.as_document()
    if args.json:
        say_json(document)
        return 0
    file = demo.pulled.lock.file
    say(f"    {demo.pulled.path.name}: {file.recipe}, {file.size_bytes} bytes, {file.sha256[:12]}")
    say(demo.said.rstrip())
    say(f"\nDone in {demo.seconds:.0f} s. Look at:")
    for done in demo.weighed:
        say(f"  {demo.project.results(*done.reference.split('/')) / 'report.html'}")
    say(f"  {demo.rehearsed.files[0]}")
    say("Next:")
    say(f"  cd {demo.project.root}")
    say("  weighin report digits-torch/1 --open   the page; also --format markdown, --json")
    say("  git log --stat                       every variant is versioned by DVC")
    say("  mlflow ui --backend-store-uri sqlite:///mlflow.db      the verdicts in MLflow")
    return 0
