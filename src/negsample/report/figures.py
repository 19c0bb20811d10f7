"""The figures of a study: each a chart with its title and caption, for the page and for the disk."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import altair as alt
from altair.utils.schemapi import debug_mode

from negsample.analysis.analyse import Analysis
from negsample.analysis.folds import ndcg_by_time
from negsample.analysis.popularity import hits_by_popularity
from negsample.analysis.study import Study
from negsample.analysis.trainings import costs_of, oversampling_of
from negsample.report.cost_charts import memory_chart, oversampling_chart, time_chart
from negsample.report.dial_charts import cohort_bars, frontier_chart, popularity_hits
from negsample.report.drawing import drawn
from negsample.report.fold_charts import age_chart, window_chart
from negsample.report.palette import PAPER, looks
from negsample.report.popularity_charts import popularity_beside, popularity_chart
from negsample.report.significance_charts import critical_difference, matrix
from negsample.report.validation_charts import response_chart, responses, training_curves

Place = Literal["dial", "tests", "folds", "more", "tuning", "cost", "together"]


class Figure(NamedTuple):
    """``name``: file name without its ending, also the id on the page. ``spec``: Vega-Lite, without colours
    of ground and ink (those are a config's). ``place``: where on the page it stands; what stands at ``dial``
    follows the dial."""

    name: str
    title: str
    caption: str
    spec: dict[str, Any]
    place: Place


def dataset_figures(found: Analysis, dataset: str) -> list[Figure]:
    """The figures of one dataset, what its methods reach first; one that has nothing to show is left out."""
    study, look = found.study, looks(found.study.about["methods"])
    one, manifest, tunings = found.datasets[dataset], study.manifests[dataset], study.tunings_of(dataset)
    costs, suffix = costs_of(study, dataset), suffixes(list(study.manifests))[dataset]
    with debug_mode(False):  # the renderer refuses what is no chart; to check each part here doubles the time
        charts: dict[str, alt.LayerChart | None] = {
            "frontier": frontier_chart(one.reaches, one.dialled, look),
            "cohort-bars": cohort_bars(one.dialled, look),
            "significance": matrix(one.rows, one.tests),
            "critical-difference": critical_difference(one.rows, one.verdict.advice, one.tests, look),
            "by-window": window_chart(one.folds, look),
            "by-time": age_chart(ndcg_by_time(study, dataset), look),
            "popularity-hits": popularity_hits(hits_by_popularity(study, dataset), look),
            "training-curves": training_curves(study.runs_of(dataset), look),
            "popularity-curve": popularity_chart(manifest),
            **{f"tuning-{name.replace('_', '-')}": response_chart(tunings, name, look) for name in responses(tunings)},
            "training-time": time_chart(costs, look),
            "peak-memory": memory_chart(costs, look),
            "oversampling": oversampling_chart(oversampling_of(study, dataset), look),
        }
        return [_figure(name, chart, dataset, f"--{suffix}") for name, chart in charts.items() if chart is not None]


def joint_figures(study: Study) -> list[Figure]:
    """What sets the datasets beside one another; nothing where there is one."""
    chart = popularity_beside({dataset: study.manifests[dataset] for dataset in study.datasets()})
    return [] if chart is None else [_figure("popularity-beside", chart, "all datasets")]


def _figure(name: str, chart: alt.LayerChart, of: str, suffix: str = "") -> Figure:
    kind, _, setting = name.partition("-") if name.startswith("tuning-") else (name, "", "")
    texts = _texts()[kind]
    title = texts["title"].format(name=setting.replace("-", " "))
    described = chart.properties(description=f"{title}, {of}. {texts['caption']}")
    spec: dict[str, Any] = described.to_dict(validate=False)  # the renderer refuses what is no chart
    plain = {key: value for key, value in spec.items() if key not in ("config", "$schema")}
    place: Any = texts["place"]
    return Figure(f"{name}{suffix}", title, texts["caption"], plain, place)


@cache
def _texts() -> Mapping[str, Mapping[str, str]]:
    return tomllib.loads(Path(__file__).with_name("figures.toml").read_text("utf-8"))


def write_figures(figures: Sequence[Figure], folder: Path, width: int = 640) -> list[Figure]:
    """Each as an SVG in ``folder``, on white, ``width`` pixels wide. Returns those that could not be drawn."""
    svgs = drawn([figure.spec | {"width": width} for figure in figures], PAPER)
    for figure, svg in zip(figures, svgs, strict=True):
        if svg is not None:
            (folder / f"{figure.name}.svg").write_text(svg, encoding="utf-8", newline="")
    return [figure for figure, svg in zip(figures, svgs, strict=True) if svg is None]


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
