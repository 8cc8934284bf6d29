"""Whether the emulator may be believed on one core: it must prove itself before every use.

    version rule -> what the machine says of itself -> single instructions -> known models

Everything is compared with exact arithmetic. An emulator that computes one value wrong, that
executes an instruction that the core lacks, or that is known to be wrong, is not trusted for that
core, and no number of it is used.

What this module does not do: it proves no kernel that the known models do not reach. Trust is
the absence of a found error, not a proof of correctness.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from signal import SIGILL

import numpy as np

from weighin.gates.arm.cores import Core
from weighin.gates.arm.instructions import Trial, trials
from weighin.gates.arm.known import Known, answer_objection, known_models
from weighin.gates.arm.layers import known_rows
from weighin.gates.arm.machine import Machine, emulator_version, interpreter
from weighin.gates.child import ChildResult, Line, run_child
from weighin.gates.devices.bench import Bench, Candidate, all_rows, outputs_path, run_kind, why
from weighin.gates.digest import sha256_of
from weighin.gates.variant import Format

_PROBE = "weighin.gates.arm.probe"
_LEAST_MAJOR: Mapping[str, int] = {"i8mm": 10}
"""Extension, and the first version that was measured right with it.

7.2 (Debian 12) has one core with i8mm, ``max``, and there 1,934 of 2,592 outputs of the known 3x3
int8 convolution are wrong in LiteRT.
"""

_HWCAP: Mapping[str, tuple[str, int, str]] = {
    "dotprod": ("hwcap", 20, "asimddp"),
    "fp16": ("hwcap", 10, "asimdhp"),
    "i8mm": ("hwcap2", 13, "i8mm"),
    "sve": ("hwcap", 22, "sve"),
}
"""Extension: word and bit of Linux' hardware capabilities, and its name in /proc/cpuinfo."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trusted:
    """The emulator proved itself on this core.

    Attributes:
        core: The core.
        emulator: Its name and version.
        checks: How many instructions and models it got right.
    """

    core: Core
    emulator: str
    checks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Untrusted:
    """The emulator is not believed on this core, and this is why."""

    core: Core
    reason: str


Trust = Trusted | Untrusted


def prove(machine: Machine, core: Core, formats: Collection[Format], bench: Bench) -> Trust:
    """Let the emulator answer what is known exactly, on this very core.

    Args:
        machine: The emulator and its files.
        core: The core.
        formats: Whose runtimes must answer too.
        bench: Where children run, and within which limits. Their files stay there.
    """
    version = emulator_version(machine.emulator)
    objection = version_objection(core, version)
    checks = 0
    if objection is None:
        asked = tuple(trials())
        objection = probe_objection(core, asked, _probe(machine, core, asked, bench))
        checks = len(asked)
    for format in _distinct(formats):
        if objection is None:
            objection = models_objection(machine, core, format, bench)
            checks += len(tuple(known_models(format)))
    if objection is not None or version is None:
        words = f"the emulator cannot be trusted for {core.name} (-cpu {core.cpu}): {objection}"
        return Untrusted(core=core, reason=words)
    return Trusted(core=core, emulator=_name(version), checks=checks)


def version_objection(core: Core, version: tuple[int, int, int] | None) -> str | None:
    """What is known against this version of the emulator."""
    if version is None:
        return "it does not say which version it is"
    for extension in core.isa:
        least = _LEAST_MAJOR.get(extension, 0)
        if version[0] < least:
            return f"{_name(version)} is too old for {extension}; {least}.0 or newer is needed"
    return None


def probe_objection(core: Core, asked: Sequence[Trial], answered: ChildResult) -> str | None:
    """What is wrong with the answers to single instructions."""
    if not answered.ended.ok:
        return f"it ran no single instruction to its end: {answered.ended.reason}"
    machine = next((line for line in answered.lines if "hwcap" in line), {})
    objection = _identity_objection(core, machine)
    if objection is not None:
        return objection
    by_number = {line["number"]: line for line in answered.lines if "number" in line}
    for number, trial in enumerate(asked):
        objection = _trial_objection(core, trial, by_number.get(number, {}))
        if objection is not None:
            return objection
    return None


def _identity_objection(core: Core, machine: Line) -> str | None:
    """The core that programs see must be the core that was asked for."""
    features = str(machine.get("features", "")).split()
    for extension, (word, bit, feature) in _HWCAP.items():
        capabilities = machine.get(word)
        if not isinstance(capabilities, int):
            return "it does not say what its core can do"
        wanted = extension in core.isa
        if bool(capabilities >> bit & 1) is not wanted:
            return f"its core {'lacks' if wanted else 'has'} {extension}"
        if (feature in features) is not wanted:
            return f"/proc/cpuinfo {'lacks' if wanted else 'names'} {feature}"
    return None


def _trial_objection(core: Core, trial: Trial, line: Line) -> str | None:
    name = trial.instruction.name
    if not trial.instruction.exists_on(core):
        refused = line.get("signal") == SIGILL
        return None if refused else f"it executes {name}, which the core does not have"
    if line.get("signal") != 0 or not isinstance(line.get("answer"), str):
        return f"it does not execute {name}"
    right = trial.answer.hex()
    return None if line["answer"] == right else f"{name} gave {line['answer']} instead of {right}"


def _probe(machine: Machine, core: Core, asked: Sequence[Trial], bench: Bench) -> ChildResult:
    job = {
        "trials": [
            {
                "number": number,
                "code": trial.code.hex(),
                "left": trial.left.hex(),
                "right": trial.right.hex(),
                "start": trial.start.hex(),
            }
            for number, trial in enumerate(asked)
        ]
    }
    start = interpreter(machine, core, bench.workdir / "view")
    return run_child(_PROBE, job, bench.workdir / "probe", bench.limits, interpreter=start)


def models_objection(machine: Machine, core: Core, format: Format, bench: Bench) -> str | None:
    """What is wrong with the outputs of one runtime's known models; all run in one child."""
    models = tuple(known_models(format))
    folder = f"known-{format.runtime_package}"
    (bench.workdir / folder).mkdir(parents=True, exist_ok=True)
    rows = bench.workdir / folder / "rows.npz"
    np.savez(rows, x=known_rows())
    start = interpreter(machine, core, bench.workdir / "view")
    own = replace(bench, evaluation=rows, inputs=rows, interpreter=start)
    files = [_candidate(known, bench.workdir / folder) for known in models]
    more = {"data": str(rows.resolve()), "rows": str(all_rows(own).resolve())}
    result = run_kind(own, folder, "predict", files, more)
    done = {line.get("label") for line in result.lines if line.get("done") is True}
    for known, file in zip(models, files, strict=True):
        if known.label not in done:
            return f"it does not run {known.label}: {why(own, result)}"
        objection = _outputs_objection(known, outputs_path(own, folder, file))
        if objection is not None:
            return objection
    return None


def _outputs_objection(known: Known, path: Path) -> str | None:
    try:
        outputs = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        return f"the outputs of {known.label} cannot be read: {error}"
    return answer_objection(known, outputs)


def _candidate(known: Known, folder: Path) -> Candidate:
    path = folder / known.label
    path.write_bytes(known.content)
    return Candidate(label=known.label, path=path, format=known.format, sha256=sha256_of(path))


def _distinct(formats: Collection[Format]) -> Iterator[Format]:
    """Each runtime once: two formats may share one."""
    yield from {format.runtime_package: format for format in sorted(formats)}.values()


def _name(version: tuple[int, int, int]) -> str:
    return "qemu-aarch64 " + ".".join(str(part) for part in version)
