"""A loop whose every instruction is known: what the counter must say of it, to the last one. Pure.

The loop walks over 1 MiB in steps of a cache line, and executes one instruction of each kind at
each step. Encodings: Arm Architecture Reference Manual (DDI 0487), chapters C6.2 and C7.2.

What this module does not do: it executes nothing; :mod:`weighin.gates.arm.count_child` does, in
the emulator.
"""

import struct

from weighin.gates.arm.counts import Count

BUFFER_BYTES = 1 << 20
_LINES = BUFFER_BYTES // 64
_PASSES = 2
_SLACK_LINES = 1_000
"""What the calling program may fetch between two runs of the loop."""

_MARK = 0x7EE1


def loop_code() -> bytes:
    """Machine code of ``void loop(void *buffer, long number)``; it marks itself for the counter."""
    return struct.pack(f"<{len(_WORDS)}I", *_WORDS)


def _move(register: int, value: int) -> int:
    """MOVZ."""
    return 0xD2800000 | value << 5 | register


_WORDS = (
    0xAA0003E9,  # mov x9, x0
    0xAA0103EE,  # mov x14, x1
    _move(8, _MARK),
    _move(0, 0),
    0xD4000001,  # svc #0: start
    _move(11, _PASSES),
    0xAA0903EA,  # mov x10, x9
    _move(12, _LINES),
    0xF844054D,  # ldr x13, [x10], #64
    0xF900012D,  # str x13, [x9]
    0x3DC00121,  # ldr q1, [x9]
    0x3D800121,  # str q1, [x9]
    0x4E22CC20,  # fmla v0.4s, v1.4s, v2.4s
    0x0E22C023,  # smull v3.8h, v1.8b, v2.8b
    0x4E24D484,  # fadd v4.4s, v4.4s, v4.4s
    0x1E2528A5,  # fadd s5, s5, s5
    0xF100058C,  # subs x12, x12, #1
    0x54FFFEE1,  # b.ne 9 instructions back
    0xF100056B,  # subs x11, x11, #1
    0x54FFFE61,  # b.ne 13 instructions back
    _move(8, _MARK),
    _move(0, 1),
    0xAA0E03E1,  # mov x1, x14
    0xD4000001,  # svc #0: stop
    0xD65F03C0,  # ret
)


def loop_objection(second: Count) -> str | None:
    """What is wrong with the count of the loop's second run; ``None`` if nothing is.

    Every instruction must be there. Lines too, but for a few of the calling program: the walk is
    longer than two of the caches, which so hold no line until it comes back, and fits the third.
    """
    steps = _PASSES * _LINES
    each = dict.fromkeys(
        ("load", "store", "vector_load", "vector_store", "float_mac", "integer_mac", "vector",
         "scalar_float"),
        steps,
    )  # fmt: skip
    wanted = each | {"integer": 4 + _PASSES * 3 + steps, "branch": 1 + _PASSES + steps}
    for name, value in wanted.items():
        if getattr(second, name) != value:
            return f"it counted {getattr(second, name)} of {value} known instructions ({name})"
    for name, lines in (("missed_32k", steps), ("missed_512k", steps), ("missed_2m", 0)):
        if abs(getattr(second, name) - lines) > _SLACK_LINES:
            return f"it saw {getattr(second, name)} of {lines} known cache lines ({name})"
    return None
