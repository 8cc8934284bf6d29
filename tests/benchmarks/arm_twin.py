"""The ARM twin against published phone latencies, and the counts that it rests on.

    python tests/benchmarks/arm_twin.py ../shared/devices [--json]
    python tests/benchmarks/arm_twin.py --recount mobilenet_v2_1.0_224 [--write]

The first takes seconds: it reads the shipped counts. The second builds the network with random
weights, counts one inference on each core and with the kernels that the table has, and shows the
difference; it needs TensorFlow and `weighin doctor --arm --counter`.
"""

import argparse
import csv
import io
import json
import math
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from weighin.gates.arm.cores import DOTPROD, Core
from weighin.gates.arm.counter import (
    NEON_WIDE,
    Counter,
    Uncounted,
    count_files,
    open_counter,
    prove_counter,
)
from weighin.gates.arm.counts import COLUMNS, Count
from weighin.gates.arm.machine import Machine, open_machine
from weighin.gates.child import Limits
from weighin.gates.cost import Arithmetic
from weighin.gates.devices import emulate_fit
from weighin.gates.devices.bench import Bench, Candidate, HostSettings
from weighin.gates.devices.emulate import Network, load_twin
from weighin.gates.devices.learn import Run, learn
from weighin.gates.devices.prices import Anchor, Prior, amounts_of, estimate, settle
from weighin.gates.devices.published import ITEM_BYTES, Row
from weighin.gates.digest import sha256_of
from weighin.gates.meters.stamp import runtime_of
from weighin.gates.variant import Format
from weighin.plugin.arm_counter import counter_folder
from weighin.plugin.arm_setup import machine_folder

TABLE = Path(emulate_fit.__file__).with_name("arm_counts.csv")
LIMITS = Limits(wall_seconds=3000, memory_mib=8000)
_CORES: Mapping[str, Core] = {core.cpu: core for core in (NEON_WIDE, DOTPROD)}
_KEY = ("runtime", "cpu", "kernels", "arithmetic", "model")


def figures(folder: Path) -> dict[str, float]:
    """The twin's held-out errors and coverage on the published table in a folder.

    ``twin_unseen_model_*`` are of runs with the kernels that are counted (XNNPACK), the figures
    with ``older_kernels`` of runs with kernels that no current runtime has, ``all`` of both;
    ``twin_cost_model_*`` the same for the product's cost model on the same runs and splits.

    Raises:
        DataError: the table is not there.
    """
    runs, _ = emulate_fit.counted_rows(folder, load_twin().counts)
    found = dict[str, float]()
    twin = emulate_fit.with_two_anchors(runs, emulate_fit.by_count)
    for name, misses in (("twin", twin), ("twin_cost_model", with_shipped_model(runs))):
        same = [miss for miss in misses if miss.row.setup.kernels == "xnnpack"]
        older = [miss for miss in misses if miss.row.setup.kernels != "xnnpack"]
        for which, group in (("", same), ("_older_kernels", older), ("_all", misses)):
            errors = [miss.percent for miss in group]
            found[f"{name}{which}_unseen_model_median_percent"] = emulate_fit.quantile(errors, 0.5)
            found[f"{name}{which}_unseen_model_p90_percent"] = emulate_fit.quantile(errors, 0.9)
    others = emulate_fit.with_all_others(runs, emulate_fit.by_count)
    found["twin_band90_coverage_percent"] = emulate_fit.coverage_percent(others)
    return found


def with_shipped_model(runs: Sequence[emulate_fit.Counted]) -> tuple[emulate_fit.Miss, ...]:
    """The product's own cost model on the same splits: a prior from other phones and families."""
    priors = dict[tuple[str, str, Arithmetic], Prior]()
    misses = list[emulate_fit.Miss]()
    for anchors, tests in emulate_fit.splits(runs):
        for test in tests:
            key = (test.row.setup.device, test.row.family, test.row.arithmetic)
            if key not in priors:
                others = [
                    run.row
                    for run in runs
                    if run.row.setup.device != key[0] and run.row.family != key[1]
                ]
                floats = _learn([row for row in others if row.arithmetic is Arithmetic.FLOAT32])
                same = [row for row in others if row.arithmetic is key[2]]
                whole = key[2] is Arithmetic.FLOAT32 or not same
                priors[key] = floats if whole else _learn(same, floats)
            prices = settle(priors[key], [_run(run.row).anchor for run in anchors])
            found = estimate(priors[key], prices, _run(test.row).anchor.amounts, None)
            misses.append(emulate_fit.Miss(row=test.row, predicted_ms=math.exp(found.log_ms)))
    return tuple(misses)


def _learn(rows: Sequence[Row], base: Prior | None = None) -> Prior:
    return learn([_run(row) for row in rows], base)


