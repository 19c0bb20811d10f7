"""Tables as the page shows them: small ones of texts, and that of figures with what is best in each column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from negsample.analysis.measures import ACCURACY, BALANCE, COHORTS, K, cut_off_of, is_total, known
from negsample.analysis.significance import Comparisons
from negsample.analysis.tables import TableRow
from negsample.evaluation.metrics import MetricKind
from negsample.models.baselines import is_baseline

_LABELS = {"hr": "HR", "ndcg": "NDCG", "mrr": "MRR", "balance": "Balance", "coverage": "Coverage", "arp": "ARP"}
_DIGITS = {"balance": 1, "arp": 1}


class ShownTable(NamedTuple):
    """A small table of texts.

    ``label``: what it is, for who cannot see it. ``lines``: texts, as many as ``headings``. ``methods``: whether the
    first column names methods. ``kind``: classes of style: ``text`` where cells are words, ``claims`` where a line is
    about a claim and not a method.
    """

    label: str
    headings: Sequence[str]
    lines: Sequence[Sequence[str]]
    methods: bool = False
    kind: str = ""

    def without_empty(self) -> ShownTable:
        """The same without the columns that are empty in every line."""
        kept = [at for at in range(len(self.headings)) if any(line[at] for line in self.lines)]
        lines = [[line[at] for at in kept] for line in self.lines]
        return self._replace(headings=[self.headings[at] for at in kept], lines=lines)


class FigureColumn(NamedTuple):
    """``digits`` after the point, of a value times ``factor``; ``best``: which end of it is the good one; ``note``:
    what a reader must know of it."""

    name: str
    group: str
    heading: str
    digits: int = 2
    factor: float = 100.0
    best: str = "high"
    note: str = ""


class TableCell(NamedTuple):
    """``value``: what it sorts by, as text, empty where undefined. ``differs``: significantly from the best of its
    column."""

    value: str
    text: str
    sd: str
    best: bool
    differs: bool


class TableLine(NamedTuple):
    """One method's cells."""

    method: str
    runs: int
    cells: list[TableCell]


class FiguresTable(NamedTuple):
    """The columns and lines of one dataset."""

    columns: list[FigureColumn]
    lines: list[TableLine]

    @property
    def groups(self) -> list[tuple[str, int]]:
        """What stands above the headings, and over how many of them."""
        return [(name, len(list(some))) for name, some in groupby(self.columns, lambda column: column.group)]

    @property
    def firsts(self) -> set[int]:
        """The columns that begin a group."""
        return {at for at, column in enumerate(self.columns) if not at or column.group != self.columns[at - 1].group}

    @property
    def notes(self) -> str:
        """Which columns are no shares, or are best where they are lowest."""
        return "; ".join(dict.fromkeys(column.note for column in self.columns if column.note))


Kinds = Mapping[str, MetricKind]
"""Of the metrics that are no shares of which more is better."""


def main_columns(measures: Sequence[str], kinds: Kinds | None = None) -> list[FigureColumn]:
    """HR and NDCG at 10 in total and by cohort, a study's own metrics the same way, Balance, Coverage, time."""
    own = dict.fromkeys(name for name in map(_metric, filter(is_total, measures)) if name not in _LABELS)
    found = []
    for metric in ("hr", "ndcg", *own):
        scopes = [(f"{metric}@{K}", "total"), *((f"{cohort}_{metric}@{K}", cohort) for cohort in COHORTS)]
        group = f"{label(metric)}@{K}"
        found += [_column(name, metric, group, heading, kinds) for name, heading in scopes if name in measures]
    return [
        *found,
        FigureColumn(BALANCE, "", "Balance, %", 1),
        FigureColumn(f"coverage@{K}", "", "Coverage, %", 1),
        FigureColumn("train_seconds", "", "Training, s", 0, factor=1.0, best="low"),
    ]


def other_columns(measures: Sequence[str], kinds: Kinds | None = None) -> list[FigureColumn]:
    """The figures over all events that :func:`main_columns` lack, by cut-off; those in % first."""
    shown = {column.name for column in main_columns(measures)}
    others = [name for name in measures if is_total(name) and name not in shown]
    found = [_column(name, _metric(name), f"at {cut_off_of(name)}", label(_metric(name)), kinds) for name in others]
    return sorted(found, key=lambda column: (cut_off_of(column.name), column.factor == 1))


