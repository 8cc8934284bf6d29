"""How far to trust numbers for phones: held-out errors, coverage, wrong verdicts, and speed.

    python tests/benchmarks/devices.py [--json]

The tables of phone measurements are taken from `../shared/devices`, or from the folder that
`WEIGHIN_PHONE_DATA` names. *Unseen phone*: prices learned on all other phones, five of the phone's
runs as anchors, the rest predicted. *New*: the network's whole family left out as well; networks
out of reach get no number, and are counted. The gate is simulated with budgets between a third and
three times the actual latency. A transformer must be refused.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import arm_twin
import fleet
from figures import Figure, present
from inspecting import inspect_figures

from weighin.gates.cost import Arithmetic
from weighin.gates.devices.fit_report import Errors, errors_of
from weighin.gates.devices.fitting import Fit, fit_runtime
from weighin.gates.devices.tables import read_tables
from weighin.gates.profile import HOST, all_profiles

FOLDER = Path(os.environ.get("WEIGHIN_PHONE_DATA", Path(__file__).parents[3] / "shared/devices"))
PROFILES = 30
TRANSFORMER = "vision_transformer"


def profiles() -> Iterator[Figure]:
    """Phones by tier, and how many have power and runs."""
    phones = [one for one in all_profiles() if one.name != HOST]
    tiers = {tier: sum(p.tier == tier for p in phones) for tier in ("high", "mid", "low", "old")}
    power = sum(p.active_mw(1) is not None for p in phones)
    runs = sum(bool(p.calibrations) for p in phones)
    told = ", ".join(f"{count} {tier}" for tier, count in tiers.items())
    yield Figure(
        name="profiles",
        value=len(phones),
        goal=PROFILES,
        op=">=",
        detail=f"{told}; {power} with power of their cores, {runs} with published runs",
    )


def predictions() -> Iterator[Figure]:
    """Errors of what the phones did not teach."""
    table = read_tables([FOLDER])
    fits = {(f.runtime, f.arithmetic): f for f in fit_runtime(table, "ncnn")}
    litert = {(f.runtime, f.arithmetic): f for f in fit_runtime(table, "litert")}
    floats, int8 = fits["ncnn", Arithmetic.FLOAT32], fits["ncnn", Arithmetic.INT8]
    known, new = _errors(floats, "known"), _errors(floats, "new")
    rows = tuple(_rows({**fits, **litert}))
    told = f"{known.predictions} predictions of ncnn float32 on {len(_phones(floats))} phones"
    yield _at_most("unseen_phone_median_percent", known.median_percent, 13, told, rows)
    yield _at_most("unseen_phone_p90_percent", known.p90_percent, 35, told)
    told = f"{new.predictions} predictions, {new.refused} networks on a phone got no number"
    yield _at_most("unseen_phone_new_family_median_percent", new.median_percent, 15, told)
    yield _at_most("unseen_phone_new_family_p90_percent", new.p90_percent, 35, told)
    of_int8 = _errors(int8, "known")
    told = f"{of_int8.predictions} predictions of ncnn int8, p90 {of_int8.p90_percent:.1f} %"
    yield _at_most("int8_unseen_phone_median_percent", of_int8.median_percent, 15, told)
    yield from _gates(known, new, of_int8)
    refused = any(line.startswith(f"{TRANSFORMER}: no calib") for line in table.left_out)
    yield Figure(
        name="transformer_refused",
        value=float(refused),
        goal=1,
        op=">=",
        detail=f"{TRANSFORMER} beside a calibration of convolutions",
    )


def _gates(known: Errors, new: Errors, int8: Errors) -> Iterator[Figure]:
    """Coverage and verdicts; the figure is the worst of the three kinds of prediction."""
    kinds = {"known": known, "new family": new, "int8": int8}
    covers = {name: one.coverage_percent or 0.0 for name, one in kinds.items()}
    worst = max(covers, key=lambda name: abs(covers[name] - 91))
    told = ", ".join(f"{name} {value:.1f}" for name, value in covers.items())
    yield _at_most("band90_coverage_off_91", abs(covers[worst] - 91), 3, told)
    yield Figure(
        name="band90_coverage_percent",
        value=covers["known"],
        goal=88,
        op=">=",
        detail=f"each phone with the band of the others; {told}; at most 94",
    )
    wrong = {name: one.wrong_pass_percent or 0.0 for name, one in kinds.items()}
    told = ", ".join(f"{name} {value:.2f}" for name, value in wrong.items())
    yield _at_most("wrong_pass_percent", wrong["known"], 1.5, f"of the passes; {told}")
    decided = {name: one.decided_percent or 0.0 for name, one in kinds.items()}
    yield Figure(
        name="decided_percent",
        value=decided["known"],
        goal=65,
        op=">=",
        detail=", ".join(f"{name} {value:.1f}" for name, value in decided.items()),
    )


def _errors(fit: Fit, plan: str) -> Errors:
    found = errors_of(getattr(fit, plan))
    if found is None:
        raise SystemExit(f"nothing could be predicted: {fit.runtime} {fit.arithmetic} {plan}")
    return found


def _phones(fit: Fit) -> set[str]:
    return {r.run.device for r in fit.known.residuals}


def _rows(fits: dict[tuple[str, Arithmetic], Fit]) -> Iterator[dict[str, object]]:
    for (runtime, arithmetic), fit in fits.items():
        for plan in ("known", "new", "transferred", "new_only"):
            found = errors_of(getattr(fit, plan))
            if found is None:
                continue
            yield {
                "runtime": f"{runtime} {arithmetic}",
                "left out": plan,
                "median %": found.median_percent,
                "p90 %": found.p90_percent,
                "band holds %": _cell(found.coverage_percent),
                "decided %": _cell(found.decided_percent),
                "wrong PASS %": _cell(found.wrong_pass_percent),
                "predictions": found.predictions,
                "no number": found.refused,
            }


def _cell(value: float | None) -> object:
    return "one phone" if value is None else value


def _at_most(
    name: str, value: float, goal: float, detail: str, rows: tuple[dict[str, object], ...] = ()
) -> Figure:
    return Figure(name=name, value=value, goal=goal, detail=detail, rows=rows)


def twin() -> Iterator[Figure]:
    """The ARM twin, from shipped counts: no emulator is needed for this."""
    found = arm_twin.figures(FOLDER)
    goals = {"twin_unseen_model_median_percent": 6, "twin_unseen_model_p90_percent": 15}
    others = ", ".join(f"{n} {v:.1f}" for n, v in found.items() if n not in goals)
    for name, goal in goals.items():
        yield _at_most(name, found[name], goal, f"two anchors, other families; {others}")


def speed() -> Iterator[Figure]:
    """A 20 MB model inspected, 30 phones x 20 variants predicted and judged."""
    with tempfile.TemporaryDirectory() as folder:
        yield from inspect_figures(Path(folder))
    found = fleet.measured()
    cpu = found["judge_600_cpu_seconds"]
    told = f"median of {fleet.REPEATS}, {cpu:.2f} s of CPU"
    yield _at_most("judge_600_seconds", found["judge_600_seconds"], 2, told)


def measure() -> Iterator[Figure]:
    if not FOLDER.is_dir():
        sys.exit(f"{FOLDER}: not there; name the folder of phone measurements")
    found: list[Figure] = []
    for part in (profiles, predictions, twin, speed):
        for figure in part():
            found.append(figure)
            yield figure
    if table := os.environ.get("WEIGHIN_BENCH_TABLE"):
        Path(table).write_text(_table(found))


def _table(found: list[Figure]) -> str:
    rows = [row for figure in found for row in figure.rows]
    names = list(rows[0])
    lines = [f"| {' | '.join(names)} |", f"| {' | '.join('---' for _ in names)} |"]
    lines += [f"| {' | '.join(_text(row[name]) for name in names)} |" for row in rows]
    return "\n".join([*lines, ""])


def _text(value: object) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    present(measure, __doc__)
