"""What commands of the simulated phone share: options, files by name, words for what fails.

What this module does not do: no command of its own.
"""

import re
from collections.abc import Callable, Iterator

from weighin.gates.devices.simulator.shell import Builtin, Call


def options(call: Call, known: str) -> tuple[str, tuple[str, ...]]:
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


def each(call: Call, paths: tuple[str, ...], work: Callable[[str], None]) -> int:
    """``work`` on every path; what fails is told, the others go on."""
    status = 0
    for path in paths:
        try:
            work(path)
        except OSError as error:
            status = call.complain(f"{path}: {error.strerror}")
    return status


def inputs(call: Call, paths: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
    """Files by name, or standard input as ``-``."""
    if not paths:
        yield "-", call.streams.stdin
    for path in paths:
        yield path, call.state.files.read(call.path(path))


def careful(work: Builtin) -> Builtin:
    """The command, with its own words for what the files or the options refuse."""

    def run(call: Call) -> int:
        try:
            return work(call)
        except OSError as error:
            return call.complain(f"{error.filename}: {error.strerror}")
        except (ValueError, re.error) as error:
            return call.complain(str(error))

    return run
