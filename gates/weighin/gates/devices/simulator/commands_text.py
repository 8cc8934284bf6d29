"""Commands of the simulated phone that work on lines of text: what stands behind a pipe.

What this module does not do: ``sed`` and ``awk``.
"""

import re
from collections.abc import Mapping

from weighin.gates.devices.simulator.arguments import careful, inputs, options
from weighin.gates.devices.simulator.shell import Builtin, Call


def _grep(call: Call) -> int:
    letters, rest = options(call, "iEvcqoF")
    if not rest:
        return call.complain("no REGEX", 2)
    flags = re.IGNORECASE if "i" in letters else 0
    source = re.escape(rest[0]) if "F" in letters else rest[0]
    pattern = re.compile(source, flags)
    found: list[str] = []
    for _, content in inputs(call, rest[1:]):
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
    for _, content in inputs(call, tuple(args)):
        lines = content.splitlines(keepends=True)
        chosen = lines[:count] if call.name == "head" else lines[-count:] if count else []
        call.streams.out(b"".join(chosen))
    return 0


def _wc(call: Call) -> int:
    letters, paths = options(call, "lc")
    for name, content in inputs(call, paths):
        number = content.count(b"\n") if "l" in letters else len(content)
        call.say(f"{number}\n" if name == "-" else f"{number} {name}\n")
    return 0


TEXT_COMMANDS: Mapping[str, Builtin] = {
    "grep": careful(_grep),
    "head": careful(_head_or_tail),
    "tail": careful(_head_or_tail),
    "wc": careful(_wc),
}
