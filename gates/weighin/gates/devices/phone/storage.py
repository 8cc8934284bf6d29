"""How much room a phone has, in memory and on its disk. Pure."""

import re

from weighin.gates.devices.phone.figures import number, quoted

_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def parse_ram_mib(text: str) -> int:
    """``MemTotal`` of ``/proc/meminfo``, MiB.

    Raises:
        ValueError: it is not there, or not in kB.
    """
    found = re.search(r"^MemTotal:\s*(\d+) kB\s*$", text, re.MULTILINE)
    if not found or int(found[1]) == 0:
        raise ValueError(f"/proc/meminfo tells no MemTotal: {quoted(text)}")
    return int(found[1]) // 1024


def parse_free_bytes(text: str) -> int:
    """Free bytes from ``df -k FOLDER`` of today's phones, or old Android's own ``df``.

    Raises:
        ValueError: it is neither.
    """
    lines = [line for line in text.replace("\r", "").split("\n") if line.strip()]
    if len(lines) < 2:
        raise ValueError(f"df does not tell the free space: {quoted(text)}")
    heads, cells = lines[0].split(), " ".join(lines[1:]).split()
    for head, unit in (("Available", "K"), ("Avail", "K"), ("Free", "")):
        if head in heads and len(cells) > heads.index(head):
            return _bytes(cells[heads.index(head)], unit)
    raise ValueError(f"df does not tell the free space: {quoted(text)}")


def _bytes(text: str, unit: str) -> int:
    """``1234`` in ``unit``, or ``10.7G`` with its own."""
    own = text[-1:] if text[-1:].isalpha() else unit
    if own not in _UNITS:
        raise ValueError(f"not a size: {quoted(text)}")
    return int(number(text.removesuffix(own) if text[-1:].isalpha() else text) * _UNITS[own])


def parse_peak_mib(text: str) -> float | None:
    """``VmHWM`` of ``/proc/PID/status``, MiB; ``None`` if the process is gone.

    Raises:
        ValueError: the process is there, but its peak is not.
    """
    if "VmHWM" not in text and ("No such" in text or not text.strip()):
        return None
    found = re.search(r"^VmHWM:\s*(\d+) kB\s*$", text, re.MULTILINE)
    if not found:
        raise ValueError(f"the process tells no VmHWM: {quoted(text)}")
    return int(found[1]) / 1024
