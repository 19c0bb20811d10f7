from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from make_study import list_anew, make_study

from negsample.analysis.reading import read_study
from negsample.analysis.study import Study
from negsample.errors import InputError
from negsample.report import write_report
from negsample.report.palette import looks
from negsample.report.searches import importance_words, search_chart, searches_table
from negsample.report.tables import budget_words, tuning_table
from negsample.report.validation_charts import response_chart, responses

pytestmark = pytest.mark.usefixtures("no_drawing")

METHODS = ("random", "in-batch", "mixed", "PopRec")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_study(tmp_path / "study", datasets=["beauty"], methods=METHODS, repeats=1, tuned=True)


def altered(folder: Path, name: str, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / name
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))
    list_anew(folder)


def first(folder: Path) -> str:
    return f"tuning/{json.loads((folder / 'study.json').read_text())['tunings'][0]}.json"


def layers(study: Study, name: str) -> list[list[dict[str, Any]]]:
    """The rows of each layer of a chart: the line, full points, hollow points, rings."""
    chart = response_chart(study.tunings_of("beauty"), name, looks(study.about["methods"]))
    assert chart is not None
    spec = chart.to_dict()
    return [spec["datasets"][layer["data"]["name"]] for layer in spec["layer"]]


def test_tunings_come_in_the_study_s_order_and_only_those_it_names(folder: Path) -> None:
    shutil.copy(folder / first(folder), folder / "tuning" / "a-copy.json")
    (folder / "tuning" / "other.json").write_text("{")
    assert [each.method for each in read_study(folder).tunings_of("beauty")] == ["random", "in-batch", "mixed"]


def test_a_study_that_was_not_tuned_has_none_whatever_lies_in_the_folder(folder: Path) -> None:
    altered(folder, "study.json", lambda about: about.pop("tunings"))
    assert read_study(folder).tunings == {}
    assert "How each method was tuned" not in write_report(folder).read_text()


def test_a_missing_tuning_is_named_with_the_way_out(folder: Path) -> None:
    (folder / first(folder)).unlink()
    with pytest.raises(InputError, match=r"0-0\.json is missing, which study\.json lists; run `negsample compare`"):
        read_study(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("planned"), "is damaged .planned: Field required"),
        (lambda t: t.update(format=2), "is damaged .format"),
        (lambda t: t["trials"][0].update(value=float("nan")), "is damaged .trials.0.value"),
        (lambda t: t["trials"][0].update(value=None, state="complete"), "a complete trial has a value"),
        (lambda t: t["trials"][0].update(state="lost"), "is damaged .trials.0.state"),
        (lambda t: t["trials"][0].update(params=[1]), "is damaged .trials.0.params"),
        (lambda t: t["best"].update(number=99), "best is trial 99, which is not among the trials"),
        (lambda t: t.update(method="dns"), "dns on beauty, which study.json does not list"),
        (lambda t: t.update(method="mixed"), "was tuned in another file too"),
        (lambda t: t.update(dataset_fingerprint="ff"), "another version of 'beauty'"),
    ],
)
def test_damaged_tunings_are_refused(folder: Path, change: Callable[[dict[str, Any]], object], message: str) -> None:
    altered(folder, first(folder), change)
    with pytest.raises(InputError, match=message):
        read_study(folder)


@pytest.mark.parametrize("named", ["0-0", [1], None])
def test_names_of_tunings_must_be_a_list_of_texts(folder: Path, named: object) -> None:
    altered(folder, "study.json", lambda about: about.update(tunings=named))
    with pytest.raises(InputError, match=r"study\.json is damaged .tunings"):
        read_study(folder)


def test_a_point_a_trial_hollow_where_pruned_and_a_ring_around_the_chosen(folder: Path) -> None:
    study = read_study(folder)
    tunings = study.tunings_of("beauty")
    line, full, hollow, rings = layers(study, "learning_rate")
    for state, drawn in (("complete", full), ("pruned", hollow)):
        wanted = sorted((t.method, trial.params["learning_rate"]) for t in tunings for trial in t.of_state(state))
        assert sorted((row["method"], row["value"]) for row in drawn) == wanted
        assert all(row["state"] == state for row in drawn)
    assert {(row["method"], row["value"]) for row in rings} == {
        (each.method, each.best.params["learning_rate"]) for each in tunings if each.best is not None
    }
    assert all(row in full for row in line)


