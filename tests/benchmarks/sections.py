"""Runs benchmarks one after the other and keeps their sections in one Markdown page."""

import argparse
import ast
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "benchmarks.md"
TITLE = "# Benchmarks\n"


def run_and_write(names: Sequence[str], what: str | None) -> None:
    """Run benchmarks; print every figure, and replace their sections of the page."""
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("--json", action="store_true", help="print a JSON list instead of lines")
    parser.add_argument("--write", type=Path, default=PAGE, help="the page (%(default)s)")
    args = parser.parse_args()
    known, failed = list[dict[str, Any]](), list[str]()
    for name in names:
        text, figures = measured(name)
        known += figures
        failed += [] if figures else [name]
        if not args.json:
            print(text, flush=True)
        replace_section(args.write, name, text)
    if args.json:
        print(json.dumps(known, indent=2))
    if failed:
        raise SystemExit(f"not measured: {', '.join(failed)}")


def measured(name: str) -> tuple[str, list[dict[str, Any]]]:
    """One benchmark's section and its figures; why there are none, if it failed."""
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "table.md"
        command: list[str | Path] = [sys.executable, HERE / f"{name}.py", "--json"]
        env = {**os.environ, "WEIGHIN_BENCH_TABLE": str(table)}
        done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True, env=env)
        if done.returncode != 0:
            return section(name, [], f"Not measured: it ended with {done.returncode}.\n"), []
        figures = json.loads(done.stdout)
        return section(name, figures, table.read_text() if table.is_file() else ""), figures


def section(name: str, figures: Sequence[dict[str, Any]], table: str) -> str:
    """What the page says of one benchmark."""
    about = ast.get_docstring(ast.parse((HERE / f"{name}.py").read_text())) or ""
    lines = [f"## `python tests/benchmarks/{name}.py`", "", about, ""]
    lines += [
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores of {platform.machine()}, "
        f"Python {platform.python_version()}.",
        "",
    ]
    if figures:
        lines += ["| figure | value | goal | | how |", "| --- | --: | --: | --- | --- |"]
        lines += [*map(row_of, figures), ""]
    return "\n".join([*lines, table.strip(), ""])


def row_of(figure: dict[str, Any]) -> str:
    """A figure as a row of a table."""
    word = "ok" if figure["ok"] else "**short**"
    goal = f"{figure['op']} {figure['goal']:g}"
    cells = (figure["name"], f"{figure['value']:.4g}", goal, word, figure["detail"])
    return f"| {' | '.join(cells)} |"


def replace_section(page: Path, name: str, text: str) -> None:
    """Put a section in the place of the older one, or at the end."""
    old = list(_sections(page.read_text(encoding="utf-8") if page.is_file() else TITLE))
    heading = f"## `python tests/benchmarks/{name}.py`"
    places = [n for n, part in enumerate(old) if part.startswith(heading)]
    parts = [*old[: places[0]], text, *old[places[0] + 1 :]] if places else [*old, text]
    page.write_text("\n".join(part.rstrip() + "\n" for part in parts), encoding="utf-8")


def _sections(text: str) -> Iterator[str]:
    """A page cut before every heading of the second level."""
    part: list[str] = []
    for line in text.splitlines(keepends=True):
        if line.startswith("## ") and part:
            yield "".join(part)
            part = []
        part.append(line)
    yield "".join(part)
