"""Run every benchmark and write the figures, with the machine they were measured on."""

import argparse
import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).parent
BENCHMARKS = ("flow",)


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
        command: list[str | Path] = [sys.executable, HERE / f"{name}.py", "--json"]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        parts.append(f"## `python tests/benchmarks/{name}.py`\n")
        parts.append("| figure | value | goal | | how |\n| --- | --: | --: | --- | --- |")
        for row in json.loads(done.stdout):
            word = "ok" if row["ok"] else "**short**"
            cells = (
                row["name"],
                f"{row['value']:.4g}",
                f"{row['op']} {row['goal']:g}",
                word,
                row["detail"],
            )
            parts.append(f"| {' | '.join(cells)} |")
            print(" ".join(cells), flush=True)
        parts.append("")
    args.write.write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
