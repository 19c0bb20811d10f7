from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from make_study import make_study, tuning

from negsample.config import InputError
from negsample.report import read_study, write_report
from negsample.report.cost_charts import memory_chart, oversampling_chart, time_chart
from negsample.report.palette import looks
from negsample.report.tuning_charts import response_chart, responses
from negsample.report.tuning_words import budget_words, tuned_lines
from negsample.report.tunings import Tuning

METHODS = ("random", "in-batch", "mixed", "PopRec")


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return make_study(tmp_path / "study", datasets=["beauty"], methods=METHODS, repeats=2, tuned=True)


def a_tuning(method: str = "mixed", **changed: Any) -> Tuning:
    return Tuning.model_validate(tuning("beauty", method, random.Random(1)) | changed)


def rows_of(chart: Any, layer: int) -> list[dict[str, Any]]:
    spec = chart.to_dict()
    found = spec["layer"][layer]
    rows: list[dict[str, Any]] = spec["datasets"][found.get("data", spec.get("data"))["name"]]
    return rows


def test_tunings_are_read_in_the_study_s_order(study: Path) -> None:
    found = read_study(study)
    assert [each.method for each in found.tunings_of("beauty")] == ["random", "in-batch", "mixed"]
    assert found.tunings["beauty", "mixed"].best is not None


def test_a_study_without_tuning_has_none(tmp_path: Path) -> None:
    found = read_study(make_study(tmp_path / "s", datasets=["beauty"], methods=METHODS, repeats=1))
    assert (found.tunings, found.oversampling) == ({}, [])


def test_a_study_that_names_its_tunings_has_no_other(study: Path) -> None:
    about = json.loads((study / "study.json").read_text())
    (study / "study.json").write_text(json.dumps(about | {"tunings": ["0-2", "not-begun"]}))
    assert list(read_study(study).tunings) == [("beauty", "mixed")]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "format: "),
        ({"trials": [{}]}, r"trials\.0\.number: Field required"),
        ({"method": "other"}, "other on beauty, which study.json does not list"),
        ({"method": "random"}, "random on beauty was tuned in another file too"),
        ({"dataset_fingerprint": "f"}, r"another version of 'beauty' \(fingerprint f"),
        ({"best": {"number": 99, "params": {}, "value": 0.1}}, "best is trial 99, which is not among the trials"),
        ({"seconds": "long"}, "seconds: "),
    ],
)
def test_damage_of_a_tuning_is_named(study: Path, change: dict[str, Any], message: str) -> None:
    path = study / "tuning" / "0-2.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError, match=message):
        read_study(study)


@pytest.mark.parametrize("text", ["{", "", "[]", '{"format": 1, "seconds": NaN}'])
def test_a_tuning_that_is_no_json_object(study: Path, text: str) -> None:
    (study / "tuning" / "0-2.json").write_text(text)
    with pytest.raises(InputError, match=r"0-2.json is damaged"):
        read_study(study)


def test_the_response_has_a_point_a_trial_and_a_line_through_the_best() -> None:
    each = a_tuning()
    chart = response_chart([each], "random_negatives", looks(["mixed"]))
    complete = [trial for trial in each.trials if trial.state == "complete"]
    assert len(rows_of(chart, 1)) == len(complete)
    assert len(rows_of(chart, 2)) == len(each.of_state("pruned")) > 0
    best: dict[Any, float] = {}
    for trial in complete:
        value = trial.params["random_negatives"]
        best[value] = max(best.get(value, 0.0), 100 * (trial.value or 0.0))
    assert {row["value"]: row["hr"] for row in rows_of(chart, 0)} == best
    assert [row["trial"] for row in rows_of(chart, 3)] == [
        f"{each.best.number if each.best else None}, complete, chosen"
    ]


def test_all_stands_after_the_numbers() -> None:
    each = a_tuning("in-batch")
    chart = response_chart([each], "in_batch_negatives", looks(["in-batch"]))
    assert chart is not None
    order = chart.to_dict()["layer"][1]["encoding"]["x"]["sort"]
    assert order[-1] == "all"
    assert [int(value) for value in order[:-1]] == sorted(int(value) for value in order[:-1])


