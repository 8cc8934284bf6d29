"""Puts tools and models on a phone, and checks that they arrived as they are.

What this module does not do: it leaves nothing but files in its own folder there, named after
their content, and it pushes nothing that is there already.
"""

from pathlib import Path

from weighin.gates.devices.phone.link import FOLDER, Link
from weighin.gates.devices.phone.storage import parse_free_bytes
from weighin.gates.devices.phone.tools import Tool, parse_sha256
from weighin.gates.digest import sha256_of
from weighin.gates.errors import PhoneError

_SPARE_BYTES = 16 * 2**20
"""Left free: a full /data/local/tmp stops other programs of the phone."""


def stage_tool(link: Link, tool: Tool) -> str:
    """Push a tool and its libraries; returns where the tool is.

    Raises:
        PhoneError: there is no space, or something else arrived.
        PhoneGone: the phone went away.
    """
    for library in tool.libraries:
        _stage(link, library, f"{FOLDER}/{library.name}", sha256_of(library), 0o755)
    program = f"{FOLDER}/{tool.name}-{tool.sha256[:12]}"
    _stage(link, tool.path, program, tool.sha256, 0o755)
    return program


def stage_program(link: Link, path: Path) -> str:
    """Push any program; returns where it is.

    Raises:
        PhoneError: there is no space, or something else arrived.
        PhoneGone: the phone went away.
    """
    sha256 = sha256_of(path)
    remote = f"{FOLDER}/{path.name}-{sha256[:12]}"
    _stage(link, path, remote, sha256, 0o755)
    return remote


def stage_model(link: Link, model: Path, sha256: str) -> str:
    """Push a model; returns where it is.

    Raises:
        PhoneError: there is no space, or something else arrived.
        PhoneGone: the phone went away.
    """
    remote = f"{FOLDER}/{sha256[:16]}{model.suffix}"
    _stage(link, model, remote, sha256, 0o644)
    return remote


def unstage(link: Link, remote: str) -> None:
    """Remove a model: phones are small, and the next one may need the space."""
    link.run(f"rm -f {remote}")


def tidy(link: Link) -> None:
    """Remove every model and output; tools stay, so that they need not be pushed again."""
    link.run(f"rm -f {FOLDER}/*.tflite {FOLDER}/*.onnx {FOLDER}/*.npy {FOLDER}/output.txt")


def _stage(link: Link, local: Path, remote: str, sha256: str, mode: int) -> None:
    link.run(f"mkdir -p {FOLDER}")
    if _digest(link, remote) == sha256:
        return
    _check_space(link, local)
    link.push(local, remote, mode)
    arrived = _digest(link, remote)
    if arrived != sha256:
        link.run(f"rm -f {remote}")
        raise PhoneError(
            f"{local.name} arrived on phone {link.serial} as another file "
            f"({(arrived or 'none')[:12]}, not {sha256[:12]}); try again, or another cable"
        )
    if mode & 0o111:
        link.run(f"chmod 755 {remote}")


def _check_space(link: Link, local: Path) -> None:
    needed = local.stat().st_size + _SPARE_BYTES
    try:
        free = parse_free_bytes(link.run("df -k /data/local/tmp").text)
    except ValueError as error:
        raise PhoneError(f"phone {link.serial}: {error}") from error
    if free < needed:
        raise PhoneError(
            f"phone {link.serial} has {free / 2**20:.1f} MiB free in /data/local/tmp, but "
            f"{local.name} needs {needed / 2**20:.1f} MiB with some to spare"
        )


def _digest(link: Link, remote: str) -> str | None:
    answer = link.run(f"sha256sum {remote}")
    return parse_sha256(answer.text) if answer.ok else None
