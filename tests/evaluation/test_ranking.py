"""HR, NDCG and MRR by hand."""

from __future__ import annotations

import numpy as np
import pytest

from negsample.evaluation.metrics import METRICS, hit, ndcg, reciprocal_rank

RANKS = np.array([0, 1, 2, 4.5, 9, 9.5, 10, 10.5, 99])


def test_names():
    assert {"hr": hit, "ndcg": ndcg, "mrr": reciprocal_rank} == dict(METRICS)


def test_hit_at_10():
    assert hit(RANKS, 10).tolist() == [1, 1, 1, 1, 1, 1, 0, 0, 0]


def test_hit_at_1_of_a_tie_for_the_first_place():
    # two items share places 0 and 1: rank 0.5 < 1 counts; three share 0, 1 and 2: rank 1 does not
    assert hit(np.array([0, 0.5, 1]), 1).tolist() == [1, 1, 0]


def test_ndcg_at_10():
    # 1 / log2(2), 1 / log2(3), 1 / log2(4), 1 / log2(6.5), 1 / log2(11), 1 / log2(11.5)
    expected = [1, 0.6309297536, 0.5, 0.3703100623, 0.2890648263, 0.2838037226, 0, 0, 0]
    assert ndcg(RANKS, 10) == pytest.approx(expected, abs=1e-9)


def test_reciprocal_rank_at_10():
    expected = [1, 1 / 2, 1 / 3, 1 / 5.5, 1 / 10, 1 / 10.5, 0, 0, 0]
    assert reciprocal_rank(RANKS, 10) == pytest.approx(expected, abs=1e-12)


def test_nothing_is_rounded():
    assert ndcg(np.array([1.0]), 5)[0] == 1 / np.log2(3)
    assert reciprocal_rank(np.array([2.0]), 5)[0] == 1 / 3
