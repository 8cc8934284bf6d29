"""What every benchmark prints: one line per figure, or a JSON list with ``--json``."""

import argparse
import json
import statistics
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured number and the goal it is held against: at most, or at least.

    ``rows`` are what it was found in, where that is more than a detail: one per file and tool.
    """

    name: str
    value: float
    goal: float
    detail: str
    op: Literal["<=", ">="] = "<="
    rows: tuple[Mapping[str, object], ...] = ()

    @property
    def ok(self) -> bool:
        return self.value <= self.goal if self.op == "<=" else self.value >= self.goal

    def line(self) -> str:
        word = "ok" if self.ok else "short"
        return f"figure: {self.name} = {self.value:.4g} (goal {self.op} {self.goal:g}) {word}"

    def document(self) -> dict[str, object]:
        document = {**asdict(self), "ok": self.ok}
        return {name: value for name, value in document.items() if name != "rows" or value}


def present(measure: Callable[[], Iterable[Figure]], what: str | None) -> None:
    """Measure, and print each figure as soon as it is known."""
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("--json", action="store_true", help="print a JSON list instead of lines")
    args = parser.parse_args()
    known = []
    for figure in measure():
        known.append(figure.document())
        if not args.json:
            print(figure.line(), "-", figure.detail, flush=True)
    if args.json:
        print(json.dumps(known, indent=2))


def seconds_of(command: Sequence[str | Path], cwd: Path, runs: int) -> tuple[float, str]:
    """Median wall time of a command that must succeed, and the spread in words."""
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        subprocess.run(command, cwd=cwd, check=True, capture_output=True)
        times.append(time.perf_counter() - started)
    spread = f"median of {runs} runs, {min(times):.2f} to {max(times):.2f} s"
    return statistics.median(times), spread
