"""The page's text, from what stands on it: sections of datasets, and what is said of studies as a whole."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
from markupsafe import Markup

from negsample.analysis.equivalence import MARGIN
from negsample.analysis.study import Study
from negsample.files.folders import finite
from negsample.methods import family_of
from negsample.report import facts, tables
from negsample.report.figures import Figure, page_charts
from negsample.report.formats import when
from negsample.report.joint import Joint
from negsample.report.palette import TURNED, Look
from negsample.report.rendering import environment, packed
from negsample.report.table import ranked
from negsample.report.vega import vega
from negsample.report.verdict import BALANCE, COHORTS, COVERAGE, DIAL, KEPT

_HERE = Path(__file__).parent
SCRIPTS = ("page.js", "dialled.js", "saving.js", "sorting.js")


class Supplement(NamedTuple):
    """What a caller adds to a report, which itself carries no paper's claims.

    ``by_dataset``: HTML that stands below a dataset's table; ``section``: HTML that stands after all datasets;
    ``files``: tables that are written beside the page, by file name.
    """

    by_dataset: Mapping[str, Markup] = {}
    section: Markup = Markup("")
    files: Mapping[str, pl.DataFrame] = {}


class ShownPage(NamedTuple):
    """What a page has. ``studies``: of each what :func:`about` makes of it; ``sections``: of each dataset what
    :func:`negsample.report.page.section_of` does; ``joint``: what stands before them; ``beside``: the figures that
    stand after them; ``again``: the command that writes it again."""

    title: str
    studies: Sequence[Mapping[str, Any]]
    sections: Sequence[Mapping[str, Any]]
    joint: Sequence[Joint] = ()
    beside: Sequence[Figure] = ()
    again: str = "negsample report STUDY"

    @property
    def figures(self) -> list[Figure]:
        """All of them."""
        parts = [*(part.figures for part in self.joint), *(section["figures"] for section in self.sections)]
        return [figure for some in (*parts, self.beside) for figure in some]


def about(study: Study, sections: Sequence[Mapping[str, Any]], label: str = "") -> dict[str, Any]:
    """What the page says of one study as a whole; ``label``: what it is called where there are several."""
    return {
        "study": study,
        "label": label,
        "made": when(study.about["created"]),
        "missing": [name for name in study.manifests if not study.runs_of(name)],
        "facts": facts.study_facts(study),
        "settings": tables.settings_table(study, [row for section in sections for row in section["rows"]]),
    }


def page_text(
    shown: ShownPage, look: Mapping[str, Look], undrawn: Sequence[str], supplement: Supplement | None = None
) -> str:
    """The page's text; ``undrawn``: the files that could not be drawn."""
    studies = [each["study"] for each in shown.studies]
    finished = {name for study in studies for dataset in study.datasets() for name in study.methods_of(dataset)}
    methods = [
        name for name in dict.fromkeys(name for study in studies for name in study.about["methods"]) if name in finished
    ]
    charts = page_charts(shown.figures)
    families: dict[str, list[str]] = {}
    for name in methods:
        families.setdefault(family_of(name), []).append(name)
    template = environment(_HERE).get_template("page.html.jinja")
    return template.render(
        **shown._asdict(),
        families=families,
        rankings=[[row["method"] for row in ranked(section["rows"])] for section in shown.sections],
        colours={name: look[name].colour for name in methods},
        saved={section["id"]: section["saved"] for section in shown.sections},
        dialled={section["id"]: section["dialled"] for section in shown.sections},
        KEPT=KEPT,
        DIAL=DIAL,
        BALANCE=BALANCE,
        COHORTS=COHORTS,
        COVERAGE=COVERAGE,
        charted=set(charts),
        charts=packed(json.dumps(finite(charts), allow_nan=False)),
        turned=TURNED,
        margin=MARGIN,
        style=Markup((_HERE / "page.css").read_text("utf-8")),
        script=Markup("\n".join((_HERE / name).read_text("utf-8") for name in SCRIPTS)),
        vega=packed(vega()),
        undrawn=undrawn,
        supplement=supplement or Supplement(),
    )
