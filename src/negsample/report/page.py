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
from negsample.analysis.formats import listed, when
from negsample.analysis.reading import POPULAR, Study, is_of_study, read_study
from negsample.analysis.tables import frontier_table, whole_table, write_table
from negsample.errors import guarded
from negsample.files.checksums import rewriting
from negsample.report import cells, facts
from negsample.report.failures import failure_lines
from negsample.report.figures import Figure, Place, dataset_figures, joint_figures, suffixes, write_figures, write_text
from negsample.report.latex import latex_table
from negsample.report.palette import DARK, LIGHT, PAPER, looks
from negsample.report.rendering import environment
from negsample.report.significance_words import cells_not_tested
from negsample.report.supplement import Supplement, Supplementing
from negsample.report.tuning_words import budget_words, tuned_lines
from negsample.report.words import dataset_words

_HERE = Path(__file__).parent
_SCRIPTS = ("page.js", "saving.js", "sorting.js")


class _Shown(NamedTuple):
    """What the page shows beside the analysis. ``figures``: by dataset; ``joint``: of all datasets; ``latex``: the
    table of each dataset; ``undrawn``: names of SVG files that could not be made."""

    figures: Mapping[str, list[Figure]]
    joint: list[Figure]
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
    shown = _Shown(
        {dataset: dataset_figures(found, dataset) for dataset in found.datasets},
        joint_figures(study),
        {dataset: latex_table(study, dataset, _lines(study, each)) for dataset, each in found.datasets.items()},
        supplement(found) if supplement else Supplement(),
    )
    tables = {
        "table.csv": whole_table(study),
        "frontier.csv": frontier_table(study),
        "significance.csv": found.significance(),
    }
    with rewriting(study.folder, "study", keep=is_of_study) as scratch:
        for name, table in (tables | dict(shown.supplement.files)).items():
            write_table(table, scratch / name)
        (scratch / "figures").mkdir()
        undrawn = [f"{each.name}.svg" for each in write_figures(shown.every_figure, scratch / "figures")]
        write_text(scratch / "table.tex", "\n".join(shown.latex.values()))
        write_text(scratch / "report.html", _render(found, shown._replace(undrawn=undrawn)))
    for name in undrawn:  # that of an earlier report is of other figures
        (study.folder / "figures" / name).unlink(missing_ok=True)
        tell(f"figures/{name} could not be drawn; the report is written without it, and `negsample report` tries again")
    return study.folder / "report.html"


def _render(found: Analysis, shown: _Shown) -> str:
    """The page's text."""
    study, table = found.study, found.table
    return (
        environment(_HERE)
        .get_template("page.html.jinja")
        .render(
            title=f"Negative sampling on {listed(study.datasets())}",
            study=study,
            made=when(study.about["created"]),
            sections=[_section(study, each, shown.figures[dataset]) for dataset, each in found.datasets.items()],
            missing=[name for name in study.manifests if not study.runs_of(name)],
            columns=cells.COLUMNS,
            facts=facts.study_facts(study),
            dial_words=facts.dial_words(study),
            methods=facts.methods_made(study, table),
            measured_memory=table["peak_memory_bytes"].is_not_null().any(),
            again=facts.again(study),
            named_methods=_methods(study),
            tables={_id(study, dataset): _saved(found, dataset, shown.latex[dataset]) for dataset in found.datasets},
            charts={figure.name: figure.spec for figure in shown.every_figure},
            together=shown.joint,
            supplement=shown.supplement,
            undrawn=shown.undrawn,
            configs={"light": LIGHT, "dark": DARK, "paper": PAPER},
            style=Markup((_HERE / "page.css").read_text("utf-8")),
            script=Markup("\n".join((_HERE / name).read_text("utf-8") for name in _SCRIPTS)),
            vega=Markup(_vega()),
        )
    )


def _saved(found: Analysis, dataset: str, latex: str) -> dict[str, dict[str, str]]:
    """The table of ``dataset`` as files that the page saves."""
    name = f"table--{suffixes(list(found.study.manifests))[dataset]}"
    texts = {"csv": found.table.filter(pl.col("dataset") == dataset).write_csv(), "tex": latex}
    return {kind: {"name": f"{name}.{kind}", "text": text} for kind, text in texts.items()}


def _section(study: Study, found: DatasetAnalysis, figures: list[Figure]) -> dict[str, Any]:
    dataset, rows = found.dataset, found.rows
    runs = study.runs_of(dataset)
    manifest = study.manifests[dataset]
    tunings = study.tunings_of(dataset)
    trained = [row["method"] for row in rows if row["method"] != POPULAR]
    failed = failure_lines(study, dataset)
    return {
        "dataset": dataset,
        "id": _id(study, dataset),
        "words": dataset_words(rows, runs[0].metrics["test"], found.offers, found.tests, found.cut_off),
        "lines": _lines(study, found),
        "tested": any(each.p is not None for each in found.tests.found),
        "untested": cells_not_tested(found.tests),
        "failed": failed,
        "absent": [
            name
            for name in study.about["methods"]
            if name not in (*study.methods_of(dataset), *(each.method for each in failed))
        ],
        **{place: [figure for figure in figures if figure.place == place] for place in get_args(Place)},
        "tuned": tuned_lines(tunings, looks(study.about["methods"])),
        "budget": budget_words(tunings, trained, used=not study.published_settings) if tunings else "",
        "betas": sorted({row["dial"] for row in found.dialled if row["dial"] is not None}),
        "standing": cells.standing_lines(found.offers.standings, looks(study.about["methods"])),
        "facts": facts.dataset_facts(manifest, runs[0].config["settings"]["history"]),
        "cohorts": facts.cohort_facts(manifest),
        "notes": manifest["notes"],
    }


def _id(study: Study, dataset: str) -> str:
    return f"dataset-{study.datasets().index(dataset) + 1}"


def _lines(study: Study, found: DatasetAnalysis) -> list[cells.Line]:
    return cells.lines(found.rows, looks(study.about["methods"]), found.tests)


def _methods(study: Study) -> list[dict[str, str]]:
    """The methods with a finished run, each with its colour."""
    found = {method for dataset in study.datasets() for method in study.methods_of(dataset)}
    look = looks(study.about["methods"])
    return [{"name": name, "colour": look[name].colour} for name in study.about["methods"] if name in found]


@cache
def _vega() -> str:
    """Vega, Vega-Lite and Vega-Embed, for a script element."""
    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    assert "</script" not in bundle.lower(), "the bundle would end its own script element"
    return bundle
