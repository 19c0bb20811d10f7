"""What the paper adds to a report: its findings tested on a study's data, and its figures beside a reproduction's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup

from negsample.analysis.analyse import Analysis
from negsample.analysis.measures import BALANCE
from negsample.paper.beside import OTHER_POOL, SPREADS, Beside, beside_table2, beside_table3, frame_of, reproduced
from negsample.paper.findings import findings
from negsample.report.claims import claims_table
from negsample.report.formats import listed
from negsample.report.page import Supplement
from negsample.report.rendering import environment

_MARKS = {"above": "▲", "below": "▼"}
_TOLD = {
    "within": "within the published spread",
    "equal": "as published",
    "above": "above what was published",
    "below": "below what was published",
    "none": "not defined here",
    "other": "another method than the published one",
}


class BesideCell(NamedTuple):
    """Ours, the published figure under it, a mark where they differ, and the verdict in words."""

    ours: str
    published: str
    mark: str
    verdict: str
    told: str


class BesideDataset(NamedTuple):
    """A dataset beside the paper's: rows by method and by cohort."""

    dataset: str
    words: str
    methods: dict[str, list[BesideCell]]
    cohorts: dict[str, list[BesideCell]]


def paper_supplement(found: Analysis) -> Supplement:
    """The findings under every dataset; of a reproduction its figures beside the published ones, and
    ``reproduction.csv``.

    Raises:
        InputError: study.json is damaged where it says what the study reproduces.
    """
    template = environment(Path(__file__).parent).get_template("supplement.html.jinja").module
    table3 = beside_table3(found.study, found.table)
    shown = [_dataset(dataset, table3, beside_table2(found.study)) for dataset in reproduced(found.study)]
    by_dataset = {}
    for number, (dataset, each) in enumerate(found.datasets.items(), 1):
        tested = findings(each.rows, each.tests)
        tables = [claims_table(one.claim, one.evidence) for one in tested]
        by_dataset[dataset] = Markup(template.findings(zip(tested, tables, strict=True), f"paper-{number}"))  # type: ignore[attr-defined]
    files = {"reproduction.csv": frame_of(table3)} if shown else {}
    return Supplement(by_dataset, Markup(template.beside(shown)), files)  # type: ignore[attr-defined]


def _dataset(dataset: str, table3: Sequence[Beside], table2: Sequence[Beside]) -> BesideDataset:
    methods, cohorts = ([each for each in some if each.dataset == dataset] for some in (table3, table2))
    return BesideDataset(dataset, beside_words(methods, cohorts), _rows(methods, _figure), _rows(cohorts, _share))


def _rows(some: Sequence[Beside], digits: Callable[[Beside, float], str]) -> dict[str, list[BesideCell]]:
    rows: dict[str, list[BesideCell]] = {}
    for each in some:
        rows.setdefault(each.method, []).append(_cell(each, digits))
    return rows


def beside_words(methods: Sequence[Beside], cohorts: Sequence[Beside]) -> str:
    """How many figures are within the published spread, and what the published ones are not of."""
    first: Beside = (methods or cohorts)[0]
    counted = [each for each in methods if each.published_sd is not None and each.verdict != "other"]
    texts = []
    if counted:
        counts = Counter(each.verdict for each in counted)
        told = [f"{counts[verdict]} {words}" for verdict, words in _TOLD.items() if counts[verdict]]
        runs = sorted({each.published_runs for each in counted})
        texts.append(
            f"Of {len(counted)} figures of trained methods: {listed(told)}. The spread is that of the"
            f" {' to '.join(dict.fromkeys(map(str, (runs[0], runs[-1]))))} published runs,"
            f" mean ± {SPREADS} standard deviations."
        )
    if first.stand_in:
        texts.append(
            f"These are other data: {first.dataset} stands in for {first.published_dataset}, so no verdict is one on"
            " the paper."
        )
    if any(each.verdict == "other" for each in methods):
        texts.append(
            f"{OTHER_POOL} here has a random pool, as the paper's text says; the published figures are of a pool from"
            " the batch (adaptive-in-batch, in preset reference), so no verdict is given."
        )
    return " ".join(texts)


def _cell(of: Beside, shown: Callable[[Beside, float], str]) -> BesideCell:
    ours = "n/a" if of.ours is None else shown(of, of.ours)
    ours += "" if of.ours_sd is None else f" ±{shown(of, of.ours_sd)}"
    published = shown(of, of.published) + ("" if of.published_sd is None else f" ±{shown(of, of.published_sd)}")
    return BesideCell(ours, published, _MARKS.get(of.verdict, ""), of.verdict, _TOLD[of.verdict])


def _figure(of: Beside, value: float) -> str:
    return f"{value:.{1 if of.measure == BALANCE else 2}f}"


def _share(of: Beside, value: float) -> str:
    return f"{value:.1f}" if value >= 1 else f"{value:.2g}"
