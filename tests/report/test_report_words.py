"""The words for one dataset, from rows and tests made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from made import LEVEL, SIGNIFICANT, comparisons, once, popular, row

from negsample.analysis.advice import advise
from negsample.analysis.analyse import DatasetAnalysis
from negsample.analysis.significance import Comparisons
from negsample.analysis.trainings import CutOff
from negsample.report.claims import advice_claims, claims_table
from negsample.report.table import figures_table, main_columns, other_columns
from negsample.report.tables import advice_table, families_table
from negsample.report.words import headline, limits

EVENTS = {"events": 1000, "cold_events": 263, "left_out_events": 0}
ROWS = (row("mixed", 0.020), row("random", 0.019, 0.001, 0.5), row("adaptive", 0.010, 0.009, 0.8), popular())


class Said(NamedTuple):
    """All that a page says of a dataset: the headline, the limits, and the lines of its tables."""

    headline: str
    limits: list[str]
    advice: list[list[str]]
    claims: dict[str, list[str]]
    families: list[list[str]]

    @property
    def all(self) -> str:
        cells = [text for line in (*self.advice, *self.claims.values(), *self.families) for text in line]
        return " ".join([self.headline, *self.limits, *self.claims, *cells])


def said(
    *rows: dict[str, Any],
    p: Any = lambda *key: SIGNIFICANT,
    events: dict[str, int] = EVENTS,
    valid: Any = None,
    cut: CutOff | None = None,
) -> Said:
    tests = Comparisons() if p is None else comparisons(rows, p)
    found = DatasetAnalysis("beauty", list(rows), list(rows), [], advise(valid or rows, rows), tests, cut, [])
    claims = claims_table("", advice_claims(found.advice, tests)).lines
    return Said(
        plain([headline(found, events)])[0],
        plain(limits(found, events)),
        [plain(line) for line in advice_table(found.advice).lines],
        {line[0]: plain(line[1:]) for line in claims},
        [plain(line) for line in families_table(tests).lines],
    )


def plain(texts: Sequence[str]) -> list[str]:
    return [text.replace("\xa0", " ") for text in texts]


HIGHEST = "`mixed` has the highest NDCG@10"


def test_each_use_has_its_method_and_its_price():
    found = said(*ROWS)
    assert found.headline == (
        "By validation, take `mixed` for total accuracy and Balance at 90 % or more of the best NDCG@10; `adaptive` for"
        " tail items. The test confirms that `mixed` has the highest NDCG@10."
    )
    assert found.claims[HIGHEST] == ["holds", "`random`, `adaptive` and `PopRec` (p 0.001 or less)", "", "", ""]
    accuracy, tail, balance = found.advice
    assert accuracy[1:] == ["`mixed`", "2.00 %", "4.00 %", "0.20 %", "60.0 %", "`mixed`, 2.00 %"]
    assert tail[1:] == ["`adaptive`", "1.00 %", "2.00 %", "0.90 %", "80.0 %", "`adaptive`, 0.90 %"]
    assert balance[1] == "`mixed`"
    assert balance[-1] == "`mixed`, 60.0 %"  # `adaptive` has more, and was not able to keep 90 %
    assert found.claims["`adaptive` has a higher tail HR@10 than `mixed`"][0] == "holds"
    assert found.claims["`adaptive` has a lower NDCG@10 than `mixed`"][0] == "holds"
    assert found.families[0] == ["NDCG@10 in total", "6", "6", "0", ""]
    assert "26.3 % of the test events are on items in no train event." in found.limits[-1]


def test_where_nothing_is_significant_the_claim_cannot_be_told():
    found = said(*ROWS, p=lambda *key: LEVEL)
    assert found.headline.endswith("The test cannot tell whether `mixed` has the highest NDCG@10.")
    verdict, agree, contrary, undecided, untested = found.claims[HIGHEST]
    assert (verdict, agree, contrary, untested) == ("undecided", "", "", "")
    assert undecided == (
        "`random`, `adaptive` and `PopRec` (p 0.5 or more); smallest detectable difference 0.4 percentage points"
    )
    assert found.claims["`adaptive` has a lower NDCG@10 than `mixed`"][0] == "undecided"
    assert found.families[0][2] == "0"


def test_what_some_tests_say():
    def p(measure: str, scope: str, a: str, b: str) -> float:
        return LEVEL if {a, b} == {"mixed", "random"} else 0.048 if {a, b} == {"mixed", "adaptive"} else SIGNIFICANT

    found = said(*ROWS, p=p)
    assert found.claims[HIGHEST][:2] == [
        "undecided",
        "`adaptive` and `PopRec` (p 0.048 or less, borderline: `adaptive`)",
    ]
    assert found.claims[HIGHEST][3].startswith("`random` (p 0.5)")
    assert found.families[0][4] == "`mixed` and `adaptive`, all (p 0.048)"


def test_what_the_test_contradicts_does_not_hold():
    """Validation prefers `mixed`, and the test has another above it: both are said, each for what it is."""
    valid = [each | {"ndcg@10": 0.05} if each["method"] == "mixed" else each for each in ROWS]
    rows = [each | {"ndcg@10": 0.008} if each["method"] == "mixed" else each for each in ROWS]
    found = said(*rows, valid=valid)
    assert "take `mixed` for total accuracy" in found.headline
    assert "The test contradicts that `mixed` has the highest NDCG@10." in found.headline
    assert found.claims[HIGHEST][:3] == [
        "does not hold",
        "`PopRec` (p 0.001)",
        "`random` and `adaptive` (p 0.001 or less)",
    ]
    assert found.advice[0][1:3] == ["`mixed`", "0.80 %"]
    assert found.advice[0][-1] == "`random`, 1.90 %"


def test_with_one_run_a_method_nothing_is_tested_and_the_way_out_is_said():
    found = said(*(once(each) for each in ROWS), p=lambda *key: None)
    assert found.claims[HIGHEST] == [
        "undecided", "", "", "", "`random`, `adaptive` and `PopRec`: one run of a method"
    ]  # fmt: skip
    assert "Repeat with `--repeats 3` or more" in found.all
    assert "No comparison is tested" in found.all
    for forbidden in ("no significant difference", "significantly", "may be chance", "told apart"):
        assert forbidden not in found.all


def test_without_comparisons_nothing_is_tested():
    found = said(*ROWS, p=None)
    assert found.claims[HIGHEST][-1] == "`random`, `adaptive` and `PopRec`: never compared"
    assert found.families == []
    assert "The test cannot tell whether" in found.headline


def test_only_one_method():
    found = said(row("mixed", 0.02), popular())
    assert found.headline.startswith("Only `mixed` was trained, so there is nothing to compare yet.")
    assert "The test confirms that `mixed` has the highest NDCG@10." in found.headline


def test_one_method_without_the_baseline():
    found = said(row("mixed", 0.02), p=None)
    assert found.headline == "Only `mixed` was trained, so there is nothing to compare yet."
    assert "PopRec, which recommends the most popular items to everybody, has not finished." in found.limits


def test_only_the_baseline():
    found = said(popular(), p=None)
    assert found.headline.startswith("No trained method has finished")
    assert (found.advice, found.claims) == ([], {})


def test_all_zero():
    found = said(row("mixed", 0.0, 0.0, None), row("random", 0.0, 0.0, None), popular())
    assert found.headline == "No method can be chosen: no trained method has a validation target in its top 10."
    assert "No trained method has a hit on test." in found.limits
    assert "None" not in found.all


def test_undefined_balance_is_said():
    found = said(row("mixed", 0.02), row("random", 0.0, 0.0, None), popular())
    assert "Balance is undefined for `random`" in found.all
    everyone = said(row("mixed", 0.02, balance=None), row("random", 0.01, balance=None), popular())
    assert "undefined for `mixed` and `random`" in everyone.all
    assert everyone.advice[0][5] == "undefined"
    assert "None" not in everyone.all


def test_ties_cannot_be_told():
    found = said(row("mixed", 0.02), row("random", 0.02), popular(), p=lambda *key: LEVEL)
    assert "The test cannot tell whether" in found.headline


def test_losing_to_the_baseline_is_said_first():
    rows = (row("mixed", 0.02), row("random", 0.01), popular(0.05))
    found = said(*rows)
    assert found.headline.startswith("On validation no trained method has a higher NDCG@10 than PopRec: as they")
    assert "The test confirms that `mixed` has a lower NDCG@10 than PopRec." in found.headline
    assert list(found.claims) == ["`mixed` has a lower NDCG@10 than PopRec"]
    assert "The test cannot tell whether" in said(*rows, p=lambda *key: LEVEL).headline


def test_a_study_that_was_cut_off_says_so_before_any_other_limit():
    found = said(*ROWS, cut=CutOff(16, 18, 3, 15, tuned=False))
    assert found.limits[0] == (
        "Training was cut off: in 16 of 18 runs the best epoch on validation is among the last 3 of 15, so more epochs"
        " could change figures and order. Train longer (`--epochs 30`) or tune each method first (`--tune-trials 20`)."
    )
    assert "--tune-trials" not in said(*ROWS, cut=CutOff(16, 18, 3, 15, tuned=True)).all
    limit = said(*ROWS, cut=CutOff(16, 18, 5, 100, tuned=True, stops=True)).all
    assert "in 16 of 18 runs validation was still improving at the limit of 100 epochs, so more" in limit


def test_no_test_events():
    none = row("mixed", 0.0) | {"ndcg@10": None, "hr@10": None, "tail_hr@10": None, "balance@10": None}
    found = said(none, events=EVENTS | {"events": 0}, p=None)
    assert (found.headline, found.limits) == ("There are no test events, so nothing was measured.", [])


def test_what_is_left_out_of_the_ranking_is_a_ceiling():
    found = said(row("mixed", 0.02), popular(), events=EVENTS | {"left_out_events": 520})
    assert "52.0 % of the test events are on items that the user had before." in found.all
    assert "HR@10 has a ceiling of 48.0 %" in found.all


def test_no_tail_events_and_nothing_cold():
    rows = [row("mixed", 0.02) | {"tail_hr@10": None}, row("random", 0.01) | {"tail_hr@10": None}, popular()]
    found = said(*rows, events=EVENTS | {"cold_events": 0})
    assert "No test event is on a tail item" in found.all
    assert "in no train event" not in found.all
    assert "tail items" not in found.headline


def test_balance_never_stands_without_accuracy():
    for line in said(*ROWS).advice:
        assert line[2].endswith("%")
        assert line[5].endswith("%")


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
    assert not any(cell.best and cell.close for line in shown for cell in line.cells)
    return [line.method for line in shown if line.cells[place].close]


def test_a_dagger_stands_only_where_a_test_found_no_difference_from_the_best():
    def p(measure: str, scope: str, a: str, b: str) -> float | None:
        if measure == "ndcg@10" and scope == "all":
            return LEVEL if {a, b} == {"mixed", "random"} else None if "PopRec" in (a, b) else SIGNIFICANT
        return LEVEL if measure == "balance@10" else SIGNIFICANT

    tests = comparisons(ROWS, p)
    assert marked(tests, "ndcg@10") == ["random"]
    assert marked(tests, "balance@10") == ["mixed", "random", "PopRec"]
    assert marked(tests, "tail_hr@10") == marked(tests, "coverage@10") == marked(None, "ndcg@10") == []
