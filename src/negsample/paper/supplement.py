"""What the paper adds to a report: its findings tested on a study's data, and its figures beside a reproduction's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from negsample.analysis.analyse import Analysis
from negsample.analysis.measures import BALANCE
from negsample.paper.beside import OTHER_POOL, SPREADS, Beside, beside_table2, beside_table3, frame_of, reproduced
from negsample.paper.findings import findings
from negsample.report.claims import claims_table
from negsample.report.formats import listed
from negsample.report.paging import Supplement
from negsample.report.rendering import environment

_MARKS = {"above": "▲", "below": "▼"}
_WORDS = {
    "within": "within the published spread",
    "equal": "as published",
    "above": "above what was published",
    "below": "below what was published",
    "none": "not defined here",
    "other": "another method than the published one",
}


def paper_supplement(found: Analysis) -> Supplement:
    """The findings under every dataset; of a reproduction its figures beside the published ones, and
    ``reproduction.csv``.

    Raises:
        InputError: study.json is damaged where it says what the study reproduces.
    """
    template: Any = environment(Path(__file__).parent).get_template("supplement.html.jinja").module
    table3, table2 = beside_table3(found.study, found.table), beside_table2(found.study)
    shown = []
    for dataset in reproduced(found.study):
        methods, cohorts = ([each for each in some if each.dataset == dataset] for some in (table3, table2))
        words = beside_words(methods, cohorts)
        shown.append({"dataset": dataset, "words": words, "methods": _cells(methods), "cohorts": _cells(cohorts)})
    by_dataset = {}
    for number, (dataset, each) in enumerate(found.datasets.items(), 1):
        tested = [(one, claims_table(one.claim, one.evidence)) for one in findings(each.rows, each.tests)]
        by_dataset[dataset] = Markup(template.findings(tested, f"paper-{number}"))
    files = {"reproduction.csv": frame_of(table3)} if shown else {}
    return Supplement(by_dataset, Markup(template.beside(shown)), files)


def beside_words(methods: Sequence[Beside], cohorts: Sequence[Beside]) -> str:
    """How many figures are within the published spread, and what the published ones are not of."""
    first: Beside = (methods or cohorts)[0]
    counted = [each for each in methods if each.published_sd is not None and each.verdict != "other"]
    texts = []
    if counted:
        counts = Counter(each.verdict for each in counted)
        parts = [f"{counts[verdict]} {words}" for verdict, words in _WORDS.items() if counts[verdict]]
        runs = sorted({each.published_runs for each in counted})
        texts.append(
            f"Of {len(counted)} figures of trained methods: {listed(parts)}. The spread is that of the"
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


def _cells(some: Sequence[Beside]) -> dict[str, list[dict[str, str]]]:
    """Ours, the published figure under it, a mark where they differ, and the verdict in words; by method or cohort."""
    rows: dict[str, list[dict[str, str]]] = {}
    for of in some:
        cell = {"ours": _shown(of, of.ours, of.ours_sd), "published": _shown(of, of.published, of.published_sd)}
        cell |= {"verdict": of.verdict, "words": _WORDS[of.verdict], "mark": _MARKS.get(of.verdict, "")}
        rows.setdefault(of.method, []).append(cell)
    return rows


def _shown(of: Beside, value: float | None, sd: float | None) -> str:
    if value is None:
        return "n/a"
    if of.measure in ("items", "mpu"):  # shares that span orders of magnitude
        return f"{value:.1f}" if value >= 1 else f"{value:.2g}"
    digits = 1 if of.measure == BALANCE else 2
    return f"{value:.{digits}f}" + ("" if sd is None else f" ±{sd:.{digits}f}")
