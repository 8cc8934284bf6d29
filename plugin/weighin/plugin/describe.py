"""What an app must know to use a file: its inputs and outputs, in a form that machines read.

``from_text(to_text(interface)) == interface``, and equal interfaces have equal texts. What this
module does not do: it opens no file; :mod:`weighin.plugin.formats.interface` does.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from weighin.gates.errors import ConfigError, SourceError

INTERFACE_KEY = "weighin/interface/v1"
"""Name of the text in a file's metadata."""

ANY_SIZE = -1
"""A side of a shape that may be anything, such as the number of rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """What is done to raw values before the model sees them: ``(x * scale - mean) / std``.

    Attributes:
        text: Anything else in words: colour order, resizing, sampling rate.
        scale: Factor of raw values.
        mean: Subtracted, one number or one per channel.
        std: Divided by, one number or one per channel.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {
        "extra": "forbid",
        "strict": True,
        "allow_inf_nan": False,
    }
    text: str = ""
    scale: float | None = None
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What only the model's owner knows: how inputs are made and what outputs stand for."""

    preprocessing: Preprocessing = Preprocessing()
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """One input or output.

    Attributes:
        name: As the file calls it.
        shape: Sides, with the batch first; :data:`ANY_SIZE` for what the file leaves open.
        dtype: NumPy's name of its type.
        scale: Of a quantized tensor: real value = ``scale * (stored - zero_point)``.
        zero_point: Of a quantized tensor.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float | None = None
    zero_point: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """Everything that an app must know of a file."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    meaning: Meaning = Meaning()


def objection(interface: Interface) -> str:
    """Why a description contradicts its file; empty if it does not."""
    labels, classes = len(interface.meaning.labels), interface.outputs[0].shape[-1]
    if labels and classes not in (labels, ANY_SIZE):
        return f"there are {labels} labels for {classes} outputs; set `labels` right"
    return ""


def check_preprocessing(wanted: Preprocessing) -> None:
    """Refuse what no app can compute.

    Raises:
        ConfigError: a division by zero, or as many means as nobody has channels.
    """
    if 0 in wanted.std:
        raise ConfigError("preprocessing.std: must not be 0, because values are divided by it")
    if min(len(wanted.mean), len(wanted.std)) > 1 and len(wanted.mean) != len(wanted.std):
        raise ConfigError("preprocessing: mean and std must have as many numbers as each other")


def to_text(interface: Interface) -> str:
    """The interface as JSON on one line."""
    return json.dumps(asdict(interface), sort_keys=True, ensure_ascii=False, allow_nan=False)


def from_text(text: str) -> Interface:
    """Read what :func:`to_text` wrote.

    Raises:
        SourceError: it is something else.
    """
    try:
        fields = json.loads(text)
        return Interface(
            inputs=tuple(_tensor(one) for one in fields["inputs"]),
            outputs=tuple(_tensor(one) for one in fields["outputs"]),
            meaning=meaning_of(fields["meaning"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise SourceError(f"not a description of inputs and outputs: {error}") from error


def meaning_of(fields: Mapping[str, Any]) -> Meaning:
    """What ``asdict`` made of a :class:`Meaning`, as JSON gives it back."""
    own = fields["preprocessing"]
    return Meaning(
        preprocessing=Preprocessing(
            text=own["text"], scale=own["scale"], mean=tuple(own["mean"]), std=tuple(own["std"])
        ),
        labels=tuple(fields["labels"]),
    )


def _tensor(fields: Mapping[str, Any]) -> Tensor:
    return Tensor(
        name=fields["name"],
        shape=tuple(fields["shape"]),
        dtype=fields["dtype"],
        scale=fields["scale"],
        zero_point=fields["zero_point"],
    )
