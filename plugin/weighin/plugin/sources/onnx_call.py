"""One call of an ONNX operator, with its inputs at hand.

An input is a tensor that depends on the model's input, or an array that is known already:
a weight, or shape arithmetic. What this module does not do: it knows no operator.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from weighin.gates.errors import SourceError


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call.

    Attributes:
        node: The ``onnx.NodeProto``.
        values: Tensors and arrays by name.
        weights: For float arrays that can be trained, the parameter that holds them.
        attributes: Of the node, as Python values.
        opset: Version of the standard operator set.
    """

    node: Any
    values: Mapping[str, Any]
    weights: Mapping[str, Any]
    attributes: Mapping[str, Any]
    opset: int

    def has(self, place: int) -> bool:
        """Whether an optional input is there."""
        return len(self.node.input) > place and bool(self.node.input[place])

    def tensor(self, place: int) -> Any:
        """An input as a tensor; ``None`` when it is not there."""
        import torch

        if not self.has(place):
            return None
        name = self.node.input[place]
        if name in self.weights:
            return self.weights[name]
        value = self.values[name]
        return value if isinstance(value, torch.Tensor) else torch.tensor(value)

    def operand(self, place: int, rank: int) -> Any:
        """An input as a tensor, or as a plain number if it is one known number."""
        import torch

        value = self.values[self.node.input[place]]
        if not isinstance(value, torch.Tensor) and value.size == 1 and value.ndim <= rank:
            return value.item()
        return self.tensor(place)

    def array(self, place: int) -> Any:
        """An input that has to be known before the model runs; ``None`` when it is not there.

        Raises:
            SourceError: it depends on the model's input.
        """
        import torch

        value = self.values[self.node.input[place]] if self.has(place) else None
        if isinstance(value, torch.Tensor):
            raise SourceError(
                f"{self.node.op_type} takes its input {place} ({self.node.input[place]}) from "
                "what the model computes: shapes that depend on the data cannot be traced"
            )
        return value

    def number(self, place: int, name: str, default: Any) -> Any:
        """One number that newer operator sets take as an input and older ones as an attribute."""
        value = self.array(place)
        return self.attributes.get(name, default) if value is None else value.item()

    def integers(self, place: int, name: str) -> list[int] | None:
        """Integers that newer operator sets take as an input and older ones as an attribute."""
        value = self.array(place)
        found = self.attributes.get(name) if value is None else value.reshape(-1).tolist()
        return None if found is None else [int(item) for item in found]

    def whole(self, name: str, default: int) -> int:
        """An integer attribute."""
        return int(self.attributes.get(name, default))