def test_of_distinct_rates_the_line_takes_the_best_of_each_third_of_a_decade() -> None:
    each = a_tuning()
    line = rows_of(response_chart([each], "learning_rate", looks(["mixed"])), 0)
    assert 2 <= len(line) <= 7
    assert max(row["hr"] for row in line) == 100 * max(trial.value or 0 for trial in each.of_state("complete"))


def test_responses_are_of_what_was_varied() -> None:
    each = a_tuning()
    assert responses([each]) == ["learning_rate", "in_batch_negatives", "random_negatives", "batch_size"]
    one = [trial.model_dump() | {"params": {"batch_size": 64}} for trial in each.trials]
    assert responses([each.model_validate(each.model_dump() | {"trials": one})]) == []


def test_words_say_whether_the_budget_was_equal() -> None:
    three = [a_tuning("mixed", seconds=60.0), a_tuning("random", seconds=90.0)]
    text = budget_words(three, ["mixed", "random"])
    assert "The budget was the same for each of the 2 methods: 14 trials of at most 10 epochs." in text
    assert "60.0\N{NO-BREAK SPACE}s for mixed and 90.0\N{NO-BREAK SPACE}s for random" in text
    other = budget_words([*three, a_tuning("in-batch", planned=20)], ["mixed", "random", "in-batch", "adaptive"])
    assert "was not the same" in other
    assert "Not finished: in-batch (14 of 20)." in other
    assert "Not tuned: adaptive." in other


def test_the_table_of_tunings() -> None:
    (line,) = tuned_lines([a_tuning()], looks(["mixed"]))
    assert (line.trials, line.pruned, line.failed) == ("10 of 14", "3", "1")
    assert "learning_rate 0.000" in line.searched
    (none,) = tuned_lines([a_tuning(best=None)], looks(["mixed"]))
    assert none.chosen == "nothing: no trial is complete"


def test_oversampling_stands_in_its_chart_and_in_no_table(study: Path) -> None:
    found = read_study(study)
    assert len(found.oversampling) == 12
    write_report(study)
    assert pl.read_csv(study / "table.csv")["runs"].to_list() == [2, 2, 2, 2]
    rows = rows_of(oversampling_chart(found, "beauty", looks(list(METHODS))), 0)
    assert [row["label"] for row in rows if row["method"] == "random"] == ["1", "4", "10", "off"]
    assert {row["runs"] for row in rows} == {2}
    seconds = [run.metrics["train_seconds"] for run in found.oversampling if "-0-4-" in run.folder.name]
    assert next(row["x"] for row in rows if row["label"] == "4") == sum(seconds) / 2


def test_oversampling_that_is_no_list_is_damage(study: Path) -> None:
    about = json.loads((study / "study.json").read_text())
    (study / "study.json").write_text(json.dumps(about | {"oversampling": "all"}))
    with pytest.raises(InputError, match=r"study.json is damaged \('oversampling' is 'all'\)"):
        read_study(study)


def test_time_and_memory(study: Path) -> None:
    found = read_study(study)
    look = looks(list(METHODS))
    times = rows_of(time_chart(found, "beauty", look), 0)
    assert [row["method"] for row in times] == ["random", "in-batch", "mixed"]
    assert all(0 < row["best"] < row["total"] for row in times)
    peaks = rows_of(memory_chart(found, "beauty", look), 0)
    assert {row["method"]: row["peak"] for row in peaks}["mixed"] == 360
    write_report(study)
    table = pl.read_csv(study / "table.csv")
    assert table.columns[-1] == "peak_memory_bytes"
    assert table.filter(method="mixed")["peak_memory_bytes"].item() == 360 * 2**20
    assert "<td>360\N{NO-BREAK SPACE}MiB</td>" in (study / "report.html").read_text()


def test_memory_that_nobody_noted_is_empty_and_not_drawn(tmp_path: Path) -> None:
    page = write_report(make_study(tmp_path / "s", datasets=["beauty"], methods=METHODS, repeats=1))
    assert pl.read_csv(page.parent / "table.csv")["peak_memory_bytes"].null_count() == 4
    assert '<th scope="col">Memory</th>' not in page.read_text()
    assert "peak-memory" not in page.read_text()


def test_memory_that_is_no_number_is_damage(study: Path) -> None:
    path = study / "runs" / "0-mixed-0" / "metrics.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"peak_memory_bytes": "much"}))
    with pytest.raises(InputError, match="'peak_memory_bytes' is 'much'"):
        read_study(study)
