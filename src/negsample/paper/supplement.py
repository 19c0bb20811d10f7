"""What the paper adds to a report: its findings tested on a study's data, and its figures beside a reproduction's."""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup

from negsample.analysis.analyse import Analysis
from negsample.paper.beside_paper import beside_table, cells, cohort_cells, reproduced
from negsample.paper.beside_words import beside
from negsample.paper.findings import findings
from negsample.report.rendering import environment
from negsample.report.supplement import Supplement


def paper_supplement(found: Analysis) -> Supplement:
    """The findings under every dataset; of a reproduction its figures beside the published ones, and
    ``reproduction.csv``.

    Raises:
        InputError: study.json is damaged where it says what the study reproduces.
    """
    template = environment(Path(__file__).parent).get_template("supplement.html.jinja").module
    compared = cells(found.study, found.table)
    published = beside(compared, cohort_cells(found.study))
    by_dataset = {
        dataset: Markup(template.findings(findings(each.rows, each.tests), f"paper-{number}"))  # type: ignore[attr-defined]
        for number, (dataset, each) in enumerate(found.datasets.items(), 1)
    }
    files = {"reproduction.csv": beside_table(compared)} if reproduced(found.study) else {}
    return Supplement(by_dataset, Markup(template.beside(published)), files)  # type: ignore[attr-defined]
