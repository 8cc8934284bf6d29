"""Commands of the simulated phone that belong to the shell itself, or run another command.

What this module does not do: ``trap``, ``set`` and ``read``.
"""

import re
from collections.abc import Mapping

from weighin.gates.devices.simulator.session import Session
from weighin.gates.devices.simulator.shell import Builtin, Call, Shell


def _echo(call: Call) -> int:
    args = list(call.args)
    ending = "\n"
    while args and args[0] in ("-n", "-e"):
        ending = "" if args.pop(0) == "-n" else ending
    call.say(" ".join(args) + ending)
    return 0


def _printf(call: Call) -> int:
    if not call.args:
        return call.complain("missing FORMAT")
    text = call.args[0].replace("\\n", "\n").replace("\\t", "\t")
    values = iter(call.args[1:])
    call.say(re.sub(r"%[sd]", lambda _: next(values, ""), text))
    return 0


def _cd(call: Call) -> int:
    target = call.path(call.args[0] if call.args else "/")
    try:
        entry = call.state.files.stat(target)
    except OSError as error:
        return _not_there(call, str(error.strerror))
    if not entry.is_folder:
        return _not_there(call, "Not a directory")
    call.session.folder = target
    return 0


def _not_there(call: Call, why: str) -> int:
    call.streams.err(f"/system/bin/sh: cd: {call.args[0]}: {why}\n".encode())
    return 2


def _pwd(call: Call) -> int:
    call.say(f"{call.session.folder}\n")
    return 0


def _export(call: Call) -> int:
    for arg in call.args:
        name, equals, value = arg.partition("=")
        if equals:
            call.session.variables[name] = value
    return 0


def _exit(call: Call) -> int:
    call.session.exited = True
    return int(call.args[0]) if call.args and call.args[0].isdigit() else call.session.status


def _taskset(call: Call) -> int:
    args = [arg for arg in call.args if arg != "-a"]
    if len(args) < 2:
        return call.complain("needs a mask and a command")
    count = len(call.state.phone.cores)
    try:
        mask = int(args[0], 16)
    except ValueError:
        return call.complain(f"bad mask '{args[0]}'")
    cores = tuple(n for n in range(count) if mask >> n & 1)
    if not cores:
        return call.complain("failed to set pid 0's affinity: Invalid argument")
    shell = Shell(call.session, call.commands)
    return shell.run_words(tuple(args[1:]), call.streams, cores)


def _prefix(call: Call) -> int:
    """``nohup CMD``, ``toybox CMD``, ``exec CMD``, ``env CMD``, ``command CMD``."""
    return call.run(call.args, call.streams) if call.args else 0


def _sh(call: Call) -> int:
    match call.args:
        case ("-c", text, *_):
            pass
        case (path,):
            try:
                text = call.state.files.read(call.path(path)).decode(errors="replace")
            except OSError as error:
                return call.complain(f"{path}: {error.strerror}", 127)
        case _:
            return call.complain("only -c TEXT or FILE is simulated")
    inner = Session(
        state=call.state,
        folder=call.session.folder,
        variables=dict(call.session.variables),
        process=call.session.process,
        running=call.session.running,
        gone=call.session.gone,
    )
    return Shell(inner, call.commands).run_text(text, call.streams)


def _test(call: Call) -> int:
    args = call.args[:-1] if call.name == "[" and call.args[-1:] == ("]",) else call.args
    files = call.state.files
    match args:
        case ("-e" | "-f" | "-d" | "-r" | "-x" | "-s" as kind, path):
            if not files.exists(call.path(path)):
                return 1
            entry = files.stat(call.path(path))
            if kind == "-d" or kind == "-f":
                return 0 if entry.is_folder == (kind == "-d") else 1
            return 0 if kind != "-x" or entry.mode & 0o111 else 1
        case ("-n", text):
            return 0 if text else 1
        case ("-z", text):
            return 1 if text else 0
        case (left, "=" | "==" | "-eq", right):
            return 0 if left == right else 1
        case (left, "!=" | "-ne", right):
            return 0 if left != right else 1
        case _:
            return call.complain("this test is not simulated", 2)


def _wait(call: Call) -> int:
    """Until a background job has ended; its exit code. Without a number: until all have."""
    jobs = call.session.jobs
    wanted = [int(arg) for arg in call.args if arg.isdigit()] or list(jobs)
    status: int | None = 0
    for pid in wanted:
        if pid not in jobs:
            return 127
        process, ended = jobs[pid]
        while not ended.wait(0.05):
            if call.session.gone.is_set():
                process.kill(1)
                return 129
        status = process.status
    return 1 if status is None else status


def _nothing(_call: Call) -> int:
    return 0


def _false(_call: Call) -> int:
    return 1


SHELL_COMMANDS: Mapping[str, Builtin] = {
    "echo": _echo,
    "printf": _printf,
    "cd": _cd,
    "pwd": _pwd,
    "export": _export,
    "exit": _exit,
    "taskset": _taskset,
    "nohup": _prefix,
    "toybox": _prefix,
    "exec": _prefix,
    "env": _prefix,
    "command": _prefix,
    "sh": _sh,
    "test": _test,
    "[": _test,
    "true": _nothing,
    ":": _nothing,
    "wait": _wait,
    "sync": _nothing,
    "false": _false,
}
