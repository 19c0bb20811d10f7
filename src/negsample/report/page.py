"""The report's page: one file that opens without a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, get_args

import polars as pl
import vl_convert
from markupsafe import Markup

from negsample.analysis.analyse import Analysis, DatasetAnalysis, analyse
from negsample.analysis.measures import kinds_of, measures_of
from negsample.analysis.reading import is_of_study, read_study
from negsample.analysis.study import POPULAR, Study
from negsample.analysis.tables import frontier_table, table_with_failures, write_table
from negsample.errors import guarded
from negsample.files.together import rewriting
from negsample.report import facts, tables, words
from negsample.report.claims import advice_claims, claims_table
from negsample.report.figures import Figure, Place, dataset_figures, joint_figures, suffixes, write_figures, write_text
from negsample.report.formats import listed, when
from negsample.report.latex import latex_tables
from negsample.report.palette import DARK, LIGHT, PAPER, looks
from negsample.report.rendering import environment
from negsample.report.supplement import Supplement, Supplementing
from negsample.report.table import FiguresTable, figures_table, main_columns, other_columns

_HERE = Path(__file__).parent
_SCRIPTS = ("page.js", "saving.js", "sorting.js")


class _Shown(NamedTuple):
    """What the page shows beside the analysis. ``figures``, ``main``, ``other`` and ``latex``: by dataset, its charts,
    its tables of figures, and these as LaTeX; ``joint``: charts of all datasets; ``undrawn``: names of SVG files that
    could not be made."""

    figures: Mapping[str, list[Figure]]
    joint: list[Figure]
    main: Mapping[str, FiguresTable]
    other: Mapping[str, FiguresTable]
    latex: Mapping[str, str]
    supplement: Supplement
    undrawn: Sequence[str] = ()

    @property
    def every_figure(self) -> list[Figure]:
        return [figure for some in (*self.figures.values(), self.joint) for figure in some]


@guarded
def write_report(
    study: Study | Path | str,
    tell: Callable[[str], None] = lambda line: None,
    *,
    supplement: Supplementing | None = None,
) -> Path:
    """Writes ``report.html``, ``table.csv``, ``table.tex``, ``frontier.csv``, ``significance.csv``, ``figures/*.svg``.

    They take the place of earlier ones all at once, and are listed in the study's checksums.

    Args:
        study: a study, or its folder.
        tell: told in a line of each figure that could not be drawn.
        supplement: makes what else the report shows, as :func:`negsample.paper.supplement.paper_supplement` does.

    Returns:
        The page.

    Raises:
        InputError: there is no study, or it is damaged.
    """
    study = study if isinstance(study, Study) else read_study(Path(study))
    found = analyse(study)
    shown = _shown(found, supplement(found) if supplement else Supplement())
    files = {
        "table.csv": table_with_failures(study, found.table),
        "frontier.csv": frontier_table(study),
        "significance.csv": found.significance(),
    }
    with rewriting(study.folder, "study", keep=is_of_study) as scratch:
        for name, table in (files | dict(shown.supplement.files)).items():
            write_table(table, scratch / name)
        (scratch / "figures").mkdir()
        undrawn = [f"{each.name}.svg" for each in write_figures(shown.every_figure, scratch / "figures")]
        write_text(scratch / "table.tex", "\n".join(shown.latex.values()))
        write_text(scratch / "report.html", _render(found, shown._replace(undrawn=undrawn)))
    for name in undrawn:  # that of an earlier report is of other figures
        (study.folder / "figures" / name).unlink(missing_ok=True)
        tell(f"figures/{name} could not be drawn; the report is written without it, and `negsample report` tries again")
    return study.folder / "report.html"


def _shown(found: Analysis, supplement: Supplement) -> _Shown:
    study, measures, kinds = found.study, measures_of(found.study.runs), kinds_of(found.study.runs)
    main = {
        name: figures_table(each.rows, main_columns(measures, kinds), each.tests)
        for name, each in found.datasets.items()
    }
    other = {name: figures_table(each.rows, other_columns(measures, kinds)) for name, each in found.datasets.items()}
    return _Shown(
        {dataset: dataset_figures(found, dataset) for dataset in found.datasets},
        joint_figures(study),
        main,
        other,
        {dataset: latex_tables(study, dataset, main[dataset], other[dataset]) for dataset in found.datasets},
        supplement,
    )


def _render(found: Analysis, shown: _Shown) -> str:
    """The page's text."""
    study = found.study
    template = environment(_HERE).get_template("page.html.jinja")
    return template.render(
        title=f"Negative sampling on {listed(study.datasets())}",
        study=study,
        made=when(study.about["created"]),
        sections=[_section(study, each, shown) for each in found.datasets.values()],
        missing=[name for name in study.manifests if not study.runs_of(name)],
        facts=facts.study_facts(study),
        dial_words=words.dial_words(study),
        settings=tables.settings_table(study, [row for each in found.datasets.values() for row in each.rows]),
        colours=_colours(study),
        saved={_id(study, dataset): _saved(found, dataset, shown.latex[dataset]) for dataset in found.datasets},
        charts={figure.name: figure.spec for figure in shown.every_figure},
        together=shown.joint,
        supplement=shown.supplement,
        undrawn=shown.undrawn,
        configs={"light": LIGHT, "dark": DARK, "paper": PAPER},
        style=Markup((_HERE / "page.css").read_text("utf-8")),
        script=Markup("\n".join((_HERE / name).read_text("utf-8") for name in _SCRIPTS)),
        vega=Markup(_vega()),
    )


def _saved(found: Analysis, dataset: str, latex: str) -> dict[str, dict[str, str]]:
    """The table of ``dataset`` as files that the page saves."""
    name = f"table--{suffixes(list(found.study.manifests))[dataset]}"
    texts = {"csv": found.table.filter(pl.col("dataset") == dataset).write_csv(), "tex": latex}
    return {kind: {"name": f"{name}.{kind}", "text": text} for kind, text in texts.items()}


def _section(study: Study, found: DatasetAnalysis, shown: _Shown) -> dict[str, Any]:
    dataset, manifest, tunings = found.dataset, study.manifests[found.dataset], study.tunings_of(found.dataset)
    run, failed = study.runs_of(dataset)[0], tables.failure_lines(study, dataset)
    events, figures = run.metrics["test"], shown.figures[dataset]
    known = {*study.methods_of(dataset), *(method for method, _, _ in failed)}
    trained = [row["method"] for row in found.rows if row["method"] != POPULAR]
    claims = advice_claims(found.advice, found.tests) if events["events"] else []
    return {
        "dataset": dataset,
        "id": _id(study, dataset),
        "headline": words.headline(found, events),
        "limits": words.limits(found, events),
        "advice": tables.advice_table(found.advice),
        "claims": claims_table("What the advice claims, tested", claims),
        "families": tables.families_table(found.tests),
        "main": shown.main[dataset],
        "other": shown.other[dataset],
        "tested": any(each.p is not None for each in found.tests.found),
        "failed": failed,
        "absent": [name for name in study.about["methods"] if name not in known],
        **{place: [figure for figure in figures if figure.place == place] for place in get_args(Place)},
        "tuned": tables.tuning_table(tunings),
        "budget": tables.budget_words(study, tunings, trained) if tunings else "",
        "betas": sorted({row["dial"] for row in found.dialled if row["dial"] is not None}),
        "standing": tables.standing_table(found.advice.standings),
        "facts": facts.dataset_facts(manifest, run.config["settings"]["history"]),
        "cohorts": tables.cohort_table(manifest),
        "notes": manifest["notes"],
    }


def _id(study: Study, dataset: str) -> str:
    return f"dataset-{study.datasets().index(dataset) + 1}"


def _colours(study: Study) -> dict[str, str]:
    """Of the methods with a finished run, in the study's order."""
    found = {method for dataset in study.datasets() for method in study.methods_of(dataset)}
    look = looks(study.about["methods"])
    return {name: look[name].colour for name in study.about["methods"] if name in found}


@cache
def _vega() -> str:
    """Vega, Vega-Lite and Vega-Embed, for a script element."""
    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    assert "</script" not in bundle.lower(), "the bundle would end its own script element"
    return bundle