def _run(row: Row) -> Run:
    item_bytes = ITEM_BYTES[row.arithmetic]
    return Run(
        setup=f"{row.setup} {row.arithmetic}",
        device=row.setup.device,
        family=row.family,
        arithmetic=row.arithmetic,
        anchor=Anchor(
            network=row.model, amounts=amounts_of(row.terms, item_bytes), mean_ms=row.mean_ms
        ),
    )


def main(arguments: Sequence[str]) -> int:
    """Print the figures, or count again."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("folder", nargs="?", type=Path, help="the published phone measurements")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--recount", nargs="+", metavar="NAME", help="networks to count again")
    parser.add_argument("--write", action="store_true", help="put new counts into the table")
    args = parser.parse_args(arguments)
    if args.recount:
        return recount(args.recount, write=args.write)
    if args.folder is None:
        parser.error("give the folder of published measurements, or --recount")
    if args.json:
        sys.stdout.write(json.dumps(figures(args.folder), indent=2) + "\n")
    else:
        sys.stdout.write(emulate_fit.report(args.folder) + "\n")
        runs, _ = emulate_fit.counted_rows(args.folder, load_twin().counts)
        misses = with_shipped_model(runs)
        sys.stdout.write(emulate_fit.lines_of("shipped cost model: two anchors", misses) + "\n")
    return 0


def recount(names: Sequence[str], *, write: bool) -> int:
    """Count networks again; 1 if one differs from the table by more than 1 %."""
    counter = open_counter(counter_folder(os.environ, Path.home()))
    machine = open_machine(machine_folder(os.environ, Path.home()))
    if not isinstance(counter, Counter) or not isinstance(machine, Machine):
        sys.stderr.write(f"{counter if not isinstance(counter, Counter) else machine}\n")
        return 1
    worst = 0.0
    table = load_twin().counts
    for network in [n for name in names for n in _wanted(name, table)]:
        with TemporaryDirectory() as temporary:
            new = _count(network, machine, counter, Path(temporary))
        if isinstance(new, str):
            sys.stderr.write(f"{network}: {new}\n")
            return 1
        old = table.get(network)
        apart = abs(new.instructions / old.instructions - 1) if old else 0.0
        worst = max(worst, apart)
        sys.stdout.write(f"{network.model} {network.arithmetic} on {network.cpu}, ")
        sys.stdout.write(f"{network.kernels}: {new.instructions:,} instructions, {apart:.4%} off\n")
        if write:
            _write(network, new)
    return 1 if worst > 0.01 else 0


def _wanted(name: str, table: Mapping[Network, Count]) -> list[Network]:
    """The table's rows of a network, or all that could be."""
    plain = re.sub(r"(_quant|_8bit)$", "", name)
    return [network for network in table if network.model == plain] or [
        Network(cpu=cpu, kernels=kernels, arithmetic=arithmetic, model=plain)
        for cpu in _CORES
        for kernels in ("xnnpack", "before_xnnpack")
        for arithmetic in (Arithmetic.FLOAT32, Arithmetic.INT8)
    ]


def _count(network: Network, machine: Machine, counter: Counter, workdir: Path) -> Count | str:
    from twin_networks import build

    path = build(network.model, network.arithmetic is Arithmetic.INT8, workdir)
    bench = Bench(
        workdir=workdir,
        evaluation=workdir,
        inputs=workdir,
        limits=LIMITS,
        settings=HostSettings(),
        tick=lambda _what: None,
    )
    core = _CORES[network.cpu]
    objection = prove_counter(machine, counter, core, bench)
    if objection is not None:
        return objection
    one = Candidate(label=path.name, path=path, format=Format.LITERT, sha256=sha256_of(path))
    built_in = network.kernels == "before_xnnpack"
    (found,) = count_files(machine, counter, core, [one], bench, built_in=built_in)
    return found.reason if isinstance(found, Uncounted) else found


def _write(network: Network, count: Count) -> None:
    """Replace one row of the table, or add it; rows stay sorted."""
    rows = list(csv.DictReader(TABLE.read_text().splitlines())) if TABLE.is_file() else []
    new = {
        "runtime": runtime_of(Format.LITERT),
        "cpu": network.cpu,
        "kernels": network.kernels,
        "arithmetic": network.arithmetic.value,
        "model": network.model,
        **{name: str(value) for name, value in asdict(count).items()},
    }
    kept = [row for row in rows if any(row[name] != new[name] for name in _KEY)]
    text = io.StringIO()
    writer = csv.DictWriter(text, (*_KEY, *COLUMNS), lineterminator="\n")
    writer.writeheader()
    writer.writerows(sorted([*kept, new], key=lambda row: [row[name] for name in _KEY]))
    TABLE.write_text(text.getvalue())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
