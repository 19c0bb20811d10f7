"""The figures of a study: each a chart with its title and caption, for the page and for the disk."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import altair as alt
import polars as pl

from negsample.analysis.analyse import Analysis
from negsample.analysis.popularity import hits_by_popularity
from negsample.analysis.reading import Study
from negsample.files.atomic import replacing
from negsample.report.charts import accuracy_balance, cohort_bars
from negsample.report.cost_charts import memory_chart, oversampling_chart, time_chart
from negsample.report.curves import training_curves
from negsample.report.drawing import Drawing
from negsample.report.encodings import MANY
from negsample.report.formats import listed, whole
from negsample.report.frontier_charts import frontier_chart, popularity_hits
from negsample.report.palette import PAPER, Look, looks
from negsample.report.popularity_charts import popularity_beside, popularity_curve
from negsample.report.tuning_charts import response_chart, responses
from negsample.runs.tunings import TuningSummary

Place = Literal["dial", "more", "tuning", "cost", "together"]
Drawn = tuple[Place, str, str, str, alt.LayerChart | None]
"""Place, name, title, caption and the chart, None where it has nothing to show."""


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
    study, rows = found.study, found.table.filter(pl.col("dataset") == dataset)
    manifest = study.manifests[dataset]
    look = looks(study.about["methods"])
    dialled = found.datasets[dataset].dialled
    absent = rows.filter(pl.col("balance@10").is_null())["method"].to_list()
    few = " With so many methods they are shown of those that are highlighted." if len(rows) > MANY else ""
    drawn: list[Drawn] = [
        (
            "dial",
            "frontier",
            "What each method reaches, over all settings of the dial",
            "Each curve is one method: small dots are settings of the dial, towards the tail on the right; the large"
            " mark is the setting that is shown (0: as trained). Bands: 90 % of resamples of users and seeds, of the"
            " highest NDCG@10 with at least that Balance." + few,
            frontier_chart(found.datasets[dataset].reaches, dialled, look),
        ),
        (
            "dial",
            "cohort-bars",
            "Hit rate by cohort",
            "HR@10 on the test events of popular (head), middling (mid) and rare (tail) items, in %."
            " Bars: one standard deviation over the runs.",
            cohort_bars(dialled, look),
        ),
        (
            "dial",
            "popularity-hits",
            "Hit rate by popularity",
            "HR@10 on the test events of items up to that percentile: the share of the train events that are of less"
            " popular items, so that the cohorts are a third each. Means over the runs.",
            popularity_hits(hits_by_popularity(study, dataset), look),
        ),
        (
            "more",
            "accuracy-balance",
            "Accuracy against Balance, at the dial of the table",
            "Up is more accurate, right is more even between head, mid and tail. Bars: one standard deviation"
            " over the runs." + (f" Not drawn, for want of a defined Balance: {listed(absent)}." if absent else ""),
            accuracy_balance(rows, look),
        ),
        (
            "more",
            "training-curves",
            "Training, seen on validation",
            "Mean over the runs with a band of one standard deviation; a ring marks the epoch each run was"
            " measured at, chosen on validation. Dashed: PopRec, which is not trained." + few.replace("they", "bands"),
            training_curves(study.runs_of(dataset), look),
        ),
        (
            "more",
            "popularity-curve",
            "How popular the items are",
            "Each cohort holds about a third of the train events."
            + (
                f" Not drawn: the {whole(manifest['cold_items'])} items never seen in training, which count as tail."
                if manifest["cold_items"]
                else ""
            ),
            popularity_curve(manifest),
        ),
        *_of_tuning(study.tunings_of(dataset), look),
        *_of_cost(study, dataset, look),
    ]
    suffix = suffixes(list(study.manifests))[dataset]
    return [
        Figure(
            f"{name}--{suffix}",
            title,
            caption,
            _spec(chart, f"{title}, {dataset}. {caption}"),
            place,
        )
        for place, name, title, caption, chart in drawn
        if chart is not None
    ]


def joint_figures(study: Study) -> list[Figure]:
    """What sets the datasets beside one another; nothing where there is one."""
    chart = popularity_beside({dataset: study.manifests[dataset] for dataset in study.datasets()})
    if chart is None:
        return []
    title = "How popular the items are, dataset by dataset"
    caption = (
        "Each item's share of the train events against its rank: the steeper, the more of them are of a few items."
        " Items never seen in training are not drawn."
    )
    return [Figure("popularity-beside", title, caption, _spec(chart, f"{title}. {caption}"), "together")]


def _of_tuning(tunings: Sequence[TuningSummary], look: Mapping[str, Look]) -> list[Drawn]:
    """The paper's Figure 5: one for each setting that was searched."""
    caption = (
        "NDCG@10 on validation, at the epoch with the best HR@10. A point a trial: full where it was trained to its"
        " end, hollow where it was pruned, after fewer epochs; a ring marks what was chosen, by HR@10. The line runs"
        " through the best complete trials; the other settings vary along it."
    )
    return [
        (
            "tuning",
            f"tuning-{name.replace('_', '-')}",
            f"Validation by {name.replace('_', ' ')}",
            caption,
            response_chart(tunings, name, look),
        )
        for name in responses(tunings)
    ]


def _of_cost(study: Study, dataset: str, look: Mapping[str, Look]) -> list[Drawn]:
    return [
        (
            "cost",
            "training-time",
            "Time to train",
            "Full: to the end; hollow: to the epoch that was chosen on validation. Means over the runs,"
            " on the machine named below. Measuring is not counted.",
            time_chart(study, dataset, look),
        ),
        (
            "cost",
            "peak-memory",
            "Peak memory",
            "The most that a run of the method held, of its runs the largest: on a CPU the whole process, on a GPU its"
            " tensors.",
            memory_chart(study, dataset, look),
        ),
        (
            "cost",
            "oversampling",
            "What reusing mini-batches buys",
            "Numbers at the points: the oversampling factor, for how many epochs new mini-batches are drawn before they"
            " are used again; off: new ones in every epoch. Means over the runs, test figures.",
            oversampling_chart(study, dataset, look),
        ),
    ]


def write_figures(figures: Iterable[Figure], folder: Path, width: int = 640) -> list[Figure]:
    """Each as an SVG in ``folder``, on white, ``width`` pixels wide. Returns those that could not be drawn."""
    failed = []
    with Drawing() as drawing:
        for figure in figures:
            svg = drawing.svg(figure.spec | {"width": width}, PAPER)
            if svg is None:
                failed.append(figure)
            else:
                write_text(folder / f"{figure.name}.svg", svg)
    return failed


def write_text(path: Path, text: str) -> Path:
    """``text`` as UTF-8, in place of what was there in one step."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")
    return path


def _spec(chart: alt.LayerChart, description: str) -> dict[str, Any]:
    spec: dict[str, Any] = chart.properties(description=description).to_dict()
    return {key: value for key, value in spec.items() if key not in ("config", "$schema")}


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