def _column(name: str, metric: str, group: str, heading: str, kinds: Kinds | None) -> FigureColumn:
    kind = (kinds or {}).get(metric, MetricKind())
    best, note = "high" if kind.higher_is_better else "low", f"{metric}: {kind.words}" if kind.words else ""
    if kind.unit == "number":
        return FigureColumn(name, group, heading, digits=3, factor=1.0, best=best, note=note)
    return FigureColumn(name, f"{group}, %", heading, _DIGITS.get(metric, 2), best=best, note=note)


def label(metric: str) -> str:
    """A metric as it stands in headings."""
    return _LABELS.get(metric, metric)


def _metric(name: str) -> str:
    return name.rpartition("@")[0]


def figures_table(
    rows: Sequence[TableRow], columns: list[FigureColumn], tests: Comparisons | None = None
) -> FiguresTable:
    """The rows of one dataset as they are shown; ``tests``: what was tested."""
    marks = [(column, _best(rows, column), _differ(rows, column, tests or Comparisons())) for column in columns]
    lines = []
    for row in rows:
        cells = [_cell(row, column, best, row["method"] in differ) for column, best, differ in marks]
        lines.append(TableLine(row["method"], row["runs"], cells))
    return FiguresTable(columns, lines)


def dialled_table(rows: Sequence[TableRow], columns: list[FigureColumn]) -> dict[str, dict[str, list[list[Any]]]]:
    """The table at each setting of the dial, by the setting and the method: of each cell its value as text, what is
    shown, its standard deviation, and 1 where it is best. What has no dial stands in each of them."""
    found = {}
    for beta in sorted({row["dial"] for row in rows if row["dial"] is not None}):
        lines = figures_table([row for row in rows if row["dial"] in (beta, None)], columns).lines
        found[f"{beta:g}"] = {
            line.method: [[cell.value, cell.text, cell.sd, int(cell.best)] for cell in line.cells] for line in lines
        }
    return found


def ranked(rows: Sequence[TableRow]) -> list[TableRow]:
    """The highest NDCG@10 first."""
    return sorted(rows, key=lambda row: -known(row, ACCURACY))


def _cell(row: TableRow, column: FigureColumn, best: str | None, differs: bool) -> TableCell:
    value, sd = row[column.name], row.get(f"{column.name}_sd")
    if value is None:
        return TableCell("", "undefined" if column.name == BALANCE else "n/a", "", False, False)
    text = _shown(value, column)
    spread = "" if sd is None else f"±{column.factor * sd:.{column.digits}f}"
    return TableCell(repr(float(value)), text, spread, text == best, differs and best is not None and text != best)


def _differ(rows: Sequence[TableRow], column: FigureColumn, tests: Comparisons) -> set[str]:
    """The methods that differ significantly from the best of a column."""
    best = max(rows, key=lambda row: known(row, column.name))["method"]
    scope, _, measure = column.name.rpartition("_")
    found = {row["method"]: tests.of_table(measure, scope or "all", best, row["method"]) for row in rows}
    return {method for method, each in found.items() if each and each.p_holm is not None and each.significant}


def _best(rows: Sequence[TableRow], column: FigureColumn) -> str | None:
    """What the best cells show: all that show the same are best. None where there is nothing to prefer.

    Zero is the best of own metrics alone: else it is no hit. Times of baselines, which are not trained, do not count.
    """
    if column.name == "train_seconds":
        rows = [row for row in rows if not is_baseline(row["method"])]
    values = {row[column.name] for row in rows if row[column.name] or (column.note and row[column.name] is not None)}
    if not values or len({"" if row[column.name] is None else _shown(row[column.name], column) for row in rows}) == 1:
        return None
    return _shown(min(values) if column.best == "low" else max(values), column)


def _shown(value: float, column: FigureColumn) -> str:
    return f"{column.factor * value:,.{column.digits}f}"
