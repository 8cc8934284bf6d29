"""Instructions of int8 and float kernels with answers known by exact arithmetic. Pure.

Each check is machine code on three 16-byte operands: left, right, and an accumulator that
receives the answer. Encodings: Arm Architecture Reference Manual (DDI 0487), chapter C7.2.

What this module does not do: it executes nothing; :mod:`weighin.gates.arm.probe` does, in the
emulator.
"""

import random
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from weighin.gates.arm.cores import Core

_FRAME_BEFORE = (0x3DC00001, 0x3DC00022, 0x3DC00040)  # ldr q1, [x0]; ldr q2, [x1]; ldr q0, [x2]
_FRAME_AFTER = (0x3D800040, 0xD65F03C0)  # str q0, [x2]; ret
_TRIALS = 8
_SEED = 20_260_000

Arithmetic = Callable[[bytes, bytes, bytes], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One instruction of kernels.

    Attributes:
        name: As the manual calls it.
        needs: The extension that it belongs to; ``None`` for plain NEON.
        words: Its encoding on v0 (accumulator), v1 (left) and v2 (right).
        answer: What it must compute from left, right and accumulator.
        floats: ``struct`` letter of floating point operands; ``None`` for whole numbers.
    """

    name: str
    needs: str | None
    words: tuple[int, ...]
    answer: Arithmetic
    floats: str | None = None

    def exists_on(self, core: Core) -> bool:
        """Whether the core must execute it; otherwise it must refuse."""
        return self.needs is None or self.needs in core.isa


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One execution: code and operands in, and the only right answer."""

    instruction: Instruction
    code: bytes
    left: bytes
    right: bytes
    start: bytes

    @property
    def answer(self) -> bytes:
        """What must be in the accumulator afterwards."""
        return self.instruction.answer(self.left, self.right, self.start)


def trials() -> Iterator[Trial]:
    """Every instruction on extreme and on random operands, the same ones each time."""
    chance = random.Random(_SEED)  # noqa: S311 - no secret
    for instruction in INSTRUCTIONS:
        code = struct.pack("<6I" if len(instruction.words) == 1 else "<7I", *_code(instruction))
        for number in range(_TRIALS):
            left, right, start = _operands(instruction, chance, extreme=number == 0)
            yield Trial(instruction=instruction, code=code, left=left, right=right, start=start)


def _code(instruction: Instruction) -> tuple[int, ...]:
    return (*_FRAME_BEFORE, *instruction.words, *_FRAME_AFTER)


def _operands(
    instruction: Instruction, chance: random.Random, *, extreme: bool
) -> tuple[bytes, bytes, bytes]:
    if instruction.floats is None:
        both = b"\x80" * 16 if extreme else None
        start = struct.pack("<4i", *(chance.randint(-(2**20), 2**20) for _ in range(4)))
        return both or chance.randbytes(16), both or chance.randbytes(16), start
    letter = instruction.floats
    count = 16 // struct.calcsize(letter)

    def whole() -> bytes:  # so small that no product or sum is rounded, in half floats too
        return struct.pack(f"<{count}{letter}", *(chance.randint(-15, 15) for _ in range(count)))

    return whole(), whole(), whole()


def _dots(letters: str, *, lane: int | None = None) -> Arithmetic:
    """Four sums of four products; with a lane, four bytes of the right side serve all sums."""

    def compute(left: bytes, right: bytes, start: bytes) -> bytes:
        a, b = struct.unpack(f"16{letters[0]}", left), struct.unpack(f"16{letters[1]}", right)
        sums = [
            sum(a[4 * i + k] * b[4 * (i if lane is None else lane) + k] for k in range(4))
            for i in range(4)
        ]
        return _added(start, sums)

    return compute


def _matrices(letters: str) -> Arithmetic:
    """A 2x8 matrix times the transpose of another."""

    def compute(left: bytes, right: bytes, start: bytes) -> bytes:
        a, b = struct.unpack(f"16{letters[0]}", left), struct.unpack(f"16{letters[1]}", right)
        sums = [
            sum(a[8 * row + k] * b[8 * column + k] for k in range(8))
            for row in range(2)
            for column in range(2)
        ]
        return _added(start, sums)

    return compute


def _widened(left: bytes, right: bytes, start: bytes) -> bytes:
    """Products of the low eight bytes, added to the sums in pairs."""
    a, b = struct.unpack("16b", left), struct.unpack("16b", right)
    return _added(start, [a[2 * i] * b[2 * i] + a[2 * i + 1] * b[2 * i + 1] for i in range(4)])


def _multiplied(letter: str) -> Arithmetic:
    """Element by element, exact because the operands are small whole numbers."""

    def compute(left: bytes, right: bytes, start: bytes) -> bytes:
        form = f"<{16 // struct.calcsize(letter)}{letter}"
        parts = (struct.unpack(form, one) for one in (left, right, start))
        return struct.pack(form, *(a * b + c for a, b, c in zip(*parts, strict=True)))

    return compute


def _added(start: bytes, sums: Sequence[int]) -> bytes:
    return struct.pack(
        "<4i", *(a + b for a, b in zip(struct.unpack("<4i", start), sums, strict=True))
    )


INSTRUCTIONS = (
    Instruction(name="SMULL, SADALP", needs=None, words=(0x0E22C023, 0x4E606860), answer=_widened),
    Instruction(name="FMLA", needs=None, words=(0x4E22CC20,), answer=_multiplied("f"), floats="f"),
    Instruction(
        name="FMLA (half floats)",
        needs="fp16",
        words=(0x4E420C20,),
        answer=_multiplied("e"),
        floats="e",
    ),
    Instruction(name="SDOT", needs="dotprod", words=(0x4E829420,), answer=_dots("bb")),
    Instruction(name="UDOT", needs="dotprod", words=(0x6E829420,), answer=_dots("BB")),
    Instruction(
        name="SDOT (by element)", needs="dotprod", words=(0x4FA2E020,), answer=_dots("bb", lane=1)
    ),
    Instruction(name="SMMLA", needs="i8mm", words=(0x4E82A420,), answer=_matrices("bb")),
    Instruction(name="UMMLA", needs="i8mm", words=(0x6E82A420,), answer=_matrices("BB")),
    Instruction(name="USMMLA", needs="i8mm", words=(0x4E82AC20,), answer=_matrices("Bb")),
    Instruction(name="USDOT", needs="i8mm", words=(0x4E829C20,), answer=_dots("Bb")),
)
"""Plain NEON first, then by extension."""
