"""What the page shows of a reproduction: its tables, and a sentence on each dataset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from negsample.analysis.formats import listed
from negsample.paper.beside_paper import OTHER_POOL, SPREADS, Cell, CohortCell

_MARKS = {"within": "", "equal": "", "above": "▲", "below": "▼", "none": "", "other": ""}
_TOLD = {
    "within": "within the published spread",
    "equal": "as published",
    "above": "above what was published",
    "below": "below what was published",
    "none": "not defined here",
    "other": "another method than the published one",
}


class Shown(NamedTuple):
    """A cell as texts: ours, the published one under it, a mark where they differ, and the verdict in words."""

    ours: str
    published: str
    mark: str
    verdict: str
    told: str


class BesideLine(NamedTuple):
    """A row of a table: what it is of, and its cells."""

    name: str
    cells: list[Shown]


class Beside(NamedTuple):
    """A dataset beside the paper's."""

    dataset: str
    words: str
    methods: list[BesideLine]
    cohorts: list[BesideLine]


def beside(cells: Sequence[Cell], cohorts: Sequence[CohortCell]) -> list[Beside]:
    """The datasets of a reproduction, in its order; empty where it is none."""
    datasets = list(dict.fromkeys([*(each.dataset for each in cells), *(each.dataset for each in cohorts)]))
    return [
        _of(
            dataset,
            [each for each in cells if each.dataset == dataset],
            [each for each in cohorts if each.dataset == dataset],
        )
        for dataset in datasets
    ]


def _of(dataset: str, cells: Sequence[Cell], cohorts: Sequence[CohortCell]) -> Beside:
    methods = list(dict.fromkeys(each.method for each in cells))
    names = list(dict.fromkeys(each.cohort for each in cohorts))
    return Beside(
        dataset,
        _words(cells, cohorts),
        [BesideLine(method, [_figure(each) for each in cells if each.method == method]) for method in methods],
        [BesideLine(name, [_share(each) for each in cohorts if each.cohort == name]) for name in names],
    )


def _words(cells: Sequence[Cell], cohorts: Sequence[CohortCell]) -> str:
    first: Cell | CohortCell = cells[0] if cells else cohorts[0]
    other = (
        f" These are other data: {first.dataset} stands in for {first.published_dataset}, so the published values are"
        " there for orientation and no verdict is one on the paper."
        if first.stand_in
        else ""
    )
    if any(each.verdict == "other" for each in cells):
        other += (
            f" {OTHER_POOL} here has a random pool, as the paper's text says; the published figures are of a pool from"
            " the batch (adaptive-in-batch, in preset reference). They are shown, and no verdict is given."
        )
    repeated = [each for each in cells if each.published_sd is not None and each.verdict != "other"]
    if not repeated:
        return other.strip()
    counts = Counter(each.verdict for each in repeated)
    told = [f"{counts[verdict]} {words}" for verdict, words in _TOLD.items() if counts[verdict] and verdict != "equal"]
    runs = sorted({each.published_runs for each in repeated})
    many = f"{runs[0]}" if len(runs) == 1 else f"{runs[0]} to {runs[-1]}"
    return (
        f"Of {len(repeated)} figures of trained methods: {listed(told)}. The spread is that of the {many} published"
        f" runs, mean ± {SPREADS} standard deviations.{other}"
    )


def _figure(cell: Cell) -> Shown:
    digits = 1 if cell.measure == "balance@10" else 2
    ours = "n/a" if cell.ours is None else f"{cell.ours:.{digits}f}"
    ours += "" if cell.ours_sd is None else f" ±{cell.ours_sd:.{digits}f}"
    spread = "" if cell.published_sd is None else f" ±{cell.published_sd:.{digits}f}"
    return Shown(ours, f"{cell.published:.{digits}f}{spread}", _MARKS[cell.verdict], cell.verdict, _TOLD[cell.verdict])


def _share(cell: CohortCell) -> Shown:
    ours = "n/a" if cell.ours is None else f"{cell.ours:.1f}" if cell.ours >= 1 else f"{cell.ours:.2g}"
    return Shown(ours, f"{cell.published:g}", _MARKS[cell.verdict], cell.verdict, _TOLD[cell.verdict])
