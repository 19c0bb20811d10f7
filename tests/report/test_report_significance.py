"""What the report says of significance: the file, the words and the marks, from the ranks of a study."""

from __future__ import annotations

import html
import re
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from make_study import EVENTS, METHODS, make_study

from negsample.report import read_study, study_table, write_report
from negsample.report.cells import COLUMNS, lines
from negsample.report.offers import offers
from negsample.report.palette import looks
from negsample.report.significance import Difference, differences
from negsample.report.words import dataset_words
from negsample.stats import holm

PAIRS = len(METHODS) * (len(METHODS) - 1) // 2


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_study(tmp_path_factory.mktemp("significance") / "study", datasets=["beauty"])
    write_report(folder)
    return folder


@pytest.fixture(scope="module")
def found(written: Path) -> list[Difference]:
    study = read_study(written)
    return differences(study, "beauty", offers(study, "beauty", ()))


def hit_rates(folder: Path, method: str, cohort: int) -> np.ndarray:
    """(S,) HR@10 of each run at dial 0, from its ranks."""
    of_cohort = np.load(folder / "datasets" / "0.npz")["cohort_E"] == cohort
    paths = sorted((folder / "runs").glob(f"0-{method}-?/ranks.npz"))
    place = 0 if method == "PopRec" else 4
    return np.array([(np.load(path)["test_GE"][place][of_cohort] < 10).mean() for path in paths])


def told(folder: Path, **how: object) -> tuple[str, dict[str, str]]:
    study = read_study(folder)
    offered = offers(study, "beauty", ())
    tests = differences(study, "beauty", offered)
    words = dataset_words(study_table(study).to_dicts(), study.runs[0].metrics["test"], offered, tests)
    grounds = {subject: text.replace("\xa0", " ") for subject, text in words.grounds}
    return words.headline.replace("\xa0", " "), grounds


def test_the_file_has_every_pair_in_every_scope(written: Path) -> None:
    table = pl.read_csv(written / "significance.csv")
    assert table.columns[:6] == ["dataset", "measure", "scope", "a", "b", "difference"]
    assert table.columns[6:] == ["low", "high", "p", "p_holm", "users", "seeds", "at"]
    shown = table.filter(at="table")
    assert shown.group_by("measure").len().sort("measure").rows() == [
        ("balance@10", PAIRS),
        ("hr@10", 4 * PAIRS),
        ("ndcg@10", 4 * PAIRS),
    ]
    for cohort, number in (("head", 0), ("tail", 2)):
        (row,) = shown.filter(measure="hr@10", scope=cohort, a="random", b="adaptive").to_dicts()
        mean = hit_rates(written, "random", number).mean() - hit_rates(written, "adaptive", number).mean()
        assert row["difference"] == pytest.approx(mean, abs=1e-7)
        assert row["low"] < row["difference"] < row["high"]
    assert shown["seeds"].unique().to_list() == [3]
    users = len(np.unique(np.load(written / "datasets" / "0.npz")["user_E"]))
    assert shown.filter(measure="ndcg@10", scope="all")["users"].unique().to_list() == [users]


def test_holm_is_over_all_pairs_and_scopes_of_a_measure(written: Path) -> None:
    table = pl.read_csv(written / "significance.csv")
    for (_, measure), family in table.group_by("at", "measure"):
        assert family["p_holm"].to_numpy() == pytest.approx(holm(family["p"].to_numpy())), measure
    assert table.filter(at="table", measure="hr@10")["p"].min() * 4 * PAIRS < 0.05  # Holm's first step is within reach


def test_the_same_folder_gives_the_same_tests(written: Path, found: list[Difference]) -> None:
    study = read_study(written)
    assert differences(study, "beauty", offers(study, "beauty", ())) == found


def test_a_large_difference_is_real_and_equal_methods_are_not(tmp_path: Path) -> None:
    """`mixed` has the ranks of `random`, which is far ahead of `popularity` on head items."""
    folder = make_study(tmp_path / "study", datasets=["beauty"], methods=["random", "mixed", "popularity", "PopRec"])
    for seed in range(3):
        for name in ("ranks.npz", "dial.json", "metrics.json"):
            shutil.copy(folder / "runs" / f"0-random-{seed}" / name, folder / "runs" / f"0-mixed-{seed}" / name)
    study = read_study(folder)
    tests = {
        (each.a, each.b, each.scope): each
        for each in differences(study, "beauty", offers(study, "beauty", ()))
        if (each.at, each.measure) == ("table", "hr@10")
    }
    assert (tests["random", "mixed", "all"].difference, tests["random", "mixed", "all"].p) == (0.0, 1.0)
    for method in ("random", "mixed"):
        lead = tests[method, "popularity", "head"]
        assert lead.real
        assert lead.low is not None
        assert lead.low > 0
        assert tests[method, "PopRec", "head"].real


def test_the_words_say_what_is_real_and_what_the_tail_costs(written: Path, found: list[Difference]) -> None:
    headline, grounds = told(written)
    assert re.search(r"`adaptive` at dial -1 for tail items \(costs \d\d % of total NDCG@10\)", headline)
    said = grounds["Significance"]
    assert "In total NDCG@10 `adaptive-mixed` at dial +0.75 is really ahead of all others." in said
    assert "In tail HR@10 `adaptive` at dial -1 is really ahead of all others." in said
    real = sum(each.real for each in found if (each.at, each.measure) == ("table", "ndcg@10"))
    assert f"{real} of {4 * PAIRS} in NDCG@10" in said
    assert "3 seeds" in said
    (gain,) = [
        each
        for each in found
        if (each.at, each.measure, each.a, each.b) == ("price", "hr@10", "adaptive", "adaptive-mixed")
    ]
    assert gain.low is not None
    assert gain.high is not None
    assert f"(95 % interval of the difference {100 * gain.low:.2f} to {100 * gain.high:.2f} %)" in grounds["Tail"]
    assert "pooled sd" not in " ".join(grounds.values())


