"""Blocks of short processes, the model's between the float reference's, on a phone that stays cool.

A block is A B B A, five times over, of processes with three timed runs each. The phone is cool
before and after it, or the block is thrown away and done again.

What this module does not do: it draws no conclusion from the timings.
"""

from dataclasses import dataclass

from weighin.gates.devices.phone.bench import Rig
from weighin.gates.devices.phone.health import cooled, read_heat
from weighin.gates.devices.phone.tool_output import Summary, ToolRun
from weighin.gates.devices.phone.tools import run_tool
from weighin.gates.devices.phone_run import Missing
from weighin.gates.errors import PhoneError

CYCLES = 5
"""Of A B B A in a block: 30 timings of the model, one more than a 90th percentile needs."""

_HOT_BLOCKS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """What one block gave.

    Attributes:
        model: Runs of the model, a summary per process.
        reference: The reference's first runs of every cycle; empty if there is none.
        twin: The reference's second runs.
        sample: One process of the model as its tool told it, for partitions.
        before: Heat before, in words.
        after: Heat after.
        discarded: Blocks that were thrown away before it, because the phone grew too hot.
    """

    model: tuple[Summary, ...]
    reference: tuple[Summary, ...]
    twin: tuple[Summary, ...]
    sample: ToolRun
    before: str
    after: str
    discarded: int


def run_block(rig: Rig, model: str, reference: str | None) -> Block | Missing:
    """One block on a cool phone, or why there is none.

    Raises:
        PhoneError: it does not cool down, or does not tell how hot it is.
        PhoneGone: it went away and did not come back.
    """
    for discarded in range(_HOT_BLOCKS):
        before = rig.patiently(lambda: cooled(rig.link, rig.asked.cool_s, rig.pause))
        found = _cycles(rig, model, reference)
        if isinstance(found, Missing):
            return found
        after = rig.patiently(lambda: read_heat(rig.link))
        if after.objection is None:
            ran, first, second, sample = found
            return Block(
                model=tuple(ran),
                reference=tuple(first),
                twin=tuple(second),
                sample=sample,
                before=before.words,
                after=after.words,
                discarded=discarded,
            )
        rig.tick(f"too hot ({after.objection}): this block does not count")
    raise PhoneError(
        f"phone {rig.link.serial} grows too hot within every block of runs; "
        "cool it, or ask for fewer threads"
    )


_Found = tuple[list[Summary], list[Summary], list[Summary], ToolRun]


def _cycles(rig: Rig, model: str, reference: str | None) -> _Found | Missing:
    ran: list[Summary] = []
    first: list[Summary] = []
    second: list[Summary] = []
    sample: ToolRun | None = None
    order = ((model, ran), (reference, first), (reference, second), (model, ran))
    for _ in range(CYCLES):
        for file, to in order:
            if file is None:
                continue
            done = _once(rig, file)
            if isinstance(done, Missing):
                what = "" if file is model else "the float reference: "
                return Missing(reason=what + done.reason)
            to.append(done.timed)
            sample = done if file is model else sample
    if sample is None:
        return Missing(reason="nothing was run")
    return ran, first, second, sample


def _once(rig: Rig, file: str) -> ToolRun | Missing:
    return rig.patiently(lambda: run_tool(rig.link, rig.tool, rig.program, rig.call(file)))
