"""The core designs of phones that weighin knows: their names, and how Linux numbers them.

A closed list, so that a slip of the pen in a profile is an error and not a new kind of core.
What this module does not do: it says nothing about speed.
"""

from collections.abc import Mapping
from dataclasses import dataclass

_ARM = 0x41
_HISILICON = 0x48
_QUALCOMM = 0x51
_SAMSUNG = 0x53

_NONE: tuple[str, ...] = ()
_HALF = ("dotprod", "fp16")
_MATRIX = ("dotprod", "fp16", "i8mm")

ISA_FLAGS = ("dotprod", "fp16", "i8mm")
"""Extensions by which runtimes choose their kernels, as profiles write them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreDesign:
    """One design.

    Attributes:
        name: As profiles write it.
        most_isa: Flags that some chip with this design has; a chip may have fewer (Cortex-A75 and
            A55 have dot products from a later revision on).
        parts: ``(implementer, part)`` of ``/proc/cpuinfo``, as Linux' ``cputype.h`` lists them;
            vendors put numbers of their own on designs of ARM.
    """

    name: str
    most_isa: tuple[str, ...]
    parts: tuple[tuple[int, int], ...] = ()


def _arm(name: str, most_isa: tuple[str, ...], part: int, *others: tuple[int, int]) -> CoreDesign:
    return CoreDesign(name=name, most_isa=most_isa, parts=((_ARM, part), *others))


def _apple(number: int, most_isa: tuple[str, ...]) -> tuple[CoreDesign, ...]:
    """Fast (``p``) and, since the A10, frugal (``e``) cores of an Apple A chip."""
    kinds = "pe" if number >= 10 else "p"
    return tuple(CoreDesign(name=f"apple-a{number}-{kind}", most_isa=most_isa) for kind in kinds)


_DESIGNS = (
    _arm("cortex-a7", _NONE, 0xC07),
    _arm("cortex-a9", _NONE, 0xC09),
    _arm("cortex-a15", _NONE, 0xC0F),
    _arm("cortex-a17", _NONE, 0xC0E),
    _arm("cortex-a35", _NONE, 0xD04),
    _arm("cortex-a53", _NONE, 0xD03, (_QUALCOMM, 0x801)),
    _arm("cortex-a55", _HALF, 0xD05, (_QUALCOMM, 0x803), (_QUALCOMM, 0x805)),
    _arm("cortex-a57", _NONE, 0xD07),
    _arm("cortex-a72", _NONE, 0xD08),
    _arm("cortex-a73", _NONE, 0xD09, (_QUALCOMM, 0x800)),
    _arm("cortex-a75", _HALF, 0xD0A, (_QUALCOMM, 0x802)),
    _arm("cortex-a76", _HALF, 0xD0B, (_QUALCOMM, 0x804), (_HISILICON, 0xD40)),
    _arm("cortex-a77", _HALF, 0xD0D),
    _arm("cortex-a78", _HALF, 0xD41),
    _arm("cortex-a78c", _HALF, 0xD4B),
    _arm("cortex-a510", _MATRIX, 0xD46),
    _arm("cortex-a520", _MATRIX, 0xD80),
    _arm("cortex-a710", _MATRIX, 0xD47),
    _arm("cortex-a715", _MATRIX, 0xD4D),
    _arm("cortex-a720", _MATRIX, 0xD81),
    _arm("cortex-a725", _MATRIX, 0xD87),
    _arm("cortex-x1", _HALF, 0xD44, (_ARM, 0xD4C)),
    _arm("cortex-x2", _MATRIX, 0xD48),
    _arm("cortex-x3", _MATRIX, 0xD4E),
    _arm("cortex-x4", _MATRIX, 0xD82),
    _arm("cortex-x925", _MATRIX, 0xD85),
    _arm("c1-nano", _MATRIX, 0xD8A),
    _arm("c1-pro", _MATRIX, 0xD8B),
    _arm("c1-ultra", _MATRIX, 0xD8C),
    _arm("c1-premium", _MATRIX, 0xD90),
    CoreDesign(name="krait", most_isa=_NONE, parts=((_QUALCOMM, 0x06F),)),
    CoreDesign(
        name="kryo",
        most_isa=_NONE,
        parts=((_QUALCOMM, 0x201), (_QUALCOMM, 0x205), (_QUALCOMM, 0x211)),
    ),
    CoreDesign(name="oryon", most_isa=_MATRIX, parts=((_QUALCOMM, 0x001),)),
    CoreDesign(name="exynos-m1", most_isa=_NONE, parts=((_SAMSUNG, 0x001),)),
    CoreDesign(name="exynos-m3", most_isa=_NONE, parts=((_SAMSUNG, 0x002),)),
    CoreDesign(name="exynos-m4", most_isa=_HALF, parts=((_SAMSUNG, 0x003),)),
    CoreDesign(name="exynos-m5", most_isa=_HALF, parts=((_SAMSUNG, 0x004),)),
    CoreDesign(name="taishan-v120", most_isa=_HALF, parts=((_HISILICON, 0xD02),)),
    *(design for number in range(7, 11) for design in _apple(number, _NONE)),
    *(design for number in (11, 12) for design in _apple(number, ("fp16",))),
    *(design for number in (13, 14) for design in _apple(number, _HALF)),
    *(design for number in range(15, 20) for design in _apple(number, _MATRIX)),
)

CORE_DESIGNS: Mapping[str, CoreDesign] = {design.name: design for design in _DESIGNS}
"""Every known design by name."""


def design_of(implementer: int, part: int) -> CoreDesign | None:
    """The design with these numbers in ``/proc/cpuinfo``; ``None`` if weighin does not know it."""
    return next((d for d in _DESIGNS if (implementer, part) in d.parts), None)
