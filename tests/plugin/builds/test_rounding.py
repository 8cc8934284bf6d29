"""Weights on grids: found again in files, and rounded so that outputs change little."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from weighin.plugin.fx import set_attribute
from weighin.plugin.passes.grids import grid_bits
from weighin.plugin.passes.layers import snap, weighted_layers
from weighin.plugin.passes.mixed import choose_bits, round_all
from weighin.plugin.passes.prune import PassError
from weighin.plugin.passes.rounding import round_weights

SEEDS = st.integers(0, 1000)


def weight_of(seed: int) -> Any:
    return torch.randn(5, 7, 3, generator=torch.Generator().manual_seed(seed))


@settings(deadline=None, max_examples=25)
@given(SEEDS, st.sampled_from((2, 4, 8)), st.integers(0, 2))
def test_a_rounded_weight_is_found_on_its_grid_and_rounding_again_changes_nothing(
    seed: int, bits: int, axis: int
) -> None:
    rounded = snap(weight_of(seed), axis, bits)
    factors = 0.1 + torch.rand(rounded.shape[axis], generator=torch.Generator().manual_seed(seed))
    folded = (rounded.movedim(axis, -1) * factors).movedim(-1, axis)
    assert grid_bits(folded.numpy(), axis, least_bits=2) == bits
    torch.testing.assert_close(snap(rounded, axis, bits), rounded)


@settings(deadline=None, max_examples=25)
@given(SEEDS)
def test_a_weight_that_was_not_rounded_is_on_no_grid(seed: int) -> None:
    assert grid_bits(weight_of(seed).numpy(), 0, least_bits=2) is None


def test_a_format_without_two_bits_takes_four() -> None:
    rounded = snap(weight_of(0), 0, 2).numpy()
    assert grid_bits(rounded, 0, least_bits=4) in (4, 8, None)
    assert grid_bits(np.zeros((2, 3), np.float32), 0, least_bits=4) == 4


@pytest.fixture
def graph(plain_graph: Any) -> Any:
    return plain_graph


@pytest.fixture(scope="module")
def many() -> Any:
    return torch.rand(96, 1, 8, 8, generator=torch.Generator().manual_seed(3))


def test_rounding_with_data_changes_outputs_less_than_rounding_to_nearest(
    graph_of: Callable[..., Any], plain_network: Callable[[], Any], many: Any
) -> None:
    """Not for every network, but over several by far."""
    errors = [0.0, 0.0]
    for seed in range(4):
        torch.manual_seed(seed)
        graph = graph_of(plain_network(), None)
        careful, plainly = round_all(graph, many[:64], 4).graph, copy.deepcopy(graph)
        for layer in weighted_layers(plainly):
            weight = getattr(plainly, layer.name).detach()
            set_attribute(plainly, layer.name, snap(weight, layer.axis, 4), trainable=True)
        with torch.no_grad():
            wanted = graph(many[64:])
            for place, rounded in enumerate((careful, plainly)):
                errors[place] += float((rounded(many[64:]) - wanted).square().mean())
        for layer in weighted_layers(careful):
            weight = getattr(careful, layer.name).detach().numpy()
            assert grid_bits(weight, layer.axis, least_bits=4) == 4
    assert errors[0] < errors[1] / 2


@pytest.mark.parametrize(
    "module",
    [
        pytest.param(
            nn.Sequential(
                nn.Conv2d(1, 4, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2)),
                nn.Flatten(),
                nn.LazyLinear(4),
            ),
            id="strided and dilated",
        ),
        pytest.param(
            nn.Sequential(
                nn.Conv2d(1, 4, 1), nn.Conv2d(4, 4, 3, groups=4), nn.Flatten(), nn.LazyLinear(4)
            ),
            id="depthwise",
        ),
        pytest.param(
            nn.Sequential(
                nn.Flatten(2), nn.Conv1d(1, 4, 5, stride=3), nn.Flatten(), nn.LazyLinear(4)
            ),
            id="one dimension",
        ),
    ],
)
def test_every_kind_of_layer_is_rounded(module: Any, graph_of: Any, many: Any) -> None:
    graph = graph_of(module)
    with torch.no_grad():
        wanted = graph(many)
    layers = weighted_layers(graph)
    round_weights(graph, many, {layer.name: 8 for layer in layers[:1]} | {layers[-1].name: 4})
    with torch.no_grad():
        assert float((graph(many) - wanted).abs().max()) < 0.3 * float(wanted.abs().max())


@pytest.mark.parametrize("least_bits", [2, 4])
def test_mixed_precision_keeps_to_its_bounds_and_says_what_it_chose(
    graph: Any, least_bits: int
) -> None:
    rows = torch.rand(300, 1, 8, 8, generator=torch.Generator().manual_seed(3))
    before = copy.deepcopy(graph.state_dict())
    rounded = choose_bits(graph, rows, least_bits=least_bits)
    assert "(of 4)" in rounded.notes["bits"]
    assert "agree" in rounded.notes["held_out"]
    bits = [
        grid_bits(getattr(rounded.graph, layer.name).detach().numpy(), layer.axis, least_bits=2)
        for layer in weighted_layers(rounded.graph)
    ]
    assert all(b is None or b >= least_bits for b in bits)
    assert any(bits)
    assert all(torch.equal(value, before[name]) for name, value in graph.state_dict().items())


def test_too_few_rows_to_show_that_two_bits_will_do_get_four(graph: Any, many: Any) -> None:
    rounded = choose_bits(graph, many, least_bits=2)
    stored = [
        grid_bits(getattr(rounded.graph, layer.name).detach().numpy(), layer.axis, least_bits=2)
        for layer in weighted_layers(rounded.graph)
    ]
    assert 2 not in stored


def test_mixed_precision_needs_rows_to_measure_on(graph: Any, many: Any) -> None:
    with pytest.raises(PassError, match="needs 16 calibration rows"):
        choose_bits(graph, many[:5], least_bits=2)
