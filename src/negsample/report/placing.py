"""Where names stand in a chart so that none covers another."""

from __future__ import annotations

from typing import NamedTuple

_WIDE = 480  # pixels that a chart has for its marks; in a wider one there is more room
_LETTER, _LINE = 6.8, 14  # pixels of a letter, and of a line
_OFFSETS = (12, 26, -14, 40, -28, 54, -42, 68)  # pixels over a point


class Label(NamedTuple):
    """A name and where its middle is, in the units of the axes."""

    method: str
    x: float
    y: float


class Placing:
    """Names in a chart over ``x`` and ``y`` of ``height`` pixels, one after another; the first have the choice."""

    def __init__(self, x: tuple[float, float], y: tuple[float, float], height: float) -> None:
        self._x, self._y, self._height = x, y, height
        self._taken: list[tuple[float, float, float]] = []  # middle in pixels, and half the width

    def copy(self) -> Placing:
        """Another one in which the same is taken."""
        other = Placing(self._x, self._y, self._height)
        other._taken = list(self._taken)
        return other

    def placed(self, name: str, x: float, y: float, must: bool = False) -> Label | None:
        """``name`` near a point; None where it would cover another or leave the chart, unless it ``must`` stand."""
        a_pixel = ((self._x[1] - self._x[0]) / _WIDE, (self._y[1] - self._y[0]) / self._height)
        half = _LETTER * len(name) / 2
        across = min(max((x - self._x[0]) / a_pixel[0], half), _WIDE - half)
        level = (y - self._y[0]) / a_pixel[1]
        places = [level + offset for offset in _OFFSETS]
        free = [up for up in places if _LINE / 2 <= up <= self._height - _LINE / 2 and self._is_free(across, up, half)]
        if not free and not must:
            return None
        up = free[0] if free else places[0]
        self._taken.append((across, up, half))
        return Label(name, self._x[0] + across * a_pixel[0], self._y[0] + up * a_pixel[1])

    def _is_free(self, across: float, up: float, half: float) -> bool:
        return all(abs(up - u) >= _LINE or abs(across - a) >= half + h + 4 for a, u, h in self._taken)
