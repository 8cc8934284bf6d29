"""``weighin doctor --arm``: sets up the emulated machine; cores and counter prove themselves.

What this module does not do: it weighs nothing, and its findings are not kept. Each weighing asks
the cores that it uses again.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from weighin.gates.arm.cores import CORES, Core
from weighin.gates.arm.machine import Machine, NotReady, open_machine
from weighin.gates.child import Limits
from weighin.gates.devices.bench import Bench, HostSettings
from weighin.gates.errors import SetupError
from weighin.gates.metric import Metric
from weighin.gates.variant import Format
from weighin.plugin.arm_setup import machine_folder, set_up
from weighin.plugin.console import Progress
from weighin.plugin.doctor import Finding
from weighin.plugin.project import open_project

if TYPE_CHECKING:
    from weighin.gates.arm.counter import Counter

_LIMITS = Limits(wall_seconds=300, memory_mib=4096)
_AT_A_TIME = 2
_FORMATS = (Format.LITERT, Format.ONNX)  # one for each runtime


def examine_arm(
    environ: Mapping[str, str], home: Path, progress: Progress, *, counter: bool = False
) -> tuple[Finding, ...]:
    """Set up what is missing; one finding for the machine, one per core, and the counter's.

    Args:
        environ: Says where the cache is.
        home: The user's.
        progress: Told of every step.
        counter: Whether to build the instruction counter, which takes minutes.

    Raises:
        SetupError: the machine cannot be set up; the message says what to do.
    """
    folder = machine_folder(environ, home)
    machine = set_up(folder, progress)
    counting = _built(environ, home, progress) if counter else _counter(environ, home)
    runtimes = ", ".join(f"{name} {version}" for name, version in machine.runtimes)
    there = Finding(what="ARM machine", ok=True, detail=f"{runtimes} in {folder}")
    with TemporaryDirectory() as temporary:
        workdir = Path(temporary)
        cores = _cores(machine, workdir, progress)
        return (there, *cores, *_counts_right(machine, counting, workdir, progress))


def machine_finding(start: Path, environ: Mapping[str, str], home: Path) -> tuple[Finding, ...]:
    """Whether the machine is there, if the project has a budget on its readings."""
    config = open_project(start).config
    budgets = (
        budget
        for name, model in config.models.items()
        for device in model.devices
        for budget in config.budgets_for(name, device)
    )
    if all(budget.metric is not Metric.ARM_DISAGREEMENT_PERCENT for budget in budgets):
        return ()
    folder = machine_folder(environ, home)
    machine = open_machine(folder)
    if isinstance(machine, NotReady):
        return (Finding(what="ARM machine", ok=False, detail=machine.reason),)
    return (Finding(what="ARM machine", ok=True, detail=f"set up in {folder}"),)


def _built(environ: Mapping[str, str], home: Path, progress: Progress) -> "Counter | NotReady":
    """The counter, built if it is not there; where it cannot be, the reason is the finding."""
    from weighin.plugin.arm_counter import build_counter, counter_folder

    try:
        return build_counter(counter_folder(environ, home), progress)
    except SetupError as error:
        return NotReady(reason=f"skipped: {error}")


def _counter(environ: Mapping[str, str], home: Path) -> "Counter | NotReady":
    from weighin.gates.arm.counter import open_counter
    from weighin.plugin.arm_counter import counter_folder

    return open_counter(counter_folder(environ, home))


def _counts_right(
    machine: Machine, counter: "Counter | NotReady", workdir: Path, progress: Progress
) -> Iterator[Finding]:
    """Whether the counter counts right, on each core that it counts on."""
    from weighin.gates.arm.counter import COUNTING_CORES, prove_counter

    if isinstance(counter, NotReady):
        yield Finding(what="ARM counter", ok=True, detail=f"not used: {counter.reason}")
        return
    for number, core in enumerate(COUNTING_CORES):
        progress("prove the counter", number, len(COUNTING_CORES))
        own = workdir / f"counter-{number}"
        own.mkdir()
        objection = prove_counter(machine, counter, core, _bench(own))
        detail = objection or f"trusted: counts a known loop to the last instruction ({core.cpu})"
        yield Finding(what=f"ARM counter on {core.cpu}", ok=objection is None, detail=detail)
    progress("prove the counter", len(COUNTING_CORES), len(COUNTING_CORES))


def _cores(machine: Machine, workdir: Path, progress: Progress) -> list[Finding]:
    done = 0
    findings = list[Finding]()
    progress("prove cores", 0, len(CORES))
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        for finding in pool.map(lambda core: _core(machine, core, workdir), CORES):
            done += 1
            progress("prove cores", done, len(CORES))
            findings.append(finding)
    return findings


def _core(machine: Machine, core: Core, workdir: Path) -> Finding:
    """Whether the emulator is trusted for a core."""
    from weighin.gates.arm.readings import prove_core
    from weighin.gates.arm.trust import Untrusted

    bench = _bench(workdir / core.name.replace(" ", "-"))
    formats = [format for format in _FORMATS if format.runtime_package in dict(machine.runtimes)]
    trust = prove_core(machine, core, formats, bench)
    what = f"ARM core {core.name}"
    if isinstance(trust, Untrusted):
        return Finding(what=what, ok=False, detail=trust.reason)
    detail = f"trusted: {trust.emulator} -cpu {core.cpu}, {trust.checks} known answers right"
    return Finding(what=what, ok=True, detail=detail)


def _bench(own: Path) -> Bench:
    return Bench(
        workdir=own,
        evaluation=own,
        inputs=own,
        limits=_LIMITS,
        settings=HostSettings(),
        tick=lambda _what: None,
    )
