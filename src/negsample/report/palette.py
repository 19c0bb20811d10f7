"""How charts look: a colour and a shape for each method, everywhere the same; light, dark and print."""

from __future__ import annotations

from typing import Any, NamedTuple

from negsample.analysis.study import POPULAR
from negsample.models.baselines import is_baseline

_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#a39a2b")
_SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down")
_DASHES: tuple[tuple[int, ...], ...] = ((), (8, 3), (3, 3), (8, 3, 2, 3))
_GREY = "#858585"
_OF_BASELINES = ("cross", "triangle-left", "triangle-right", "wedge", "arrow", "stroke", "square")
_DASHES_OF_BASELINES = ((5, 4), (2, 2), (10, 3), (1, 3), (6, 2, 1, 2), (12, 4, 4, 4), (16, 2))
COHORT_COLOURS = {"head": "#9a4dc0", "mid": "#c58ad8", "tail": "#8d8d99"}
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


class Look(NamedTuple):
    """What marks a method in every chart."""

    colour: str
    shape: str
    dash: tuple[int, ...]


def looks(methods: list[str]) -> dict[str, Look]:
    """A look for each method by its place in the study: Okabe and Ito's colour-blind-safe hues.

    Past seven methods the hues come again with another shape and dash. Baselines are grey, PopRec a cross.
    """
    trained = [method for method in methods if not is_baseline(method)]
    n = len(_COLOURS)
    found = {
        method: Look(_COLOURS[i % n], _SHAPES[i // n % len(_SHAPES)], _DASHES[i // n % len(_DASHES)])
        for i, method in enumerate(trained)
    }
    rules = [POPULAR, *(method for method in methods if method not in found and method != POPULAR)]
    k = len(_OF_BASELINES)
    return found | {
        rule: Look(_GREY, _OF_BASELINES[i % k], _DASHES_OF_BASELINES[i % k]) for i, rule in enumerate(rules)
    }


def config(ink: str, muted: str, grid: str) -> dict[str, Any]:
    """A Vega-Lite config: quiet axes, marks that carry the ink."""
    return {
        "background": None,
        "font": FONT,
        "view": {"stroke": None},
        "axis": {
            "labelColor": muted,
            "titleColor": ink,
            "titleFontWeight": "normal",
            "titlePadding": 8,
            "labelFontSize": 11,
            "titleFontSize": 12,
            "gridColor": grid,
            "domain": False,
            "ticks": False,
            "labelPadding": 6,
        },
        "legend": {
            "labelColor": ink,
            "titleColor": muted,
            "labelFontSize": 12,
            "symbolSize": 90,
            "symbolStrokeWidth": 2,
            "columnPadding": 16,
        },
        "text": {"color": ink, "fontSize": 11},
        "rule": {"color": muted},
    }


INK, MUTED, GRID, GROUND = "#1f2328", "#5c6370", "#e6e8eb", "#fefefe"
"""Of a light ground; ``GROUND`` is for gaps between marks."""
LIGHT = config(INK, MUTED, GRID)
DARK = config(ink="#e6e8eb", muted="#a2a9b4", grid="#30353d")
PAPER = LIGHT | {"background": "#ffffff", "font": "Arial, Helvetica, sans-serif"}
"""For the figures on disk: a white ground, and a font whose widths are the same wherever it is opened."""
GROUNDS = ("#ffffff", "#15181c")  # light and dark
TURNED = {
    "light": {},
    "dark": {INK: "#e6e8eb", MUTED: "#a2a9b4", GRID: "#30353d", GROUND: GROUNDS[1]},
    "paper": {FONT: PAPER["font"]},
}
"""What stands in a chart in place of what is for a light ground, by ground."""
