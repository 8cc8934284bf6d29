"""How often the p90 interval of a phone's latency holds, on made-up phones whose p90 is known.

    python tests/benchmarks/phone_latency.py [--json]

Each trial makes three blocks of processes with three runs each, sums each process up as
benchmark_model does (microseconds, six digits), and asks the product for the p90. Runs scatter
log-normally around their process, and processes around the phone: timings of one process are then
not independent, which order statistics assume.
"""

import json
import math
import random
import statistics
import sys

from weighin.gates.devices.phone.blocks import CYCLES, Block
from weighin.gates.devices.phone.latency import SESSIONS, conclude
from weighin.gates.devices.phone.tool_output import Summary, ToolRun
from weighin.gates.stats import Interval

TRIALS = 400
MEDIAN_MS = 12.0
CASES = {
    "runs 2 %, processes alike": (0.02, 0.0),
    "runs 2 %, processes 1 %": (0.02, 0.01),
    "runs 2 %, processes 3 %": (0.02, 0.03),
    "runs 5 %, processes 5 %": (0.05, 0.05),
    "runs 1 %, processes 10 %": (0.01, 0.10),
}


def summary(noise: random.Random, runs: float, processes: float) -> Summary:
    centre = MEDIAN_MS * math.exp(noise.gauss(0, processes))
    times = [round(1000 * centre * math.exp(noise.gauss(0, runs))) for _ in range(3)]
    mean = float(f"{statistics.fmean(times):.6g}")
    return Summary(count=3, mean_ms=mean / 1000, min_ms=min(times) / 1000, max_ms=max(times) / 1000)


def block(noise: random.Random, runs: float, processes: float) -> Block:
    model = tuple(summary(noise, runs, processes) for _ in range(2 * CYCLES))
    sample = ToolRun(timed=model[0], warm_up=1)
    return Block(
        model=model, reference=(), twin=(), sample=sample, before="", after="", discarded=0
    )


def case(runs: float, processes: float) -> dict[str, float]:
    noise = random.Random(f"{runs} {processes}")
    spread = math.hypot(runs, processes)
    p90 = MEDIAN_MS * math.exp(spread * statistics.NormalDist().inv_cdf(0.9))
    found = [
        conclude([block(noise, runs, processes) for _ in range(SESSIONS)], 0.95).p90_ms
        for _ in range(TRIALS)
    ]
    ends = [one for one in found if isinstance(one, Interval)]
    return {
        "upper_end_holds_percent": 100 * sum(p90 <= one.upper for one in ends) / TRIALS,
        "lower_end_holds_percent": 100 * sum(one.lower <= p90 for one in ends) / TRIALS,
        "half_width_percent": 50
        * statistics.median((one.upper - one.lower) / one.value for one in ends),
    }


def main() -> None:
    results = {name: case(*spread) for name, spread in CASES.items()}
    if "--json" in sys.argv:
        print(json.dumps(results, indent=2))
        return
    print(f"{'':<28}{'upper end':>12}{'lower end':>12}{'half width':>12}")
    for name, one in results.items():
        figures = "".join(f"{value:>10.1f} %" for value in one.values())
        print(f"{name:<28}{figures}")


if __name__ == "__main__":
    main()
