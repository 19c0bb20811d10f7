"""What the page of freshness measures: each way knows what it may, and its figures are those of the answers."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from negsample import load_model, read_study
from scripts.figures_in_docs import ROOT
from scripts.freshness import Aged
from scripts.freshness_asked import histories
from scripts.freshness_page import ANEW, NOTHING, OFTEN, ON, RECENT, REFRESHED, SENT, of_later, page

FOLDER = ROOT / "docs/studies/freshness"
DAY = 86_400 * 10**6


@pytest.fixture(scope="module")
def aged(study, tmp_path_factory):
    found = read_study(study)
    return Aged(found, found.runs_of("log", "mixed-log-q")[0], tmp_path_factory.mktemp("work"))


@pytest.fixture(scope="module")
def lines(aged):
    windows = aged.windows(DAY, 2)
    return [{line["way"]: line for line in each} for each in aged.lines(windows, None, True, 4)]


def inside_of(aged, window):
    return aged.events.filter(pl.col("time").is_between(window.start, window.end, "left"))


def test_at_first_all_ways_are_the_same(lines):
    first, _ = lines
    assert list(first) == [NOTHING, SENT, REFRESHED, RECENT, OFTEN, ON, ANEW]
    assert len({line["ndcg@10"] for way, line in first.items() if way not in (RECENT, OFTEN)}) == 1
    assert first[NOTHING]["ndcg@10"] > 0


def test_each_way_knows_what_it_may(aged, lines):
    _, second = lines
    window = aged.windows(DAY, 2)[1]
    before, inside = aged.events.filter(pl.col("time") < window.start), inside_of(aged, window)
    for way in (REFRESHED, ON, ANEW):
        known = load_model(aged.work / "86400-s" / ("anew" if way == ANEW else way))
        assert known.about.events == len(before)
        assert second[way]["seconds"] > 0
    assert second[NOTHING]["seconds"] is None
    assert (second[ON]["epochs"], second[ANEW]["epochs"]) == (1 + second[ANEW]["epochs"], lines[0][ANEW]["epochs"])
    assert set(window.people["user"]) == set(before["user"]) & set(inside["user"])


def test_refreshed_more_often_it_knows_what_came_within_the_window(aged, lines):
    starts = [86_400 + 21_600 * part for part in range(4)]
    known = [load_model(aged.work / f"{start}-s" / REFRESHED).about.events for start in starts]
    assert known == [len(aged.events.filter(pl.col("time") < aged.t0 + start * 10**6)) for start in starts]
    assert len({line["events"] for line in lines[1].values()}) == 1
    assert lines[1][OFTEN]["ndcg@10"] != lines[1][REFRESHED]["ndcg@10"]


def test_a_figure_is_that_of_the_answers(aged, lines):
    window, model = aged.windows(DAY, 2)[1], load_model(aged.work / "86400-s" / REFRESHED)
    answers, gains = model.recommend(k=10, time=window.start), []
    for user, item, _ in inside_of(aged, window).join(window.people, on="user").iter_rows():
        best = answers.filter(pl.col("user") == user)["item"].to_list()
        gains.append(1 / np.log2(best.index(item) + 2) if item in best else 0.0)
    assert lines[1][REFRESHED]["ndcg@10"] == pytest.approx(np.mean(gains))
    assert lines[1][REFRESHED]["events"] == len(gains)


def test_histories_are_of_known_items_in_the_order_of_time(aged):
    model = load_model(aged.work / "0-s" / "anew")
    some = pl.DataFrame({"user": ["b", "a", "a"], "item": ["item 1", "item 2", "unknown"], "time": [1, 2, 3]})
    found = histories(model, some, pl.Series("user", ["a", "b", "c"]))
    assert found.offsets.tolist() == [0, 1, 2, 2]
    assert [model.item_ids[item - 1] for item in found.items.tolist()] == ["item 2", "item 1"]


def test_events_of_a_prepared_log_are_those_of_the_log(aged, log):
    assert sorted(aged.events.rows()) == sorted(log.rows())


def test_later_windows_count_by_their_events():
    rows = [(1, 50, 0.9), (2, 10, 0.5), (3, 30, 0.1)]
    of = [{"way": ON, "seed": 0, "window": window, "events": n, "hr@10": hr} for window, n, hr in rows]
    assert of_later(of, ON, "hr@10") == [pytest.approx((10 * 0.5 + 30 * 0.1) / 40)]
    assert of_later([*of, of[0] | {"window": 4, "way": SENT}], ON, "hr@10") == []


def test_the_page_is_what_its_lines_make_of_it():
    lines = [json.loads(line) for line in (FOLDER / "runs.jsonl").read_text("utf-8").splitlines()]
    made = page(FOLDER, lines)
    assert (FOLDER / "README.md").read_text("utf-8") == made, "run python -m scripts.freshness --out " + str(FOLDER)