def test_the_learning_rate_has_a_log_axis_and_words_stand_on_an_axis_of_names(folder: Path) -> None:
    study = read_study(folder)
    tunings, look = study.tunings_of("beauty"), looks(study.about["methods"])
    rate = response_chart(tunings, "learning_rate", look)
    words = response_chart(tunings, "in_batch_negatives", look)
    assert rate is not None
    assert words is not None
    assert rate.to_dict()["layer"][0]["encoding"]["x"]["scale"]["type"] == "log"
    x = words.to_dict()["layer"][0]["encoding"]["x"]
    assert x["type"] == "nominal"
    assert x["sort"] == [*sorted(set(x["sort"]) - {"all"}, key=float), "all"]


def test_a_setting_has_a_chart_where_somebody_varied_it(folder: Path) -> None:
    study = read_study(folder)
    assert responses(study.tunings_of("beauty")) == [
        "learning_rate",
        "in_batch_negatives",
        "random_negatives",
        "batch_size",
    ]
    methods = {row["method"] for rows in layers(study, "in_batch_negatives") for row in rows}
    assert methods == {"in-batch", "mixed"}
    assert "kept_hardest" not in responses(study.tunings_of("beauty"))


def test_without_a_trial_that_has_a_value_there_is_no_chart(folder: Path) -> None:
    def fail(tuning: dict[str, Any]) -> None:
        tuning["best"] = None
        for trial in tuning["trials"]:
            trial |= {"state": "failed", "value": None}

    for name in json.loads((folder / "study.json").read_text())["tunings"]:
        altered(folder, f"tuning/{name}.json", fail)
    study = read_study(folder)
    assert response_chart(study.tunings_of("beauty"), "learning_rate", looks(study.about["methods"])) is None
    line = tuning_table(study.tunings_of("beauty")).lines[0]
    assert (line[1], line[3], line[7]) == ("0 of 14", "14", "n/a")
    assert line[6] == "nothing: no trial is complete"
    assert 'class="chart" id="tuning-' not in write_report(folder).read_text()


def test_the_table_tells_what_was_searched_and_what_was_chosen(folder: Path) -> None:
    altered(folder, first(folder), lambda tuning: tuning.update(space={"learning_rate": "0.0001 to 0.01"}))
    study = read_study(folder)
    tuning = study.tunings_of("beauty")[0]
    line = tuning_table([tuning]).lines[0]
    assert line[5] == "learning_rate 0.0001 to 0.01"
    assert line[1:4] == ("10 of 14", "3", "1")
    assert tuning.best is not None
    assert line[6].startswith(f"learning_rate {tuning.best.params['learning_rate']:.3g}, batch_size ")
    assert line[7].startswith(f"{100 * tuning.best.value:.2f}")


def test_the_budget_is_told(folder: Path) -> None:
    altered(folder, first(folder), lambda tuning: tuning.update(seconds=90.0))
    study = read_study(folder)
    tunings = study.tunings_of("beauty")
    text = budget_words(study, tunings, ["random", "in-batch", "mixed"])
    assert "Budget of each method: 14 trials of at most 10 epochs." in text
    assert tuning_table(tunings).lines[0][4] == "90.0\N{NO-BREAK SPACE}s"
    assert "test events were not used" in text


def test_budgets_that_differ_and_methods_without_one_are_told(folder: Path) -> None:
    altered(folder, first(folder), lambda tuning: tuning.update(planned=20))
    study = read_study(folder)
    text = budget_words(study, study.tunings_of("beauty")[:2], ["random", "in-batch", "mixed"])
    assert "Budgets differ: between 14 trials of at most 10 epochs and 20 trials" in text
    assert "Not finished: random (14)." in text
    assert "Not tuned: mixed." in text


