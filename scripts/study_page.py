"""`python -m scripts.study_page STUDY DIR`: a finished study in small form, for a repository.

DIR gets `README.md` (the report's words, tables and charts as Markdown), `figures.json` (the study's `table.csv` and
`significance.csv`) and the charts; nothing in it is of the log's users or items. Charts are those of STUDY/figures,
which `negsample report STUDY` makes anew.
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import polars as pl

from negsample.analysis.analyse import Analysis, DatasetAnalysis, analyse
from negsample.analysis.measures import kinds_of, measures_of
from negsample.analysis.reading import read_study
from negsample.analysis.study import Study
from negsample.paper.findings import findings
from negsample.report import facts, tables, words
from negsample.report.claims import claims_table
from negsample.report.figures import Figure, dataset_figures
from negsample.report.table import figures_table, main_columns
from negsample.report.verdict import verdict_lines

CHARTS = (
    "frontier",
    "cohort-bars",
    "popularity-hits",
    "training-curves",
    "tuning-learning-rate",
    "training-time",
    "oversampling",
)
FILES = ("table", "significance")


def main() -> None:
    """Write it."""
    parser = argparse.ArgumentParser(prog="python -m scripts.study_page")
    parser.add_argument("study", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    study = read_study(given.study)
    given.out.mkdir(parents=True, exist_ok=True)
    found = analyse(study)
    shown = {dataset: _shown(found, dataset) for dataset in found.datasets}
    for figure in (each for some in shown.values() for each in some):
        shutil.copyfile(given.study / "figures" / f"{figure.name}.svg", given.out / f"{figure.name}.svg")
    tables = {name: pl.read_csv(given.study / f"{name}.csv").to_dicts() for name in FILES}
    (given.out / "figures.json").write_text(json.dumps(tables, indent=0) + "\n", encoding="utf-8")
    (given.out / "README.md").write_text(page(found, shown), encoding="utf-8")


def page(found: Analysis, shown: dict[str, list[Figure]]) -> str:
    """The whole page."""
    study = found.study
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
    )
    return environment.get_template("study.md.jinja").render(
        study=study,
        sections=[_section(study, each, shown[dataset]) for dataset, each in found.datasets.items()],
        facts=facts.study_facts(study),
        dial_words=words.dial_words(study),
        again=_without_folders(study.about["command"]) if "command" in study.about else "",
    )


def _without_folders(command: str) -> str:
    """The command without the folders of the machine that it was given on."""
    words = [Path(word).name if Path(word).is_absolute() else word for word in shlex.split(command)]
    return shlex.join(words)


def _shown(found: Analysis, dataset: str) -> list[Figure]:
    of = {figure.name.partition("--")[0]: figure for figure in dataset_figures(found, dataset)}
    return [of[name] for name in CHARTS if name in of]


def _section(study: Study, found: DatasetAnalysis, figures: Sequence[Figure]) -> dict[str, Any]:
    run, tunings = study.runs_of(found.dataset)[0], study.tunings_of(found.dataset)
    events = run.metrics["test"]
    tested = findings(found.rows, found.tests)
    return {
        "dataset": found.dataset,
        "verdict": verdict_lines(study, found.verdict),
        "limits": words.limits(found, events),
        "small": [tables.families_table(found.tests)],
        "standing": tables.standing_table(found.standings),
        "main": figures_table(found.rows, main_columns(measures_of(study.runs), kinds_of(study.runs)), found.tests),
        "findings": [(each, claims_table(each.claim, each.evidence)) for each in tested],
        "tuned": tables.tuning_table(tunings),
        "budget": tables.budget_words(study, tunings, [run.config["method"] for run in study.trained()]),
        "figures": figures,
        "facts": facts.dataset_facts(study.manifests[found.dataset], run.config["settings"]["history"]),
    }


if __name__ == "__main__":
    main()
