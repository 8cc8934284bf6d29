"""Run every benchmark and write the figures, with the machine they were measured on."""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
BENCHMARKS = ("flow", "quantization", "search", "pruning")
"""About an hour and a half in all; most of it are the trainings of the last two."""


def section(name: str) -> str:
    """One benchmark's figures and table as Markdown, or why there are none."""
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "table.md"
        command: list[str | Path] = [sys.executable, HERE / f"{name}.py", "--json"]
        env = {**os.environ, "WEIGHIN_BENCH_TABLE": str(table)}
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=env)
        if done.returncode != 0:
            return f"Not measured: {done.stderr.strip().splitlines()[-1]}\n"
        rows = [row_of(figure) for figure in json.loads(done.stdout)]
        print(*rows, sep="\n", flush=True)
        head = "| figure | value | goal | | how |\n| --- | --: | --: | --- | --- |"
        return "\n".join([head, *rows, "", table.read_text() if table.is_file() else ""])


def row_of(figure: dict[str, Any]) -> str:
    word = "ok" if figure["ok"] else "**short**"
    goal = f"{figure['op']} {figure['goal']:g}"
    cells = (figure["name"], f"{figure['value']:.4g}", goal, word, figure["detail"])
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, required=True, help="Markdown file to write")
    args = parser.parse_args()
    parts = [
        "# Benchmarks\n",
        f"Measured {datetime.now(UTC):%Y-%m-%d} with `make bench` on {os.cpu_count()} cores of "
        f"{platform.machine()}, Python {platform.python_version()}.\n",
    ]
    for name in BENCHMARKS:
        parts.append(f"## `python tests/benchmarks/{name}.py`\n")
        parts.append(section(name))
    args.write.write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
