"""The words for one dataset, from rows and tests made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from made import LEVEL, SIGNIFICANT, comparisons, once, popular, row

from negsample.analysis.advice import advise
from negsample.analysis.analyse import DatasetAnalysis
from negsample.analysis.significance import Comparisons
from negsample.analysis.trust import Trust
from negsample.analysis.verdict import Verdict
from negsample.report.table import figures_table, main_columns, other_columns
from negsample.report.tables import families_table
from negsample.report.words import limits

EVENTS = {"events": 1000, "cold_events": 263, "left_out_events": 0}
ROWS = (row("mixed", 0.020), row("random", 0.019, 0.001, 0.5), row("adaptive", 0.010, 0.009, 0.8), popular())


class Said(NamedTuple):
    """What a page says of a dataset beside its verdict: the limits, and the lines of its table of families."""

    limits: list[str]
    families: list[list[str]]

    @property
    def all(self) -> str:
        return " ".join([*self.limits, *(text for line in self.families for text in line)])


def said(
    *rows: dict[str, Any],
    p: Any = lambda *key: SIGNIFICANT,
    events: dict[str, int] = EVENTS,
) -> Said:
    tests = Comparisons() if p is None else comparisons(rows, p)
    verdict = Verdict("beauty", (), Trust(()), advise(rows, rows), tests)
    found = DatasetAnalysis("beauty", list(rows), list(rows), [], [], verdict, [])
    return Said(plain(limits(found, events)), [plain(line) for line in families_table(tests).lines])


def plain(texts: Sequence[str]) -> list[str]:
    return [text.replace("\xa0", " ") for text in texts]


def test_families_count_what_is_significant_and_name_what_is_borderline():
    found = said(*ROWS)
    assert found.families[0] == ["NDCG@10 in total", "6", "6", "0", ""]
    assert "26.3 % of the test events are on items in no train event." in found.limits[-1]
    assert said(*ROWS, p=lambda *key: LEVEL).families[0][2] == "0"

    def p(measure: str, scope: str, a: str, b: str) -> float:
        return LEVEL if {a, b} == {"mixed", "random"} else 0.048 if {a, b} == {"mixed", "adaptive"} else SIGNIFICANT

    assert said(*ROWS, p=p).families[0][4] == "`mixed` and `adaptive`, all (p 0.048)"


def test_with_one_run_a_method_nothing_is_tested_and_the_way_out_is_said():
    found = said(*(once(each) for each in ROWS), p=lambda *key: None)
    assert "Repeat with `--repeats 3` or more" in found.all
    assert "No comparison is tested" in found.all
    for forbidden in ("no significant difference", "significantly", "may be chance", "told apart"):
        assert forbidden not in found.all


def test_without_comparisons_there_are_no_families():
    assert said(*ROWS, p=None).families == []


def test_the_baseline_that_is_missing_is_said():
    found = said(row("mixed", 0.02), p=None)
    assert "PopRec, which recommends the most popular items to everybody, has not finished." in found.limits


def test_all_zero():
    found = said(row("mixed", 0.0, 0.0, None), row("random", 0.0, 0.0, None), popular())
    assert "No trained method has a hit on test." in found.limits
    assert "None" not in found.all


def test_undefined_balance_is_said():
    found = said(row("mixed", 0.02), row("random", 0.0, 0.0, None), popular())
    assert "Balance is undefined for `random`" in found.all
    everyone = said(row("mixed", 0.02, balance=None), row("random", 0.01, balance=None), popular())
    assert "undefined for `mixed` and `random`" in everyone.all
    assert "None" not in everyone.all


def test_no_test_events():
    none = row("mixed", 0.0) | {"ndcg@10": None, "hr@10": None, "tail_hr@10": None, "balance@10": None}
    assert said(none, events=EVENTS | {"events": 0}, p=None).limits == []


def test_what_is_left_out_of_the_ranking_is_a_ceiling():
    found = said(row("mixed", 0.02), popular(), events=EVENTS | {"left_out_events": 520})
    assert "52.0 % of the test events are on items that the user had before." in found.all
    assert "HR@10 has a ceiling of 48.0 %" in found.all


def test_no_tail_events_and_nothing_cold():
    rows = [row("mixed", 0.02) | {"tail_hr@10": None}, row("random", 0.01) | {"tail_hr@10": None}, popular()]
    found = said(*rows, events=EVENTS | {"cold_events": 0})
    assert "No test event is on a tail item" in found.all
    assert "in no train event" not in found.all


def test_own_metrics_and_cut_offs_get_columns_and_a_table_of_their_own():
    names = ["hr@10", "head_hr@10", "ndcg@10", "mrr@10", "balance@10", "coverage@10", "novelty@10", "tail_novelty@10"]
    main = main_columns([*names, "hr@50", "novelty@50"])
    assert [(column.group, column.heading) for column in main if "novelty" in column.name] == [
        ("novelty@10, %", "total"),
        ("novelty@10, %", "tail"),
    ]
    others = other_columns([*names, "hr@50", "novelty@50"])
    assert [(column.group, column.heading) for column in others] == [
        ("at 10, %", "MRR"),
        ("at 50, %", "HR"),
        ("at 50, %", "novelty"),
    ]


COLUMNS = main_columns(
    [f"{scope}{measure}@10" for measure in ("hr", "ndcg") for scope in ("", "head_", "mid_", "tail_")]
)


def marked(tests: Comparisons | None, name: str) -> list[str]:
    shown = figures_table(ROWS, COLUMNS, tests).lines
    place = [column.name for column in COLUMNS].index(name)
    assert not any(cell.best and cell.differs for line in shown for cell in line.cells)
    return [line.method for line in shown if line.cells[place].differs]


def test_a_mark_stands_only_where_a_test_found_a_difference_from_the_best():
    def p(measure: str, scope: str, a: str, b: str) -> float | None:
        if measure == "ndcg@10" and scope == "all":
            return LEVEL if {a, b} == {"mixed", "random"} else None if "PopRec" in (a, b) else SIGNIFICANT
        return LEVEL if measure == "balance@10" else SIGNIFICANT

    tests = comparisons(ROWS, p)
    assert marked(tests, "ndcg@10") == ["adaptive"]
    assert marked(tests, "balance@10") == marked(tests, "coverage@10") == marked(None, "ndcg@10") == []
    assert set(marked(tests, "tail_hr@10")) >= {"random"}
