"""The report's page: one file that opens without a network."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

import polars as pl
from markupsafe import Markup

from negsample.analysis.analyse import Analysis, DatasetAnalysis
from negsample.analysis.equivalence import MARGIN
from negsample.analysis.folds import folds_table, measured
from negsample.analysis.measures import kinds_of, measures_of
from negsample.analysis.reading import is_of_study, read_study
from negsample.analysis.study import Study
from negsample.analysis.tables import frontier_table, table_with_failures, write_table
from negsample.data.description import no_future
from negsample.errors import guarded
from negsample.files.folders import finite
from negsample.files.together import rewriting
from negsample.methods import family_of
from negsample.models.baselines import is_baseline
from negsample.report import baselines, facts, refits, tables, words
from negsample.report.effects import effect_tables
from negsample.report.figures import Figure, Place, dataset_figures, joint_figures, page_charts, suffixes, write_figures
from negsample.report.formats import listed, named, when
from negsample.report.latex import latex_tables
from negsample.report.palette import TURNED, looks
from negsample.report.rendering import environment, packed
from negsample.report.served import served_table, served_words
from negsample.report.table import dialled_table, figures_table, main_columns, other_columns, ranked
from negsample.report.vega import vega
from negsample.report.verdict import DIAL, KEPT, shown_verdict

_HERE = Path(__file__).parent
_SCRIPTS = ("page.js", "dialled.js", "saving.js", "sorting.js")


class Supplement(NamedTuple):
    """What a caller adds to a report, which itself carries no paper's claims.

    ``by_dataset``: HTML that stands below a dataset's table; ``section``: HTML that stands after all datasets;
    ``files``: tables that are written beside the page, by file name.
    """

    by_dataset: Mapping[str, Markup] = {}
    section: Markup = Markup("")
    files: Mapping[str, pl.DataFrame] = {}


Supplementing = Callable[[Analysis], Supplement]
"""Makes a supplement of what was found."""


@guarded
def write_report(
    study: Study | Path | str,
    on_line: Callable[[str], None] = lambda line: None,
    *,
    supplement: Supplementing | None = None,
) -> Path:
    """Writes ``report.html``, ``table.csv``, ``table.tex``, ``frontier.csv``, ``significance.csv``, ``figures/*.svg``
    and ``*.png``; ``folds.csv`` of a study with folds.

    They take the place of earlier ones all at once, and are listed in the study's checksums.

    Args:
        study: a study, or its folder.
        on_line: called with a line for each figure that could not be drawn.
        supplement: makes what else the report shows, as :func:`negsample.paper.supplement.paper_supplement` does.

    Returns:
        The page.

    Raises:
        InputError: there is no study, or it is damaged.
    """
    study = study if isinstance(study, Study) else read_study(Path(study))
    found = study.analysis
    added = supplement(found) if supplement else Supplement()
    sections = [_section(found, each) for each in found.datasets.values()]
    together = joint_figures(study)
    figures = [figure for section in sections for figure in section["figures"]] + together
    files = {
        "table.csv": table_with_failures(study, found.table),
        "frontier.csv": frontier_table(study),
        "significance.csv": found.significance(),
        **({"folds.csv": folds_table(study)} if study.about["folds"] else {}),
        **added.files,
    }
    with rewriting(study.folder, "study", keep=is_of_study) as scratch:
        for name, table in files.items():
            write_table(table, scratch / name)
        (scratch / "figures").mkdir()
        undrawn = write_figures(figures, scratch / "figures")
        latex = "\n".join(section["saved"]["tex"]["text"] for section in sections)
        (scratch / "table.tex").write_text(latex, encoding="utf-8", newline="")
        page = _page(study, sections, figures=figures, together=together, supplement=added, undrawn=undrawn)
        (scratch / "report.html").write_text(page, encoding="utf-8", newline="")
    for name in undrawn:  # that of an earlier report is of other figures
        (study.folder / "figures" / name).unlink(missing_ok=True)
        on_line(
            f"figures/{name} could not be drawn; the report is written without it, and `negsample report` tries again"
        )
    return study.folder / "report.html"


def _page(study: Study, sections: Sequence[Mapping[str, Any]], figures: Sequence[Figure], **more: Any) -> str:
    """The page's text. ``sections``: see :func:`_section`; ``more``: what the template takes as it is."""
    finished = {method for dataset in study.datasets() for method in study.methods_of(dataset)}
    look = looks(study.about["methods"])
    charts = page_charts(figures)
    families: dict[str, list[str]] = {}
    for name in (each for each in study.about["methods"] if each in finished):
        families.setdefault(family_of(name), []).append(name)
    template = environment(_HERE).get_template("page.html.jinja")
    return template.render(
        title=f"Negative sampling on {listed(study.datasets())}",
        study=study,
        made=when(study.about["created"]),
        sections=sections,
        missing=[name for name in study.manifests if not study.runs_of(name)],
        facts=facts.study_facts(study),
        dial_words=words.dial_words(study),
        settings=tables.settings_table(study, [row for section in sections for row in section["rows"]]),
        families=families,
        rankings=[[row["method"] for row in ranked(section["rows"])] for section in sections],
        colours={name: look[name].colour for name in study.about["methods"] if name in finished},
        saved={section["id"]: section["saved"] for section in sections},
        dialled={section["id"]: section["dialled"] for section in sections},
        KEPT=KEPT,
        DIAL=DIAL,
        charted=set(charts),
        charts=packed(json.dumps(finite(charts), allow_nan=False)),
        turned=TURNED,
        margin=MARGIN,
        style=Markup((_HERE / "page.css").read_text("utf-8")),
        script=Markup("\n".join((_HERE / name).read_text("utf-8") for name in _SCRIPTS)),
        vega=packed(vega()),
        **more,
    )


def _section(analysis: Analysis, found: DatasetAnalysis) -> dict[str, Any]:
    """What the page has of one dataset. ``saved``: its table as files that the page saves."""
    study, dataset = analysis.study, found.dataset
    tunings, failed = study.tunings_of(dataset), tables.failure_lines(study, dataset)
    run, figures = study.runs_of(dataset)[0], dataset_figures(analysis, dataset)
    why, left_out = no_future(study.manifests[dataset].get("not_in_time")) or ("", "")
    measures, kinds = measures_of(study.runs), kinds_of(study.runs)
    main = figures_table(found.rows, main_columns(measures, kinds), found.tests)
    other = figures_table(found.rows, other_columns(measures, kinds))
    name = f"table--{suffixes(list(study.manifests))[dataset]}"
    csv = analysis.table.filter(pl.col("dataset") == dataset).write_csv()
    known = {*study.methods_of(dataset), *(method for method, _, _ in failed)}
    absent = [name for name in study.about["methods"] if name not in known]
    trained = [row["method"] for row in found.rows if not is_baseline(row["method"])]
    events = measured(study, dataset)
    return {
        "dataset": dataset,
        "id": f"dataset-{study.datasets().index(dataset) + 1}",
        "rows": found.rows,
        "figures": figures,
        "verdict": shown_verdict(study, found.verdict),
        "no_future": why,
        "limits": [
            *([left_out] if left_out else []),
            *words.limits(found, events),
            *words.left_out_words(study.manifests[found.dataset]),
            *baselines.end_words(study, dataset),
        ],
        "baselines": baselines.baselines_table(study, dataset, found.rows),
        "age": refits.age_words(study, dataset),
        "refits": refits.refit_table(study, dataset),
        "terms": refits.terms_table(study, dataset),
        "effects": effect_tables(found.rows, found.tests),
        "families": tables.families_table(found.tests),
        "main": main,
        "other": other,
        "served": served_table(found.rows),
        "served_words": served_words(events),
        "saved": {
            "csv": {"name": f"{name}.csv", "text": csv},
            "tex": {"name": f"{name}.tex", "text": latex_tables(study, dataset, main, other)},
        },
        "tested": any(each.p is not None for each in found.tests.found),
        "failed": failed,
        "absent": named(absent) if absent else "",
        **{place: [figure for figure in figures if figure.place == place] for place in get_args(Place)},
        "tuned": tables.tuning_table(tunings),
        "budget": tables.budget_words(study, tunings, trained) if tunings else "",
        "dialled": dialled_table(found.dialled, main_columns(measures, kinds)),
        "betas": sorted({row["dial"] for row in found.dialled if row["dial"] is not None}),
        "standing": tables.standing_table(found.standings),
        "facts": facts.dataset_facts(study.manifests[dataset], run.config["settings"]["history"]),
        "cohorts": tables.cohort_table(study.manifests[dataset]),
        "notes": study.manifests[dataset]["notes"],
        "windows": words.windows(study.folds[dataset], found.folds),
    }
