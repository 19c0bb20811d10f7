"""What the report says of significance: the file, the words and the marks, from the ranks of a study."""

from __future__ import annotations

import html
import json
import shutil
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from make_study import EVENTS, METHODS, list_anew, make_study

from negsample.analysis.frontier import reaches, standings
from negsample.analysis.offers import Offers, offers
from negsample.analysis.reading import Study, read_study
from negsample.analysis.samples import SCOPES
from negsample.analysis.significance import FAMILIES, Comparisons, differences
from negsample.analysis.statistics import holm, quantile
from negsample.analysis.tables import study_table
from negsample.evaluation.metrics import balance, ndcg
from negsample.report import write_report
from negsample.report.cells import COLUMNS, lines
from negsample.report.palette import looks
from negsample.report.words import dataset_words

FEW = ("random", "mixed", "popularity", "PopRec")
PAIRS = len(METHODS) * (len(METHODS) - 1) // 2


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_study(tmp_path_factory.mktemp("significance") / "study", datasets=["beauty"])
    write_report(folder)
    return folder


@pytest.fixture(scope="module")
def study(written: Path) -> Study:
    return read_study(written)


@pytest.fixture(scope="module")
def offered(study: Study) -> Offers:
    return offers(study, "beauty", ())


@pytest.fixture(scope="module")
def found(study: Study, offered: Offers) -> Comparisons:
    return differences(study, "beauty", offered)


def compared_in(folder: Path) -> Comparisons:
    study = read_study(folder)
    return differences(study, "beauty", offers(study, "beauty", ()))


def told(folder: Path) -> tuple[str, dict[str, str]]:
    study = read_study(folder)
    offered = offers(study, "beauty", standings(reaches(study, "beauty")))
    tests = differences(study, "beauty", offered)
    words = dataset_words(study_table(study).to_dicts(), study.runs[0].metrics["test"], offered, tests)
    grounds = {subject: text.replace("\xa0", " ") for subject, text in words.grounds}
    return words.headline.replace("\xa0", " "), grounds


def small(folder: Path, methods: Sequence[str] = FEW, **more: Any) -> Path:
    return make_study(folder / "study", datasets=["beauty"], methods=methods, **{"repeats": 2} | more)


def test_the_file_has_every_pair_of_the_table_once_in_its_family(written: Path, found: Comparisons) -> None:
    table = pl.read_csv(written / "significance.csv")
    assert len(table) == len(found.found)
    keys = table.select("measure", "scope", "a", "dial_a", "b", "dial_b")
    assert len(keys.unique()) == len(table)
    pairs = list(combinations(METHODS, 2))
    for family, of_family in FAMILIES.items():
        for measure, scope in of_family:
            some = table.filter(family=family, measure=measure, scope=scope)
            assert list(zip(some["a"], some["b"], strict=True))[: len(pairs)] == pairs
            dials = zip(some["dial_a"], some["dial_b"], strict=True)
            assert not any(float(dial or 0) for pair in list(dials)[: len(pairs)] for dial in pair)
    assert set(table["family"]) == set(FAMILIES)
    assert set(table["runs"]) == {3}


