"""Any source becomes the same kind of graph, and computes what it computed."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from weighin.gates.errors import SourceError
from weighin.plugin.fx import calls, operator_name
from weighin.plugin.graph import inference_program, left_in_training, own_graph, to_graph


class KerasLike(nn.Module):  # type: ignore[misc]
    """Channels last, kernels permuted at every call, batch norm as arithmetic: as Keras 3."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.randn(3, 3, 1, 8))
        self.gamma, self.beta = nn.Parameter(torch.rand(8)), nn.Parameter(torch.rand(8))
        self.mean, self.variance = torch.rand(8), torch.rand(8) + 0.5
        self.dense = nn.Parameter(torch.randn(8, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.conv2d(x.permute(0, 3, 1, 2), self.kernel.permute(3, 2, 0, 1))
        x = x.permute(0, 2, 3, 1)
        wide = (1, 1, 1, 8)
        scale = (self.variance.reshape(wide) + 0.001).rsqrt() * self.gamma.reshape(wide)
        x = (x.subtract(self.mean.reshape(wide)) * scale + self.beta.reshape(wide)).relu()
        return torch.softmax(x.mean([1, 2]) @ self.dense, -1)


class Names(nn.Module):  # type: ignore[misc]
    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"scores": x.flatten(1)}


class OneBatchOnly(nn.Module):  # type: ignore[misc]
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1) + torch.arange(2.0)[:, None]


def operators(graph: Any) -> list[str]:
    return [name for node in graph.graph.nodes if (name := operator_name(node))]


def test_a_keras_graph_becomes_channels_first_with_real_batch_norms() -> None:
    x = torch.rand(2, 8, 8, 1)
    module = KerasLike().eval()
    graph = to_graph(module, x)
    wanted = "permute conv2d batch_norm relu permute mean linear softmax"
    assert operators(graph) == wanted.split()
    assert torch.allclose(graph(x), module(x), atol=1e-5)


class Product(nn.Module):  # type: ignore[misc]
    """Dense layers as Keras and ONNX write them; one weight serves twice if it is shared."""

    def __init__(self, *, shared: bool) -> None:
        super().__init__()
        self.first, self.bias = nn.Parameter(torch.ones(64, 64)), nn.Parameter(torch.ones(64))
        self.second = self.first if shared else nn.Parameter(torch.ones(64, 64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x.flatten(1) @ self.first + self.bias) @ self.second


@pytest.mark.parametrize(
    ("shared", "linear"),
    [
        pytest.param(False, 2, id="a product with a weight is a linear layer"),
        pytest.param(True, 0, id="a weight that serves twice stays one"),
    ],
)
def test_products_with_weights_become_linear_layers(
    rows: Any, *, shared: bool, linear: int
) -> None:
    graph = to_graph(Product(shared=shared), rows)
    assert len(list(calls(graph, "linear"))) == linear
    assert len(list(calls(graph, "add"))) == (0 if linear else 1)


def test_dropout_and_batch_norm_left_in_training_mode_are_switched_off(rows: Any) -> None:
    module = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.9), nn.Flatten(), nn.Linear(144, 3)
    )
    program = torch.export.export(module.train(), (rows[:1],))
    graph = to_graph(inference_program(program), rows[:1])
    assert torch.allclose(graph(rows), module.eval()(rows), atol=1e-5)


def test_what_was_left_in_training_mode_is_noted(rows: Any) -> None:
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.9))
    notes = [
        left_in_training(torch.export.export(module.train(mode), (rows[:1],)))
        for mode in (True, False)
    ]
    assert notes == [
        (("switched_off", "1 batch_norm, 1 dropout (exported in training mode)"),),
        (),
    ]


def test_a_model_with_a_weight_that_is_nan_is_refused(rows: Any) -> None:
    broken = nn.Linear(64, 3)
    broken.weight.data[0, 0] = torch.nan
    with pytest.raises(SourceError, match="NaN"):
        to_graph(nn.Sequential(nn.Flatten(), broken).eval(), rows[:2])


@pytest.mark.parametrize("frozen", [1, 2, 5])
def test_a_program_frozen_to_one_batch_size_takes_any(rows: Any, frozen: int) -> None:
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(144, 3)).eval()
    program = torch.export.export(module, (rows[:frozen],))
    graph = to_graph(inference_program(program), rows[:frozen])
    for count in (1, 3, 6):
        assert torch.allclose(graph(rows[:count]), module(rows[:count]), atol=1e-5)


def test_a_program_for_any_batch_size_is_taken_too(rows: Any) -> None:
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(144, 3)).eval()
    shapes = ({0: torch.export.Dim("batch")},)
    program = torch.export.export(module, (rows,), dynamic_shapes=shapes)
    graph = to_graph(inference_program(program), rows[:2])
    assert torch.allclose(graph(rows), module(rows), atol=1e-5)


def test_a_saved_graph_is_the_same_when_read_again(
    graph_of: Callable[[Any], Any], rows: Any
) -> None:
    graph = graph_of(nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten()))
    again = own_graph(inference_program(torch.export.export(graph, (rows[:2],), strict=False)))
    assert operators(again) == operators(graph)
    assert torch.equal(again(rows), graph(rows))
    assert [p.shape for p in again.parameters()] == [p.shape for p in graph.parameters()]


@pytest.mark.parametrize(
    ("module", "words"),
    [
        pytest.param(Names(), "returns dict", id="names its outputs"),
        pytest.param(nn.Identity(), r"shape \[2, 1, 8, 8\]", id="gives pictures"),
        pytest.param(OneBatchOnly(), "2 rows at a time .* row to row", id="one batch size"),
    ],
)
def test_what_no_gate_could_judge_is_refused(module: nn.Module, words: str, rows: Any) -> None:
    with pytest.raises(SourceError, match=words):
        to_graph(module, rows[:2])
