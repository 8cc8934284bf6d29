"""A run in words, for the terminal. Pure."""

from weighin.gates.devices.phone.rows import NOT_ASKED
from weighin.gates.devices.phone_run import Figure, Missing, PhoneRun


def run_lines(run: PhoneRun) -> tuple[str, ...]:
    """A few lines for one run."""
    simulated = "  [SIMULATED: no evidence about any real phone]" if run.simulated else ""
    lines = [f"{run.title} on {run.device}, {_threads(run)}{simulated}"]
    lines.append(f"  latency p90  {_words(run.latency_ms, 'ms')}{_runs(run)}")
    if not isinstance(run.latency_ms, Missing):
        lines.append(f"  of float     {_words(run.ratio, 'x')}")
        lines.append(f"  memory       {_words(run.memory_mib, 'MiB')}")
        lines.append(f"  energy       {_words(run.energy_mj, 'mJ')}")
        if run.disagreement_percent != NOT_ASKED:
            lines.append(f"  other class  {_words(run.disagreement_percent, '% of rows')}")
    lines.extend(f"  delegate     {part.words}" for part in run.partitions)
    if run.thermal_before:
        lines.append(f"  heat         {run.thermal_before}; after: {run.thermal_after}")
    if not run.runtime_version:
        lines.append("  note         the tool's release is not stated: the gate will not use this")
    lines.extend(f"  {name:<12} {value}" for name, value in run.conditions if name == "interval")
    return tuple(lines)


def run_summary(run: PhoneRun) -> str:
    """One line for one run."""
    when = f"{run.measured_at:%Y-%m-%d}"
    setup = f"{run.title}, {_threads(run)}"
    return f"{when}  {setup}: p90 {_words(run.latency_ms, 'ms')}"


def _threads(run: PhoneRun) -> str:
    threads = "1 thread" if run.threads == 1 else f"{run.threads} threads"
    cores = f"cores {run.cores}" if run.cores else "cores not pinned"
    return f"{threads}, {cores}" + (f", delegate {run.delegate}" if run.delegate else "")


def _runs(run: PhoneRun) -> str:
    return f"; {run.n} runs in {run.processes} processes" if run.n else ""


def _words(figure: Figure, unit: str) -> str:
    if isinstance(figure, Missing):
        return f"none: {figure.reason}"
    return f"{figure.value:.4g} {unit} ({figure.lower:.4g} to {figure.upper:.4g})"
