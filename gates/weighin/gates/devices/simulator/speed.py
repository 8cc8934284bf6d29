"""How long a simulated phone takes for a model, if its caller does not say.

Multiply-adds per arithmetic over what the chosen cores do in a second, bytes over what the
memory moves, and a little per operator. Rates are round figures for ARM cores, not fitted to
any phone: the simulator shall not be the predictor that it helps to test.

What this module does not do: noise, heat and flags; the benchmark tools add those.
"""

import tempfile
from functools import lru_cache
from pathlib import Path

from weighin.gates.cost import Arithmetic, ModelCost, read_cost
from weighin.gates.devices.simulator.phone import Cores, LatencyModel, SimulatedPhone
from weighin.gates.errors import SourceError
from weighin.gates.variant import Format

_FLOAT_MACS_PER_CYCLE = 4.0
_LITTLE_SHARE = 0.35
_BYTES_PER_S = 5e9
_OPERATOR_S = 5e-6
_INVOKE_S = 30e-6
_LITTLE = ("cortex-a7", "cortex-a35", "cortex-a53", "cortex-a55", "cortex-a510", "cortex-a520")


def default_latency(phone: SimulatedPhone) -> LatencyModel:
    """The latency model of ``phone``; equal files are counted once."""
    counted = lru_cache(maxsize=32)(count)

    def latency_ms(model: bytes, threads: int, cores: tuple[int, ...]) -> float:
        allowed = [phone.cores[n] for n in cores]
        kinds = sorted(allowed, key=_rate, reverse=True)[: max(threads, 1)]
        cost = counted(model)
        if cost is None:
            seconds = len(model) * (1 / _BYTES_PER_S + 50 / sum(map(_rate, kinds)))
            return 1e3 * (seconds + _INVOKE_S)
        macs_s = sum(op.macs / _together(kinds, op.arithmetic) for op in cost.operators if op.macs)
        moved = sum(op.moved_bytes for op in cost.operators) + cost.weight_bytes
        seconds = macs_s + moved / _BYTES_PER_S + len(cost.operators) * _OPERATOR_S + _INVOKE_S
        return 1e3 * seconds * _misplaced(allowed)

    return latency_ms


def count(model: bytes) -> ModelCost | None:
    """What the file costs; ``None`` for a file whose costs cannot be counted."""
    fmt = Format.LITERT if model[4:8] == b"TFL3" else Format.ONNX
    with tempfile.TemporaryDirectory(prefix="weighin-simulator-") as folder:
        path = Path(folder) / f"model{fmt.suffix}"
        path.write_bytes(model)
        try:
            return read_cost(path, fmt)
        except SourceError:
            return None


def _misplaced(allowed: list[Cores]) -> float:
    """The scheduler now and then picks a little core if it may."""
    little = sum(kind.design in _LITTLE for kind in allowed)
    return 1 + 0.25 * little / len(allowed) if little < len(allowed) else 1.0


def _together(kinds: list[Cores], arithmetic: Arithmetic | None) -> float:
    """MACs per second of all cores; each further thread is worth a little less."""
    rates = [_rate(kind) * _gain(kind, arithmetic) for kind in kinds]
    balanced = (sum(rates) + len(rates) * min(rates)) / 2  # the fast ones wait for the slow ones
    return balanced / (1 + 0.05 * (len(kinds) - 1))


def _rate(kind: Cores) -> float:
    """Float32 multiply-adds per second of one core."""
    share = _LITTLE_SHARE if kind.design in _LITTLE else 1.0
    return kind.max_ghz * 1e9 * _FLOAT_MACS_PER_CYCLE * share


def _gain(kind: Cores, arithmetic: Arithmetic | None) -> float:
    if arithmetic in (Arithmetic.INT8, Arithmetic.DYNAMIC_INT8):
        return 3.0 if "dotprod" in kind.isa else 1.5
    return 1.0