def test_hostile_words_of_a_tuning_are_escaped(folder: Path) -> None:
    hostile = "</script><script>alert(1)</script>"

    def change(tuning: dict[str, Any]) -> None:
        tuning["space"] = {hostile: hostile}
        for trial in tuning["trials"]:
            trial["params"]["in_batch_negatives"] = hostile if trial["number"] % 2 else 5
            trial["params"][hostile] = trial["number"]

    altered(folder, first(folder), change)
    page = write_report(folder).read_text()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_the_points_are_ndcg_as_in_the_paper_s_figure_5(folder: Path) -> None:
    tunings = read_study(folder).tunings_of("beauty")
    chart = response_chart(tunings, "learning_rate", looks(list(METHODS)))
    assert chart is not None
    assert "NDCG@10" in chart.to_dict()["layer"][0]["encoding"]["y"]["title"]
    shown = [row for layer in layers(read_study(folder), "learning_rate") for row in layer]
    points = {(row["method"], row["trial"].split(",")[0]): row for row in shown}
    for tuning in tunings:
        for trial in tuning.trials:
            row = points.get((tuning.method, str(trial.number)))
            assert (row is None) == (trial.state == "failed")
            if row is not None and trial.ndcg is not None:
                assert row["ndcg"] == pytest.approx(100 * trial.ndcg)


def test_a_tuned_method_without_a_finished_run_is_named_and_cannot_be_chosen(folder: Path) -> None:
    """As when all its runs failed."""
    for run in (folder / "runs").glob("*-random-*"):
        shutil.rmtree(run)
    page = write_report(folder).read_text()
    assert '<th scope="row">random</th>' in page
    assert 'data-method="in-batch"' in page
    assert 'data-method="random" aria' not in page


def test_the_course_of_each_search_is_drawn(folder: Path) -> None:
    study = read_study(folder)
    chart = search_chart(study.tunings_of("beauty"), looks(study.about["methods"]))
    assert chart is not None
    (drawn,) = chart.to_dict()["datasets"].values()
    for search in study.tunings_of("beauty"):
        rows = [row for row in drawn if row["method"] == search.method]
        complete = {each.number: each for each in search.of_state("complete")}
        for row in rows:
            some = [each for number, each in complete.items() if number < row["trials"]]
            assert row["y"] == 100 * max(some, key=lambda each: each.rank).ndcg
        assert rows[-1]["trials"] == len(search.trials)
        assert rows[-1]["y"] == 100 * complete[search.best.number].ndcg


def test_a_search_without_a_second_trial_is_not_drawn(folder: Path) -> None:
    study = read_study(folder)
    some = study.tunings_of("beauty")
    one = [each.model_copy(update={"trials": each.trials[:1]}) for each in some]
    none = [each.model_copy(update={"trials": each.of_state("pruned"), "best": None}) for each in some]
    assert search_chart(one, looks(study.about["methods"])) is None
    assert search_chart(none, looks(study.about["methods"])) is None
    assert search_chart([], {}) is None
    assert [line[1] for line in searches_table(none).lines] == ["none is complete"] * len(some)


def test_importance_is_a_column_a_setting_where_there_are_trials_enough(folder: Path) -> None:
    some = read_study(folder).tunings_of("beauty")
    few = searches_table(some).without_empty()
    assert [line[-1] for line in few.lines] == ["13 of the 20 trials that are needed"] * len(some)
    assert importance_words(searches_table(some)) == ""
    twice = [
        each.model_copy(
            update={
                "trials": [
                    t.model_copy(update={"number": t.number + 14 * more}) for more in (0, 1) for t in each.trials
                ]
            }
        )
        for each in some[:1]
    ]
    table = searches_table([*twice, *some[1:]])
    shares = [text for heading, text in zip(table.headings, table.lines[0], strict=True) if "Importance" in heading]
    assert len(shares) == 3
    assert all(re.fullmatch(r"\d+ %|by chance", text) for text in shares)
    assert shares[0].endswith("%"), "the learning rate decides in these trials"
    assert importance_words(table).startswith("Importance:")
