"""What one inference executes on an emulated core, by kind of instruction. Pure.

What this module does not do: it counts nothing (``counter.c`` does, in the emulator), and it knows
no time. Instructions are not cycles.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """Executed instructions by kind, and fetched cache lines.

    Attributes:
        integer: Whole numbers and addresses.
        branch: Branches and system instructions.
        load: Loads into general registers.
        store: Stores from general registers.
        vector_load: Loads into vector registers.
        vector_store: Stores from vector registers.
        float_mac: Vector products of floats, most of them added to sums.
        integer_mac: Vector products of whole numbers, dot and matrix products among them.
        vector: Everything else on vectors.
        scalar_float: Single floats.
        missed_32k: Lines of 64 bytes that a cache of 32 KiB (4 ways) did not hold.
        missed_512k: Of those, the ones that one of 512 KiB (8 ways) did not hold.
        missed_2m: Of those, the ones that one of 2 MiB (16 ways) did not hold.
    """

    integer: int
    branch: int
    load: int
    store: int
    vector_load: int
    vector_store: int
    float_mac: int
    integer_mac: int
    vector: int
    scalar_float: int
    missed_32k: int
    missed_512k: int
    missed_2m: int

    @property
    def instructions(self) -> int:
        """All of them."""
        return sum(value for name, value in asdict(self).items() if not name.startswith("missed"))


COLUMNS = tuple(field.name for field in fields(Count))


def parse_count(raw: Mapping[str, object]) -> Count:
    """A count from the counter's own words, or from a table.

    Raises:
        ValueError: a kind is missing, or is no number of things.
    """
    values = dict[str, int]()
    for name in COLUMNS:
        text = str(raw.get(name, ""))
        if not (text.isascii() and text.isdigit()):
            raise ValueError(f"{name} is {text or 'missing'}, not a whole number")
        values[name] = int(text)
    return Count(**values)
