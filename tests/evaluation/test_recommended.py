"""Coverage and popularity of what is recommended, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from negsample.evaluation.figures import coverage, popularity_percentiles


def test_coverage_counts_each_item_once_and_no_empty_place():
    shown = np.array([[1, 2, 3], [3, 2, 0], [7, 0, 0]])
    assert coverage(shown, 10) == 0.4
    assert coverage(shown[:, :1], 10) == 0.3
    assert coverage(np.zeros((2, 3), np.int64), 10) == 0
    assert coverage(np.array([[1, 2], [3, 4]]), 4) == 1


def test_popularity_percentiles_by_hand():
    # counts of items 1..5: 7, 0, 3, 3, 0
    found = popularity_percentiles(np.array([0, 7, 0, 3, 3, 0]))
    assert np.isnan(found[0])
    # item 1 outdoes all 4 others; 3 and 4 outdo two and tie with one; 2 and 5 tie with one
    assert found[1:].tolist() == [4 / 4, 0.5 / 4, 2.5 / 4, 2.5 / 4, 0.5 / 4]


def test_popularity_percentiles_against_the_slow_version():
    counts = np.concatenate([[0], np.random.default_rng(0).integers(0, 6, 40)])
    found = popularity_percentiles(counts)
    for i in range(1, 41):
        others = [int(counts[j]) for j in range(1, 41) if j != i]
        outdone = sum((other < counts[i]) + (other == counts[i]) / 2 for other in others)
        assert found[i] == pytest.approx(outdone / 39)
    assert found[1:].mean() == pytest.approx(0.5)


def test_popularity_percentiles_of_one_item_or_of_equals():
    assert popularity_percentiles(np.array([0, 9]))[1] == 0
    assert popularity_percentiles(np.array([0, 4, 4, 4]))[1:].tolist() == [0.5] * 3
