"""Looks at this machine: who uses its processors, and what slows them down.

Linux only, from ``/proc`` and ``/sys``. What this module does not do: it judges nothing, see
:mod:`weighin.gates.quiet`; on a machine without such counters there is nothing to look at.
"""

import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path

from weighin.gates.quiet import Look, Process, QuietLimits, disturbance

_POLL_SECONDS = 0.5
_CPUFREQ = (
    *("cpuinfo_min_freq", "cpuinfo_max_freq", "scaling_max_freq"),
    *("scaling_governor", "scaling_driver"),
)
_OWN_CHOICE = ("intel_pstate", "amd-pstate-epp", "amd_pstate_epp")
_IDLE, _IOWAIT, _STEAL, _COUNTED = 3, 4, 7, 8


def look(proc: Path = Path("/proc"), sys: Path = Path("/sys")) -> Look | None:
    """The counters as they are now; ``None`` on a machine that has none."""
    try:
        lines = (proc / "stat").read_text("ascii").splitlines()
    except OSError:
        return None
    ticks = [int(word) for word in lines[0].split()[1 : 1 + _COUNTED]]
    per_second = os.sysconf("SC_CLK_TCK")
    if len(ticks) < _COUNTED:
        return None
    busy = sum(ticks) - ticks[_IDLE] - ticks[_IOWAIT] - ticks[_STEAL]
    return Look(
        at_s=time.monotonic(),
        cpus=sum(line.startswith("cpu") for line in lines) - 1,
        busy_s=busy / per_second,
        steal_s=ticks[_STEAL] / per_second,
        own_s=_own_seconds(),
        stalled_s=_stalled(proc / "pressure" / "cpu"),
        throttles=_throttles(sys / "devices" / "system" / "cpu"),
        clock=_clock(sys / "devices" / "system" / "cpu"),
        others=tuple(_others(proc, per_second)),
    )


def wait_for_quiet(
    proc: Path, sys: Path, threads: int, limits: QuietLimits, seconds: float
) -> None:
    """Return as soon as nothing would disturb ``threads`` threads, or after ``seconds``."""
    until = time.monotonic() + seconds
    before = look(proc, sys)
    while before is not None and time.monotonic() < until:
        time.sleep(min(_POLL_SECONDS, max(0.0, until - time.monotonic())))
        after = look(proc, sys)
        if after is None or disturbance(before, after, threads, limits) is None:
            return
        before = after


def _own_seconds() -> float:
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, who))


def _stalled(path: Path) -> float | None:
    """Seconds in which some process waited; kernels without this counter have no such file."""
    try:
        words = path.read_text("ascii").split()
    except OSError:
        return None
    totals = [word.removeprefix("total=") for word in words if word.startswith("total=")]
    return int(totals[0]) / 1e6 if totals else None


def _throttles(cpus: Path) -> int | None:
    found = [int(path.read_text()) for path in cpus.glob("cpu*/thermal_throttle/*_throttle_count")]
    return sum(found) if found else None


def _clock(cpus: Path) -> float | None:
    """The least share of its highest clock that a core may run at; ``None`` without cpufreq."""
    shares = [share for folder in cpus.glob("cpu*/cpufreq") if (share := _share(folder))]
    return min(shares, default=None)


def _share(folder: Path) -> float | None:
    """Of one core.

    The governor ``powersave`` holds it at the lowest clock, but not with drivers that choose the
    clock by themselves.
    """
    try:
        words = {name: (folder / name).read_text("ascii").strip() for name in _CPUFREQ}
    except OSError:
        return None
    lowest, highest, allowed = (int(words[name]) for name in _CPUFREQ[:3])
    held = words["scaling_governor"] == "powersave"
    if held and not words["scaling_driver"].startswith(_OWN_CHOICE):
        allowed = lowest
    return allowed / highest if highest else None


def _others(proc: Path, per_second: int) -> Iterator[Process]:
    """Processes that do not descend from this one."""
    parents: dict[int, int] = {}
    seen: list[Process] = []
    for folder in proc.iterdir():
        if not folder.name.isdigit():
            continue
        try:
            head, _, tail = (folder / "stat").read_text("utf-8", "replace").rpartition(") ")
        except OSError:
            continue  # it ended meanwhile
        fields = tail.split()
        pid = int(folder.name)
        parents[pid] = int(fields[1])
        used = (int(fields[11]) + int(fields[12])) / per_second
        seen.append(Process(pid=pid, name=head.partition("(")[2], cpu_s=used))
    return (one for one in seen if not _descends(one.pid, os.getpid(), parents))


def _descends(pid: int, ancestor: int, parents: dict[int, int]) -> bool:
    for _ in range(len(parents) + 1):
        if pid == ancestor:
            return True
        if pid not in parents:
            return False
        pid = parents[pid]
    return False
