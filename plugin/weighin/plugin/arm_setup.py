"""Sets up the emulated ARM machine: Debian 13's emulator and Python, and the aarch64 wheels.

    package lists -> Debian packages -> wheels -> unpack -> first start -> manifest

Nothing of the system is changed and no root is needed: apt works in a folder of its own, with the
system's keys and proxy settings, and packages are unpacked, never installed. The result is kept
for all projects in ``$XDG_CACHE_HOME/weighin/arm`` (``~/.cache/weighin/arm``), one folder per set
of runtime versions; it appears whole or not at all.

What this module does not do: it does not say whether the emulator is right. That is measured
before every use (:mod:`weighin.gates.arm.trust`).
"""

import hashlib
import json
import shutil
import zipfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory

from weighin.gates.arm.machine import (
    LAYOUT,
    Machine,
    Manifest,
    NotReady,
    digests,
    open_machine,
    write_manifest,
)
from weighin.gates.digest import sha256_of
from weighin.gates.errors import SetupError
from weighin.plugin.arm_tools import Apt, download_wheels, first_start, unpack_deb
from weighin.plugin.console import Progress

SUITE = "trixie"
"""Debian 13: the first whose emulator is right with i8mm."""

EMULATOR = "qemu-user"
PACKAGES = (
    "libc6",
    "libgcc-s1",
    "libstdc++6",
    "zlib1g",
    "libbz2-1.0",
    "libexpat1",
    "libffi8",
    "liblzma5",
    "libssl3t64",
    "libzstd1",
    "libpython3.13-minimal",
    "libpython3.13-stdlib",
    "python3.13-minimal",
)
"""What the arm64 Python and the runtimes load; their other dependencies are for installing them."""

RUNTIMES = ("ai-edge-litert", "onnxruntime")
_WHEELS = (*RUNTIMES, "numpy")
_PYTHON = "usr/bin/python3.13"
_PYTHON_TAG = "313"
_SITE = "usr/lib/python3/dist-packages"
_IMPORTS = {"ai-edge-litert": "ai_edge_litert.interpreter", "onnxruntime": "onnxruntime"}


def machine_folder(environ: Mapping[str, str], home: Path) -> Path:
    """Where the emulated machine for the runtimes installed here is, or would be."""
    cache = Path(environ.get("XDG_CACHE_HOME") or home / ".cache")
    named = json.dumps([LAYOUT, SUITE, sorted(installed(_WHEELS).items())])
    return cache / "weighin" / "arm" / hashlib.sha256(named.encode()).hexdigest()[:12]


def installed(names: Sequence[str]) -> dict[str, str]:
    """The packages that are installed here, with their versions."""
    found = dict[str, str]()
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def set_up(folder: Path, progress: Progress) -> Machine:
    """The machine in a folder; made if it is not there or no longer what it was.

    Raises:
        SetupError: something cannot be downloaded or started; the message says what to do.
    """
    there = open_machine(folder)
    if isinstance(there, Machine):
        return there
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix="making-") as temporary:
        draft = Path(temporary) / "machine"
        draft.mkdir()
        _make(draft, Path(temporary), progress)
        shutil.rmtree(folder, ignore_errors=True)
        draft.rename(folder)
    made = open_machine(folder)
    if isinstance(made, NotReady):
        raise SetupError(made.reason)
    return made


def _make(draft: Path, temporary: Path, progress: Progress) -> None:
    """Download and unpack everything, start it once, and write down what it is."""
    apt = Apt.here(temporary / "apt", SUITE)
    with _step(progress, "package lists"):
        apt.update()
    with _step(progress, "Debian packages"):
        native = apt.download([f"{EMULATOR}:{apt.architecture}"])
        foreign = apt.download([f"{name}:arm64" for name in PACKAGES])
    with _step(progress, "aarch64 wheels"):
        wanted = installed(_WHEELS)
        wheels = download_wheels(wanted, temporary / "wheels", _PYTHON_TAG)
    with _step(progress, "unpack"):
        install_files(native, foreign, wheels, draft, temporary)
    with _step(progress, "first start"):
        modules = [_IMPORTS[name] for name in RUNTIMES if name in wanted]
        first_start(draft / "qemu-aarch64", draft / "root", draft / "root" / _PYTHON, modules)
    with _step(progress, "manifest"):
        packages = (*native, *foreign, *wheels)
        manifest = Manifest(
            emulator="qemu-aarch64",
            root="root",
            python=f"root/{_PYTHON}",
            runtimes={name: wanted[name] for name in RUNTIMES if name in wanted},
            downloads={path.name: sha256_of(path) for path in packages},
            files=dict(digests(draft)),
        )
        write_manifest(manifest, draft)


@contextmanager
def _step(progress: Progress, what: str) -> Generator[None]:
    progress(what, 0, 1)
    yield
    progress(what, 1, 1)


def install_files(
    native: Sequence[Path],
    foreign: Sequence[Path],
    wheels: Sequence[Path],
    draft: Path,
    temporary: Path,
) -> None:
    """Unpack the emulator alone from its package, and all but documentation from the others.

    Args:
        native: The emulator's package.
        foreign: arm64 packages.
        wheels: aarch64 wheels.
        draft: The machine's folder.
        temporary: For what is not kept.
    """
    root = draft / "root"
    for package in native:
        unpack_deb(package, temporary / "native")
    shutil.copy2(temporary / "native" / "usr" / "bin" / "qemu-aarch64", draft / "qemu-aarch64")
    for package in foreign:
        unpack_deb(package, root)
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(root / _SITE)
    shutil.rmtree(root / "usr" / "share", ignore_errors=True)
    shutil.rmtree(root / "etc", ignore_errors=True)
    for path in root.rglob("*"):  # a link to a path of the real machine leads out of this one
        if path.is_symlink() and path.readlink().is_absolute():
            path.unlink()
