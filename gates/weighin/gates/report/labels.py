"""Where the number beside each point goes, so that numbers cover neither points nor each other.

A greedy placement: for each point the first spot around it, near ones first, that is free and
inside, else the least crowded one.
"""

from collections.abc import Sequence

Spot = tuple[float, float, float]
"""Centre x, centre y and radius of a point, in pixels."""

_HALF_WIDTH, _HALF_HEIGHT = 8.0, 6.0
_DIRECTIONS = (
    (1.1, -0.7), (1.1, 0.7), (-1.1, -0.7), (-1.1, 0.7),
    (0.0, -1.3), (0.0, 1.3), (1.6, 0.0), (-1.6, 0.0),
    (1.2, -1.9), (-1.2, -1.9), (1.2, 1.9), (-1.2, 1.9), (0.0, -2.5), (0.0, 2.5),
)  # fmt: skip

_NEAR = 8
"""So many of them are near the point; the others cost as much as touching another point."""


def place_labels(
    spots: Sequence[Spot], width: float, height: float
) -> tuple[tuple[float, float], ...]:
    """The centre of each point's label, in the order of the points."""
    placed: list[tuple[float, float]] = []
    for x, y, radius in spots:
        offered = [_beside(x, y, radius, direction) for direction in _DIRECTIONS]
        costs = [
            _crowding(label, spots, placed, width, height) + (place >= _NEAR)
            for place, label in enumerate(offered)
        ]
        placed.append(offered[costs.index(min(costs))])
    return tuple(placed)


def _beside(
    x: float, y: float, radius: float, direction: tuple[float, float]
) -> tuple[float, float]:
    return x + direction[0] * (radius + _HALF_WIDTH), y + direction[1] * (radius + _HALF_HEIGHT)


def _crowding(
    label: tuple[float, float],
    spots: Sequence[Spot],
    placed: Sequence[tuple[float, float]],
    width: float,
    height: float,
) -> int:
    """How many labels and points this label would touch; leaving the picture counts most."""
    x, y = label
    outside = not (_HALF_WIDTH <= x <= width - _HALF_WIDTH)
    outside |= not (_HALF_HEIGHT <= y <= height - _HALF_HEIGHT)
    labels = sum(abs(x - a) < 2 * _HALF_WIDTH and abs(y - b) < 2 * _HALF_HEIGHT for a, b in placed)
    points = sum(
        abs(x - a) < _HALF_WIDTH + radius and abs(y - b) < _HALF_HEIGHT + radius
        for a, b, radius in spots
    )
    return 100 * outside + 2 * labels + points
