"""Layers that lost inputs are fitted to what they said before; damage decides who loses."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from weighin.plugin.fx import record_shapes
from weighin.plugin.passes.allocate import allocate, at, distance
from weighin.plugin.passes.channels import Groups
from weighin.plugin.passes.follow import Cost, Followed
from weighin.plugin.passes.prune import narrow, prune

GraphOf = Callable[[Any, Any], Any]


class Repeating(nn.Module):  # type: ignore[misc]
    """Every second channel of the first layer is the sum of two others: half can go for free."""

    def __init__(self, layer: str) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 16, 3, padding=1)
        self.next = nn.Conv2d(16, 4, 3, 2, 1) if layer == "conv" else nn.Linear(16, 4)
        self.head = nn.Linear(64 if layer == "conv" else 4, 4)
        self.layer = layer
        with torch.no_grad():
            values: Any
            for values in (self.stem.weight, self.stem.bias):
                values[8:] = 0.5 * values[:8] + 0.25 * values[:8].roll(1, 0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        x = self.next(x).flatten(1) if self.layer == "conv" else self.next(x.mean([2, 3]))
        return self.head(x)


@pytest.mark.parametrize("layer", ["conv", "linear"])
def test_what_others_can_say_is_taken_over_by_them(layer: str, graph_of: GraphOf) -> None:
    rows = torch.rand(64, 1, 8, 8)
    graph = graph_of(Repeating(layer), rows)
    plain, original = copy.deepcopy(graph), copy.deepcopy(graph)
    done = prune(graph, rows[:1], remove_percent=30, rows=rows)
    narrow(plain, rows[:1], width_percent=100 * done.macs_after / done.macs_before)
    with torch.no_grad():
        fitted = distance(graph(rows), original(rows))
        assert fitted < 0.02
        assert fitted < 0.2 * distance(plain(rows), original(rows))
    assert done.refitted >= 1


class Uneven(nn.Module):  # type: ignore[misc]
    """Two branches of equal work, one of which says nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.loud, self.quiet = nn.Conv2d(1, 16, 3, padding=1), nn.Conv2d(1, 16, 3, padding=1)
        self.a, self.b = nn.Conv2d(16, 4, 3, padding=1), nn.Conv2d(16, 4, 3, padding=1)
        self.head = nn.Linear(8, 4)
        with torch.no_grad():
            self.b.weight.mul_(1e-3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        left, right = self.a(torch.relu(self.loud(x))), self.b(torch.relu(self.quiet(x)))
        return self.head(torch.cat([left.relu(), right.relu()], 1).mean([2, 3]))


def test_channels_go_where_they_do_the_least_damage(graph_of: GraphOf) -> None:
    rows = torch.rand(32, 1, 8, 8)
    graph = graph_of(Uneven(), rows)
    record_shapes(graph, rows[:1])
    prune(graph, rows[:1], remove_percent=30, rows=rows)
    widths = sorted(p.shape[0] for p in graph.parameters() if p.dim() == 4 and p.shape[1] == 1)
    assert widths[0] < widths[1] == 16


@given(
    st.lists(st.floats(0, 10), min_size=2, max_size=2).map(sorted),
    st.floats(0.01, 1),
    st.floats(0.01, 1),
)
def test_keeping_less_never_damages_less(heavy: list[float], one: float, other: float) -> None:
    points = ((1.0, 0.0), (0.5, heavy[0]), (0.25, heavy[1]))
    low, high = sorted((one, other))
    assert at(points, low) >= at(points, high) - 1e-9


@given(
    st.lists(st.integers(2, 64), min_size=1, max_size=5),
    st.lists(st.floats(0, 1), min_size=5, max_size=5),
    st.floats(0.2, 1),
)
def test_an_allocation_meets_its_target_or_takes_all_it_can(
    sizes: list[int], damage: list[float], share: float
) -> None:
    groups, costs = Groups(), []
    for size in sizes:
        axis = groups.new(size)
        costs.append(Cost(times=9, inputs=(), outputs=axis, input_size=1, output_size=size))
    found = Followed(groups=groups, costs=costs)
    points = {
        group: ((1.0, 0.0), (0.5, damage[group]), (0.25, 2 * damage[group]))
        for group in groups.prunable()
    }
    target = share * found.macs()
    kept = allocate(found, points, target)
    smallest = all(count == (4 if groups.size(group) >= 16 else 1) for group, count in kept.items())
    assert found.macs(kept) <= target or smallest
    assert all(1 <= count <= groups.size(group) for group, count in kept.items())
