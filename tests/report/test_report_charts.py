from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from make_study import METHODS, make_study, manifest

from negsample.analysis.analyse import analyse
from negsample.analysis.frontier import FLOORS, Reach, Standing, leading, reaches, standings
from negsample.analysis.popularity import hits_by_popularity
from negsample.analysis.reading import read_study
from negsample.analysis.study import Study
from negsample.analysis.tables import dialled_rows
from negsample.models.baselines import BASELINES
from negsample.report.dial_charts import cohort_bars, popularity_hits
from negsample.report.encodings import shade
from negsample.report.figures import dataset_figures, write_figures
from negsample.report.frontier_chart import frontier_chart
from negsample.report.palette import looks
from negsample.report.placing import Placing
from negsample.report.popularity_charts import popularity_chart
from negsample.report.validation_charts import training_curves


def frontier(study: Study) -> tuple[list[Reach], list[Standing]]:
    found = reaches(study, "beauty")
    return found, standings(found)


def test_every_chart_has_every_method_in_its_own_colour(whole_study: Path) -> None:
    study = read_study(whole_study)
    look = looks(list(METHODS))
    assert len({each.colour for each in look.values()}) == len(METHODS)
    for chart in (
        cohort_bars(dialled_rows(study, "beauty"), look),
        frontier_chart(*frontier(study), dialled_rows(study, "beauty"), look),
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
    assert len({figure.name for figures in of_datasets for figure in figures}) == 8 * len(names)
    first = [figures[0] for figures in of_datasets]
    assert write_figures(first, tmp_path) == []
    for figure in first:
        assert "/" not in figure.name
        assert (tmp_path / f"{figure.name}.svg").read_text().startswith("<svg")


@pytest.mark.parametrize(("count", "shown"), [(12, True), (13, False)])
def test_of_many_methods_bands_wait_until_they_are_highlighted(count: int, shown: bool) -> None:
    assert ("0.02" in str(shade([f"m{i}" for i in range(count)]))) == shown


def test_strong_is_where_no_method_has_more(whole_study: Path) -> None:
    found, standing = frontier(read_study(whole_study))
    assert any(leading(*each) for each in zip(found, standing, strict=True))
    for each, own in zip(found, standing, strict=True):
        for stretch in leading(each, own):
            assert stretch == sorted(stretch)
            for at, level in stretch:
                floor = int(np.searchsorted(FLOORS, at - 1e-9))
                assert all(level >= other.reached()[min(floor, len(FLOORS) - 1)] - 1e-9 for other in found)


def test_the_frontier_names_who_is_ahead_and_needs_no_legend(whole_study: Path) -> None:
    study = read_study(whole_study)
    found, standing = frontier(study)
    chart = frontier_chart(found, standing, dialled_rows(study, "beauty"), looks(list(METHODS)))
    assert chart is not None
    spec = chart.to_dict()
    names = spec["datasets"][spec["layer"][-1]["data"]["name"]]
    assert {row["method"] for row in names} == {each.method for each in standing if each.leads}
    assert '"legend": {' not in json.dumps(spec)


def test_names_do_not_cover_each_other() -> None:
    placing = Placing((0.0, 1.0), (0.0, 1.0), 400.0)
    first, second = placing.placed("random", 0.5, 0.5), placing.placed("mixed", 0.5, 0.5)
    assert first is not None
    assert second is not None
    assert abs(first.y - second.y) * 400 >= 14
    placed = [placing.placed(f"m{i}", 0.5, 0.5) for i in range(20)]
    assert None in placed
    assert placing.placed("must", 0.5, 0.5, must=True) is not None
    left = placing.copy().placed("a-long-name-at-the-edge", 0.0, 0.9)
    assert left is not None
    assert left.x > 0.1
