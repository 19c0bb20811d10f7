"""The report's page: one file that opens without a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, get_args

import polars as pl

from negsample.analysis.analyse import Analysis, DatasetAnalysis
from negsample.analysis.folds import folds_table, measured
from negsample.analysis.measures import kinds_of, measures_of
from negsample.analysis.reading import is_of_study, read_study
from negsample.analysis.study import Study
from negsample.analysis.tables import frontier_table, table_with_failures, write_table
from negsample.analysis.user_cases import UsersFile
from negsample.data.description import no_future
from negsample.data.prepare.facts import WITH_MUCH
from negsample.errors import guarded
from negsample.files.together import rewriting
from negsample.models.baselines import is_baseline
from negsample.report import baselines, facts, refits, tables, words
from negsample.report.effects import effect_tables
from negsample.report.figures import Place, dataset_figures, joint_figures, suffixes, write_figures
from negsample.report.formats import listed, named
from negsample.report.joint import joint_of_logs
from negsample.report.latex import latex_tables
from negsample.report.paging import ShownPage, Supplement, about, page_text
from negsample.report.palette import Look, looks
from negsample.report.searches import importance_words, searches_table
from negsample.report.served import served_table, served_words
from negsample.report.table import dialled_table, figures_table, main_columns, other_columns
from negsample.report.users import FILE, users_file, users_section
from negsample.report.verdict import shown_verdict

Supplementing = Callable[[Analysis], Supplement]
"""Makes a supplement of what was found."""


@guarded
def write_report(
    study: Study | Path | str,
    on_line: Callable[[str], None] = lambda line: None,
    *,
    supplement: Supplementing | None = None,
    users: bool = True,
) -> Path:
    """Writes ``report.html``, ``table.csv``, ``table.tex``, ``frontier.csv``, ``significance.csv``, ``figures/*.svg``
    and ``*.png``; ``folds.csv`` of a study with folds, ``over_logs.csv`` and ``over_logs_significance.csv`` of one with
    several datasets; ``users.json``.

    They take the place of earlier ones all at once, and are listed in the study's checksums.

    Args:
        study: a study, or its folder.
        on_line: called with a line for each figure that could not be drawn.
        supplement: makes what else the report shows, as :func:`negsample.paper.supplement.paper_supplement` does.
        users: also for whom methods differ most, with the log's ids, which ``users.json`` has then. Else the page
            names no user, and an earlier ``users.json`` is deleted.

    Returns:
        The page.

    Raises:
        InputError: there is no study, or it is damaged.
    """
    study = study if isinstance(study, Study) else read_study(Path(study))
    found = study.analysis
    added = supplement(found) if supplement else Supplement()
    look = looks(study.about["methods"])
    kept, lacking = users_file(found) if users else (UsersFile(), set[str]())
    sections = [
        section_of(found, each, put, users=users) | users_section(kept, lacking, each.dataset)
        for each, put in zip(found.datasets.values(), puts(study, look), strict=True)
    ]
    joint = joint_of_logs(found.datasets, look)
    beside = joint_figures({dataset: study.manifests[dataset] for dataset in study.datasets()})
    shown = ShownPage(
        f"Negative sampling on {listed(study.datasets())}", [about(study, sections)], sections, joint, beside
    )
    files = {
        "table.csv": table_with_failures(study, found.table),
        "frontier.csv": frontier_table(study),
        "significance.csv": found.significance(),
        **({"folds.csv": folds_table(study)} if study.about["folds"] else {}),
        **{name: table for part in joint for name, table in part.files.items()},
        **added.files,
    }
    with rewriting(study.folder, "study", keep=is_of_study) as scratch:
        for name, table in files.items():
            write_table(table, scratch / name)
        if kept.datasets:
            (scratch / FILE).write_text(kept.model_dump_json(), encoding="utf-8", newline="")
        latex = "\n".join(section["saved"]["tex"]["text"] for section in sections)
        (scratch / "table.tex").write_text(latex, encoding="utf-8", newline="")
        (scratch / "figures").mkdir()
        undrawn = write_figures(shown.figures, scratch / "figures")
        page = page_text(shown, look, undrawn, added)
        (scratch / "report.html").write_text(page, encoding="utf-8", newline="")
    if not kept.datasets:
        (study.folder / FILE).unlink(missing_ok=True)
    for name in undrawn:  # that of an earlier report is of other figures
        (study.folder / "figures" / name).unlink(missing_ok=True)
        on_line(
            f"figures/{name} could not be drawn; the report is written without it, and `negsample report` tries again"
        )
    return study.folder / "report.html"


class Put(NamedTuple):
    """How a dataset stands on a page: what it and its section are called, the ending of its files, and how the methods
    of the page look."""

    heading: str
    id: str
    suffix: str
    look: Mapping[str, Look]


def puts(study: Study, look: Mapping[str, Look]) -> list[Put]:
    """Of each dataset of a page of one study."""
    ending = suffixes(list(study.manifests))
    return [Put(name, f"dataset-{at}", ending[name], look) for at, name in enumerate(study.datasets(), 1)]


def section_of(analysis: Analysis, found: DatasetAnalysis, put: Put, *, users: bool = True) -> dict[str, Any]:
    """What the page has of one dataset, but for single users; ``users``: notes that name some. ``saved``: its table as
    files that the page saves."""
    study, dataset = analysis.study, found.dataset
    tunings, failed = study.tunings_of(dataset), tables.failure_lines(study, dataset)
    run = study.runs_of(dataset)[0]
    figures = dataset_figures(analysis, dataset, suffix=put.suffix, look=put.look)
    why, left_out = no_future(study.manifests[dataset].get("not_in_time")) or ("", "")
    measures, kinds = measures_of(study.runs), kinds_of(study.runs)
    main = figures_table(found.rows, main_columns(measures, kinds), found.tests)
    other = figures_table(found.rows, other_columns(measures, kinds))
    name = f"table--{put.suffix}"
    csv = analysis.table.filter(pl.col("dataset") == dataset).write_csv()
    known = {*study.methods_of(dataset), *(method for method, _, _ in failed)}
    absent = [name for name in study.about["methods"] if name not in known]
    searches = searches_table(tunings)
    trained = [row["method"] for row in found.rows if not is_baseline(row["method"])]
    events = measured(study, dataset)
    return {
        "dataset": put.heading,
        "id": put.id,
        "dial_words": words.dial_words(study),
        "other_dial": words.other_dial_words(study, found),
        "published_settings": study.published_settings,
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
        "searches": searches,
        "importance": importance_words(searches),
        "budget": tables.budget_words(study, tunings, trained) if tunings else "",
        "dialled": dialled_table(found.dialled, main_columns(measures, kinds)),
        "betas": sorted({row["dial"] for row in found.dialled if row["dial"] is not None}),
        "standing": tables.standing_table(found.standings),
        "facts": facts.dataset_facts(study.manifests[dataset], run.config["settings"]["history"]),
        "cohorts": tables.cohort_table(study.manifests[dataset]),
        "notes": [note for note in study.manifests[dataset]["notes"] if users or not note.startswith(WITH_MUCH)],
        **users_section(UsersFile(), set(), dataset),
        "windows": words.windows(study.folds[dataset], found.folds),
    }
