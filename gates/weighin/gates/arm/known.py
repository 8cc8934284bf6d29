"""The known layers as files for one runtime, with the only right answers.

What this module does not do: it runs nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weighin.gates.arm.known_litert import litert_model
from weighin.gates.arm.known_onnx import onnx_model
from weighin.gates.arm.layers import answers, known_rows, layers, sums
from weighin.gates.variant import Format

Array = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One file of one layer.

    Attributes:
        label: Its name; unique within a format.
        format: Which runtime loads it.
        content: Its bytes.
        answers: [n, ...], float32, exact, for :func:`~weighin.gates.arm.layers.known_rows`.
    """

    label: str
    format: Format
    content: bytes
    answers: Array


def known_models(format: Format) -> Iterator[Known]:
    """The files for one runtime; none for a runtime that is not emulated."""
    match format:
        case Format.LITERT:
            yield from _litert()
        case Format.ONNX | Format.ORT:
            yield from _onnx()
        case Format.EXECUTORCH | Format.COREML:
            return


def answer_objection(known: Known, outputs: Array) -> str | None:
    """What is wrong with the outputs of a known model; ``None`` if they are exact."""
    if outputs.shape != known.answers.shape:
        right = list(known.answers.shape)
        return f"{known.label} answered with shape {list(outputs.shape)} instead of {right}"
    wrong = int((outputs != known.answers).sum())  # NaN differs from everything
    if wrong:
        return f"{known.label} computed {wrong} of {outputs.size} known values wrong"
    return None


def _litert() -> Iterator[Known]:
    rows = known_rows()
    for layer in layers():
        yield Known(
            label=f"{layer.name}{Format.LITERT.suffix}",
            format=Format.LITERT,
            content=litert_model(layer),
            answers=answers(layer, rows),
        )


def _onnx() -> Iterator[Known]:
    rows = known_rows()
    for layer in layers():
        # ONNX Runtime hands the sums of a dense int8 layer over as they are.
        plain = layer.dense and layer.shift is not None
        exact = sums(layer, rows).astype(np.float32) if plain else answers(layer, rows)
        for unsigned in (False, True) if layer.shift is not None else (False,):
            yield Known(
                label=f"{layer.name}{'_u8' if unsigned else ''}{Format.ONNX.suffix}",
                format=Format.ONNX,
                content=onnx_model(layer, unsigned=unsigned),
                answers=exact,
            )
