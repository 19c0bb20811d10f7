"""The figures of a run on a case made by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from negsample.data.popularity import cohorts
from negsample.evaluation.figures import CUTOFFS, summarise
from negsample.evaluation.metrics import METRICS

# Items 1..6 with 6, 3, 2, 1, 0, 0 train events, n = 12: 1 is head (c = 0 < 4), 2 is mid (c = 6 < 8), the rest tail.
COUNTS = np.array([0, 6, 3, 2, 1, 0, 0])
TARGETS = np.array([1, 1, 1, 1, 2, 2, 3, 4, 5, 6])
RANKS = np.array([0, 3, 12, 9.5, 0.5, 30, 1, 10, 7, 50])
TOP = np.array([[1, 2, 3], [1, 4, 2], [1, 2, 0]])


@pytest.fixture
def figures():
    cohort_of = cohorts(COUNTS)
    assert cohort_of.tolist() == [-1, 0, 1, 2, 2, 2, 2]
    return summarise(RANKS, TARGETS, COUNTS, cohort_of, TOP)


def test_events(figures):
    expected = {
        "events": 10,
        "head_events": 4,
        "mid_events": 2,
        "tail_events": 4,
        "cold_events": 2,
        "left_out_events": 0,
    }
    assert {name: figures[name] for name in expected} == expected
    assert all(type(figures[name]) is int for name in expected)


def test_hit_rates(figures):
    assert figures["hr@10"] == 6 / 10  # ranks 0, 3, 9.5, 0.5, 1, 7
    assert figures["hr@1"] == 2 / 10
    assert figures["hr@5"] == 4 / 10
    assert figures["hr@20"] == 8 / 10
    assert figures["warm_hr@10"] == 5 / 8  # without the events on 5 and 6
    assert (figures["head_hr@10"], figures["mid_hr@10"], figures["tail_hr@10"]) == (3 / 4, 1 / 2, 2 / 4)


def test_ndcg_and_mrr(figures):
    gains = {rank: 1 / math.log2(rank + 2) for rank in (0, 3, 9.5, 0.5, 1, 7)}
    assert figures["ndcg@10"] == pytest.approx(sum(gains.values()) / 10)
    assert figures["warm_ndcg@10"] == pytest.approx((sum(gains.values()) - gains[7]) / 8)
    assert figures["head_ndcg@10"] == pytest.approx((gains[0] + gains[3] + gains[9.5]) / 4)
    assert figures["tail_ndcg@10"] == pytest.approx((gains[1] + gains[7]) / 4)
    assert figures["mrr@10"] == pytest.approx((1 + 1 / 4 + 1 / 10.5 + 1 / 1.5 + 1 / 2 + 1 / 8) / 10)
    assert figures["mid_mrr@10"] == pytest.approx((1 / 1.5) / 2)


def test_balance(figures):
    # ascending 1/2, 1/2, 3/4: Gini = (-2 * 1/2 + 2 * 3/4) / (3 * 7/4) = 0.5 / 5.25
    assert figures["balance@10"] == pytest.approx(1 - 0.5 / 5.25)
    # at 1: head 1/4, mid 1/2, tail 0; ascending 0, 1/4, 1/2: Gini = 1 / (3 * 3/4)
    assert figures["balance@1"] == pytest.approx(1 - 1 / 2.25)


def test_what_is_recommended(figures):
    assert figures["coverage@1"] == pytest.approx(1 / 6)
    assert figures["coverage@10"] == pytest.approx(4 / 6)
    percentile = {1: 1.0, 2: 0.8, 3: 0.6, 4: 0.4}
    assert figures["arp@1"] == 1
    assert figures["arp@5"] == pytest.approx(sum(percentile[i] for i in (1, 2, 3, 1, 4, 2, 1, 2)) / 8)


def test_totals_are_the_cohorts_means_weighted_by_their_events(figures):
    for k in CUTOFFS:
        for name in ("hr", "ndcg", "mrr"):
            parts = [figures[f"{c}_{name}@{k}"] * figures[f"{c}_events"] for c in ("head", "mid", "tail")]
            assert sum(parts) / 10 == pytest.approx(figures[f"{name}@{k}"])


def test_every_name_and_no_other(figures):
    measures = [
        f"{prefix}{name}" for name in ("hr", "ndcg", "mrr") for prefix in ("", "warm_", "head_", "mid_", "tail_")
    ]
    expected = {f"{name}@{k}" for k in (1, 5, 10, 20) for name in [*measures, "balance", "coverage", "arp"]}
    expected |= {"events", "head_events", "mid_events", "tail_events", "cold_events", "left_out_events"}
    assert set(figures) == expected
    without_top = summarise(RANKS, TARGETS, COUNTS, cohorts(COUNTS))
    assert set(without_top) == {name for name in expected if not name.startswith(("coverage", "arp"))}


def test_cohorts_without_events_or_hits_are_undefined_not_zero():
    only_head = summarise(np.array([0.0, 4]), np.array([1, 1]), COUNTS, cohorts(COUNTS))
    assert only_head["hr@10"] == only_head["head_hr@10"] == 1
    assert math.isnan(only_head["mid_hr@10"])
    assert math.isnan(only_head["balance@10"])
    no_hit = summarise(np.array([90.0, 90, 90]), np.array([1, 2, 3]), COUNTS, cohorts(COUNTS))
    assert no_hit["hr@10"] == no_hit["tail_hr@10"] == 0
    assert math.isnan(no_hit["balance@10"])
    all_cold = summarise(np.array([0.0]), np.array([5]), COUNTS, cohorts(COUNTS))
    assert math.isnan(all_cold["warm_hr@10"])
    assert all_cold["cold_events"] == 1


def test_no_event_at_all():
    nothing = summarise(np.empty(0), np.empty(0, np.int64), COUNTS, cohorts(COUNTS))
    assert nothing["events"] == 0
    assert math.isnan(nothing["hr@10"])


def test_a_target_that_is_left_out_is_an_event_and_no_hit():
    """Ten events of which six are left out: at most four can be hit, at any k, in no total and in no cohort."""
    ranks = np.array([0.0, 0, 0, 0, *[math.inf] * 6])
    targets = np.array([1, 2, 3, 4, 1, 2, 3, 4, 1, 2])
    figures = summarise(ranks, targets, COUNTS, cohorts(COUNTS))
    assert (figures["events"], figures["left_out_events"]) == (10, 6)
    for k in (1, 5, 10, 20):
        assert [figures[f"{name}@{k}"] for name in ("hr", "ndcg", "mrr")] == [0.4] * 3
        assert figures[f"head_hr@{k}"] == 1 / 3
    for metric in METRICS.values():
        assert metric(ranks, 10**9).tolist() == [1, 1, 1, 1, 0, 0, 0, 0, 0, 0]


def test_a_model_like_poprec_has_balance_one_third():
    ranks = np.array([0.0, 0, 11, 12, 13])
    figures = summarise(ranks, np.array([1, 1, 2, 3, 6]), COUNTS, cohorts(COUNTS))
    assert figures["balance@10"] == pytest.approx(1 / 3)
