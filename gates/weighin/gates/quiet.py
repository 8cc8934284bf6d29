"""Was this machine quiet enough while something was timed on it?

Pure: two looks at the machine and some limits go in, a reason or nothing comes out. Load only
ever adds time, so a number taken beside it says more about the neighbours than about a model.

What this module does not do: it looks at no machine, see :mod:`weighin.gates.meters.looks`, and
it cannot see what leaves no trace in the kernel's counters. The float32 reference timed against
itself catches that, in :func:`weighin.gates.meters.latency.latency_p90`.
"""

from dataclasses import dataclass

WHAT_TO_DO = "try again when it is quiet, on a machine of its own, or see [host] in weighin.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """Somebody else's process: its number, its name, and the CPU seconds it used so far."""

    pid: int
    name: str
    cpu_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look at the machine. All counters run from some time in the past.

    Attributes:
        at_s: When, by a clock that never goes back.
        cpus: Processors online.
        busy_s: CPU seconds that anybody used.
        steal_s: CPU seconds that the host of this virtual machine kept for itself.
        own_s: CPU seconds that this process and its finished children used.
        stalled_s: Seconds in which a process waited for a processor; ``None`` if not counted.
        throttles: How often heat or power slowed a core down; ``None`` if not counted.
        clock: Highest clock that a core may run at, as a share of what it could; the least of all
            cores. ``None`` if the kernel does not say.
        others: Processes that are neither this one nor its children.
    """

    at_s: float
    cpus: int
    busy_s: float
    steal_s: float
    own_s: float
    stalled_s: float | None = None
    throttles: int | None = None
    clock: float | None = None
    others: tuple[Process, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietLimits:
    """How much noise is let through, and what becomes of more.

    Attributes:
        refuse: Whether a number taken in more noise is refused; else it is only labelled.
        most_other_load: Share of the cores needed that other processes may take.
        most_steal: Share of the machine's time that its own host may take.
        most_pressure: Share of the time in which anybody may wait for a processor.
        least_clock: Share of its highest clock that every core must be allowed to run at.
        most_noise: How far the float32 reference may be from itself: 0.1 means 10 %.
        wait_seconds: How long to wait for quiet, in all, before giving up.
    """

    refuse: bool = True
    most_other_load: float = 0.1
    most_steal: float = 0.05
    most_pressure: float = 0.25
    least_clock: float = 0.9
    most_noise: float = 0.1
    wait_seconds: float = 30.0


def disturbance(before: Look, after: Look, threads: int, limits: QuietLimits) -> str | None:
    """What disturbed a measurement of ``threads`` threads between two looks; ``None`` if nothing.

    Other processes disturb only where they leave fewer cores than the measurement needs: one
    busy neighbour on a machine of two cores still leaves one.
    """
    elapsed = after.at_s - before.at_s
    if elapsed <= 0:
        return "no time passed between two looks at this machine"
    busy = max(0.0, (after.busy_s - before.busy_s) - (after.own_s - before.own_s)) / elapsed
    taken = min(1.0, max(0.0, busy + threads - after.cpus) / threads)
    steal = max(0.0, after.steal_s - before.steal_s) / (elapsed * max(1, after.cpus))
    if taken > limits.most_other_load:
        return (
            f"other processes kept {busy:.1f} of {after.cpus} cores busy"
            f"{_loudest(before, after, elapsed)}: {WHAT_TO_DO}"
        )
    if steal > limits.most_steal:
        return f"the host of this virtual machine took {steal:.0%} of its time: {WHAT_TO_DO}"
    stalled = _between(before.stalled_s, after.stalled_s) / elapsed
    if stalled > limits.most_pressure:
        return f"processes waited for a core {stalled:.0%} of the time: {WHAT_TO_DO}"
    if _between(before.throttles, after.throttles) > 0:
        return f"heat or power slowed its cores down: let it cool, then {WHAT_TO_DO}"
    if after.clock is not None and after.clock < limits.least_clock:
        return (
            f"its cores may only run at {after.clock:.0%} of their highest clock: choose another "
            f"power mode or governor, or {WHAT_TO_DO}"
        )
    return None


def _between(before: float | None, after: float | None) -> float:
    return 0.0 if before is None or after is None else after - before


def _loudest(before: Look, after: Look, elapsed: float) -> str:
    """The process that used most, if one stands out."""
    earlier = {(p.pid, p.name): p.cpu_s for p in before.others}
    used = [(p.cpu_s - earlier.get((p.pid, p.name), p.cpu_s), p) for p in after.others]
    most, process = max(used, key=lambda pair: pair[0], default=(0.0, None))
    share = most / elapsed
    return (
        f" ({process.name}, process {process.pid}, {share:.0%})" if process and share > 0.05 else ""
    )
