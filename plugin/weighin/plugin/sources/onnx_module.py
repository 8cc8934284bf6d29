"""An ONNX model as a PyTorch module, which ``torch.export`` can trace and which can be trained.

Every node is one call of a PyTorch operator from the tables beside this module. What depends on
weights or shapes only is computed by ONNX's own reference implementation while tracing, so that
shape arithmetic leaves no trace.

What this module does not do: it proves nothing. Whoever uses the module compares it with ONNX
Runtime.
"""

from collections.abc import Mapping
from typing import Any

from weighin.gates.errors import SourceError
from weighin.plugin.sources.onnx_call import Call
from weighin.plugin.sources.onnx_file import INPUT, OUTPUT, standard_opset
from weighin.plugin.sources.onnx_layers import layers
from weighin.plugin.sources.onnx_pointwise import pointwise
from weighin.plugin.sources.onnx_shapes import shapes

_CONTROL_FLOW = ("If", "Loop", "Scan", "SequenceMap")
_RANDOM = ("Random", "Bernoulli", "Multinomial")


def onnx_module(proto: Any) -> Any:
    """Make a ``torch.nn.Module`` of a model in the form of ``onnx_file``.

    Raises:
        SourceError: control flow, or an operator that is not known.
    """
    import torch

    operators = {**layers(), **pointwise(), **shapes()}
    steps = _Steps(proto, operators)
    weights = steps.weights()

    class OnnxModule(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.weights = torch.nn.ParameterList(weights.values())

        def forward(self, x: Any) -> Any:
            return steps.run(x, dict(zip(weights, self.weights, strict=True)))

    return OnnxModule().eval()


class _Steps:
    """The nodes in order, with everything that is known before the model runs."""

    def __init__(self, proto: Any, operators: Mapping[str, Any]) -> None:
        from onnx import numpy_helper

        self.opset = standard_opset(proto)
        self.operators = operators
        self.known: dict[str, Any] = {
            tensor.name: numpy_helper.to_array(tensor) for tensor in proto.graph.initializer
        }
        self.nodes = [node for node in proto.graph.node if not self.fold(node, self.known)]
        self.attributes = [_attributes(node) for node in self.nodes]
        self.refuse_unknown()

    def refuse_unknown(self) -> None:
        names = {f"{n.domain}.{n.op_type}" if n.domain else n.op_type for n in self.nodes}
        control = sorted(names & {*_CONTROL_FLOW})
        unknown = sorted(names - {*self.operators, "Shape", "Size", *control})
        if control:
            raise SourceError(f"the model has control flow ({', '.join(control)})")
        if unknown:
            raise SourceError(f"no rule for the operators {', '.join(unknown)}")

    def weights(self) -> dict[str, Any]:
        """Float arrays of more than one element that some node reads: they can be trained."""
        import numpy as np
        import torch

        read = {name for node in self.nodes for name in node.input}
        return {
            name: torch.nn.Parameter(torch.from_numpy(np.array(self.known[name])))
            for name in sorted(read & set(self.known))
            if self.known[name].dtype == np.float32 and self.known[name].size > 1
        }

    def run(self, x: Any, weights: Mapping[str, Any]) -> Any:
        values = {**self.known, INPUT: x}
        for node, attributes in zip(self.nodes, self.attributes, strict=True):
            if self.shape_of(node, values) or self.fold(node, values):
                continue
            call = Call(
                node=node, values=values, weights=weights, attributes=attributes, opset=self.opset
            )
            result = self.operators[node.op_type](call)
            many = isinstance(result, (list, tuple))
            values.update(zip(node.output, result if many else (result,), strict=False))
        return values[OUTPUT]

    def shape_of(self, node: Any, values: dict[str, Any]) -> bool:
        """``Shape`` and ``Size`` are known as soon as the input is traced."""
        import numpy as np

        if node.op_type not in ("Shape", "Size"):
            return False
        shape = [int(size) for size in values[node.input[0]].shape]
        if node.op_type == "Size":
            values[node.output[0]] = np.array(np.prod(shape), np.int64)
            return True
        cut = _attributes(node)
        values[node.output[0]] = np.array(shape[cut.get("start", 0) : cut.get("end")], np.int64)
        return True

    def fold(self, node: Any, values: dict[str, Any]) -> bool:
        """Compute a node whose inputs are all known; whether it was one."""
        import numpy as np

        used = [name for name in node.input if name]
        known = all(isinstance(values.get(name), np.ndarray) for name in used)
        if not known or node.op_type in _CONTROL_FLOW or node.op_type.startswith(_RANDOM):
            return False
        if node.domain not in ("", "ai.onnx"):
            return False
        results = _evaluate(node, {name: values[name] for name in used}, self.opset)
        values.update(zip(node.output, results, strict=True))
        return True


def _evaluate(node: Any, inputs: Mapping[str, Any], opset: int) -> list[Any]:
    """Run one node in ONNX's reference implementation."""
    import numpy as np
    from onnx import TensorProto, helper
    from onnx.reference import ReferenceEvaluator

    unknown = TensorProto.UNDEFINED
    given = [helper.make_tensor_value_info(name, unknown, None) for name in inputs]
    wanted = [helper.make_tensor_value_info(name, unknown, None) for name in node.output if name]
    graph = helper.make_graph([node], "known", given, wanted)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    return [np.asarray(value) for value in ReferenceEvaluator(model).run(None, dict(inputs))]


def _attributes(node: Any) -> dict[str, Any]:
    from onnx import helper

    return {item.name: helper.get_attribute_value(item) for item in node.attribute}
