"""A model exported with the rows of its input example takes any number of rows."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

from weighin.gates.errors import SourceError
from weighin.plugin.graph import inference_program, to_graph


class Attention(nn.Module):  # type: ignore[misc]
    """Rows are merged with heads in one reshape, with places in another."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.head = nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.layer(x[:, 0]).mean(1))


class ClassToken(nn.Module):  # type: ignore[misc]
    """One learned vector in front of the patches of every row, as in vision transformers."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.token = nn.Conv2d(1, 8, 4, 4), nn.Parameter(torch.rand(1, 1, 8))
        self.attention, self.head = Attention(), nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        patches = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), patches], 1)
        return self.head(self.attention.layer(x)[:, 0])


class Recurrent(nn.Module):  # type: ignore[misc]
    """The state that a recurrent layer starts with has as many rows as its input."""

    def __init__(self, kind: Any) -> None:
        super().__init__()
        self.layer, self.head = kind(8, 6, num_layers=2, batch_first=True), nn.Linear(6, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.layer(x[:, 0])[0][:, -1])


class ByHand(nn.Module):  # type: ignore[misc]
    """A loop with a state of zeros, as Keras writes recurrent layers."""

    def __init__(self) -> None:
        super().__init__()
        self.step, self.head = nn.Linear(8, 4), nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        state = torch.zeros(len(x), 4)
        for place in range(3):
            state = torch.tanh(self.step(x[:, 0, place]) + self.head(state))
        return state


MODELS = [
    pytest.param(Attention, id="attention"),
    pytest.param(ClassToken, id="class token"),
    pytest.param(partial(Recurrent, nn.LSTM), id="LSTM"),
    pytest.param(partial(Recurrent, nn.GRU), id="GRU"),
    pytest.param(ByHand, id="loop"),
]


@pytest.mark.filterwarnings("ignore:The tensor attributes")
@pytest.mark.parametrize("exported_with", [1, 2, 3])
@pytest.mark.parametrize("make", MODELS)
def test_a_model_says_the_same_for_any_number_of_rows(
    make: Callable[[], nn.Module], exported_with: int, rows: Any
) -> None:
    _says_the_same(make, 0, exported_with, rows)


@pytest.mark.filterwarnings("ignore:The tensor attributes")
@pytest.mark.parametrize("seed", [79, 88, 144])
def test_attention_that_is_nearly_uniform_is_not_taken_for_one_that_mixes_rows(
    seed: int, rows: Any
) -> None:
    """With these weights, rows that are mixed up give nearly the same on a few rows."""
    _says_the_same(Attention, seed, 1, rows)


def _says_the_same(make: Callable[[], nn.Module], seed: int, exported_with: int, rows: Any) -> None:
    torch.manual_seed(seed)
    model = make().eval()
    program = torch.export.export(model, (rows[:exported_with],))
    graph = to_graph(inference_program(program), rows[:exported_with])
    with torch.no_grad():
        for count in (1, 2, 6):
            assert torch.allclose(graph(rows[:count]), model(rows[:count]), atol=1e-5)


class Mixed(nn.Module):  # type: ignore[misc]
    """Rows that look at each other: no number of rows means the same as another."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x - x.mean(0)).flatten(1)[:, :4]


def test_a_model_whose_rows_look_at_each_other_is_refused(rows: Any) -> None:
    with pytest.raises(SourceError, match="2 rows at a time and no other number"):
        to_graph(Mixed(), rows[:2])
