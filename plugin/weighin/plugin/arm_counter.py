"""Builds the instruction counter: Debian 13's emulator from source with plugins, and our plugin.

    source package -> unpack -> configure -> compile -> our plugin -> manifest

Debian's own emulator takes no plugins. The source package's signature is checked by apt, like every
package, and nothing is installed. The result lies beside the emulated machine; it appears whole or
not at all. It needs a C compiler and GLib's headers, and takes minutes once.

What this module does not do: it does not say whether the counter counts right. That is measured
before every use (:mod:`weighin.gates.arm.counter`).
"""

import hashlib
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from weighin.gates.arm.counter import (
    COUNTER_LAYOUT,
    SOURCE,
    Counter,
    open_counter,
    write_counter_manifest,
)
from weighin.gates.arm.machine import NotReady
from weighin.gates.digest import sha256_of
from weighin.gates.errors import SetupError
from weighin.plugin.arm_setup import SUITE, machine_folder
from weighin.plugin.arm_tools import Apt, run_tool
from weighin.plugin.console import Progress
from weighin.plugin.twin import TwinPlace

TOOLS = ("gcc", "pkg-config", "dpkg-source")
_WHEELS = ("meson==1.5.0", "pycotap==1.3.1")
"""In the versions that this emulator's build asks for; it looks for them beside its source."""

_NINJA = "ninja==1.11.1.4"

_CONFIGURE = (
    "--target-list=aarch64-linux-user",
    "--without-default-features",
    "--enable-linux-user",
    "--enable-plugins",
    "--disable-docs",
    "--disable-werror",
    "--disable-install-blobs",
)
_SECONDS = 3600


def counter_folder(environ: Mapping[str, str], home: Path) -> Path:
    """Where the counter is, or would be: one folder per source of the plugin."""
    cache = Path(environ.get("XDG_CACHE_HOME") or home / ".cache")
    named = f"{COUNTER_LAYOUT} {SUITE} {sha256_of(SOURCE)}"
    return cache / "weighin" / "arm" / f"counter-{hashlib.sha256(named.encode()).hexdigest()[:12]}"


def twin_place(environ: Mapping[str, str], home: Path) -> TwinPlace:
    """Where counting happens, and where counts are kept."""
    machine = machine_folder(environ, home)
    return TwinPlace(
        machine=machine, counter=counter_folder(environ, home), counts=machine.parent / "counts"
    )


def missing_tools() -> tuple[str, ...]:
    """What building needs and is not here: programs, or GLib's headers."""
    missing = tuple(name for name in TOOLS if shutil.which(name) is None)
    if missing:
        return missing
    try:
        run_tool(("pkg-config", "--exists", "glib-2.0"), "find GLib's headers")
    except SetupError:
        return ("GLib's headers",)
    return ()


def build_counter(folder: Path, progress: Progress) -> Counter:
    """The counter in a folder; built if it is not there or no longer what it was.

    Raises:
        SetupError: it cannot be built; the message says what to do.
    """
    there = open_counter(folder)
    if isinstance(there, Counter):
        return there
    if missing := missing_tools():
        raise SetupError(
            f"the instruction counter is built from source, which needs {', '.join(missing)}; "
            "install gcc, pkg-config, dpkg-dev and libglib2.0-dev, or copy the folder "
            f"{folder.name} from the ~/.cache/weighin/arm of a machine that has it"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix="making-") as temporary:
        draft = Path(temporary) / "counter"
        draft.mkdir()
        _build(draft, Path(temporary), progress)
        shutil.rmtree(folder, ignore_errors=True)
        draft.rename(folder)
    built = open_counter(folder)
    if isinstance(built, NotReady):
        raise SetupError(built.reason)
    return built


@dataclass(frozen=True, slots=True, kw_only=True)
class _Workshop:
    """Where it is built: the unpacked source, and the environment that has the build tools."""

    source: Path
    environ: Mapping[str, str]

    def run(self, command: Sequence[str], what: str, where: Path) -> str:
        """Run a tool with the build tools on its path."""
        return run_tool(command, what, cwd=where, environ=self.environ, seconds=_SECONDS)


def _build(draft: Path, temporary: Path, progress: Progress) -> None:
    steps = ("sources", "configure", "compile", "manifest")
    apt = Apt.here(temporary / "apt", SUITE, sources=True)
    progress(steps[0], 0, 4)
    apt.update()
    downloads = apt.source("qemu")
    shop = _workshop(downloads, temporary)
    build = shop.source / "build"
    build.mkdir()
    progress(steps[1], 1, 4)
    configure = ("../configure", f"--python={sys.executable}", *_CONFIGURE)
    shop.run(configure, "configure the emulator", build)
    progress(steps[2], 2, 4)
    shop.run(("ninja", "qemu-aarch64"), "compile the emulator", build)
    shop.run(("strip", "-o", str(draft / "qemu-aarch64"), "qemu-aarch64"), "strip it", build)
    _compile_plugin(shop, draft / "counter.so")
    progress(steps[3], 3, 4)
    write_counter_manifest(draft, {path.name: sha256_of(path) for path in downloads})
    progress(steps[3], 4, 4)


def _workshop(downloads: Sequence[Path], temporary: Path) -> _Workshop:
    """Unpack the source, and fetch the build tools beside it."""
    described = next(path for path in downloads if path.suffix == ".dsc")
    source, tools = temporary / "source", temporary / "tools"
    unpack = ("dpkg-source", "--no-check", "-x", str(described), str(source))
    run_tool(unpack, "unpack the emulator's source")  # apt has checked its digests
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
    wheels = ("--no-deps", "--dest", str(source / "python" / "wheels"), *_WHEELS)
    run_tool((*pip, "download", *wheels), "fetch the build tools")
    run_tool((*pip, "install", "--no-deps", "--target", str(tools), _NINJA), "fetch ninja")
    path = f"{tools / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    return _Workshop(source=source, environ={**os.environ, "PATH": path})


def _compile_plugin(shop: _Workshop, output: Path) -> None:
    flags = shop.run(("pkg-config", "--cflags", "glib-2.0"), "find GLib's headers", shop.source)
    command = (
        *("gcc", "-O2", "-shared", "-fPIC", "-o", str(output), str(SOURCE)),
        *(f"-I{shop.source / 'include' / 'qemu'}", *flags.split()),
    )
    shop.run(command, "compile the counter", shop.source)
