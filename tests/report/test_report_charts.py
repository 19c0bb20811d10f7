from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from make_study import METHODS, make_study, manifest

from negsample.analysis.analyse import analyse
from negsample.analysis.frontier import hits_by_popularity, reaches
from negsample.analysis.reading import read_study
from negsample.analysis.tables import dialled_rows, study_table
from negsample.report import labels
from negsample.report.charts import accuracy_balance, cohort_bars
from negsample.report.curves import training_curves
from negsample.report.encodings import shade
from negsample.report.figures import dataset_figures, write_figures
from negsample.report.frontier_charts import frontier_chart, popularity_hits
from negsample.report.palette import looks
from negsample.report.popularity_charts import popularity_curve


def test_every_chart_has_every_method_in_its_own_colour(whole_study: Path) -> None:
    study = read_study(whole_study)
    rows = study_table(study).filter(pl.col("dataset") == "beauty")
    look = looks(list(METHODS))
    assert len({each.colour for each in look.values()}) == len(METHODS)
    for chart in (
        accuracy_balance(rows, look),
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
    many = looks([f"method-{i}" for i in range(20)] + ["PopRec"])
    assert len(set(many.values())) == 21


def test_labels_keep_clear_of_points_and_of_each_other() -> None:
    spots = [labels.Spot(150 + 4 * i, 150 + 3 * i, f"method-{i}", 8, 8) for i in range(6)]
    boxes = [labels._box(spot, where) for spot, where in zip(spots, labels.place(spots, 400, 300), strict=True)]
    for i, box in enumerate(boxes):
        assert all(labels._overlap(box, other) == 0 for other in boxes[:i])
        assert all(labels._overlap(box, (s.x - 4, s.y - 4, s.x + 4, s.y + 4)) == 0 for s in spots)


def test_label_stays_inside_at_the_edge() -> None:
    (where,) = labels.place([labels.Spot(395, 150, "adaptive-mixed")], 400, 300)
    assert where.align == "right"


def test_curves_mark_the_chosen_epoch_of_each_run(whole_study: Path) -> None:
    study = read_study(whole_study)
    chart = training_curves(study.runs_of("beauty", "mixed"), looks(["mixed"]))
    assert chart is not None
    spec = chart.to_dict()
    picks = spec["datasets"][spec["layer"][2]["data"]["name"]]
    assert [row["epoch"] for row in picks] == [r.metrics["best_epoch"] for r in study.runs_of("beauty", "mixed")]


def test_nothing_to_draw_is_no_chart(tmp_path: Path) -> None:
    study = read_study(make_study(tmp_path / "study", datasets=["beauty"], methods=["PopRec"]))
    table = study_table(study)
    assert training_curves(study.runs, looks(["PopRec"])) is None
    assert accuracy_balance(table.with_columns(pl.lit(None).alias("balance@10")), looks(["PopRec"])) is None
    unseen = manifest("beauty") | {"popularity_curve": {"rank": [1], "count": [0], "cohort": ["tail"]}}
    assert popularity_curve(unseen) is None
    names = [figure.name for figure in dataset_figures(analyse(study), "beauty")]
    assert names == [
        f"{name}--beauty"
        for name in ("frontier", "cohort-bars", "popularity-hits", "accuracy-balance", "popularity-curve")
    ]


def test_a_study_from_before_there_was_a_dial_has_points_and_says_so(tmp_path: Path) -> None:
    study = read_study(make_study(tmp_path / "study", datasets=["beauty"], repeats=2, dialled=False))
    found = reaches(study, "beauty")
    assert all(each.betas == (0.0,) and each.resampled() is None for each in found)
    figures = {f.name: f for f in dataset_figures(analyse(study), "beauty")}
    assert "popularity-hits--beauty" not in figures
    assert "14 of 14 runs were measured before there was a dial" in figures["frontier--beauty"].caption


def test_popularity_curve_says_the_shares_in_words() -> None:
    chart = popularity_curve(manifest("beauty"))
    assert chart is not None
    assert "head: 182 items, 1.5\N{NO-BREAK SPACE}% of the catalogue" in json.dumps(chart.to_dict(), ensure_ascii=False)


@pytest.mark.parametrize("name", ["a/b", "a b", "../..", "<b>"])
def test_figure_names_are_safe_file_names(tmp_path: Path, name: str) -> None:
    study = read_study(make_study(tmp_path / "study", datasets=[name, "a-b"], repeats=1))
    found = analyse(study)
    figures = [f for dataset in study.datasets() for f in dataset_figures(found, dataset)]
    assert len({figure.name for figure in figures}) == 14
    assert write_figures(figures[:2], tmp_path) == []
    for figure in figures[:2]:
        assert "/" not in figure.name
        assert (tmp_path / f"{figure.name}.svg").read_text().startswith("<svg")


@pytest.mark.parametrize(("count", "shown"), [(12, True), (13, False)])
def test_of_many_methods_names_and_bands_wait_until_they_are_highlighted(count: int, shown: bool) -> None:
    names = [f"m{i}" for i in range(count)]
    assert ("0.02" in str(shade(names))) == shown
    rows = [{"method": name, "runs": 1} for name in names]
    for column in ("hr@10", "ndcg@10", "balance@10"):
        rows = [row | {column: 0.1 + 0.01 * i, f"{column}_sd": None} for i, row in enumerate(rows)]
    chart = accuracy_balance(pl.DataFrame(rows, infer_schema_length=None), looks(names))
    assert chart is not None
    name = chart.to_dict()["layer"][3]["encoding"]["opacity"]
    assert any("!length(chosen)" in each["test"] for each in name["condition"]) == shown
