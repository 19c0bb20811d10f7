"""The paper's findings, asked of figures and tests made by hand: three verdicts, none without a test."""

from __future__ import annotations

import pytest
from made import LEVEL, SIGNIFICANT, comparisons, popular, row

from negsample.analysis.significance import Comparisons
from negsample.paper.findings import findings

PAPER = [
    row("random", 0.007, 0.0004, 0.50),
    row("popularity", 0.004, 0.002, 0.78),
    row("in-batch", 0.006, 0.002, 0.69),
    row("adaptive-mixed", 0.0115, 0.002, 0.51),
    popular(0.0044),
]


def verdicts(rows, tests):
    return [each.verdict for each in findings(rows, tests)]


def test_all_hold_on_the_paper_s_own_table():
    found = findings(PAPER, comparisons(PAPER))
    assert [each.verdict for each in found] == ["holds"] * 3
    assert set(found[0].evidence[0][1].agree) == {"popularity", "in-batch", "adaptive-mixed"}
    assert [set(each.agree) for _, each in found[1].evidence] == [{"random"}] * 4


def test_poprec_is_no_method_to_lead():
    rows = [*PAPER[:-1], row("PopRec", 0.9, 0.9)]
    assert verdicts(rows, comparisons(rows)) == ["holds"] * 3


def test_where_nothing_is_significant_nothing_can_be_told():
    """Neither holds nor does not: the smallest difference that would have shown stands there."""
    found = findings(PAPER, comparisons(PAPER, lambda *key: LEVEL))
    assert [each.verdict for each in found] == ["undecided"] * 3
    for each in (each for one in found for _, each in one.evidence):
        assert each.undecided
        assert each.detectable == 0.004


def test_where_nothing_was_tested_nothing_can_be_told_either():
    for tests in (Comparisons(), comparisons(PAPER, lambda *key: None)):
        found = findings(PAPER, tests)
        assert [each.verdict for each in found] == ["undecided"] * 3
        assert all(each.untested and not each.undecided for one in found for _, each in one.evidence)


@pytest.mark.parametrize("contrary", [True, False])
def test_half_a_trade_cannot_be_told_and_a_contrary_half_does_not_hold(contrary):
    rows = [
        row("random", 0.007, balance=0.5),
        row("popularity", 0.004, balance=0.8),
        row("in-batch", 0.012, balance=0.8),
    ]

    def p(measure, scope, a, b):
        return LEVEL if measure == "ndcg@10" and "in-batch" in (a, b) and not contrary else SIGNIFICANT

    assert verdicts(rows, comparisons(rows, p))[1] == ("does not hold" if contrary else "undecided")


def test_the_other_way_round_nothing_holds():
    rows = [
        row("random", 0.010, 0.08, 0.9),
        row("popularity", 0.012, 0.01, 0.4),
        row("adaptive-mixed", 0.005, 0.01, 0.5),
    ]
    found = findings(rows, comparisons(rows))
    assert [each.verdict for each in found] == ["does not hold"] * 3
    assert set(found[2].evidence[0][1].contrary) == {"random", "popularity"}


def test_uneven_is_not_enough_where_the_tail_is_ahead_of_the_head():
    rows = [row("random", 0.007, 0.2, 0.4), row("adaptive", 0.01, balance=0.6)]
    assert verdicts(rows, comparisons(rows)) == ["undecided"]


def test_a_sign_is_that_of_the_order_asked_for():
    """Pairs are tested in one order; asked in the other, the sign turns."""
    tests = comparisons(PAPER)
    turned = Comparisons([each.reversed for each in tests.found], {each["method"]: (each["dial"],) for each in PAPER})
    assert verdicts(PAPER, turned) == ["holds"] * 3
    assert findings(PAPER, turned) == findings(PAPER, tests)


def test_without_random_nothing_is_asked():
    assert findings(PAPER[1:], comparisons(PAPER[1:])) == []