def test_differences_are_those_of_the_ranks(study: Study, found: Comparisons) -> None:
    events = study.events["beauty"]
    of_scope = {"all": np.ones(len(events["user_E"]), bool)}
    of_scope |= {scope: events["cohort_E"] == number for number, scope in enumerate(SCOPES[1:])}
    figures: dict[tuple[str, str, str], list[float]] = {}
    for run in study.runs:
        grid = json.loads((run.folder / "dial.json").read_text())
        with np.load(run.folder / "ranks.npz") as stored:
            ranks_E = stored["test_GE"][grid["betas"].index(0.0)]
        for scope in SCOPES:
            name, ranks = run.config["method"], ranks_E[of_scope[scope]]
            figures.setdefault((name, "hr@10", scope), []).append(float((ranks < 10).mean()))
            figures.setdefault((name, "ndcg@10", scope), []).append(float(ndcg(ranks, 10).mean()))
        even = balance(*[figures[name, "hr@10", scope][-1] for scope in SCOPES[1:]])
        assert even is not None
        figures.setdefault((name, "balance@10", "all"), []).append(even)
    for (a, measure, scope), values in figures.items():
        for b in METHODS:
            each = found.of_table(measure, scope, a, b)
            if each is None:
                assert a == b
                continue
            assert each.difference == pytest.approx(np.mean(values) - np.mean(figures[b, measure, scope]), abs=1e-12)
            assert each.low is not None
            assert each.high is not None
            assert each.error is not None
            assert each.freedom is not None
            assert each.low < each.difference < each.high
            reach = quantile(0.05, np.array([each.freedom]))[0] * each.error
            assert each.high - each.difference == pytest.approx(reach)
            if measure != "balance@10":
                assert each.users == len(np.unique(events["user_E"][of_scope[scope]]))


def test_holm_is_over_a_whole_family_and_one_difference_has_one_p(found: Comparisons) -> None:
    for family in FAMILIES:
        some = [each for each in found.found if each.family == family]
        adjusted = holm(np.array([each.p for each in some]))
        assert [each.p_holm for each in some] == pytest.approx(adjusted)
        assert all(each.detectable is not None and each.detectable > 0 for each in some)
    seen = {}
    for each in found.found:
        key = (each.measure, each.scope, *sorted([(each.a, each.dial_a), (each.b, each.dial_b)]))
        assert seen.setdefault(key, (each.p, each.p_holm)) == (each.p, each.p_holm)


