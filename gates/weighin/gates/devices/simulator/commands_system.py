"""Commands of the simulated phone that are about processes and the system.

What this module does not do: nothing that needs root; ``su`` is not found, as on most phones.
"""

import signal
from collections.abc import Mapping
from datetime import UTC, datetime

from weighin.gates.devices.simulator.faults import Fault
from weighin.gates.devices.simulator.shell import Builtin, Call

_PAGE_BYTES = 4096


def _sleep(call: Call) -> int:
    try:
        seconds = sum(_seconds(arg) for arg in call.args)
    except ValueError:
        return call.complain(f"not a number '{' '.join(call.args)}'")
    own = call.session.process
    process = own or call.state.start("sleep")
    call.session.running.append(process)
    call.state.clock.wait(seconds, process.cancelled)
    call.session.running.remove(process)
    if own is None:
        call.state.end(process)
    return 128 + process.signal if process.signal else 0


def _seconds(text: str) -> float:
    unit = {"s": 1, "m": 60, "h": 3600}.get(text[-1:], 0)
    return float(text[:-1]) * unit if unit else float(text)


def _kill(call: Call) -> int:
    number, pids = int(signal.SIGTERM), list(call.args)
    if pids and pids[0].startswith("-"):
        name = pids.pop(0)[1:].upper().removeprefix("SIG")
        if name.isdigit():
            number = int(name)
        elif f"SIG{name}" in signal.Signals.__members__:
            number = int(signal.Signals[f"SIG{name}"])
        else:
            return call.complain(f"bad -{name}")
    status = 0
    for pid in pids:
        found = [p for p in call.state.processes() if str(p.pid) == pid]
        if not found:
            status = call.complain(f"{pid}: No such process")
        for process in found if number else []:
            process.kill(number)
    return status


def _pidof(call: Call) -> int:
    pids = [str(p.pid) for p in call.state.processes() if p.name in call.args]
    if pids:
        call.say(" ".join(pids) + "\n")
    return 0 if pids else 1


def _ps(call: Call) -> int:
    call.say("USER           PID  PPID     VSZ    RSS WCHAN            ADDR S NAME\n")
    for p in call.state.processes():
        memory = f"{p.rss_kib + 40_000:>7} {p.rss_kib:>6}"
        call.say(f"shell        {p.pid:>5}     1 {memory} 0                   0 R {p.name}\n")
    return 0


def _uname(call: Call) -> int:
    machine = "armv8l" if Fault.OTHER_ABI in call.state.phone.faults else "aarch64"
    values = {"-m": machine, "-r": "5.4.0-weighin-simulated", "-s": "Linux", "": "Linux"}
    values["-a"] = f"Linux localhost {values['-r']} #1 SMP PREEMPT {machine} Toybox"
    option = call.args[0] if call.args else ""
    if option not in values:
        return call.complain(f"Unknown option '{option}'")
    call.say(values[option] + "\n")
    return 0


def _getconf(call: Call) -> int:
    known = {"PAGESIZE": _PAGE_BYTES, "PAGE_SIZE": _PAGE_BYTES}
    known["_NPROCESSORS_ONLN"] = known["_NPROCESSORS_CONF"] = len(call.state.phone.cores)
    if not call.args or call.args[0] not in known:
        return call.complain(f"bad '{' '.join(call.args)}'")
    call.say(f"{known[call.args[0]]}\n")
    return 0


def _nproc(call: Call) -> int:
    call.say(f"{len(call.cores)}\n")
    return 0


def _date(call: Call) -> int:
    unix_s = call.state.unix_s()
    now = datetime.fromtimestamp(unix_s, UTC)
    match call.args:
        case ("+%s",):
            text = str(int(unix_s))
        case ("+%s.%N",) | ("+%s%N",):
            text = f"{unix_s:.9f}" if "." in call.args[0] else str(int(unix_s * 1e9))
        case (form,) if form.startswith("+"):
            text = now.strftime(form[1:])
        case ():
            text = now.strftime("%a %b %d %H:%M:%S GMT %Y")
        case _:
            return call.complain(f"bad '{' '.join(call.args)}'")
    call.say(f"{text}\n")
    return 0


def _id(call: Call) -> int:
    call.say("shell\n" if call.name == "whoami" else "uid=2000(shell) gid=2000(shell)\n")
    return 0


SYSTEM_COMMANDS: Mapping[str, Builtin] = {
    "sleep": _sleep,
    "kill": _kill,
    "pidof": _pidof,
    "ps": _ps,
    "uname": _uname,
    "getconf": _getconf,
    "nproc": _nproc,
    "date": _date,
    "id": _id,
    "whoami": _id,
}
