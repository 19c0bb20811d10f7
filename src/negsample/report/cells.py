"""The page's table: what stands in each cell, what it sorts by, and which cells are best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from negsample.analysis.formats import whole
from negsample.analysis.frontier import Standing
from negsample.analysis.offers import Row
from negsample.analysis.significance import Comparisons
from negsample.report.palette import Look


class Column(NamedTuple):
    """``digits`` after the point, of a value times ``factor``; ``best``: which end of it is the good one."""

    name: str
    group: str
    heading: str
    digits: int
    factor: float = 100.0
    best: str = "high"


class Cell(NamedTuple):
    """``value``: what it sorts by, as text, empty where undefined. ``close``: tested, and no significant difference
    from the best of its column."""

    value: str
    text: str
    sd: str
    best: bool
    close: bool


class Line(NamedTuple):
    """One method's row."""

    method: str
    colour: str
    runs: int
    cells: list[Cell]


COLUMNS = (
    Column("hr@10", "HR@10, %", "total", 2),
    Column("head_hr@10", "HR@10, %", "head", 2),
    Column("mid_hr@10", "HR@10, %", "mid", 2),
    Column("tail_hr@10", "HR@10, %", "tail", 2),
    Column("ndcg@10", "NDCG@10, %", "total", 2),
    Column("head_ndcg@10", "NDCG@10, %", "head", 2),
    Column("mid_ndcg@10", "NDCG@10, %", "mid", 2),
    Column("tail_ndcg@10", "NDCG@10, %", "tail", 2),
    Column("balance@10", "", "Balance, %", 1),
    Column("coverage@10", "", "Coverage, %", 1),
    Column("train_seconds", "", "Seconds", 0, factor=1.0, best="low"),
)
"""The paper's Table 3, then what the method recommends of the catalogue, then what it takes."""


def lines(rows: Sequence[Row], looks: dict[str, Look], tests: Comparisons | None = None) -> list[Line]:
    """The rows of one dataset as they are shown; ``tests``: what was tested."""
    best = {column.name: _best(rows, column) for column in COLUMNS}
    close = {column.name: _close(rows, column, tests or Comparisons()) for column in COLUMNS}
    return [
        Line(
            row["method"],
            looks[row["method"]].colour,
            row["runs"],
            [_cell(row, column, best[column.name], row["method"] in close[column.name]) for column in COLUMNS],
        )
        for row in rows
    ]


class StandingLine(NamedTuple):
    """One method's row among the frontiers; texts, empty where nothing can be said."""

    method: str
    colour: str
    hypervolume: str
    interval: str
    best: str
    leads: str
    nowhere: str
    adds: str


def stretch(low: float, high: float) -> str:
    """``33 to 46``, in %."""
    first, last = f"{100 * low:.0f}", f"{100 * high:.0f}"
    return first if first == last else f"{first} to {last}"


def standing_lines(standings: Sequence[Standing], looks: dict[str, Look]) -> list[StandingLine]:
    """Who stands where over all settings of the dial, in %, the largest hypervolume first."""
    return [
        StandingLine(
            each.method,
            looks[each.method].colour,
            f"{100 * each.hypervolume:.3f}",
            "" if each.low is None or each.high is None else f"{100 * each.low:.3f} to {100 * each.high:.3f}",
            "" if each.best is None else f"{100 * each.best:.0f}",
            ", ".join(stretch(*ends) for ends in each.leads) or "nowhere",
            "" if each.ahead is None else f"{100 * (1 - each.ahead):.0f}",
            f"{100 * each.adds:.1f}",
        )
        for each in sorted(standings, key=lambda each: -each.hypervolume)
    ]


def _cell(row: Row, column: Column, best: str | None, close: bool) -> Cell:
    value, sd = row[column.name], row.get(f"{column.name}_sd")
    if value is None:
        return Cell("", "undefined" if column.name == "balance@10" else "n/a", "", False, False)
    text = _shown(value, column)
    spread = "" if sd is None else f"±{column.factor * sd:.{column.digits}f}"
    return Cell(repr(float(value)), text, spread, text == best, close and best is not None and text != best)


def _close(rows: Sequence[Row], column: Column, tests: Comparisons) -> set[str]:
    """The methods that were tested against the best of a column, without a significant difference."""
    best = max(rows, key=lambda row: -1.0 if row[column.name] is None else row[column.name])["method"]
    scope, _, measure = column.name.rpartition("_")
    found = {row["method"]: tests.of_table(measure, scope or "all", best, row["method"]) for row in rows}
    return {method for method, each in found.items() if each and each.p_holm is not None and not each.significant}


def _best(rows: Sequence[Row], column: Column) -> str | None:
    """What the best cells show: all that show the same are best. None where there is nothing to prefer.

    Zero is never best: no hit, or a baseline that is not trained.
    """
    values = [row[column.name] for row in rows if row[column.name]]
    if not values or len({row[column.name] for row in rows}) == 1:
        return None
    return _shown(min(values) if column.best == "low" else max(values), column)


def _shown(value: float, column: Column) -> str:
    return whole(value) if column.factor == 1 else f"{column.factor * value:.{column.digits}f}"
