"""Commands of the simulated phone that work on files, a little of what toybox can.

What this module does not do: an option that is not covered is refused, never ignored.
"""

import fnmatch
import hashlib
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from posixpath import basename

from weighin.gates.devices.simulator.files import Entry, absolute
from weighin.gates.devices.simulator.shell import Builtin, Call


def _options(call: Call, known: str) -> tuple[str, tuple[str, ...]]:
    """Letters of the options and the other arguments; the options come first.

    Raises:
        ValueError: an option that is not in ``known``.
    """
    letters = ""
    rest = list(call.args)
    while rest and rest[0].startswith("-") and len(rest[0]) > 1:
        option = rest.pop(0)
        if option == "--":
            break
        if unknown := set(option[1:]) - set(known):
            raise ValueError(f"Unknown option '{min(unknown)}'")
        letters += option[1:]
    return letters, tuple(rest)


def _each(call: Call, paths: tuple[str, ...], work: Callable[[str], None]) -> int:
    """``work`` on every path; what fails is told, the others go on."""
    status = 0
    for path in paths:
        try:
            work(path)
        except OSError as error:
            status = call.complain(f"{path}: {error.strerror}")
    return status


def _inputs(call: Call, paths: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
    """Files by name, or standard input as ``-``."""
    if not paths:
        yield "-", call.streams.stdin
    for path in paths:
        yield path, call.state.files.read(call.path(path))


def _cat(call: Call) -> int:
    _, paths = _options(call, "u")
    if not paths:
        call.streams.out(call.streams.stdin)
    return _each(call, paths, lambda path: call.streams.out(call.state.files.read(call.path(path))))


def _ls(call: Call) -> int:
    letters, paths = _options(call, "1ladhR")

    def show(path: str) -> None:
        entry = call.state.files.stat(call.path(path))
        names: tuple[str, ...] = (path,)
        if entry.is_folder and "d" not in letters:
            names = call.state.files.names(entry.path)
        for name in names:
            inner = call.state.files.stat(absolute(name, entry.path if entry.is_folder else "/"))
            plain = inner if entry.is_folder else entry
            call.say(_long(plain, name) if "l" in letters else f"{name}\n")

    return _each(call, paths or (".",), show)


def _long(entry: Entry, name: str) -> str:
    when = datetime.fromtimestamp(entry.mtime_s, UTC).strftime("%Y-%m-%d %H:%M")
    return f"{stat.filemode(entry.mode)} 1 shell shell {entry.size:>8} {when} {name}\n"


def _chmod(call: Call) -> int:
    _, (mode, *paths) = _options(call, "R") if len(call.args) > 1 else ("", ("",))
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

    return _each(call, tuple(paths), change)


def _rm(call: Call) -> int:
    letters, paths = _options(call, "rRf")

    def remove(path: str) -> None:
        if "f" in letters and not call.state.files.exists(call.path(path)):
            return
        call.state.files.remove(call.path(path), recursive="r" in letters.lower())

    return _each(call, paths, remove)


def _mkdir(call: Call) -> int:
    letters, paths = _options(call, "p")
    files = call.state.files
    return _each(
        call, paths, lambda path: files.make_folder(call.path(path), parents="p" in letters)
    )


def _touch(call: Call) -> int:
    files = call.state.files
    return _each(call, call.args, lambda path: files.write(call.path(path), b"", append=True))


def _cp(call: Call) -> int:
    _, paths = _options(call, "f")
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

    return _each(call, paths[:1], copy)


def _df(call: Call) -> int:
    letters, paths = _options(call, "kh")
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
        else _each(call, paths or ("/data",), show)
    )


def _digest(call: Call) -> int:
    kind = call.name.removesuffix("sum")
    _, paths = _options(call, "b")

    def show(path: str) -> None:
        content = call.state.files.read(call.path(path))
        digest = hashlib.new(kind, content, usedforsecurity=False).hexdigest()
        call.say(f"{digest}\n" if "b" in _options(call, "b")[0] else f"{digest}  {path}\n")

    return _each(call, paths, show)


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

    return _each(call, call.args[2:], show)


def _grep(call: Call) -> int:
    letters, rest = _options(call, "iEvcqoF")
    if not rest:
        return call.complain("no REGEX", 2)
    flags = re.IGNORECASE if "i" in letters else 0
    source = re.escape(rest[0]) if "F" in letters else rest[0]
    pattern = re.compile(source, flags)
    found: list[str] = []
    for _, content in _inputs(call, rest[1:]):
        lines = content.decode(errors="replace").splitlines()
        found += [line for line in lines if (pattern.search(line) is None) == ("v" in letters)]
    if "c" in letters:
        call.say(f"{len(found)}\n")
    elif "q" not in letters:
        call.say("".join(f"{line}\n" for line in found))
    return 0 if found else 1


def _head_or_tail(call: Call) -> int:
    args = list(call.args)
    count = 10
    if args[:1] == ["-n"] and len(args) > 1:
        count, args = int(args[1]), args[2:]
    elif args and re.fullmatch(r"-\d+", args[0]):
        count = int(args.pop(0)[1:])
    for _, content in _inputs(call, tuple(args)):
        lines = content.splitlines(keepends=True)
        chosen = lines[:count] if call.name == "head" else lines[-count:] if count else []
        call.streams.out(b"".join(chosen))
    return 0


def _wc(call: Call) -> int:
    letters, paths = _options(call, "lc")
    for name, content in _inputs(call, paths):
        number = content.count(b"\n") if "l" in letters else len(content)
        call.say(f"{number}\n" if name == "-" else f"{number} {name}\n")
    return 0


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


def _careful(work: Builtin) -> Builtin:
    """The command, with its own words for what the files or the options refuse."""

    def run(call: Call) -> int:
        try:
            return work(call)
        except OSError as error:
            return call.complain(f"{error.filename}: {error.strerror}")
        except (ValueError, re.error) as error:
            return call.complain(str(error))

    return run


FILE_COMMANDS: Mapping[str, Builtin] = {
    name: _careful(work)
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
        "grep": _grep,
        "head": _head_or_tail,
        "tail": _head_or_tail,
        "wc": _wc,
        "find": _find,
    }.items()
}
