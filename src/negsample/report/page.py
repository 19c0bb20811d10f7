"""The report's page: one file that opens without a network."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, get_args

import polars as pl
import vl_convert
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from negsample.analysis.cutoff import cut_off
from negsample.analysis.formats import listed, when
from negsample.analysis.frontier import reaches, standings
from negsample.analysis.offers import Offers, offers
from negsample.analysis.reading import POPULAR, Study, is_of_study, read_study
from negsample.analysis.significance import Comparisons, differences, significance_table
from negsample.analysis.tables import dialled_rows, frontier_table, study_table, whole_table, write_table
from negsample.errors import guarded
from negsample.files.checksums import rewriting
from negsample.files.folders import finite
from negsample.paper.beside_paper import beside_table, cohort_cells, reproduced
from negsample.paper.beside_paper import cells as beside_cells
from negsample.paper.beside_words import Beside, beside
from negsample.paper.findings import findings
from negsample.report import cells, facts
from negsample.report.failures import failure_lines
from negsample.report.figures import Figure, Place, dataset_figures, joint_figures, suffixes, write_figures, write_text
from negsample.report.latex import latex_table
from negsample.report.palette import DARK, LIGHT, PAPER, looks
from negsample.report.significance_words import cells_not_tested
from negsample.report.tuning_words import budget_words, tuned_lines
from negsample.report.words import dataset_words

_HERE = Path(__file__).parent
_SCRIPTS = ("page.js", "saving.js", "sorting.js")


@guarded
def write_report(folder: Path, tell: Callable[[str], None] = lambda line: None) -> Path:
    """Writes ``report.html``, ``table.csv``, ``table.tex``, ``frontier.csv``, ``significance.csv``, ``figures/*.svg``;
    of a reproduction ``reproduction.csv`` too, its figures beside the published ones.

    They take the place of earlier ones all at once, and are listed in the study's checksums.

    Args:
        folder: of the study.
        tell: told in a line of each figure that could not be drawn.

    Returns:
        The page.

    Raises:
        InputError: there is no study, or it is damaged.
    """
    folder = Path(folder)
    study = read_study(folder)
    table = study_table(study)
    found = {dataset: reaches(study, dataset) for dataset in study.datasets()}
    figures = {dataset: dataset_figures(study, table, dataset, each) for dataset, each in found.items()}
    joint = joint_figures(study)
    standing = {dataset: standings(each) for dataset, each in found.items()}
    offered = {dataset: offers(study, dataset, each) for dataset, each in standing.items()}
    tested = {dataset: differences(study, dataset, each) for dataset, each in offered.items()}
    papers = {
        dataset: latex_table(study, dataset, _lines(study, table, each, dataset)) for dataset, each in tested.items()
    }
    compared = beside_cells(study, table)
    published = beside(compared, cohort_cells(study))
    with rewriting(folder, "study", keep=is_of_study) as scratch:
        write_table(whole_table(study), scratch / "table.csv")
        write_table(frontier_table(study), scratch / "frontier.csv")
        write_table(
            significance_table([each for some in tested.values() for each in some.found]), scratch / "significance.csv"
        )
        if reproduced(study):
            write_table(beside_table(compared), scratch / "reproduction.csv")
        (scratch / "figures").mkdir()
        every = [each for some in (*figures.values(), joint) for each in some]
        undrawn = [f"{each.name}.svg" for each in write_figures(every, scratch / "figures")]
        write_text(scratch / "table.tex", "\n".join(papers.values()))
        html = render(study, table, figures, offered, tested, papers, joint, published, undrawn)
        write_text(scratch / "report.html", html)
    for name in undrawn:  # that of an earlier report is of other figures
        (folder / "figures" / name).unlink(missing_ok=True)
        tell(f"figures/{name} could not be drawn; the report is written without it, and `negsample report` tries again")
    return folder / "report.html"


def _json(value: Any, **options: Any) -> str:
    """A browser reads no NaN."""
    return json.dumps(finite(value), allow_nan=False, **options)


def render(
    study: Study,
    table: pl.DataFrame,
    figures: Mapping[str, list[Figure]],
    offered: Mapping[str, Offers],
    tested: Mapping[str, Comparisons],
    papers: Mapping[str, str],
    joint: list[Figure],
    published: list[Beside],
    undrawn: Sequence[str],
) -> str:
    """The page's text; ``papers``: the LaTeX table of each dataset; ``joint``: of all datasets; ``published``: what a
    reproduction stands beside; ``undrawn``: names of SVG files that could not be made.

    What came from outside is escaped by Jinja2's autoescape and ``tojson``.
    """
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["named"] = _named
    environment.policies["json.dumps_function"] = _json
    return environment.get_template("page.html.jinja").render(
        title=f"Negative sampling on {listed(study.datasets())}",
        study=study,
        made=when(study.about["created"]),
        sections=[
            _section(study, table, figures[dataset], offered[dataset], tested[dataset], dataset)
            for dataset in study.datasets()
        ],
        missing=[name for name in study.manifests if not study.runs_of(name)],
        columns=cells.COLUMNS,
        facts=facts.study_facts(study),
        dial_words=facts.dial_words(study),
        methods=facts.methods_made(study, table),
        measured_memory=table["peak_memory_bytes"].is_not_null().any(),
        again=facts.again(study),
        named_methods=_methods(study),
        tables={
            _id(study, dataset): {
                kind: {"name": f"table--{suffixes(list(study.manifests))[dataset]}.{kind}", "text": text}
                for kind, text in (
                    ("csv", table.filter(pl.col("dataset") == dataset).write_csv()),
                    ("tex", papers[dataset]),
                )
            }
            for dataset in study.datasets()
        },
        charts={figure.name: figure.spec for some in (*figures.values(), joint) for figure in some},
        together=joint,
        published=published,
        undrawn=undrawn,
        configs={"light": LIGHT, "dark": DARK, "paper": PAPER},
        style=Markup((_HERE / "page.css").read_text("utf-8")),
        script=Markup("\n".join((_HERE / name).read_text("utf-8") for name in _SCRIPTS)),
        vega=Markup(_vega()),
    )


def _section(
    study: Study,
    table: pl.DataFrame,
    figures: list[Figure],
    offered: Offers,
    tested: Comparisons,
    dataset: str,
) -> dict[str, Any]:
    rows = table.filter(pl.col("dataset") == dataset).to_dicts()
    runs = study.runs_of(dataset)
    manifest = study.manifests[dataset]
    tunings = study.tunings_of(dataset)
    trained = [row["method"] for row in rows if row["method"] != POPULAR]
    failed = failure_lines(study, dataset)
    return {
        "dataset": dataset,
        "id": _id(study, dataset),
        "words": dataset_words(rows, runs[0].metrics["test"], offered, tested, cut_off(study, dataset)),
        "lines": _lines(study, table, tested, dataset),
        "tested": any(each.p is not None for each in tested.found),
        "untested": cells_not_tested(tested),
        "findings": findings(rows, tested),
        "failed": failed,
        "absent": [
            name
            for name in study.about["methods"]
            if name not in (*study.methods_of(dataset), *(each.method for each in failed))
        ],
        **{place: [figure for figure in figures if figure.place == place] for place in get_args(Place)},
        "tuned": tuned_lines(tunings, looks(study.about["methods"])),
        "budget": budget_words(tunings, trained, used=not study.published_settings) if tunings else "",
        "betas": sorted({row["dial"] for row in dialled_rows(study, dataset) if row["dial"] is not None}),
        "standing": cells.standing_lines(offered.standings, looks(study.about["methods"])),
        "facts": facts.dataset_facts(manifest, runs[0].config["settings"]["history"]),
        "cohorts": facts.cohort_facts(manifest),
        "notes": manifest["notes"],
    }


def _id(study: Study, dataset: str) -> str:
    return f"dataset-{study.datasets().index(dataset) + 1}"


def _lines(study: Study, table: pl.DataFrame, tested: Comparisons, dataset: str) -> list[cells.Line]:
    rows = table.filter(pl.col("dataset") == dataset).to_dicts()
    return cells.lines(rows, looks(study.about["methods"]), tested)


def _methods(study: Study) -> list[dict[str, str]]:
    """The methods with a finished run, each with its colour."""
    found = {method for dataset in study.datasets() for method in study.methods_of(dataset)}
    look = looks(study.about["methods"])
    return [{"name": name, "colour": look[name].colour} for name in study.about["methods"] if name in found]


def _named(text: str) -> Markup:
    """``text`` escaped, what stands in backticks as a name."""
    return Markup(re.sub(r"`([^`]+)`", r'<b class="name">\1</b>', str(escape(text))))


@cache
def _vega() -> str:
    """Vega, Vega-Lite and Vega-Embed, for a script element."""
    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    assert "</script" not in bundle.lower(), "the bundle would end its own script element"
    return bundle
