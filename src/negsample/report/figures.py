"""The figures of a study: each a chart with its title and caption, for the page and for the disk."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import altair as alt
from altair.utils.schemapi import debug_mode

from negsample.analysis.analyse import Analysis
from negsample.analysis.folds import has_folds, ndcg_by_time
from negsample.analysis.popularity import hits_by_popularity
from negsample.analysis.study import Study
from negsample.analysis.trainings import costs_of, oversampling_of
from negsample.report.cost_charts import memory_chart, oversampling_chart, time_chart
from negsample.report.dial_charts import by_dial, cohort_bars, popularity_hits
from negsample.report.drawing import compiled, drawn, pixels
from negsample.report.fold_charts import age_chart, window_chart
from negsample.report.frontier_chart import frontier_chart
from negsample.report.palette import LIGHT, PAPER, Look, looks
from negsample.report.popularity_charts import popularity_beside, popularity_chart
from negsample.report.searches import search_chart
from negsample.report.significance_charts import critical_difference, matrix
from negsample.report.validation_charts import response_chart, responses, training_curves

Place = Literal["dial", "tests", "folds", "more", "tuning", "search", "cost", "together", "joint"]


class Figure(NamedTuple):
    """``name``: file name without its ending, also the id on the page. ``spec``: Vega-Lite, without colours
    of ground and ink (those are a config's). ``place``: where on the page it stands; what stands at ``dial``
    follows the dial."""

    name: str
    title: str
    caption: str
    spec: dict[str, Any]
    place: Place


def dataset_figures(
    found: Analysis,
    dataset: str,
    only: str | None = None,
    *,
    suffix: str | None = None,
    look: Mapping[str, Look] | None = None,
) -> list[Figure]:
    """The figures of one dataset, what its methods reach first; one that has nothing to show is left out. ``only``: the
    one of that kind alone. ``suffix``, ``look``: of the names and methods, where the page has other studies too."""
    suffix = suffix or suffixes(list(found.study.manifests))[dataset]
    with debug_mode(False):  # the renderer refuses what is no chart; to check each part here doubles the time
        makers = _makers(found, dataset, look or looks(found.study.about["methods"]))
        charts = {name: make() for name, make in makers.items() if only in (None, name)}
        return [figure_of(name, chart, dataset, f"--{suffix}") for name, chart in charts.items() if chart is not None]


def _makers(found: Analysis, dataset: str, look: Mapping[str, Look]) -> dict[str, Callable[[], alt.LayerChart | None]]:
    """Of each kind of figure, what draws it."""
    study = found.study
    one, manifest, tunings = found.datasets[dataset], study.manifests[dataset], study.tunings_of(dataset)
    return {
        "frontier": lambda: frontier_chart(one.reaches, one.standings, one.dialled, look),
        "cohort-bars": lambda: cohort_bars(one.dialled, look),
        "popularity-hits": lambda: popularity_hits(hits_by_popularity(study, dataset), look),
        "by-dial": lambda: by_dial(one.dialled, look),
        "significance": lambda: matrix(one.rows, one.tests),
        "critical-difference": lambda: critical_difference(one.rows, one.verdict.advice, one.tests, look),
        "by-window": lambda: window_chart(one.folds, look),
        age_name(study, dataset): lambda: age_chart(ndcg_by_time(study, dataset), look),
        "training-curves": lambda: training_curves(study.runs_of(dataset), look),
        "popularity-curve": lambda: popularity_chart(manifest),
        **{
            f"tuning-{name.replace('_', '-')}": partial(response_chart, tunings, name, look)
            for name in responses(tunings)
        },
        "search": lambda: search_chart(tunings, look),
        "training-time": lambda: time_chart(costs_of(study, dataset), look),
        "peak-memory": lambda: memory_chart(costs_of(study, dataset), look),
        "oversampling": lambda: oversampling_chart(oversampling_of(study, dataset), look),
    }


def age_name(study: Study, dataset: str) -> str:
    """What the figure of accuracy by age is called: over folds it says so."""
    return "by-time" if has_folds(study, dataset) else "by-age"


def joint_figures(manifests: Mapping[str, Mapping[str, Any]]) -> list[Figure]:
    """What sets the datasets beside one another; nothing where there is one. ``manifests``: by the name of each."""
    with debug_mode(False):  # as above
        chart = popularity_beside(manifests)
        return [] if chart is None else [figure_of("popularity-beside", chart, "all datasets")]


def figure_of(name: str, chart: alt.LayerChart, of: str, suffix: str = "") -> Figure:
    """A chart with the texts of its kind; ``of``: what it is of, in words."""
    kind, _, setting = name.partition("-") if name.startswith("tuning-") else (name, "", "")
    texts = _texts()[kind]
    title = texts["title"].format(name=setting.replace("-", " "))
    chart.description = f"{title}, {of}. {texts['caption']}"  # without a copy of the chart
    spec: dict[str, Any] = chart.to_dict(validate=False)  # the renderer refuses what is no chart
    plain = {key: value for key, value in spec.items() if key not in ("config", "$schema")}
    plain["datasets"] = {name: list(rows) for name, rows in spec["datasets"].items()}
    place: Any = texts["place"]
    return Figure(f"{name}{suffix}", title, texts["caption"], plain, place)


@cache
def _texts() -> Mapping[str, Mapping[str, str]]:
    return tomllib.loads(Path(__file__).with_name("figures.toml").read_text("utf-8"))


def write_figures(figures: Sequence[Figure], folder: Path, width: int = 640, *, png: bool = True) -> list[str]:
    """Each as SVG in ``folder``, and as ``png`` of twice the pixels, on white, ``width`` pixels wide. Returns the names
    of the files that could not be drawn."""
    svgs = drawn([figure.spec | {"width": width} for figure in figures], PAPER)
    files = {
        f"{figure.name}.svg": None if svg is None else svg.encode() for figure, svg in zip(figures, svgs, strict=True)
    }
    if png:
        known = {name: svg for name, svg in zip(files, svgs, strict=True) if svg is not None}
        files |= {f"{figure.name}.png": None for figure in figures}
        files |= {f"{name[:-4]}.png": each for name, each in zip(known, pixels(list(known.values())), strict=True)}
    for name, content in files.items():
        if content is not None:
            (folder / name).write_bytes(content)
    return [name for name, content in files.items() if content is None]


def page_charts(figures: Sequence[Figure]) -> dict[str, dict[str, Any]]:
    """What the page draws each with, by name: its Vega, in the colours of a light ground, and where its values stand.

    ``values``: the data of the first marks that answer to the pointer, and their columns with their titles. A figure
    that cannot be drawn is left out.
    """
    found = compiled([figure.spec for figure in figures], LIGHT)
    return {
        figure.name: {
            "vega": {key: value for key, value in vega.items() if key != "$schema"},
            "values": _values(figure.spec),
        }
        for figure, vega in zip(figures, found, strict=True)
        if vega is not None
    }


def _values(spec: Mapping[str, Any]) -> dict[str, Any]:
    told = next(layer for layer in spec["layer"] if layer.get("encoding", {}).get("tooltip"))
    columns = [[each["field"], each["title"]] for each in told["encoding"]["tooltip"]]
    return {"data": told.get("data", spec.get("data"))["name"], "columns": columns}


def suffixes(datasets: list[str]) -> dict[str, str]:
    """A file-name-safe, distinct suffix for each dataset."""
    found: dict[str, str] = {}
    for name in datasets:
        plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "dataset"
        taken = set(found.values())
        found[name] = next(
            each for each in (plain, *(f"{plain}-{i}" for i in range(2, 2 + len(datasets)))) if each not in taken
        )
    return found
