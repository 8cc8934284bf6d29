"""The counting emulator: whether it is there, whether it counts right, and what it counts.

    open -> core -> trust (ADR 14) -> known loop -> one inference

It is a build of the emulator that takes plugins, with ``counter.c``, in a folder of its own beside
the emulated machine; its manifest names every file by SHA-256. Before each use it must prove on the
very core that it computes right and that it counts a known loop to the last instruction.

What this module does not do: it builds nothing, and it predicts no time.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from weighin.gates.arm.cores import DOTPROD, I8MM, NEON, Core, NoCore
from weighin.gates.arm.counts import Count, parse_count
from weighin.gates.arm.known_loop import BUFFER_BYTES, loop_code, loop_objection
from weighin.gates.arm.machine import (
    MANIFEST,
    Machine,
    NotReady,
    difference,
    digests,
    interpreter,
    make_view,
)
from weighin.gates.arm.trust import Untrusted, prove
from weighin.gates.child import ChildResult, run_child
from weighin.gates.devices.bench import Bench, Candidate, unfit
from weighin.gates.digest import sha256_of
from weighin.gates.profile import DeviceProfile
from weighin.gates.variant import Format

COUNTER_LAYOUT = 1
REMEDY = "run `weighin doctor --arm --counter`"
SOURCE = Path(__file__).with_name("counter.c")

_CHILD = "weighin.gates.arm.count_child"
_COUNTS = "counts.jsonl"
_IN_ORDER = ("a53", "a55", "a510", "a520")

NEON_WIDE = replace(NEON, name="plain NEON, out of order", cpu="cortex-a72", part=0xD08, revision=3)
"""Kernels of in-order designs (A53, A55) are others than those of wide ones (A72 and newer)."""

COUNTING_CORES = (NEON, NEON_WIDE, DOTPROD, I8MM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """A counting emulator.

    Attributes:
        folder: Where its manifest is.
        emulator: The ``qemu-aarch64`` that takes plugins.
        plugin: The counter.
        version: What its counts are kept under: changes when emulator or counter change.
    """

    folder: Path
    emulator: Path
    plugin: Path
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncounted:
    """There is no count, and this is why."""

    reason: str


def open_counter(folder: Path) -> Counter | NotReady:
    """The counter in a folder, if every byte of it is what was built, from this very source."""
    try:
        raw: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        files = {str(name): str(digest) for name, digest in raw["files"].items()}
        built = (raw["layout"], raw["source"])
    except FileNotFoundError:
        return NotReady(reason=f"the instruction counter is not built here; {REMEDY}")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return NotReady(reason=f"{folder / MANIFEST} cannot be read: {error}; {REMEDY}")
    changed = difference(files, dict(digests(folder)))
    if changed is None and built != (COUNTER_LAYOUT, sha256_of(SOURCE)):
        changed = "it was built by another version of weighin"
    if changed is not None:
        reason = f"the counter in {folder} is not what was built ({changed}); {REMEDY}"
        return NotReady(reason=reason)
    return Counter(
        folder=folder,
        emulator=folder / "qemu-aarch64",
        plugin=folder / "counter.so",
        version=str(raw["source"])[:12],
    )


def write_counter_manifest(folder: Path, downloads: Mapping[str, str]) -> None:
    """Write down what was built in a folder, and from which downloads."""
    raw = {
        "layout": COUNTER_LAYOUT,
        "source": sha256_of(SOURCE),
        "downloads": dict(downloads),
        "files": dict(digests(folder)),
    }
    (folder / MANIFEST).write_text(json.dumps(raw, indent=1, sort_keys=True), encoding="utf-8")


def counting_core(profile: DeviceProfile) -> Core | NoCore:
    """The core whose kernels the phone's fastest cores run; half floats are counted as absent.

    Unlike for outputs, the design matters: runtimes order instructions for it.
    """
    if not profile.clusters:
        return NoCore(reason=f"profile {profile.name} does not say which cores the phone has")
    fastest = profile.clusters[0]
    in_order = any(name in fastest.core.lower() for name in _IN_ORDER)
    isa = set(fastest.isa) - {"fp16"}
    if not isa:
        return NEON if in_order else NEON_WIDE
    if in_order or isa - {"dotprod", "i8mm"} or "dotprod" not in isa:
        reason = f"no emulated core has the kernels of {fastest.core} ({', '.join(sorted(isa))})"
        return NoCore(reason=reason)
    return I8MM if "i8mm" in isa else DOTPROD


def prove_counter(machine: Machine, counter: Counter, core: Core, bench: Bench) -> str | None:
    """Why the counter is not believed on a core; ``None`` if it computes and counts right there."""
    counting = replace(machine, emulator=counter.emulator)
    make_view(counting, core, bench.workdir / "view")
    trust = prove(counting, core, (Format.LITERT,), bench)
    if isinstance(trust, Untrusted):
        return trust.reason
    job = {"loop": loop_code().hex(), "buffer_bytes": BUFFER_BYTES}
    counts = _counts(_run(machine, counter, core, job, replace(bench, workdir=bench.workdir)), 2)
    if isinstance(counts, str):
        return f"the counter cannot be trusted for {core.cpu}: {counts}"
    objection = loop_objection(counts[1])
    if objection is not None:
        return f"the counter cannot be trusted for {core.cpu}: {objection}"
    return None


def count_files(
    machine: Machine,
    counter: Counter,
    core: Core,
    files: Sequence[Candidate],
    bench: Bench,
    *,
    built_in: bool,
) -> tuple[Count | Uncounted, ...]:
    """What one inference of each LiteRT file executes, in the same order.

    Args:
        machine: The emulated machine.
        counter: The counting emulator, which proved itself on this core.
        core: The core.
        files: The files; each runs in a child of its own.
        bench: Where children run, and within which limits.
        built_in: Leave XNNPACK out, as files ran before it was the default.
    """
    make_view(machine, core, bench.workdir / "view")
    return tuple(_count(machine, counter, core, one, bench, built_in=built_in) for one in files)


def _count(
    machine: Machine,
    counter: Counter,
    core: Core,
    one: Candidate,
    bench: Bench,
    *,
    built_in: bool,
) -> Count | Uncounted:
    if one.format is not Format.LITERT:
        return Uncounted(reason=f"no published phone latency to scale {one.format.suffix} files by")
    if (why := unfit(one)) is not None:
        return Uncounted(reason=why)
    job = {"files": [str(one.path.resolve())], "built_in": built_in}
    counts = _counts(_run(machine, counter, core, job, bench), 1)
    return Uncounted(reason=counts) if isinstance(counts, str) else counts[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ran:
    result: ChildResult
    counts: Path


def _run(
    machine: Machine, counter: Counter, core: Core, job: Mapping[str, object], bench: Bench
) -> _Ran:
    """One child in the counting emulator; two of them never share a file."""
    workdir = bench.workdir / "count"
    counts = (workdir / _COUNTS).resolve()
    counts.unlink(missing_ok=True)
    emulator, *rest = interpreter(
        replace(machine, emulator=counter.emulator), core, bench.workdir / "view"
    )
    start = (emulator, "-plugin", f"{counter.plugin.resolve()},out={counts}", *rest)
    result = run_child(_CHILD, job, workdir, bench.limits, interpreter=start)
    return _Ran(result=result, counts=counts)


def _counts(ran: _Ran, expected: int) -> tuple[Count, ...] | str:
    """Exactly so many counts in order, or why not."""
    if not ran.result.ended.ok:
        return f"it could not be run: {ran.result.ended.reason}"
    try:
        lines = [json.loads(line) for line in ran.counts.read_text().splitlines()]
        if [line["number"] for line in lines] != list(range(expected)):
            return f"it wrote {len(lines)} counts instead of {expected}"
        return tuple(parse_count(line) for line in lines)
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"its counts cannot be read: {error}"
