"""The paper's findings, asked of figures and tests made by hand."""

from __future__ import annotations

import pytest

from negsample.report.findings import findings
from negsample.report.significance import Difference


def row(method, ndcg, balance, head=0.02, tail=0.01):
    return {"method": method, "ndcg@10": ndcg, "balance@10": balance, "head_ndcg@10": head, "tail_ndcg@10": tail}


def difference(measure, a, b, value, real=True, at="table"):
    p = 0.001 if real else 0.7
    return Difference("d", measure, "all", a, b, value, value - 0.1, value + 0.1, p, p, 100, 3, at)


def pairs_of(rows, real=lambda measure, a, b: True):
    found = []
    for measure in ("ndcg@10", "balance@10"):
        for place, a in enumerate(rows):
            for b in rows[place + 1 :]:
                names = (a["method"], b["method"])
                found.append(difference(measure, *names, a[measure] - b[measure], real(measure, *names)))
    return found


PAPER = [
    row("random", 0.007, 0.50, head=0.0221, tail=0.0004),
    row("popularity", 0.004, 0.78),
    row("in-batch", 0.006, 0.69),
    row("adaptive-mixed", 0.0115, 0.51),
    row("PopRec", 0.0044, 0.33, tail=0.0),
]


def verdicts(rows, tested):
    return [each.verdict for each in findings(rows, tested)]


def test_all_hold_on_the_paper_s_own_table():
    found = findings(PAPER, pairs_of(PAPER))
    assert [each.verdict for each in found] == ["holds"] * 3
    assert "55.2 times on the head" in found[0].told
    assert "really lower than that of all 3 others" in found[0].told
    assert "`popularity` has really more Balance than `random` and really less NDCG@10" in found[1].told
    assert "really higher than that of all 3 others" in found[2].told


def test_poprec_is_no_method_to_lead():
    rows = [*PAPER[:-1], row("PopRec", 0.9, 0.9)]
    assert verdicts(rows, pairs_of(rows)) == ["holds"] * 3


def test_what_is_not_told_apart_does_not_hold_whole():
    """A verdict stands on tests: the same figures without any real difference prove nothing."""
    found = findings(PAPER, pairs_of(PAPER, lambda measure, a, b: False))
    assert [each.verdict for each in found] == ["holds in part", "does not hold", "holds in part"]
    assert "not really higher than that of any of 3 others." in found[2].told


@pytest.mark.parametrize("contrary", [True, False])
def test_half_a_trade_holds_in_part_unless_the_other_half_goes_against_it(contrary):
    rows = [row("random", 0.007, 0.5), row("popularity", 0.004, 0.8), row("in-batch", 0.012, 0.8)]
    real = None if contrary else (lambda measure, a, b: measure == "balance@10" or "popularity" in (a, b))
    assert verdicts(rows, pairs_of(rows, *([real] if real else [])))[1] == (
        "does not hold" if contrary else "holds in part"
    )


def test_the_other_way_round_nothing_holds():
    rows = [
        row("random", 0.010, 0.9, head=0.001, tail=0.01),
        row("popularity", 0.012, 0.4),
        row("adaptive-mixed", 0.005, 0.5),
    ]
    found = findings(rows, pairs_of(rows))
    assert [each.verdict for each in found] == ["does not hold"] * 3
    assert "The highest is of `popularity` (1.20" in found[2].told
    assert "and really lower than that of 2" in found[2].told


def test_a_sign_is_that_of_the_order_asked_for():
    """Pairs are tested in one order; asked in the other, the sign turns."""
    turned = [
        each._replace(a=each.b, b=each.a, difference=-each.difference)
        for each in pairs_of(PAPER)
        if each.difference is not None
    ]
    assert verdicts(PAPER, turned) == ["holds"] * 3


def test_tests_at_other_dials_do_not_count():
    elsewhere = [each._replace(at="accuracy") for each in pairs_of(PAPER)]
    assert verdicts(PAPER, elsewhere) == ["holds in part", "does not hold", "holds in part"]


def test_without_tests_or_random_nothing_is_asked():
    assert findings(PAPER, []) == []
    assert findings(PAPER[1:], pairs_of(PAPER[1:])) == []


def test_a_tail_without_hits_is_said():
    rows = [row("random", 0.007, 0.5, tail=0.0), *PAPER[1:]]
    assert findings(rows, pairs_of(rows))[0].told.startswith("It hits nothing on the tail.")


def test_a_tail_with_hardly_a_hit_is_said_in_a_round_number():
    rows = [row("random", 0.007, 0.5, head=0.43, tail=2e-5), *PAPER[1:]]
    assert "is more than 1,000 times on the head" in findings(rows, pairs_of(rows))[0].told
