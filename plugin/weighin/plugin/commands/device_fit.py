"""``weighin device fit``: learn prices from tables of runs, and how wrong predictions are."""

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weighin.plugin.console import progress_bar, say, say_json

if TYPE_CHECKING:
    from weighin.gates.devices.check import Checked
    from weighin.gates.devices.fitting import Fit
    from weighin.gates.devices.tables import Table

SUMMARY = "learn prices from tables of phone latencies, and measure the error"
DESCRIPTION = (
    "Learns what a unit of work costs on phones from tables of latencies, leaves phones and "
    "network families out in turn, and prints how wrong their predictions are. Tables are "
    "published ones (columns of ncnn_bench_all.csv or phone_latency_published.csv) or your own "
    "runs (devices/NAME.runs.jsonl)."
)
EXAMPLE = """examples:
  weighin device fit --table ../shared/devices                  every shipped figure
  weighin device fit --table ncnn_bench_all.csv.gz --holdout 'Kirin 970'
  weighin device fit --table devices --write devices            prices from your own runs
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what it takes."""
    parser.add_argument(
        "--table", action="append", type=Path, required=True, help="a table, or a folder of them"
    )
    parser.add_argument(
        "--holdout",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME",
        help="predict these instead: phones (part of the name), network families or networks",
    )
    parser.add_argument("--runtime", help="only this one, such as litert or ncnn")
    parser.add_argument("--anchors", type=int, default=5, help="runs a held-out phone gets (5)")
    parser.add_argument("--draws", type=int, default=20, help="how often they are drawn (20)")
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="write prices-RUNTIME.toml")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Fit, or check what is held out."""
    from weighin.gates.devices.tables import read_tables
    from weighin.gates.errors import ConfigError

    table = read_tables(args.table)
    runtimes = [args.runtime] if args.runtime else sorted({name for name, _ in table.runs})
    if not any(name in runtimes for name, _ in table.runs):
        raise ConfigError(f"the tables hold no run of {args.runtime or 'any runtime'}")
    if args.anchors < 1 or args.draws < 1:
        raise ConfigError("--anchors and --draws must be at least 1")
    names = [part.strip() for name in args.holdout for part in name.split(",") if part.strip()]
    return _check(args, table, runtimes, names) if names else _fit(args, table, runtimes)


def _fit(args: argparse.Namespace, table: "Table", runtimes: Sequence[str]) -> int:
    from weighin.gates.devices.fit_report import document, report
    from weighin.gates.devices.fitting import fit_runtime

    fits: list[Fit] = []
    with progress_bar("leaving out") as progress:
        for at, runtime in enumerate(runtimes):
            told = _teller(progress, at, len(runtimes))
            fits += fit_runtime(table, runtime, told)
            progress("runtimes", at + 1, len(runtimes))
    if args.json:
        say_json({**document(fits), "left_out": list(table.left_out)})
    else:
        say(report(fits))
        for line in _facts(args.table, table, runtimes):
            say(line)
        say(f"left out: {'; '.join(table.left_out) or 'nothing'}")
    if args.write:
        for runtime in runtimes:
            _write(args.write, runtime, [one for one in fits if one.runtime == runtime], table)
    return 0


def _facts(paths: Sequence[Path], table: "Table", runtimes: Sequence[str]) -> Iterable[str]:
    """What else is shipped about LiteRT, where the tables are that say it."""
    from weighin.gates.devices.fit_facts import fact_lines
    from weighin.gates.devices.published import NOISE_TABLE, maximum_over_mean

    if "litert" not in runtimes:
        return ()
    folder = next((path for path in paths if (path / NOISE_TABLE).is_file()), None)
    noise = maximum_over_mean(folder) if folder else ()
    return fact_lines([run for name, run in table.runs if name == "litert"], noise)


def _teller(progress: Any, at: int, total: int) -> Any:
    return lambda _name: progress("runtimes", at, total)


def _write(folder: Path, runtime: str, fits: Sequence["Fit"], table: "Table") -> None:
    from weighin.gates.devices.coefficients import file_name, render_coefficients
    from weighin.gates.devices.fitting import coefficients_of

    sources = table.sources_of(runtime)
    fitted = coefficients_of(fits, "; ".join(sources), table.operators_of(runtime))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / file_name(runtime)
    path.write_text(render_coefficients(fitted), "utf-8")
    say(f"wrote {path}")


def _check(
    args: argparse.Namespace, table: "Table", runtimes: Sequence[str], names: Sequence[str]
) -> int:
    from weighin.gates.cost import Arithmetic
    from weighin.gates.devices.check import check, matches
    from weighin.gates.devices.coefficients import load_coefficients
    from weighin.gates.devices.holdout import Plan
    from weighin.gates.errors import ConfigError

    plan = Plan(anchors=args.anchors, draws=args.draws)
    found: dict[str, Checked] = {}
    for runtime in runtimes:
        shipped = load_coefficients(runtime)
        for arithmetic in Arithmetic:
            runs = table.of(runtime, arithmetic)
            if any(matches(one, names) for one in runs):
                learned = shipped.of(arithmetic) if shipped else None
                found[f"{runtime} {arithmetic}"] = check(runs, table, runtime, names, learned, plan)
    if not found:
        devices = sorted({one.device for _, one in table.runs})
        raise ConfigError(f"no run matches {', '.join(names)}; phones: {'; '.join(devices)}")
    if args.json:
        say_json({"schema": "weighin/device-check/v1", "held_out": _document(found)})
        return 0
    for line in _lines(found):
        say(line)
    return 0


def _document(found: dict[str, "Checked"]) -> dict[str, Any]:
    import dataclasses

    from weighin.gates.devices.fit_report import errors_of
    from weighin.gates.devices.holdout import HeldOut

    documents: dict[str, Any] = {}
    for name, one in found.items():
        errors = errors_of(HeldOut(residuals=one.residuals))
        documents[name] = {
            "prices_from": one.prices_from,
            "errors": dataclasses.asdict(errors) if errors else None,
            "refused": [{"run": run.anchor.network, "reason": why} for run, why in one.refused],
            "predictions": [
                {
                    "device": r.run.device,
                    "setup": r.run.setup,
                    "network": r.run.anchor.network,
                    "actual_ms": r.run.anchor.mean_ms,
                    "predicted_ms": r.predicted_ms,
                    "lower_ms": r.end_ms(-one.band(r).below),
                    "upper_ms": r.end_ms(one.band(r).above),
                }
                for r in one.residuals
            ],
        }
    return documents


def _lines(found: dict[str, "Checked"]) -> Iterable[str]:
    from weighin.gates.devices.holdout import error_quantiles

    for name, one in found.items():
        yield f"{name}: prices from {one.prices_from}"
        for device in sorted({r.run.device for r in one.residuals}):
            mine = [r for r in one.residuals if r.run.device == device]
            median, p90 = error_quantiles(mine)
            inside = sum(one.holds(r) for r in mine) / len(mine)
            yield (
                f"  {device[:58]:<60} error median {median:>6.1%}, p90 {p90:>6.1%}, band holds "
                f"{inside:>6.1%} of {len(mine)}"
            )
        for reason in dict.fromkeys(why for _, why in one.refused):
            networks = dict.fromkeys(r.anchor.network for r, why in one.refused if why == reason)
            yield f"  no number for {', '.join(networks)}: {reason}"
