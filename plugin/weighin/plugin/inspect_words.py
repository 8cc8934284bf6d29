"""An inspection as lines of text for a terminal.

What this module does not do: it counts nothing, and it needs no terminal library, because the
whole command is meant to be over before one is imported.
"""

from collections.abc import Iterator, Sequence

from weighin.gates.delegates import Answer, Coverage
from weighin.gates.inspection import Inspection, groups, zero_share
from weighin.gates.plain import plain

_ASCII = str.maketrans(dict(zip("▁▂▃▄▅▆▇█·\u2013", "_.-~=+*#.-", strict=True)))
_LEVELS = "▁▂▃▄▅▆▇█"
_WIDEST_LINE = 60
_BAR = 20
_LABEL = 34
_NONE = "\u2013"


def lines(inspection: Inspection, *, layers: bool) -> Iterator[str]:
    """The inspection, line by line."""
    cost = inspection.cost
    yield f"{plain(inspection.file)}: {cost.format}, {size(inspection.size_bytes)}"
    yield (
        f"  {count(cost.macs)} multiply-adds · {cost.parameters:,} parameters · "
        f"{len(cost.operators)} operators"
    )
    yield (
        f"  weights {size(cost.weight_bytes)} · arena {size(cost.arena_bytes)} · "
        f"activations moved {size(cost.terms.activation_bytes)} · "
        f"no runtime needs less than {size(cost.weight_bytes + cost.arena_bytes)}"
    )
    yield ""
    yield from _groups(inspection)
    yield from _dearest(inspection)
    yield from _arena(cost.timeline, inspection)
    yield from _sparsity(inspection)
    yield from _delegates(inspection)
    if inspection.warnings:
        yield ""
        yield "warnings"
        yield from (f"  - {plain(warning)}" for warning in inspection.warnings)
    if layers:
        yield ""
        yield from _layers(inspection)


def in_ascii(text: str) -> str:
    """The same line for a terminal that has nothing but ASCII."""
    return text.translate(_ASCII).encode("ascii", "replace").decode()


def count(number: int) -> str:
    """A count with its unit: thousands, millions, or billions."""
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= unit:
            return f"{number / unit:.3g} {name}"
    return str(number)


def size(number: int) -> str:
    """A size in bytes with its unit."""
    for unit, name in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if number >= unit:
            return f"{number / unit:.3g} {name}"
    return f"{number} B"


def sparkline(values: Sequence[int], width: int = _WIDEST_LINE) -> str:
    """Values as a line of bars, the largest of each stretch, scaled to the largest of all."""
    top = max(values, default=0)
    if not top:
        return ""
    step = max(1, -(-len(values) // width))
    peaks = [max(values[at : at + step]) for at in range(0, len(values), step)]
    return "".join(_LEVELS[round(peak / top * (len(_LEVELS) - 1))] for peak in peaks)


def _groups(inspection: Inspection) -> Iterator[str]:
    macs = inspection.cost.macs
    heads = f"{'ops':>5}{'MACs':>10}{'moved':>11}{'weights':>11}  share of MACs"
    yield f"{'kind':<17}{'type':<14}{heads}"
    for group in groups(inspection.cost):
        share = group.macs / macs if macs else 0.0
        bar = f"{share:6.1%}  {'█' * round(share * _BAR)}" if group.macs else f"{_NONE:>6}"
        yield (
            f"{group.kind:<17}{plain(group.type):<14}{group.operators:>5}"
            f"{count(group.macs) if group.macs else _NONE:>10}{size(group.moved_bytes):>11}"
            f"{size(group.weight_bytes):>11}  {bar}".rstrip()
        )


def _dearest(inspection: Inspection) -> Iterator[str]:
    if not inspection.dearest:
        return
    yield ""
    yield "dearest layers"
    macs = inspection.cost.macs
    for at, op in inspection.dearest:
        yield (
            f"{at:>5}  {plain(op.name):<20}{short(op.label):<{_LABEL + 2}}"
            f"{op.kind or '':<16}{count(op.macs):>8}  {op.macs / macs:6.1%}"
        )


def short(text: str) -> str:
    """A name cut in the middle to the width of its column."""
    text = plain(text)
    if len(text) <= _LABEL:
        return text
    half = (_LABEL - 3) // 2
    return f"{text[:half]}...{text[-half:]}"


def _arena(timeline: Sequence[int], inspection: Inspection) -> Iterator[str]:
    if not any(timeline):
        return
    top = max(timeline)
    at = timeline.index(top)
    op = inspection.cost.operators[at]
    yield ""
    yield f"arena over {len(timeline)} operators, peak {size(top)} at {at} ({plain(op.name)})"
    yield f"  {sparkline(timeline)}"


def _sparsity(inspection: Inspection) -> Iterator[str]:
    share = zero_share(inspection.cost)
    if share is None:
        return
    weights = inspection.cost.weights
    empty, channels = sum(w.zero_channels for w in weights), sum(w.channels for w in weights)
    yield ""
    yield (
        f"sparsity {share:.1%} of {sum(w.count for w in weights):,} weights are zero; "
        f"{empty} of {channels} output channels are nothing but zeros"
    )


def _delegates(inspection: Inspection) -> Iterator[str]:
    if not inspection.coverages:
        return
    yield ""
    yield "delegates"
    for found in inspection.coverages:
        yield f"  {found.delegate:<8} {_coverage(found, inspection)}"
        if found.answers:
            yield f"           source: {found.source}"


def _coverage(found: Coverage, inspection: Inspection) -> str:
    if not found.answers:
        return f"not known: {found.source}"
    taken, unknown = found.count(Answer.TAKEN), found.count(Answer.NOT_KNOWN)
    text = f"takes {taken} of {len(found.answers)} operators"
    parts = "part" if found.partitions == 1 else "parts"
    text += f" in {found.partitions} {parts}, {found.pieces} in all" if taken else ""
    left = [f"{plain(name)} x{many}" for name, many in found.left_out(inspection.cost.operators)]
    text += f"; not: {', '.join(left)}" if left else ""
    return text + (f"; not known of {unknown}" if unknown else "")


def _layers(inspection: Inspection) -> Iterator[str]:
    asked = inspection.coverages
    heads = "".join(f"  {c.delegate:<9}" for c in asked if c.answers)
    yield (
        f"{'at':>5}  {'operator':<24}{'writes':<{_LABEL + 2}}{'type':<14}{'MACs':>9}{'read':>10}"
        f"{'written':>10}{'weights':>10}{'zeros':>8}{heads}".rstrip()
    )
    zeros = {
        w.name: w.zeros / w.count
        for w in inspection.cost.weights
        if w.count and w.zeros is not None
    }
    for at, op in enumerate(inspection.cost.operators):
        kind = op.arithmetic.value if op.arithmetic else (op.types[0] if op.types else "")
        answers = "".join(f"  {c.answers[at].replace('_', ' '):<9}" for c in asked if c.answers)
        yield (
            f"{at:>5}  {plain(op.name)[:22]:<24}{short(op.label):<{_LABEL + 2}}"
            f"{plain(kind):<14}{count(op.macs) if op.macs else _NONE:>9}"
            f"{size(op.moved_bytes - op.written_bytes):>10}{size(op.written_bytes):>10}"
            f"{size(op.weight_bytes) if op.weight_bytes else _NONE:>10}"
            f"{f'{zeros[op.weight]:.0%}' if op.weight in zeros else '':>8}{answers}".rstrip()
        )
