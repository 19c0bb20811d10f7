from __future__ import annotations

import json
from pathlib import Path

import pytest
from make_study import METHODS, make_study, manifest

from negsample.analysis.analyse import analyse
from negsample.analysis.frontier import reaches
from negsample.analysis.popularity import hits_by_popularity
from negsample.analysis.reading import read_study
from negsample.analysis.tables import dialled_rows
from negsample.models.baselines import BASELINES
from negsample.report.dial_charts import cohort_bars, frontier_chart, popularity_hits
from negsample.report.encodings import shade
from negsample.report.figures import dataset_figures, write_figures
from negsample.report.palette import looks
from negsample.report.popularity_charts import popularity_chart
from negsample.report.validation_charts import training_curves


def test_every_chart_has_every_method_in_its_own_colour(whole_study: Path) -> None:
    study = read_study(whole_study)
    look = looks(list(METHODS))
    assert len({each.colour for each in look.values()}) == len(METHODS)
    for chart in (
        cohort_bars(dialled_rows(study, "beauty"), look),
        frontier_chart(reaches(study, "beauty"), dialled_rows(study, "beauty"), look),
        popularity_hits(hits_by_popularity(study, "beauty"), look),
        training_curves(study.runs_of("beauty"), look),
    ):
        assert chart is not None
        text = json.dumps(chart.to_dict())
        for method, each in look.items():
            assert f'"{method}"' in text
            assert each.colour in text


def test_looks_stay_distinct_past_the_palette() -> None:
    many = looks([f"method-{i}" for i in range(20)] + list(BASELINES))
    assert len(set(many.values())) == 20 + len(BASELINES)


def test_curves_mark_the_chosen_epoch_of_each_run(whole_study: Path) -> None:
    study = read_study(whole_study)
    chart = training_curves(study.runs_of("beauty", "mixed"), looks(["mixed"]))
    assert chart is not None
    spec = chart.to_dict()
    picks = spec["datasets"][spec["layer"][2]["data"]["name"]]
    assert [row["epoch"] for row in picks] == [r.metrics["best_epoch"] for r in study.runs_of("beauty", "mixed")]


def test_nothing_to_draw_is_no_chart(tmp_path: Path) -> None:
    study = read_study(make_study(tmp_path / "study", datasets=["beauty"], methods=["PopRec"]))
    assert training_curves(study.runs, looks(["PopRec"])) is None
    unseen = manifest("beauty") | {"popularity_curve": {"rank": [1], "count": [0], "cohort": ["tail"], "total": 1}}
    assert popularity_chart(unseen) is None
    names = [figure.name for figure in dataset_figures(analyse(study), "beauty")]
    assert names == [f"{name}--beauty" for name in ("frontier", "cohort-bars", "popularity-hits", "popularity-curve")]


def test_popularity_curve_says_the_shares_in_words() -> None:
    chart = popularity_chart(manifest("beauty"))
    assert chart is not None
    assert "head: 182 items, 1.5\N{NO-BREAK SPACE}% of the catalogue" in json.dumps(chart.to_dict(), ensure_ascii=False)


def test_figure_names_are_safe_file_names(tmp_path: Path) -> None:
    names = ["a/b", "a b", "../..", "<b>", "a-b"]
    study = read_study(make_study(tmp_path / "study", datasets=names, methods=["random", "PopRec"], repeats=1))
    found = analyse(study)
    of_datasets = [dataset_figures(found, dataset) for dataset in names]
    assert len({figure.name for figures in of_datasets for figure in figures}) == 7 * len(names)
    first = [figures[0] for figures in of_datasets]
    assert write_figures(first, tmp_path) == []
    for figure in first:
        assert "/" not in figure.name
        assert (tmp_path / f"{figure.name}.svg").read_text().startswith("<svg")


@pytest.mark.parametrize(("count", "shown"), [(12, True), (13, False)])
def test_of_many_methods_bands_wait_until_they_are_highlighted(count: int, shown: bool) -> None:
    assert ("0.02" in str(shade([f"m{i}" for i in range(count)]))) == shown


def test_what_has_no_band_does_not_hide_those_of_others(whole_study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every study has seven baselines beside its methods."""
    study, look = read_study(whole_study), looks(list(METHODS))
    for many, shown in ((len(METHODS) - 1, True), (len(METHODS) - 2, False)):  # PopRec has no band
        monkeypatch.setattr("negsample.report.encodings.MANY", many)
        for chart in (
            frontier_chart(reaches(study, "beauty"), dialled_rows(study, "beauty"), look),
            training_curves(study.runs_of("beauty"), look),
        ):
            assert chart is not None
            assert ('"value": 0.02' in json.dumps(chart.to_dict())) == shown
