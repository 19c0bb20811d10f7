"""Baselines in a study: in its table, its charts, its words and its files, like every method."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import polars as pl
import pytest

from negsample import compare, evaluate, load_run
from negsample.analysis.reading import read_study
from negsample.analysis.verdict import advice_of
from negsample.errors import InputError
from negsample.models.baselines import own_baselines
from negsample.report.baselines import baselines_table, choices_words, end_words
from negsample.report.formats import percent
from negsample.report.words import left_out_words
from negsample.runs.folder import read_ranks
from negsample.runs.remeasure import remeasure
from negsample.settings import run_settings
from negsample.studies.study import plan

BASELINES = ["RecentPop", "Repeat", "RepeatRecent", "ItemKNN", "EASE", "Terms", "PopRec"]
SMALL = {"epochs": 1, "batch_size": 64, "max_length": 10, "dim": 8, "blocks": 1, "refit": False}

pytestmark = pytest.mark.usefixtures("every_baseline", "no_drawing")


@pytest.fixture(scope="module")
def data(world):
    return world(users=80, items=40, name="small")


@pytest.fixture(scope="module")
def study(data, tmp_path_factory, every_baseline, no_drawing):
    return compare(data, tmp_path_factory.mktemp("study") / "study", ["random"], repeats=2, settings=SMALL)


def test_all_are_in_every_study(study):
    table = pl.read_csv(study.folder / "table.csv")
    assert table["method"].to_list() == ["random", *BASELINES]
    assert table["runs"].to_list() == [2, *[1] * 7]
    assert table["ndcg@10"].null_count() == 0
    found = pl.read_csv(study.folder / "significance.csv")
    assert {*found["a"], *found["b"]} == {"random", *BASELINES}
    page = (study.folder / "report.html").read_text()
    assert all(name in page and name in (study.folder / "table.tex").read_text() for name in BASELINES)


def test_what_was_chosen_is_in_the_run_and_gives_the_same_figures(study):
    for run in study.runs:
        if run.config["method"] in BASELINES:
            loaded = load_run(run.folder)
            again = evaluate(loaded.model, loaded.job.data, "test", loaded.job.settings)
            assert (again.ranks_E == read_ranks(run.folder, 1)["test_GE"][0]).all()
            before = json.loads((run.folder / "metrics.json").read_text())
            remeasure(run.folder)
            again = json.loads((run.folder / "metrics.json").read_text())
            assert without_seconds(again) == without_seconds(before)


def without_seconds(metrics):
    """All but how long a fit took."""
    return metrics | {"terms": {key: value for key, value in metrics["terms"].items() if key != "seconds"}}


def test_a_run_says_what_was_chosen_and_how_long_it_took(study):
    runs = {run.config["method"]: run for run in study.runs}
    for name in BASELINES:
        chosen, loaded = runs[name].metrics["chosen"], load_run(runs[name].folder)
        if name in ("ItemKNN", "Terms", "PopRec"):
            assert chosen == {}
        else:
            choice = loaded.model.choice.item()
            assert chosen["setting"] == loaded.model.setting
            assert chosen["choice"] == (None if math.isinf(choice) else choice)
            assert max(chosen["tried"], key=lambda each: each["ndcg@10"])["choice"] == chosen["choice"]
            assert {each["choice"] or math.inf for each in chosen["tried"]} >= set(loaded.model.choices)
            assert 0 < chosen["seconds"] < runs[name].metrics["train_seconds"]
        assert (runs[name].metrics["train_seconds"] > 0) is (name != "PopRec")
    assert runs["random"].metrics["chosen"] == {}


def test_the_report_has_a_table_of_baselines(study):
    table = baselines_table(study, "small", list(study.table().iter_rows(named=True)))
    assert [line[0] for line in table.lines] == BASELINES
    by_name = {line[0]: line[1:] for line in table.lines}
    run = next(run for run in study.runs if run.config["method"] == "EASE")
    assert by_name["EASE"][1] == f"lambda {run.metrics['chosen']['choice']:,.0f}"
    assert by_name["EASE"][2] == percent(run.metrics["valid"]["ndcg@10"])
    assert by_name["Repeat"][0].startswith("the user's own items, the most frequent first")
    assert by_name["ItemKNN"][1] == by_name["PopRec"][1] == "nothing"
    page = (study.folder / "report.html").read_text()
    assert all(cell.replace("'", "&#39;") in page for line in table.lines for cell in line)
    words = choices_words(study, "small")
    assert by_name["RecentPop"][1] == by_name["RepeatRecent"][1]
    half_life = f"`RecentPop`, `Repeat` and `RepeatRecent` {by_name['RecentPop'][1]}"
    assert words == f"Chosen on validation: {half_life}; `EASE` {by_name['EASE'][1]}."


def test_a_choice_at_an_end_of_what_was_tried_is_a_limit_of_the_report(study):
    assert not any(run.metrics["chosen"].get("at_end") for run in study.runs) or end_words(study, "small")
    tried = [{"choice": each, "ndcg@10": each} for each in (100.0, 10.0, 1e3, 1e4, 1e5)]
    chosen = {"setting": "lambda", "choice": 1e5, "tried": tried, "at_end": True, "seconds": 1.0}
    runs = [
        run._replace(metrics=run.metrics | {"chosen": chosen if run.config["method"] == "EASE" else {}})
        for run in study.runs
    ]
    assert end_words(replace(study, runs=runs), "small") == [
        "`EASE` chose lambda 100,000 on validation, the largest that was tried: a larger one could be better."
    ]


def test_the_best_baseline_is_that_of_validation(study):
    advice = advice_of(study, "small")
    valid = {run.config["method"]: run.metrics["valid"]["ndcg@10"] for run in study.runs}
    assert advice.baseline["method"] == max(BASELINES, key=lambda name: valid[name])


def test_test_figures_have_no_say_in_which_is_best(study):
    before = advice_of(study, "small")
    for grid in study.grids.values():
        for figures in grid.test:
            figures["ndcg@10"] = 1 - figures["ndcg@10"]
    after = advice_of(study, "small")
    assert after.baseline["method"] == before.baseline["method"]
    assert after.accuracy.advised == before.accuracy.advised


def test_ease_is_left_out_of_large_catalogues(monkeypatch, data):
    assert own_baselines(20_000) == BASELINES
    assert own_baselines(20_001) == [name for name in BASELINES if name != "EASE"]
    assert left_out_words({"items": 20_000}) == []
    assert left_out_words({"items": 20_001}) == [
        "EASE is left out: the catalogue has 20,001 items, and EASE is for up to 20,000."
    ]


def test_a_baseline_is_known_in_any_spelling(data):
    jobs = plan([data], ["repeatrecent", "EASE"], repeats=3, seed=0, settings=run_settings(**SMALL))
    assert [job.method for job in jobs] == BASELINES
    with pytest.raises(InputError, match="unknown method 'ItemKN'"):
        plan([data], ["ItemKN"], repeats=1, seed=0, settings=run_settings(**SMALL))


def test_an_infinite_half_life_is_kept(study):
    folder = next(run.folder for run in study.runs if run.config["method"] == "RecentPop")
    choice = load_run(folder).model.choice.item()
    assert choice > 0
    assert not math.isnan(choice)
    assert read_study(study.folder).runs
