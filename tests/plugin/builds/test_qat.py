"""Training with rounding: the graph ends as a float graph whose weights are on the grid."""

from typing import Any

import numpy as np
import pytest
import torch

from weighin.plugin.fx import calls
from weighin.plugin.passes.distill import TrainingSettings
from weighin.plugin.passes.grids import grid_bits
from weighin.plugin.passes.layers import weighted_layers
from weighin.plugin.passes.qat import round_through, round_values, train_quantized


@pytest.mark.parametrize("bits", [4, 8])
def test_the_weights_end_on_the_grid_and_no_rounding_is_left(
    bits: int, plain_graph: Any, data: Any
) -> None:
    graph = plain_graph
    with np.load(data.training) as training:
        x, y = training["x"], training["y"]
    settings = TrainingSettings(epochs=2, batch_size=32, learning_rate=0.1)
    trained = train_quantized(
        graph, x, y, bits=bits, settings=settings, seed=0, clock=iter(range(9999)).__next__
    )
    assert trained.epochs == 2
    assert not list(calls(graph, "round_through", "round_values"))
    for layer in weighted_layers(graph):
        weight = getattr(graph, layer.name).detach().numpy()
        assert grid_bits(weight, layer.axis, least_bits=4) == bits


def test_gradients_pass_the_rounding() -> None:
    weight = torch.randn(3, 4, requires_grad=True)
    round_through(weight, 0, 4).sum().backward()
    torch.testing.assert_close(weight.grad, torch.ones(3, 4))
    values = torch.tensor([-5.0, 0.3, 5.0], requires_grad=True)
    round_values(values, -1.0, 1.0).sum().backward()
    torch.testing.assert_close(values.grad, torch.tensor([0.0, 1.0, 0.0]))
