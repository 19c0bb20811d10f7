"""The matrix of tests, the critical-difference diagram and the tables of effects, against the tests they show."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from made import comparisons, popular, row
from make_study import METHODS, make_study

from negsample.analysis.analyse import DatasetAnalysis, analyse
from negsample.analysis.reading import read_study
from negsample.analysis.significance import Comparisons
from negsample.analysis.verdict import advice_of
from negsample.report.effects import effect_tables, verdict
from negsample.report.formats import signed
from negsample.report.palette import looks
from negsample.report.significance_charts import FIGURES, KINDS, critical_difference, matrix

ROWS = [row("random", 0.03), row("mixed", 0.04), popular()]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> DatasetAnalysis:
    folder = make_study(tmp_path_factory.mktemp("charts") / "study", datasets=["beauty"])
    return analyse(read_study(folder)).datasets["beauty"]


def test_each_cell_is_its_test(found: DatasetAnalysis) -> None:
    chart = matrix(found.rows, found.tests)
    assert chart is not None
    (cells,) = chart.to_dict()["datasets"].values()
    assert len(cells) == len(FIGURES) * len(METHODS) * (len(METHODS) - 1)
    for cell in (each for each in cells if each["figure"] == "NDCG@10"):
        each = found.tests.of_table("ndcg@10", "all", cell["method"], cell["other"])
        assert each is not None
        assert each.difference is not None
        assert cell["text"].removesuffix("≈") == signed(each.difference)
        assert cell["verdict"] == KINDS[each.kind][0]
        assert (each.kind in ("better", "worse")) == each.significant
    high = [row["method"] for row in sorted(found.rows, key=lambda row: -row["ndcg@10"])]
    assert chart.to_dict()["layer"][0]["encoding"]["y"]["sort"] == high


def test_the_diagram_joins_who_does_not_differ(found: DatasetAnalysis) -> None:
    chart = critical_difference(found.rows, found.verdict.advice, found.tests, looks(list(METHODS)))
    assert chart is not None
    text = json.dumps(chart.to_dict())
    assert all(f'"label": "{row["method"]} {100 * row["ndcg@10"]:.2f}"' in text for row in found.rows)


def test_where_nothing_is_tested_there_is_no_diagram_and_no_verdict(tmp_path: Path) -> None:
    study = read_study(make_study(tmp_path / "s", datasets=["a"], methods=METHODS[:2] + METHODS[-1:], repeats=1))
    one = analyse(study).datasets["a"]
    assert critical_difference(one.rows, advice_of(study, "a"), one.tests, looks(list(METHODS))) is None
    chart = matrix(one.rows, one.tests)
    assert chart is not None
    assert {row["verdict"] for rows in chart.to_dict()["datasets"].values() for row in rows} == {"not tested"}
    assert effect_tables(one.rows, one.tests) == []


def test_nothing_compared_is_no_matrix() -> None:
    assert matrix(ROWS, Comparisons()) is None
    assert effect_tables(ROWS, Comparisons()) == []


def test_effects_are_against_the_highest() -> None:
    tables = effect_tables(ROWS, comparisons(ROWS, lambda *key: 0.5))
    assert [table.label.partition(":")[0] for table in tables] == ["NDCG@10", "tail HR@10", "Balance@10"]
    first = tables[0]
    assert first.label == "NDCG@10: each method less mixed, which has the highest (4.00\N{NO-BREAK SPACE}%)"
    assert [line[:4] for line in first.lines] == [
        ("random", "−1.00", "−1.20 to −0.80", "−25.0"),
        ("PopRec", "−3.70", "−3.90 to −3.50", "−92.5"),
    ]
    assert first.lines[0][-2:] == ("0.4", "undecided")


def test_a_difference_can_be_significant_and_within_the_margin() -> None:
    each = comparisons(ROWS, lambda *key: 0.001).found[0]._replace(margin=0.02, p_equivalent_holm=0.01)
    assert verdict(each) == "significantly lower, within the margin"
    assert verdict(each._replace(p_holm=0.6)) == "practically equivalent"


def test_signs() -> None:
    assert [signed(each) for each in (0.0012, -0.0012, 0.00001, -0.00001)] == ["+0.12", "−0.12", "0.00", "0.00"]