@pytest.mark.parametrize("seed", range(3))
def test_no_verdict_depends_on_random_numbers(
    study: Study, offered: Offers, found: Comparisons, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for where in ("negsample.random", "negsample.analysis.frontier"):
        monkeypatch.setattr(f"{where}.resampling", lambda of: np.random.default_rng(seed))
    assert differences(study, "beauty", offered).found == found.found


def test_the_words_are_those_of_the_table_of_tests(written: Path, offered: Offers, found: Comparisons) -> None:
    headline, grounds = told(written)
    first, tail = offered.accuracy.chosen, offered.tail.chosen
    assert first is not None
    assert tail is not None
    for row in offered.rivals(offered.accuracy):
        each = found.between("ndcg@10", first, row)
        assert each is not None
        assert each.significant
        assert each.difference is not None
        assert each.difference > 0
    assert "has the highest NDCG@10 holds: significantly higher than all 6 others" in headline
    each = found.between("tail_hr@10", tail, first)
    assert each is not None
    assert f" % ({'' if each.significant else 'not '}significant" in grounds["Tail"]
    for family in FAMILIES:
        some = [each for each in found.found if each.family == family]
        assert f"{sum(each.significant for each in some)} of {len(some)} in {family}" in grounds["Significance"]
    for each in (each for each in found.found if each.borderline):
        assert f"`{each.a}`" in grounds["Significance"].split("Borderline")[1]


def test_a_large_difference_is_significant_and_equal_ranks_are_not(tmp_path: Path) -> None:
    """`mixed` has the ranks of `random`, which is far above `popularity` on head items."""
    folder = small(tmp_path, repeats=4)
    for seed in range(4):
        for name in ("ranks.npz", "dial.json", "metrics.json"):
            shutil.copy(folder / "runs" / f"0-random-{seed}" / name, folder / "runs" / f"0-mixed-{seed}" / name)
    list_anew(folder)
    tests = compared_in(folder)
    same = tests.of_table("hr@10", "all", "random", "mixed")
    assert same is not None
    assert (same.difference, same.p) == (0.0, 1.0)
    for method in ("random", "mixed"):
        lead = tests.of_table("hr@10", "head", method, "popularity")
        assert lead is not None
        assert lead.significant
        assert lead.low is not None
        assert lead.low > 0


def test_cells_without_a_significant_difference_from_the_best_are_marked(written: Path, found: Comparisons) -> None:
    rows = study_table(read_study(written)).to_dicts()
    shown = {line.method: line.cells for line in lines(rows, looks(list(METHODS)), found)}
    marked = 0
    for place, column in enumerate(COLUMNS):
        best = max(rows, key=lambda row, name=column.name: row[name] or -1)["method"]
        scope, _, measure = column.name.rpartition("_")
        for method, cells in shown.items():
            each = found.of_table(measure, scope or "all", best, method)
            assert cells[place].close == (each is not None and not each.significant and not cells[place].best)
            marked += cells[place].close
    page = (written / "report.html").read_text()
    assert page.count('<span class="unseen"> no significant difference from the best</span>') == marked > 0
    assert "† No significant difference from the best of its column" in page


def test_with_one_run_a_method_nothing_is_tested_nor_marked(tmp_path: Path) -> None:
    folder = small(tmp_path, METHODS, repeats=1)
    headline, grounds = told(folder)
    assert "cannot be told here: not tested against 6 methods (one run of a method)" in headline
    assert "repeat with `--repeats 3` or more" in grounds["Significance"]
    assert {(each.p, each.p_holm, each.untested) for each in compared_in(folder).found} == {
        (None, None, "one run of a method")
    }
    page = html.unescape(write_report(folder).read_text())
    assert "†" not in page.split("<main>")[1].split("</main>")[0]
    assert "no difference was tested" in page


def test_a_method_that_ran_once_is_not_tested_and_the_others_are(tmp_path: Path) -> None:
    """An unfinished study: one method lacks a seed, another has one run alone."""
    folder = small(tmp_path, ["random", "mixed", "adaptive", "PopRec"], repeats=3)
    for name in ("0-mixed-2", "0-adaptive-1", "0-adaptive-2"):
        shutil.rmtree(folder / "runs" / name)
    tests = compared_in(folder)
    mixed = tests.of_table("hr@10", "head", "random", "mixed")
    assert mixed is not None
    assert mixed.p is not None
    assert mixed.runs == 2
    for other in ("random", "mixed", "PopRec"):
        each = tests.of_table("hr@10", "head", "adaptive", other)
        assert each is not None
        assert (each.p, each.untested, each.runs) == (None, "one run of a method", 1)
    assert "adaptive (one run)" in write_report(folder).read_text()


def test_a_handful_of_users_is_not_tested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EVENTS, "tail", 25)
    folder = small(tmp_path)
    tests = compared_in(folder).found
    few = [each for each in tests if each.scope == "tail" or each.measure == "balance@10"]
    assert {(each.low, each.p, each.p_holm, each.significant) for each in few} == {(None, None, None, False)}
    assert all(each.p is not None for each in tests if each not in few)
    _, grounds = told(folder)
    assert "fewer than 30 users with an event there (tail)" in grounds["Significance"]
    assert "(not tested)" in grounds["Tail"] or "not tested against" in grounds["Tail"]


@pytest.mark.parametrize("lacking", ["dial", "events", "ranks of one run", "all events", "other events"])
def test_what_has_no_ranks_by_event_is_not_tested_and_says_so(tmp_path: Path, lacking: str) -> None:
    folder = small(tmp_path, dialled=lacking != "dial")
    if lacking == "events":
        (folder / "datasets" / "0.npz").unlink()
    if lacking == "ranks of one run":
        path = folder / "runs" / "0-random-1" / "ranks.npz"
        path.unlink()
        (path.parent / "dial.json").unlink()
    if lacking in ("all events", "other events"):
        with np.load(folder / "datasets" / "0.npz") as stored:
            events = {key: value[: 0 if lacking == "all events" else -1] for key, value in stored.items()}
        np.savez(folder / "datasets" / "0.npz", **events)
    list_anew(folder)
    assert not compared_in(folder)
    headline, grounds = told(folder)
    assert "these runs have no ranks by event" in grounds["Significance"]
    assert "cannot be told here" in headline


def test_one_method_has_nothing_to_be_compared_with(tmp_path: Path) -> None:
    assert not compared_in(small(tmp_path, methods=["random"]))
