"""The emulated machine: what is set up, whether it is still what was set up, how it is started.

A setup is one folder with a ``manifest.json`` that names every file in it by SHA-256, and where
each came from. It is read whole before each use: a file that was changed, added or lost since
makes it unusable, with the reason.

What this module does not do: it downloads nothing, and it does not say whether the emulator
computes correctly.
"""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weighin.gates.arm.cores import Core, cpuinfo, sysfs
from weighin.gates.digest import sha256_of

MANIFEST = "manifest.json"
LAYOUT = 1
REMEDY = "run `weighin doctor --arm`"

_BOOT = Path(__file__).with_name("boot.py")
_VERSION = re.compile(r"version (\d+)\.(\d+)(?:\.(\d+))?")
_VERSION_SECONDS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """An emulator, and the arm64 files that it runs.

    Attributes:
        folder: Where its manifest is.
        emulator: The ``qemu-aarch64`` program.
        root: Folder with the arm64 ``usr``.
        python: The arm64 Python, below ``root``.
        runtimes: Runtime package and version in it, such as ``("onnxruntime", "1.31.1")``.
    """

    folder: Path
    emulator: Path
    root: Path
    python: Path
    runtimes: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotReady:
    """There is no emulated machine to use, and this is why."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a setup consists of.

    Attributes:
        emulator: Path of the emulator, relative to the folder.
        root: Path of the arm64 root, relative to the folder.
        python: Path of the arm64 Python, relative to the folder.
        runtimes: Runtime packages and their versions.
        downloads: Name and SHA-256 of every package that was downloaded.
        files: Relative path and SHA-256 of every file; of a link, what it points to.
    """

    emulator: str
    root: str
    python: str
    runtimes: Mapping[str, str]
    downloads: Mapping[str, str]
    files: Mapping[str, str]


def open_machine(folder: Path) -> Machine | NotReady:
    """The machine in a folder, if every byte of it is what was set up."""
    try:
        manifest = read_manifest(folder)
    except FileNotFoundError:
        return not_set_up()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return NotReady(reason=_broken(folder, f"{MANIFEST} cannot be read: {error}"))
    changed = difference(manifest.files, dict(digests(folder)))
    if changed is not None:
        return NotReady(reason=_broken(folder, changed))
    return Machine(
        folder=folder,
        emulator=folder / manifest.emulator,
        root=folder / manifest.root,
        python=folder / manifest.python,
        runtimes=tuple(sorted(manifest.runtimes.items())),
    )


def not_set_up() -> NotReady:
    """What is said where nobody set a machine up."""
    return NotReady(reason=f"the emulated ARM machine is not set up here; {REMEDY}")


def digests(folder: Path) -> Iterator[tuple[str, str]]:
    """Relative path and digest of every file below a folder but its manifest."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            yield name, f"-> {path.readlink()}"
        elif path.is_file() and name != MANIFEST:
            yield name, sha256_of(path)


def read_manifest(folder: Path) -> Manifest:
    """The manifest in a folder.

    Raises:
        FileNotFoundError: there is none.
        ValueError, KeyError, TypeError, AttributeError: it is none of ours.
    """
    raw: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    if raw["layout"] != LAYOUT:
        raise ValueError(f"its layout is {raw['layout']}, this version's {LAYOUT}")
    return Manifest(
        emulator=str(raw["emulator"]),
        root=str(raw["root"]),
        python=str(raw["python"]),
        runtimes={str(name): str(version) for name, version in raw["runtimes"].items()},
        downloads={str(name): str(digest) for name, digest in raw["downloads"].items()},
        files={str(name): str(digest) for name, digest in raw["files"].items()},
    )


def write_manifest(manifest: Manifest, folder: Path) -> None:
    """Write a manifest beside the files it names."""
    raw = {
        "layout": LAYOUT,
        "emulator": manifest.emulator,
        "root": manifest.root,
        "python": manifest.python,
        "runtimes": dict(manifest.runtimes),
        "downloads": dict(manifest.downloads),
        "files": dict(manifest.files),
    }
    text = json.dumps(raw, indent=1, sort_keys=True)
    (folder / MANIFEST).write_text(text, encoding="utf-8")


def emulator_version(emulator: Path) -> tuple[int, int, int] | None:
    """The version that the emulator says it has; ``None`` if it says nothing of the kind."""
    try:
        said = subprocess.run(
            [str(emulator), "--version"],
            capture_output=True,
            check=False,
            text=True,
            errors="replace",
            timeout=_VERSION_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = _VERSION.search(said.stdout)
    return None if found is None else (int(found[1]), int(found[2]), int(found[3] or 0))


def interpreter(machine: Machine, core: Core, view: Path) -> tuple[str, ...]:
    """What starts one of our modules on a core; the module and its job follow."""
    return (
        str(machine.emulator),
        "-cpu",
        core.cpu,
        "-L",
        str(view.resolve()),
        str(machine.python.resolve()),
        "-I",
        "-B",
        str(_BOOT.resolve()),
    )


def make_view(machine: Machine, core: Core, view: Path, count: int = 1) -> None:
    """Make the folder that is the emulated machine's ``/``: links, and what names its cores.

    Runtimes look for their core in ``/proc/cpuinfo`` and ``/sys/devices/system/cpu``; without
    these they would see the real machine's, and crash or choose kernels for another processor.
    """
    cores = view / "sys" / "devices" / "system" / "cpu"
    for folder in (view / "proc", cores, *(cores / f"cpu{k}" for k in range(count))):
        folder.mkdir(parents=True, exist_ok=True)
    for name, target in (("usr", "usr"), ("lib", "usr/lib")):
        (view / name).unlink(missing_ok=True)
        (view / name).symlink_to((machine.root / target).resolve())
    (view / "proc" / "cpuinfo").write_text(cpuinfo(core, count))
    for name, text in sysfs(count).items():
        (cores / name).write_text(text)


def difference(wanted: Mapping[str, str], found: Mapping[str, str]) -> str | None:
    """The first file that is not as it should be, in words."""
    for name in sorted({*wanted, *found}):
        if name not in found:
            return f"{name} is missing"
        if name not in wanted:
            return f"{name} was added"
        if wanted[name] != found[name]:
            return f"{name} was changed"
    return None


def _broken(folder: Path, what: str) -> str:
    return f"the emulated ARM machine in {folder} is not what was set up ({what}); {REMEDY}"
