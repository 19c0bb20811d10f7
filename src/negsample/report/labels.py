"""Where the name of a point goes so that names, points and whiskers stay apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

_LETTER, _LINE = 6.8, 13.0
"""Width of a letter and height of a line, in pixels at 11 px type: a little more than most fonts need."""


class Spot(NamedTuple):
    """A point in pixels with its name and the half lengths of its whiskers."""

    x: float
    y: float
    name: str
    reach_x: float = 0.0
    reach_y: float = 0.0


class Place(NamedTuple):
    """Offset of a label from its point, in pixels, and how the text is aligned there."""

    dx: float
    dy: float
    align: str


_Box = tuple[float, float, float, float]


def place(spots: Sequence[Spot], width: float, height: float) -> list[Place]:
    """A place for each label: each takes, in turn, the candidate that covers the least of what is there.

    A greedy search over eight directions at three distances. Widening the chart afterwards only moves points
    apart, so a layout made for the narrowest width, with whiskers as long as they get at the widest, holds at
    every width between.
    """
    obstacles: list[_Box] = []
    for x, y, _, reach_x, reach_y in spots:
        obstacles += [(x - 6, y - 6, x + 6, y + 6)]
        obstacles += [(x - reach_x, y - 3, x + reach_x, y + 3), (x - 3, y - reach_y, x + 3, y + reach_y)]
    places: list[Place] = []
    for spot in spots:
        best = min(_CANDIDATES, key=lambda p: _cost(_box(spot, p), obstacles, width, height) + _far(p))
        obstacles.append(_box(spot, best))
        places.append(best)
    return places


_CANDIDATES = [
    Place(dx * reach, dy * reach, align)
    for reach in (1.0, 2.0, 3.0)
    for dx, dy, align in (
        (9, 0, "left"),
        (7, -9, "left"),
        (7, 9, "left"),
        (-9, 0, "right"),
        (-7, -9, "right"),
        (-7, 9, "right"),
        (0, -14, "center"),
        (0, 14, "center"),
    )
]


def _far(candidate: Place) -> float:
    """A little against distance: of two clear places the nearer."""
    return 0.3 * (abs(candidate.dx) + abs(candidate.dy))


def _box(spot: Spot, candidate: Place) -> _Box:
    width = _LETTER * len(spot.name)
    left = {"left": 0.0, "right": -width, "center": -width / 2}[candidate.align] + spot.x + candidate.dx
    top = spot.y + candidate.dy - _LINE / 2
    return left, top, left + width, top + _LINE


def _cost(box: _Box, obstacles: list[_Box], width: float, height: float) -> float:
    covered = sum(_overlap(box, other) for other in obstacles)
    inside = _overlap(box, (0.0, 0.0, width, height))
    return covered + 4 * ((box[2] - box[0]) * (box[3] - box[1]) - inside)


def _overlap(a: _Box, b: _Box) -> float:
    across = min(a[2], b[2]) - max(a[0], b[0])
    down = min(a[3], b[3]) - max(a[1], b[1])
    return max(0.0, across) * max(0.0, down)
