from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from make_study import list_anew, make_study

from negsample.analysis.reading import read_study
from negsample.analysis.study import Study
from negsample.analysis.tables import study_table
from negsample.analysis.trainings import costs_of, oversampling_of, seconds_to_best
from negsample.errors import InputError
from negsample.report import write_report
from negsample.report.cost_charts import memory_chart, oversampling_chart, time_chart
from negsample.report.palette import looks

pytestmark = pytest.mark.usefixtures("no_drawing")

METHODS = ("random", "in-batch", "mixed", "PopRec")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_study(tmp_path / "study", datasets=["beauty", "other"], methods=METHODS, repeats=2, tuned=True)


def rows_of(chart: Any) -> list[dict[str, Any]]:
    assert chart is not None
    (rows,) = chart.to_dict()["datasets"].values()
    return list(rows)


def drawn(chart: Any, study: Study, dataset: str = "beauty") -> Any:
    found = (oversampling_of if chart is oversampling_chart else costs_of)(study, dataset)
    return chart(found, looks(study.about["methods"]))


def test_peak_memory_has_a_column_and_stands_in_the_page(folder: Path) -> None:
    path = folder / "runs" / "0-mixed-0" / "metrics.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"peak_memory_bytes": 3 * 2**30}))
    list_anew(folder)
    page = write_report(folder).read_text()
    table = pl.read_csv(folder / "table.csv")
    assert table.columns.index("failed") == table.columns.index("peak_memory_bytes") + 1
    shown = dict(table.filter(dataset="beauty").select("method", "peak_memory_bytes").rows())
    assert shown["random"] == 372 * 2**20
    assert "372\N{NO-BREAK SPACE}MiB" in page.split('id="made"')[1]
    rows = rows_of(drawn(memory_chart, read_study(folder)))
    assert {row["method"]: row["peak"] for row in rows} | {"mixed": 3072.0} == {
        row["method"]: row["peak"] for row in rows
    }  # the largest of the runs


def test_runs_that_noted_no_memory_have_neither_chart_nor_column(tmp_path: Path) -> None:
    folder = make_study(tmp_path / "study", datasets=["beauty"], methods=METHODS, repeats=1)
    study = read_study(folder)
    assert drawn(memory_chart, study) is None
    assert study_table(study)["peak_memory_bytes"].null_count() == 4
    page = write_report(folder).read_text()
    assert '<th scope="col">Memory</th>' not in page
    assert "peak-memory--" not in page


@pytest.mark.parametrize("value", [-1, True, "much", [1]])
def test_a_peak_that_is_none_is_refused(folder: Path, value: object) -> None:
    path = folder / "runs" / "0-mixed-0" / "metrics.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"peak_memory_bytes": value}))
    list_anew(folder)
    with pytest.raises(InputError, match="peak_memory_bytes: Input should be"):
        read_study(folder)


def test_time_is_shown_to_the_chosen_epoch_and_in_all(folder: Path) -> None:
    study = read_study(folder)
    rows = {row["method"]: row for row in rows_of(drawn(time_chart, study))}
    assert set(rows) == {"random", "in-batch", "mixed"}  # PopRec is not trained
    runs = study.runs_of("beauty", "mixed")
    assert rows["mixed"]["total"] == 90 + 12 * len("mixed")
    # an epoch of the synthetic log takes five seconds
    assert [seconds_to_best(run) for run in runs] == [5.0 * run.metrics["best_epoch"] for run in runs]
    assert rows["mixed"]["best"] == pytest.approx(sum(5 * run.metrics["best_epoch"] for run in runs) / 2)


def test_time_without_a_log_has_no_hollow_mark(folder: Path) -> None:
    (folder / "runs" / "0-mixed-0" / "log.jsonl").write_text("")
    list_anew(folder)
    rows = {row["method"]: row for row in rows_of(drawn(time_chart, read_study(folder)))}
    assert (rows["mixed"]["best"], rows["mixed"]["best_text"]) == (None, "not logged")
    assert rows["random"]["best"] is not None


def test_runs_at_other_factors_have_a_line_and_stand_in_no_table(folder: Path) -> None:
    study = read_study(folder)
    assert (len(study.oversampling), len(study.runs)) == (12, 16)
    rows = rows_of(drawn(oversampling_chart, study))
    assert [(row["method"], row["label"]) for row in rows if row["method"] == "random"] == [
        ("random", "1"),
        ("random", "4"),
        ("random", "10"),
        ("random", "off"),
    ]
    by = {(row["method"], row["label"]): row for row in rows}
    assert by["random", "4"]["x"] == pytest.approx(60 + 36 + 0.5)  # means over two seeds
    own = [run.metrics["test"]["ndcg@10"] for run in study.runs_of("beauty", "random")]
    assert by["random", "off"]["y"] == pytest.approx(100 * sum(own) / 2)
    assert study_table(study)["runs"].to_list() == [2] * 8
    assert drawn(oversampling_chart, study, "other") is None


def test_own_runs_that_differ_in_more_than_the_factor_are_no_point_of_the_line(folder: Path) -> None:
    for path in (folder / "runs").glob("oversampling-*/config.json"):
        config = json.loads(path.read_text())
        config["settings"]["epochs"] = 3
        path.write_text(json.dumps(config))
    list_anew(folder)
    rows = rows_of(drawn(oversampling_chart, read_study(folder)))
    assert {row["label"] for row in rows} == {"1", "4", "10"}


def test_a_mean_of_many_runs_never_stands_beside_single_ones(folder: Path) -> None:
    """The other factors were run once: of the study's own runs only that seed is drawn."""
    about = json.loads((folder / "study.json").read_text())
    about["oversampling"] = [name for name in about["oversampling"] if name.endswith("-1")]
    (folder / "study.json").write_text(json.dumps(about))
    list_anew(folder)
    study = read_study(folder)
    rows = [row for row in rows_of(drawn(oversampling_chart, study)) if row["method"] == "random"]
    assert [(row["label"], row["runs"]) for row in rows] == [("1", 1), ("4", 1), ("10", 1), ("off", 1)]
    (own,) = [run for run in study.runs_of("beauty", "random") if run.config["seed"] == 1]
    assert rows[-1]["y"] == pytest.approx(100 * own.metrics["test"]["ndcg@10"])
    shutil.rmtree(own.folder)
    rows = rows_of(drawn(oversampling_chart, read_study(folder)))
    assert [row["label"] for row in rows if row["method"] == "random"] == ["1", "4", "10"]


def test_unfinished_oversampling_runs_are_left_out_and_damage_is_named(folder: Path) -> None:
    names = json.loads((folder / "study.json").read_text())["oversampling"]
    shutil.rmtree(folder / "runs" / names[0])
    assert len(read_study(folder).oversampling) == 11
    about = json.loads((folder / "study.json").read_text())
    (folder / "study.json").write_text(json.dumps(about | {"oversampling": {"random": 1}}))
    list_anew(folder)
    with pytest.raises(InputError, match=r"study\.json is damaged .oversampling"):
        read_study(folder)
