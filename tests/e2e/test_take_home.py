"""From a CSV to answers, by commands."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from typing import NamedTuple

import numpy as np
import polars as pl
import pytest
from make_study import list_anew

from negsample import load_model
from negsample.cli import app
from negsample.cli.console import exit_code

FIRST = 1_600_000_000
PLACES = {"compare": "study", "final": "M"}


class Said(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def run(monkeypatch, capfd):
    """A command in this process, as `negsample` runs it."""

    def done(*arguments: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["negsample", *map(str, arguments)])
        return Said(exit_code(app) or 0, *capfd.readouterr())

    return done


@pytest.fixture
def good(run):
    def said(*arguments: object) -> str:
        code, out, err = run(*arguments)
        assert code == 0, err
        return out

    return said


def write_log(path, first_user, days, seed):
    draws = np.random.default_rng(seed)
    rows = ["user,item,time"]
    for user in range(first_user, first_user + 60):
        for moment in np.sort(draws.integers(days[0] * 86400, days[1] * 86400, 12)):
            rows.append(f"{user},{draws.integers(100, 130)},{FIRST + moment}")
    path.write_text("\n".join(rows) + "\n")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("home")
    write_log(place / "log.csv", 0, (0, 30), 0)
    sizes = [each for pair in ("epochs=2", "dim=8", "max_length=6", "blocks=1") for each in ("--set", pair)]
    methods = ["--methods", "mixed-log-q", "--repeats", 1, "--test-fraction", 0.06]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("negsample.comparison.write_report", lambda *_, **__: None)
        for given in (["compare", place / "log.csv", *methods, *sizes], ["final", place / "study"]):
            patch.setattr(sys, "argv", ["negsample", *map(str, given), "--out", str(place / PLACES[given[0]])])
            assert not exit_code(app)
    return place


def test_what_is_taken_home_is_said(place, good, tmp_path):
    said = good("final", place / "study", "--until", "2020-10-01", "--out", tmp_path / "M")
    assert "mixed-log-q on log: " in said
    assert "events, the last at 2020-09-30" in said
    assert "ndcg@10" in said


@pytest.mark.parametrize("is_advice", [True, False])
def test_a_choice_is_advice_where_the_study_gives_any(place, good, tmp_path, monkeypatch, is_advice):
    if is_advice:  # as it would be, with more runs of more users
        monkeypatch.setattr("negsample.analysis.verdict.Verdict.is_advice", True)
    said = good("final", place / "study", "--out", tmp_path / "M")
    assert ("what the study advises for accuracy" in said) == is_advice
    assert ("The study cannot tell which method to take; its report says why." in said) != is_advice
    run = next((place / "study" / "runs").glob("log--mixed-log-q--*"))
    for given in (["--method", "mixed-log-q"], None):  # a person's own choice needs no reason, and a run is none
        said = good("final", *([place / "study", *given] if given else [run]), "--out", tmp_path / f"M{bool(given)}")
        assert "advises" not in said
        assert "cannot tell" not in said


def test_answers_as_a_file_in_every_format(place, good):
    for ending in ("parquet", "csv", "jsonl"):
        assert "600 rows for 60 people" in good("recommend", place / "M", "--out", place / f"top.{ending}")
    parquet = pl.read_parquet(place / "top.parquet")
    assert parquet.columns == ["user", "rank", "item", "score"]
    assert parquet.schema["item"] == pl.String  # as it is written in the log
    for other in (pl.read_csv(place / "top.csv"), pl.read_ndjson(place / "top.jsonl")):
        assert parquet.drop("score").equals(other.drop("score").cast(dict(parquet.drop("score").schema)))
    assert parquet.equals(load_model(place / "M").recommend())


def test_histories_and_lists_from_files(place, good):
    (place / "today.csv").write_text("who,sku,seen\nann,101,2021-01-01\nann,999,2021-01-02\nbob,998,2021-01-02\n")
    (place / "out.txt").write_text("100\n 101 \n\nunknown\n")
    columns = ["--user", "who", "--item", "sku", "--time", "seen"]
    lists = ["--exclude", place / "out.txt", "--exclude-seen", "--k", 28, "--as-of", "2021-02-01", "--dial", -0.5]
    of_file = ["--histories", place / "today.csv", *columns]
    said = good("recommend", place / "M", *of_file, *lists, "--out", place / "some.parquet")
    assert "56 rows for 2 people, as of 2021-02-01 00:00:00 UTC: " in said
    assert "1 of the 3 ids in " in said
    found = pl.read_parquet(place / "some.parquet")
    assert not set(found["item"]) & {"100", "101"}
    assert set(found["user"]) == {"ann", "bob"}


def test_a_list_without_a_known_id_changes_nothing_or_is_refused(place, run, good, tmp_path):
    (tmp_path / "list.txt").write_text("998\n999\n")
    top = ["recommend", place / "M", "--out", tmp_path / "top.csv"]
    said = good(*top, "--exclude", tmp_path / "list.txt")
    assert f"2 of the 2 ids in {tmp_path / 'list.txt'} are of no item that the model knows" in " ".join(said.split())
    assert "leave no item that the model knows" in run(*top, "--only", tmp_path / "list.txt").err


def test_one_is_one(place, good, tmp_path):
    (tmp_path / "one.csv").write_text("user,item,time\nann,101,2021-01-01\n")
    one = ["--histories", tmp_path / "one.csv", "--k", 1, "--out", tmp_path / "top.csv"]
    assert "1 row for 1 person, as of 2021-01-01 00:00:00 UTC: " in good("recommend", place / "M", *one)
    said = good("refresh", place / "M", "--log", tmp_path / "one.csv", "--out", tmp_path / "N")
    assert "1 event came to it, of 1 new user and on 0 new items among others" in said


def test_histories_later_than_the_model_count(place, good):
    (place / "later.csv").write_text("user,item,time\nann,101,2024-01-01\nbob,105,2024-01-02\n")
    good("recommend", place / "M", "--histories", place / "later.csv", "--out", place / "later.parquet")
    found = pl.read_parquet(place / "later.parquet")
    lists = [found.filter(pl.col("user") == user)["score"].to_list() for user in ("ann", "bob")]
    assert lists[0] != lists[1]
    wanted = load_model(place / "M").recommend({"ann": ["101"]}, time=1_704_067_200_000_000 + 86_400_000_001)
    assert found.filter(pl.col("user") == "ann")["item"].to_list() == wanted["item"].to_list()
    before = ["--histories", place / "later.csv", "--as-of", "2023-01-01"]
    assert "Not before --as-of, so without effect: 2 events." in good(
        "recommend", place / "M", *before, "--out", place / "later.csv.csv"
    )


def test_a_day_without_events_is_no_failure(place, good):
    assert "No event is later" in good("refresh", place / "M", "--log", place / "log.csv")


def test_an_explanation_on_the_terminal(place, good):
    said = good("explain", place / "M", "--user", 7)
    assert "12 events of 7" in said
    assert all(name in said for name in ("model", "popularity", "recency", "repeats", "neighbours"))


def test_it_moves_and_is_refreshed_and_trained_on(place, good, tmp_path):
    shutil.copytree(place / "M", tmp_path / "M")
    write_log(tmp_path / "new.csv", 30, (31, 40), 1)
    said = good("refresh", tmp_path / "M", "--log", tmp_path / "new.csv")
    assert "720 events came to it, of 30 new users and on 0 new items" in said
    said = good("final", "--from", place / "M", "--log", tmp_path / "new.csv", "--epochs", 1, "--out", tmp_path / "N")
    assert "720 events came to it" in said
    assert all(load_model(tmp_path / name).about.users == 90 for name in "MN")
    good("verify", tmp_path)


def test_a_run_answers_and_is_evaluated_where_its_data_is_not(place, run, good, tmp_path):
    run_folder = tmp_path / "R"
    shutil.copytree(next((place / "study" / "runs").glob("*mixed-log-q*")), run_folder)
    config = json.loads((run_folder / "config.json").read_text())
    (run_folder / "config.json").write_text(json.dumps(config | {"dataset_folder": str(tmp_path / "gone")}))
    list_anew(run_folder)
    assert "--data LOG" in run("evaluate", run_folder).err
    before = json.loads((run_folder / "metrics.json").read_text())
    good("evaluate", run_folder, "--data", place / "log.csv")  # prepared as it was
    assert json.loads((run_folder / "metrics.json").read_text())["test"] == before["test"]
    good("recommend", run_folder, "--data", place / "log.csv", "--out", tmp_path / "top.csv")
    write_log(tmp_path / "other.csv", 0, (0, 30), 5)
    refused = run("evaluate", run_folder, "--data", tmp_path / "other.csv")
    assert refused.code == 2
    assert "is another dataset" in refused.err


def test_a_killed_one_is_carried_on(place, good, forks, tmp_path_factory, tmp_path):
    said = tmp_path_factory.mktemp("said") / "said"
    process = forks.start(["final", place / "study", "--out", tmp_path / "K"], said, said)
    waited = time.monotonic() + 60
    while not list(tmp_path.glob(".K.unfinished")) and not (tmp_path / "K").exists() and time.monotonic() < waited:
        time.sleep(0.001)
    os.kill(process, signal.SIGKILL)
    assert forks.wait(process) in (0, -signal.SIGKILL), said.read_text()
    if not (tmp_path / "K").exists():
        good("final", place / "study", "--out", tmp_path / "K")
    assert [path.name for path in tmp_path.iterdir()] == ["K"]
    assert load_model(tmp_path / "K").recommend().equals(load_model(place / "M").recommend())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["final", "{place}/study", "--from", "{place}/M", "--out", "{new}"], "give one of them"),
        (["final", "{place}/study", "--log", "{place}/log.csv", "--out", "{new}"], "--log is for --from MODEL"),
        (["final", "--from", "{place}/M", "--seeds", "2", "--out", "{new}"], "--seeds is for a STUDY"),
        (["final", "{place}/study", "--method", "bpr", "--out", "{new}"], "cannot be taken"),
        (["final", "{place}/study", "--out", "{place}/M"], "exists already"),
        (["recommend", "{place}/M", "--out", "{new}.xlsx"], "give one of .parquet, .csv, .jsonl"),
        (["recommend", "{place}/M", "--only", "{new}", "--out", "{new}.csv"], "cannot be read"),
        (["recommend", "{place}/M", "--user", "who", "--out", "{new}.csv"], "--user is for --histories"),
        (["recommend", "{place}/M", "--as-of", "noon", "--out", "{new}.csv"], "--as-of takes now or a time"),
        (["final", "{place}/M", "--out", "{new}"], "is a MODEL, not a study"),
        (["recommend", "{place}/study", "--out", "{new}.csv"], "is a study"),
        (["recommend", "{place}/M", "--as-of", "2001-01-01", "--out", "{new}.csv"], "nothing is known before"),
        (["refresh", "{place}/study", "--log", "{place}/log.csv"], "holds no MODEL"),
        (["explain", "{place}/M", "--user", "nobody"], "has no user 'nobody'; it has 60, the first is '0'"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(place, run, tmp_path, arguments, words):
    refused = run(*(each.format(place=place, new=tmp_path / "new") for each in arguments))
    assert refused.code == 2
    assert words in refused.err
    assert refused.err.count("\n") == 1
    assert not list(tmp_path.iterdir())
