"""Commands of the simulated phone that work on files, a little of what toybox can.

What this module does not do: an option that is not covered is refused, never ignored.
"""

import fnmatch
import hashlib
import re
import stat
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from posixpath import basename

from weighin.gates.devices.simulator.arguments import careful, each, options
from weighin.gates.devices.simulator.files import Entry, absolute
from weighin.gates.devices.simulator.shell import Builtin, Call


def _cat(call: Call) -> int:
    _, paths = options(call, "u")
    if not paths:
        call.streams.out(call.streams.stdin)
    return each(call, paths, lambda path: call.streams.out(call.state.files.read(call.path(path))))


def _ls(call: Call) -> int:
    letters, paths = options(call, "1ladhR")

    def show(path: str) -> None:
        entry = call.state.files.stat(call.path(path))
        names: tuple[str, ...] = (path,)
        if entry.is_folder and "d" not in letters:
            names = call.state.files.names(entry.path)
        for name in names:
            inner = call.state.files.stat(absolute(name, entry.path if entry.is_folder else "/"))
            plain = inner if entry.is_folder else entry
            call.say(_long(plain, name) if "l" in letters else f"{name}\n")

    return each(call, paths or (".",), show)


def _long(entry: Entry, name: str) -> str:
    when = datetime.fromtimestamp(entry.mtime_s, UTC).strftime("%Y-%m-%d %H:%M")
    return f"{stat.filemode(entry.mode)} 1 shell shell {entry.size:>8} {when} {name}\n"


def _chmod(call: Call) -> int:
    _, (mode, *paths) = options(call, "R") if len(call.args) > 1 else ("", ("",))
    if re.fullmatch(r"[0-7]{3,4}", mode):
        bits: int | None = int(mode, 8)
    elif re.fullmatch(r"[ugoa]*\+[rwx]+", mode):
        bits = None
    else:
        return call.complain(f"bad mode '{mode}'")

    def change(path: str) -> None:
        old = call.state.files.stat(call.path(path)).mode & 0o777
        added = 0o111 if "x" in mode else 0o444
        call.state.files.chmod(call.path(path), old | added if bits is None else bits)

    return each(call, tuple(paths), change)


def _rm(call: Call) -> int:
    letters, paths = options(call, "rRf")

    def remove(path: str) -> None:
        if "f" in letters and not call.state.files.exists(call.path(path)):
            return
        call.state.files.remove(call.path(path), recursive="r" in letters.lower())

    return each(call, paths, remove)


def _mkdir(call: Call) -> int:
    letters, paths = options(call, "p")
    files = call.state.files
    return each(
        call, paths, lambda path: files.make_folder(call.path(path), parents="p" in letters)
    )


def _touch(call: Call) -> int:
    files = call.state.files
    return each(call, call.args, lambda path: files.write(call.path(path), b"", append=True))


def _cp(call: Call) -> int:
    _, paths = options(call, "f")
    if len(paths) != 2:
        return call.complain("needs a source and a destination")
    files = call.state.files

    def copy(path: str) -> None:
        target = call.path(paths[1])
        if files.exists(target) and files.stat(target).is_folder:
            target = absolute(basename(path), target)
        mode = files.stat(call.path(path)).mode & 0o777
        files.write(target, files.read(call.path(path)), mode=mode)
        if call.name == "mv":
            files.remove(call.path(path))

    return each(call, paths[:1], copy)


def _df(call: Call) -> int:
    letters, paths = options(call, "kh")
    free = call.state.files.free_bytes // 1024
    total = max(call.state.phone.free_bytes // 1024 * 4, free)
    used = total - free
    call.say("Filesystem       1K-blocks     Used Available Use% Mounted on\n")

    def show(path: str) -> None:
        call.state.files.stat(call.path(path))
        name = f"{'/dev/block/dm-5':<16}"
        call.say(f"{name} {total:>9} {used:>8} {free:>9} {used * 100 // total:>3}% /data\n")

    return (
        call.complain("-h is not simulated")
        if "h" in letters
        else each(call, paths or ("/data",), show)
    )


def _digest(call: Call) -> int:
    kind = call.name.removesuffix("sum")
    _, paths = options(call, "b")

    def show(path: str) -> None:
        content = call.state.files.read(call.path(path))
        digest = hashlib.new(kind, content, usedforsecurity=False).hexdigest()
        call.say(f"{digest}\n" if "b" in options(call, "b")[0] else f"{digest}  {path}\n")

    return each(call, paths, show)


def _stat(call: Call) -> int:
    if call.args[:1] != ("-c",) or len(call.args) < 3:
        return call.complain("only -c FORMAT FILE... is simulated")
    form = call.args[1]

    def show(path: str) -> None:
        entry = call.state.files.stat(call.path(path))
        values = {
            "%s": str(entry.size),
            "%a": f"{entry.mode & 0o7777:o}",
            "%n": path,
            "%Y": str(int(entry.mtime_s)),
            "%F": "directory" if entry.is_folder else "regular file",
        }
        call.say(re.sub(r"%.", lambda found: values.get(found.group(), "?"), form) + "\n")

    return each(call, call.args[2:], show)


def _find(call: Call) -> int:
    match call.args:
        case (folder, "-name", pattern):
            below = sorted(_below(call, call.path(folder)))
            matching = [p for p in below if fnmatch.fnmatchcase(basename(p), pattern)]
            call.say("".join(f"{path}\n" for path in matching))
            return 0
        case _:
            return call.complain("only FOLDER -name PATTERN is simulated")


def _below(call: Call, folder: str) -> Iterator[str]:
    for name in call.state.files.names(folder):
        path = absolute(name, folder)
        yield path
        if call.state.files.stat(path).is_folder:
            yield from _below(call, path)


FILE_COMMANDS: Mapping[str, Builtin] = {
    name: careful(work)
    for name, work in {
        "cat": _cat,
        "ls": _ls,
        "chmod": _chmod,
        "rm": _rm,
        "mkdir": _mkdir,
        "touch": _touch,
        "cp": _cp,
        "mv": _cp,
        "df": _df,
        "sha256sum": _digest,
        "md5sum": _digest,
        "stat": _stat,
        "find": _find,
    }.items()
}
