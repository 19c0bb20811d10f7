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
from make_study import EVENTS, METHODS, list_anew, make_study, measures

from negsample.analysis.advice import Advice
from negsample.analysis.analyse import DatasetAnalysis, analyse
from negsample.analysis.measures import FAMILIES, SCOPES, measures_of
from negsample.analysis.reading import read_study
from negsample.analysis.significance import Comparisons, advised_pairs, differences
from negsample.analysis.study import Study
from negsample.analysis.t_test import holm, t_quantile
from negsample.analysis.tables import study_table
from negsample.analysis.verdict import advice_of
from negsample.errors import InputError
from negsample.evaluation.figures import balance
from negsample.evaluation.metrics import ndcg
from negsample.report import write_report
from negsample.report.table import figures_table, main_columns
from negsample.report.tables import families_table
from negsample.report.words import limits

pytestmark = pytest.mark.usefixtures("no_drawing")

FEW = ("random", "mixed", "popularity", "PopRec")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_study(tmp_path_factory.mktemp("significance") / "study", datasets=["beauty"])
    write_report(folder)
    return folder


@pytest.fixture(scope="module")
def study(written: Path) -> Study:
    return read_study(written)


@pytest.fixture(scope="module")
def advice(study: Study) -> Advice:
    return advice_of(study, "beauty")


@pytest.fixture(scope="module")
def found(study: Study, advice: Advice) -> Comparisons:
    return differences(study, "beauty", advice)


def compared_in(folder: Path) -> Comparisons:
    study = read_study(folder)
    return differences(study, "beauty", advice_of(study, "beauty"))


def shown(folder: Path) -> DatasetAnalysis:
    return analyse(read_study(folder)).datasets["beauty"]


def said(found: DatasetAnalysis) -> str:
    events = {"events": 100, "left_out_events": 0, "cold_events": 0}
    return " ".join(limits(found, events)).replace("\xa0", " ")


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
    (events,) = study.events["beauty"]
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
            reach = t_quantile(0.05, np.array([each.freedom]))[0] * each.error
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
    study: Study, advice: Advice, found: Comparisons, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for where in ("negsample.random", "negsample.analysis.frontier"):
        monkeypatch.setattr(f"{where}.resampling", lambda of: np.random.default_rng(seed))
    assert differences(study, "beauty", advice).found == found.found


def test_what_is_advised_is_compared_with_the_default_the_best_rule_and_the_most_accurate(
    advice: Advice, found: Comparisons
) -> None:
    pairs = advised_pairs(advice)
    assert {a["method"] for _, a, _ in pairs} == {each.advised for each in advice.purposes}
    assert {b["method"] for _, _, b in pairs} == {"random", "PopRec", advice.accuracy.advised}
    for measure, a, b in pairs:
        same = (a["method"], a["dial"]) == (b["method"], b["dial"])
        assert (found.between(measure, a, b) is None) == same


def test_families_are_those_of_the_table_of_tests(found: Comparisons) -> None:
    for line in families_table(found).lines:
        some = [each for each in found.found if each.family == line[0]]
        assert line[1:4] == (str(len(some)), str(sum(each.significant for each in some)), "0")
        for each in (each for each in some if each.borderline):
            assert f"`{each.a}` and `{each.b}`" in line[4]


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
    columns = main_columns(measures_of(read_study(written).runs))
    cells_of = {line.method: line.cells for line in figures_table(rows, columns, found).lines}
    marked = 0
    for place, column in enumerate(columns):
        best = max(rows, key=lambda row, name=column.name: row[name] or -1)["method"]
        scope, _, measure = column.name.rpartition("_")
        for method, cells in cells_of.items():
            each = found.of_table(measure, scope or "all", best, method)
            assert cells[place].differs == (each is not None and each.significant and not cells[place].best)
            marked += cells[place].differs
    page = (written / "report.html").read_text()
    assert page.count('<span class="unseen"> significantly different from the best</span>') == marked > 0
    assert "* Significantly different from the best of its column" in page


def test_with_one_run_a_method_nothing_is_tested_nor_marked(tmp_path: Path) -> None:
    folder = small(tmp_path, METHODS, repeats=1)
    assert "No comparison is tested: a method has one run" in said(shown(folder))
    assert "Repeat with `--repeats 3` or more" in said(shown(folder))
    assert {(each.p, each.p_holm, each.untested) for each in compared_in(folder).found} == {
        (None, None, "one run of a method")
    }
    page = html.unescape(write_report(folder).read_text())
    assert "differs" not in page.split("<main>")[1].split("</main>")[0]
    assert "No difference was tested for significance" in page


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
    assert "comparisons are not tested: a method has one run" in write_report(folder).read_text()


def test_a_handful_of_users_is_not_tested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EVENTS, "tail", 25)
    folder = small(tmp_path)
    tests = compared_in(folder).found
    few = [each for each in tests if each.scope == "tail" or each.measure == "balance@10"]
    assert {(each.low, each.p, each.p_holm, each.significant) for each in few} == {(None, None, None, False)}
    assert all(each.p is not None for each in tests if each not in few)
    assert "comparisons are not tested: fewer than 30 users (tail)." in said(shown(folder))


def test_without_a_measured_event_nothing_is_tested_and_the_page_says_so(tmp_path: Path) -> None:
    folder = small(tmp_path, dialled=False)
    nothing = {name: None if "@" in name else 0 for name in measures(0.1, 0.1, 0.1)}
    for path in folder.rglob("metrics.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"valid": nothing, "test": nothing}))
        (path.parent / "dial.json").write_text(json.dumps({"betas": [0.0], "valid": [nothing], "test": [nothing]}))
        np.savez(path.parent / "ranks.npz", valid_GE=np.zeros((1, 0)), test_GE=np.zeros((1, 0)))
    with np.load(folder / "datasets" / "0.npz") as stored:
        events = {key: value[:0] for key, value in stored.items()}
    np.savez(folder / "datasets" / "0.npz", **events)
    list_anew(folder)
    assert not compared_in(folder)
    assert "There are no test events, so nothing was measured." in write_report(folder).read_text()


@pytest.mark.parametrize("lacking", ["dial", "events", "other events"])
def test_a_study_that_lacks_what_is_tested_on_is_refused(tmp_path: Path, lacking: str) -> None:
    folder = small(tmp_path)
    path = folder / "datasets" / "0.npz"
    if lacking == "events":
        path.unlink()
    elif lacking == "dial":
        (folder / "runs" / "0-random-1" / "dial.json").unlink()
    else:
        with np.load(path) as stored:
            events = {key: value[:-1] for key, value in stored.items()}
        np.savez(path, **events)
    list_anew(folder)
    with pytest.raises(InputError, match={"dial": "dial.json", "events": r"0\.npz"}.get(lacking, "test events")):
        read_study(folder)


def test_one_method_has_nothing_to_be_compared_with(tmp_path: Path) -> None:
    assert not compared_in(small(tmp_path, methods=["random"]))
