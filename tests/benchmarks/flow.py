"""How long the flow takes: the demo, an unchanged second run, a pull of nothing new, the hook."""

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
        ratio, spread = registration_ratio(Path(scratch) / "hook")
        yield Figure(name="registration_ratio", value=ratio, goal=1.05, detail=spread)


if __name__ == "__main__":
    present(measure, __doc__)
