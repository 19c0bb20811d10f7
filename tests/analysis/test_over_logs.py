"""Methods over several logs, against arithmetic on the studies' tables with numpy and scipy."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy import stats
from several_studies import made

from negsample.analysis.difference import Difference
from negsample.analysis.over_logs import (
    TOGETHER,
    OverLogs,
    over_logs,
    over_logs_significance,
    over_logs_table,
    together,
)
from negsample.analysis.several import Several
from negsample.analysis.significance import Comparisons


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Several, list[OverLogs]]:
    found = made(tmp_path_factory.mktemp("two"), "two-logs")
    return found, over_logs(found.over_logs())


@pytest.fixture(scope="module")
def seven(tmp_path_factory: pytest.TempPathFactory) -> OverLogs:
    return over_logs(made(tmp_path_factory.mktemp("seven"), "seven-logs").over_logs())[0]


def figures(together: Several, measure: str) -> pl.DataFrame:
    """(method, log) figures of the tables of the studies."""
    return pl.concat([study.table().select("dataset", "method", measure) for study in together.studies])


@pytest.mark.parametrize("at", range(3))
def test_shares_and_ranks_are_those_of_the_tables(two: tuple[Several, list[OverLogs]], at: int) -> None:
    one = two[1][at]
    table = figures(two[0], one.measure)
    highest = {log: table.filter(pl.col("dataset") == log)[one.measure].max() for log in one.logs}
    common = [
        name
        for name in one.figures
        if table.filter((pl.col("method") == name) & pl.col(one.measure).is_not_null()).height == len(one.logs)
    ]
    assert sorted(one.methods) == sorted(common)
    assert len(common) >= 2
    value = {(row["dataset"], row["method"]): row[one.measure] for row in table.to_dicts()}
    of = {name: np.mean([value[log, name] / highest[log] for log in one.logs]) for name in common}
    assert one.methods == sorted(common, key=lambda name: -of[name])
    for name in common:
        assert one.mean_share(name) == pytest.approx(of[name])
    for number, log in enumerate(one.logs):
        ranks = stats.rankdata([-value[log, name] for name in common])
        assert [one.ranks[name][number] for name in common] == pytest.approx(list(ranks))


@pytest.mark.parametrize("at", range(3))
def test_a_difference_is_the_mean_of_those_on_the_logs(two: tuple[Several, list[OverLogs]], at: int) -> None:
    together, one = two[0], two[1][at]
    scope, measure = ("tail", "hr@10") if one.measure == "tail_hr@10" else ("all", one.measure)
    rows = pl.concat([study.significance() for study in together.studies]).filter(
        (pl.col("measure") == measure) & (pl.col("scope") == scope)
    )
    of_table = dict.fromkeys(one.logs, together.studies[0].analysis.datasets)
    assert of_table
    p = []
    for found in one.tests.found:
        parts = []
        for log, highest in zip(one.logs, one.highest_L, strict=True):
            for row in rows.filter(pl.col("dataset") == log).to_dicts():
                if {row["a"], row["b"]} == {found.a, found.b} and (row["dial_a"] or "0") == (row["dial_b"] or "0"):
                    sign = 1 if row["a"] == found.a else -1
                    parts.append((sign * row["difference"] / highest, row["error"] / highest, row["freedom"]))
                    break
        difference, error, freedom = np.array(parts).T
        square = (error**2).sum() / len(parts) ** 2
        degrees = square**2 / ((error / len(parts)) ** 4 / freedom).sum()
        assert found.difference == pytest.approx(difference.mean())
        assert found.error == pytest.approx(np.sqrt(square))
        assert found.freedom == pytest.approx(degrees)
        p.append(2 * stats.t.sf(abs(difference.mean()) / np.sqrt(square), degrees))
        assert found.p == pytest.approx(p[-1])
        reach = stats.t.ppf(0.975, degrees) * np.sqrt(square)
        assert (found.low, found.high) == pytest.approx((difference.mean() - reach, difference.mean() + reach))
    assert [each.p_holm for each in one.tests.found] == pytest.approx(holm(np.array(p)))


def test_other_logs_are_asked_by_an_exact_sign_test(seven: OverLogs) -> None:
    assert seven.least_sign_p == pytest.approx(2 * 0.5**7)
    p = []
    for each in seven.tests.found:
        apart = np.array(seven.figures[each.a]) - np.array(seven.figures[each.b])
        p.append(stats.binomtest(int((apart > 0).sum()), 7).pvalue)
    assert min(p) < 0.05
    found = [seven.signs[each.a, each.b] for each in seven.tests.found]
    assert found == pytest.approx(holm(np.array(p)))


def holm(p: np.ndarray) -> list[float]:
    steps = np.minimum(1, np.maximum.accumulate(np.sort(p) * np.arange(len(p), 0, -1)))
    return [float(steps[at]) for at in np.argsort(np.argsort(p))]


def test_with_few_logs_the_sign_test_can_find_nothing(two: tuple[Several, list[OverLogs]]) -> None:
    assert two[1][0].least_sign_p == 0.5


def test_a_log_without_hits_does_not_count(tmp_path: Path) -> None:
    together = made(tmp_path, "two-logs-one-without-hits")
    found = together.over_logs()
    nothing = [row | {"ndcg@10": 0.0} for row in found["news"].rows]
    found["news"] = found["news"]._replace(rows=nothing)
    one = over_logs(found)[0]
    assert (one.counted, one.methods, one.tests.found) == (["shop"], [], [])
    assert set(one.figures) == {row["method"] for each in found.values() for row in each.rows}


def test_only_methods_on_every_log_are_compared(two: tuple[Several, list[OverLogs]]) -> None:
    found = two[0].over_logs()
    gone = two[1][0].methods[0]
    news = found["news"]._replace(rows=[row for row in found["news"].rows if row["method"] != gone])
    one = over_logs({**found, "news": news})[0]
    assert gone in one.figures
    assert gone not in one.methods
    assert not [each for each in one.tests.found if gone in (each.a, each.b)]


def test_ties_share_their_rank(tmp_path: Path) -> None:
    one = over_logs(made(tmp_path, "two-logs-ties").over_logs())[0]
    tied = [name for name in one.methods if one.shares[name] == one.shares[one.methods[0]]]
    assert len(tied) > 1
    assert {one.ranks[name] for name in tied} == {((len(tied) + 1) / 2,) * 2}


def test_tables_hold_all_of_it(two: tuple[Several, list[OverLogs]]) -> None:
    _, found = two
    table = over_logs_table(found)
    for one in found:
        own = table.filter((pl.col("measure") == one.measure) & (pl.col("log") == TOGETHER))
        assert own["method"].to_list() == one.methods
        assert own["share"].to_list() == [one.mean_share(name) for name in one.methods]
    tests = over_logs_significance(found)
    assert tests.height == sum(len(one.tests.found) for one in found)
    assert set(tests["dataset"]) == {TOGETHER}


@pytest.mark.parametrize(("logs", "freedom"), [(2, 1), (3, 2), (4, 40)])
def test_without_a_difference_one_test_in_twenty_is_significant_or_fewer(logs: int, freedom: int) -> None:
    """Differences on each log that are none but for chance, with the errors that few runs give."""
    rng, wrong, tries = np.random.default_rng(7), 0, 2000
    spread = rng.uniform(0.5, 2, logs)
    for _ in range(tries):
        error = spread * np.sqrt(rng.chisquare(freedom, logs) / freedom)
        apart = spread * rng.standard_normal(logs)
        each = [one_test(float(d), float(e), freedom) for d, e in zip(apart, error, strict=True)]
        found = together("ndcg@10", [(str(at), one, 1 / logs) for at, one in enumerate(each)], "a", ["b"] * logs)
        assert found is not None
        assert found.p is not None
        wrong += found.p < 0.05
    assert wrong / tries < 0.065  # three standard errors above 5 %


def one_test(difference: float, error: float, freedom: float) -> Comparisons:
    ends = (None, None, 0.5, 0.5, None)
    known = (difference, error, freedom, *ends, 50, 3, "")
    return Comparisons([Difference("log", "NDCG@10 in total", "ndcg@10", "all", "a", "", "b", "", *known)])


def test_all_pairs_of_what_logs_compare_are_tested(two: tuple[Several, list[OverLogs]]) -> None:
    together, found = two
    for one in found:
        pairs = {frozenset((each.a, each.b)) for each in one.tests.found}
        compared = {
            frozenset(pair)
            for pair in combinations(one.methods, 2)
            if all(
                any({row["a"], row["b"]} == set(pair) for row in study.significance().to_dicts())
                for study in together.studies
            )
        }
        assert pairs == compared
