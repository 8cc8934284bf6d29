"""The outside programs that set up the emulated machine: apt, dpkg-deb, pip and the emulator.

Each failure is one :class:`SetupError` that says what failed and what to do. What this module
does not do: it touches neither the system's package lists nor its installed packages.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from weighin.gates.errors import SetupError

MIRROR = "http://deb.debian.org/debian"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
PLATFORMS = ("manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux_2_17_aarch64")

_OFFLINE = (
    "it takes a Debian 12 or 13 with access to a Debian mirror and to PyPI (or their proxies); or "
    "run `weighin doctor --arm` on a machine that has it, and copy its ~/.cache/weighin/arm"
)
_SECONDS = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class Apt:
    """apt in a folder of its own.

    Attributes:
        folder: Its lists and downloads.
        architecture: Of this machine, in Debian's words.
    """

    folder: Path
    architecture: str

    @classmethod
    def here(
        cls,
        folder: Path,
        suite: str,
        mirror: str = MIRROR,
        retries: int = 2,
        *,
        sources: bool = False,
    ) -> "Apt":
        """Prepare apt for one suite of Debian; with ``sources``, for source packages only.

        Raises:
            SetupError: this machine has no apt, or not Debian's keys.
        """
        missing = [name for name in ("apt-get", "apt-config", "dpkg") if not shutil.which(name)]
        if missing or not KEYRING.is_file():
            what = ", ".join(missing) or f"{KEYRING} (package debian-archive-keyring)"
            raise SetupError(f"the emulated ARM machine needs {what}; {_OFFLINE}")
        architecture = run_tool(("dpkg", "--print-architecture"), "ask dpkg").strip()
        known = dict.fromkeys((architecture, "arm64"))
        for name in ("lists/partial", "cache/archives/partial", "apt.conf.d", "preferences.d"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "status").touch()
        kind, options = ("deb-src", "") if sources else ("deb", f"arch={','.join(known)} ")
        source = f"{kind} [{options}signed-by={KEYRING}] {mirror} {suite} main\n"
        (folder / "sources.list").write_text(source)
        network = run_tool(("apt-config", "dump"), "read apt's settings")
        (folder / "apt.conf").write_text(apt_settings(folder, tuple(known), network, retries))
        return cls(folder=folder, architecture=architecture)

    def update(self) -> None:
        """Fetch the package lists, whose signature apt checks.

        Raises:
            SetupError: they cannot be fetched.
        """
        self._apt("update", what="fetch Debian's package lists")

    def download(self, packages: Sequence[str]) -> tuple[Path, ...]:
        """Fetch packages, whose digests apt checks against the lists.

        Raises:
            SetupError: one cannot be fetched.
        """
        before = set(self.folder.glob("*.deb"))
        self._apt("download", *packages, what=f"fetch {len(packages)} Debian packages")
        return tuple(sorted(set(self.folder.glob("*.deb")) - before))

    def source(self, package: str) -> tuple[Path, ...]:
        """Fetch a source package, whose digests apt checks against the lists.

        Raises:
            SetupError: it cannot be fetched.
        """
        self._apt("--download-only", "source", package, what=f"fetch the source of {package}")
        return tuple(sorted(self.folder.glob(f"{package}_*")))

    def _apt(self, *words: str, what: str) -> None:
        environ = {**os.environ, "APT_CONFIG": str(self.folder / "apt.conf"), "LC_ALL": "C.UTF-8"}
        run_tool(("apt-get", "-qq", *words), what, cwd=self.folder, environ=environ)


def apt_settings(folder: Path, architectures: Sequence[str], dump: str, retries: int = 2) -> str:
    """Settings for a private apt: nothing of the system's but how it reaches the network.

    Args:
        folder: Where apt may write.
        architectures: Debian's names.
        dump: What ``apt-config dump`` prints.
        retries: How often a failed download is tried again.
    """
    network = [line for line in dump.splitlines() if line.startswith(("Acquire::http", "Dir::Bin"))]
    own = {
        "Dir::State": folder,
        "Dir::State::status": folder / "status",
        "Dir::Cache": folder / "cache",
        "Dir::Etc": folder,
        "Acquire::Languages": "none",
        "Acquire::Retries": retries,
        "APT::Architecture": architectures[0],
        "APT::Update::Error-Mode": "any",
        "APT::Sandbox::User": "",
    }
    single = [f'{name} "{value}";' for name, value in own.items()]
    several = [f'APT::Architectures:: "{name}";' for name in architectures]
    return "\n".join([*network, *single, *several, ""])


def unpack_deb(package: Path, folder: Path) -> None:
    """Unpack a package's files without installing it.

    Raises:
        SetupError: it cannot be unpacked.
    """
    folder.mkdir(parents=True, exist_ok=True)
    run_tool(("dpkg-deb", "-x", str(package), str(folder)), f"unpack {package.name}")


def download_wheels(wanted: Mapping[str, str], folder: Path, python: str) -> tuple[Path, ...]:
    """Fetch these versions for aarch64 and the emulated Python, without their dependencies.

    Raises:
        SetupError: one is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    platforms = (word for name in PLATFORMS for word in ("--platform", name))
    command = (
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
        *("--no-deps", "--only-binary=:all:", "--implementation", "cp"),
        *("--python-version", python, *platforms, "--dest", str(folder)),
        *(f"{name}=={version}" for name, version in wanted.items()),
    )
    run_tool(command, f"fetch the aarch64 wheels of {', '.join(wanted)}")
    return tuple(sorted(folder.glob("*.whl")))


def first_start(emulator: Path, root: Path, python: Path, modules: Sequence[str]) -> None:
    """Import the runtimes once in the emulator, which also compiles their Python files.

    Raises:
        SetupError: one cannot be imported.
    """
    lib = root / "lib"
    if not lib.is_symlink():
        lib.symlink_to("usr/lib")
    code = "\n".join(f"import {module}" for module in modules)
    command = (str(emulator), "-cpu", "cortex-a53", "-L", str(root), str(python), "-I", "-c", code)
    run_tool(command, "start Python in the emulator")


def run_tool(
    command: Sequence[str],
    what: str,
    *,
    cwd: Path | None = None,
    environ: Mapping[str, str] | None = None,
    seconds: float = _SECONDS,
) -> str:
    """What a program printed; the last thing it complained about if it failed.

    Raises:
        SetupError: it failed, is not there, or took too long; the message says what to do.
    """
    try:
        done = subprocess.run(
            list(command),
            cwd=cwd,
            env=dict(environ) if environ is not None else None,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            text=True,
            errors="replace",
            timeout=seconds,
        )
    except FileNotFoundError as error:
        raise SetupError(f"could not {what}: {command[0]} is not installed; {_OFFLINE}") from error
    except subprocess.TimeoutExpired as error:
        raise SetupError(f"could not {what} within {seconds:g} s; {_OFFLINE}") from error
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith(("E:", "ERROR:"))]
        said = " | ".join((errors or lines)[-2:]) or f"exit status {done.returncode}"
        raise SetupError(f"could not {what}: {said}; {_OFFLINE}")
    return done.stdout