def test_what_the_test_does_not_tell_apart_is_said_so_whatever_the_sd(tmp_path: Path) -> None:
    """Two methods with the same ranks and metrics that say otherwise, far beyond the sd of the repeats."""
    folder = make_study(tmp_path / "study", datasets=["beauty"], methods=["random", "mixed", "popularity", "PopRec"])
    for seed in range(3):
        shutil.copy(folder / "runs" / f"0-random-{seed}/ranks.npz", folder / "runs" / f"0-mixed-{seed}/ranks.npz")
    study = read_study(folder)
    rows = study_table(study).to_dicts()
    offered = offers(study, "beauty", ())
    with_dial = {row["method"]: row["dial"] for row in offered.accuracy}
    if with_dial["random"] != with_dial["mixed"]:
        offered = offered._replace(accuracy=[row | {"dial": 0.0} for row in offered.accuracy])
    tests = differences(study, "beauty", offered)
    words = dataset_words(rows, study.runs[0].metrics["test"], offered, tests)
    assert re.search("Take `(random|mixed)`[^;]* or `(random|mixed)`[^;]* for total accuracy", words.headline)
    assert "in NDCG@10 may be chance." in dict(words.grounds)["Accuracy"]


def test_cells_that_are_not_told_apart_from_the_best_are_marked(written: Path, found: list[Difference]) -> None:
    rows = study_table(read_study(written)).to_dicts()
    shown = {line.method: line.cells for line in lines(rows, looks(list(METHODS)), found)}
    marked = 0
    for place, column in enumerate(COLUMNS):
        best = max(rows, key=lambda row, name=column.name: row[name] or -1)["method"]
        scope, _, measure = column.name.rpartition("_")
        for method, cells in shown.items():
            tests = [
                each
                for each in found
                if each.at == "table"
                and (each.measure, each.scope) == (measure, scope or "all")
                and {each.a, each.b} == {method, best}
            ]
            assert cells[place].close == (bool(tests) and not tests[0].real and not cells[place].best)
            marked += cells[place].close
    page = (written / "report.html").read_text()
    assert page.count('<span class="unseen"> not told apart from the best</span>') == marked > 0
    assert "† Not told apart from the best of its column" in page


def test_one_seed_is_tested_over_users_alone_and_says_so(tmp_path: Path) -> None:
    folder = make_study(tmp_path / "study", datasets=["beauty"], repeats=1)
    _, grounds = told(folder)
    assert "users alone: with one run a method nothing is known of other seeds" in grounds["Significance"]
    assert "Noise" not in grounds
    study = read_study(folder)
    assert {each.seeds for each in differences(study, "beauty", offers(study, "beauty", ()))} == {1}


def test_a_handful_of_users_is_not_tested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EVENTS, "tail", 25)
    folder = make_study(tmp_path / "study", datasets=["beauty"], repeats=2)
    study = read_study(folder)
    tests = differences(study, "beauty", offers(study, "beauty", ()))
    small = [each for each in tests if each.scope == "tail" or each.measure == "balance@10"]
    assert {(each.low, each.p, each.p_holm, each.real) for each in small} == {(None, None, None, False)}
    assert all(each.p is not None for each in tests if each not in small)
    _, grounds = told(folder)
    assert "In tail HR@10 nothing was tested." in grounds["Significance"]
    assert "Not tested: tail, for want of 30 users with an event there." in grounds["Significance"]
    assert "(not tested)" in grounds["Tail"]


def test_a_study_without_ranks_has_no_tests_and_says_what_it_goes_by(tmp_path: Path) -> None:
    folder = make_study(tmp_path / "study", datasets=["beauty"], dialled=False)
    page = html.unescape(write_report(folder).read_text())
    assert len(pl.read_csv(folder / "significance.csv")) == 0
    assert "Not tested: these runs have no ranks by event." in page
    assert "†" not in page


def test_runs_of_unlike_seeds_are_compared_as_they_stand_in_the_table(tmp_path: Path) -> None:
    """An unfinished study: one method lacks a seed, another has one run alone."""
    folder = make_study(tmp_path / "study", datasets=["beauty"], methods=["random", "mixed", "adaptive", "PopRec"])
    for name in ("0-mixed-2", "0-adaptive-1", "0-adaptive-2"):
        shutil.rmtree(folder / "runs" / name)
    study = read_study(folder)
    tests = {
        (each.a, each.b): each
        for each in differences(study, "beauty", offers(study, "beauty", ()))
        if (each.at, each.measure, each.scope) == ("table", "hr@10", "head")
    }
    mean = hit_rates(folder, "random", 0).mean() - hit_rates(folder, "mixed", 0).mean()
    assert tests["random", "mixed"].difference == pytest.approx(mean, abs=1e-7)
    assert (tests["random", "mixed"].seeds, tests["random", "adaptive"].seeds) == (2, 1)
    assert all(each.p is not None for each in tests.values())
