"""How long the flow takes: the demo, an unchanged second run, a pull of nothing new, the hook."""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from figures import Figure, present, seconds_of
from registration_ratio import registration_ratio

WEIGHIN = Path(sys.executable).with_name("weighin")


def measure() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "demo"
        started = time.perf_counter()
        subprocess.run(
            [WEIGHIN, "demo", "--dir", folder, "--json"], check=True, capture_output=True
        )
        took = time.perf_counter() - started
        detail = "weighin demo, once, from an empty folder"
        yield Figure(name="demo_seconds", value=took, goal=180, detail=detail)
        rerun, spread = seconds_of([WEIGHIN, "run", "digits-torch/1", "--json"], folder, 5)
        yield Figure(name="rerun_seconds", value=rerun, goal=5, detail=spread)
        pull: list[str | Path] = [WEIGHIN, "pull", "--cache", folder / "app" / ".cache"]
        noop, spread = seconds_of(pull, folder / "app", 11)
        yield Figure(name="pull_noop_seconds", value=noop, goal=0.5, detail=spread)
        yield hook_figure(Path(scratch))


def hook_figure(scratch: Path) -> Figure:
    """The median of several series: a single one strays by some percent on a busy machine."""
    ratios, spread = [], ""
    for number in range(5):
        folder = scratch / f"hook{number}"
        folder.mkdir()
        ratio, spread = registration_ratio(folder)
        ratios.append(ratio)
    detail = f"median of {len(ratios)} series, {min(ratios):.3f} to {max(ratios):.3f}; {spread}"
    return Figure(
        name="registration_ratio", value=statistics.median(ratios), goal=1.05, detail=detail
    )


if __name__ == "__main__":
    present(measure, __doc__)
