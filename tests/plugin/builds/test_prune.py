"""Structured pruning takes out whole channels, and nothing it does not understand."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from weighin.plugin.fx import record_shapes
from weighin.plugin.passes.follow import follow_channels
from weighin.plugin.passes.prune import PassError, count_macs, narrow, prune


class Residual(nn.Module):  # type: ignore[misc]
    """Channels meet in an addition, then in a concatenation, and end in a flatten."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.inner = nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.side, self.head = nn.Conv2d(8, 4, 1), nn.Linear(12 * 4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.stem(x)))
        x = torch.cat([y := x + self.inner(x), self.side(y)], 1)
        return self.head(nn.functional.max_pool2d(x, 4).flatten(1))


class Depthwise(nn.Module):  # type: ignore[misc]
    """Depthwise layers, one with a multiplier; channels last before the flatten."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 3, padding=1)
        self.own = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.more = nn.Conv2d(8, 16, 3, padding=1, groups=8)
        self.mix, self.head = nn.Conv2d(16, 6, 1), nn.Linear(6 * 64, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.mix(torch.relu(self.more(self.own(torch.relu(self.stem(x))))))
        return self.head(x.permute(0, 2, 3, 1).flatten(1))


class Shared(nn.Module):  # type: ignore[misc]
    """One layer used twice, and a scale per channel."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.again = nn.Conv2d(1, 8, 1), nn.Conv2d(8, 8, 3, padding=1)
        self.scale, self.head = nn.Parameter(torch.ones(8, 1, 1)), nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.again(torch.relu(self.again(torch.relu(self.stem(x)))))
        return self.head((x * self.scale).mean([2, 3]))


class OptionA(nn.Module):  # type: ignore[misc]
    """The ResNet shortcut that slices and pads: its channels have to stay."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.a = nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(8, 8, 3, 2, 1)
        self.b, self.head = nn.Conv2d(8, 12, 3, padding=1), nn.Linear(12, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.stem(x))
        short = nn.functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 2, 2))
        x = torch.relu(short + self.b(torch.relu(self.a(x))))
        return self.head(nn.functional.adaptive_avg_pool2d(x, 1).flatten(1))


class Unknown(nn.Module):  # type: ignore[misc]
    """An operator that nobody has a rule for, after the first layer."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.next = nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.head = nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.cumsum(self.stem(x), 1)
        return self.head(torch.relu(self.next(x)).mean([2, 3]))


class AllFrozen(nn.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.only = nn.Linear(64, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.only(x.flatten(1))


MODELS = [Residual, Depthwise, Shared, OptionA, Unknown]
each_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
GraphOf = Callable[[Any], Any]


@each_model
@pytest.mark.parametrize("percent", [35])
def test_a_pruned_graph_runs_and_does_less(
    model: type[nn.Module], percent: int, graph_of: GraphOf, rows: Any
) -> None:
    graph = graph_of(model())
    before = count_macs(graph, rows[:1])
    done = prune(graph, rows[:1], remove_percent=percent)
    assert done.macs_before == before
    assert done.macs_after == count_macs(graph, rows[:1])
    assert done.removed_percent >= percent - 2
    assert graph(rows).shape == (6, 4)


@each_model
def test_removing_channels_that_are_zero_changes_no_output(
    model: type[nn.Module], graph_of: GraphOf, rows: Any
) -> None:
    """The law that pruning stands on: every index of every weight belongs to its channel."""
    graph = graph_of(model())
    _silence_every_second_channel(graph, rows[:1])
    with torch.no_grad():
        before = graph(rows)
        done = narrow(graph, rows[:1], width_percent=50)
        assert torch.allclose(graph(rows), before, atol=1e-5)
    assert done.macs_after < done.macs_before


@pytest.mark.parametrize(
    ("model", "layers"),
    [
        pytest.param(OptionA, {"a"}, id="slice and pad"),
        pytest.param(Unknown, {"next"}, id="no rule"),
    ],
)
def test_what_is_not_understood_keeps_its_channels(
    model: type[nn.Module], layers: set[str], graph_of: GraphOf, rows: Any
) -> None:
    module = model()
    graph = graph_of(module)
    prune(graph, rows[:1], remove_percent=20)
    names = {tuple(p.shape) for p in graph.parameters()}
    for name, layer in module.named_children():
        weight: Any = layer.weight
        kept = tuple(weight.shape) in names
        narrowed_input = name in ("b", "head") and model is not Unknown
        assert kept == (name not in layers) or narrowed_input or name == "head"


def test_macs_are_those_that_textbooks_count(graph_of: GraphOf, rows: Any) -> None:
    macs = count_macs(graph_of(Depthwise()), rows[:1])
    assert macs == 64 * (9 * 8 + 9 * 8 + 9 * 16 + 16 * 6) + 6 * 64 * 4


def test_more_than_can_be_removed_is_refused_with_what_can(graph_of: GraphOf, rows: Any) -> None:
    with pytest.raises(PassError, match=r"95 % .* cannot be pruned: at most \d+ %"):
        prune(graph_of(OptionA()), rows[:1], remove_percent=95)


def test_nothing_prunable_is_refused(graph_of: GraphOf, rows: Any) -> None:
    with pytest.raises(PassError, match="0 groups"):
        prune(graph_of(AllFrozen()), rows[:1], remove_percent=30)
    with pytest.raises(PassError, match="no narrower student"):
        narrow(graph_of(AllFrozen()), rows[:1], width_percent=50)


def _silence_every_second_channel(graph: Any, row: Any) -> None:
    record_shapes(graph, row)
    found = follow_channels(graph)
    groups = found.groups
    free = groups.prunable()
    odd = {group: tuple(range(1, groups.size(group), 2)) for group in free}
    for name, axes in found.weights.items():
        weight = getattr(graph, name).data
        for place, axis in enumerate(axes):
            if axis:
                frozen = {
                    groups.find(b.group): () for b in axis if groups.find(b.group) not in free
                }
                weight.index_fill_(
                    place, torch.tensor(groups.indices(axis, odd | frozen)).long(), 0
                )
