"""Counts to cohorts and MPU, against arithmetic by hand."""

import numpy as np
import pytest

from negsample.data.popularity import cohorts, median_percent, popularity_order, users_of_items


def test_order_is_by_count_then_id():
    assert popularity_order(np.array([0, 2, 5, 2, 0, 5])).tolist() == [2, 5, 1, 3, 4]


def test_cohorts_by_hand():
    """n = 12. Items 3 (5), 1 (3), 5 (2), 2 (1), 4 (1), 6 (0); before each: 0, 5, 8, 10, 11, 12.

    Head below 4: item 3. Mid below 8: item 1; item 5 has exactly 8 before it, so it and the rest are tail.
    """
    assert cohorts(np.array([0, 3, 1, 5, 1, 2, 0])).tolist() == [-1, 1, 2, 0, 2, 2, 2]


def test_a_third_exactly_ends_the_head():
    """n = 9, equal counts 1: before each 0..8; head below 3, mid below 6."""
    assert cohorts(np.array([0] + [1] * 9)).tolist() == [-1] + [0] * 3 + [1] * 3 + [2] * 3


def test_one_giant_item_is_head_and_the_next_are_tail():
    assert cohorts(np.array([0, 1, 100, 1])).tolist() == [-1, 2, 0, 2]


def test_cohorts_are_exact_where_floats_are_not():
    """n = 3 m with m = 2^53 + 1: the second item has exactly n / 3 before it, which a float cannot tell."""
    m = 2**53 + 1
    assert cohorts(np.array([0, m, m, m])).tolist() == [-1, 0, 1, 2]


def test_cohorts_match_the_slow_definition():
    counts = np.random.default_rng(0).zipf(1.5, 200).clip(max=10_000)
    counts[0] = 0
    n, before, expected = int(counts.sum()), 0, {}
    for item in sorted(range(1, 200), key=lambda item: (-counts[item], item)):
        expected[item] = 0 if 3 * before < n else 1 if 3 * before < 2 * n else 2
        before += int(counts[item])
    assert cohorts(counts)[1:].tolist() == [expected[item] for item in range(1, 200)]


def test_id_0_is_no_item():
    with pytest.raises(ValueError, match="id 0 is no item"):
        cohorts(np.array([1, 2]))


def test_mpu_by_hand():
    """Four users; item 1 has 3 of them (one twice), item 2 one, item 3 two, item 4 none, item 5 one."""
    users = np.array([0, 0, 1, 2, 9, 1, 2, 2])
    items = np.array([1, 1, 1, 1, 2, 3, 3, 5])
    mpu = median_percent(users_of_items(users, items, 6), 4, np.array([-1, 0, 1, 1, 2, 2], np.int8))
    assert mpu == {"head": 75.0, "mid": 37.5, "tail": 12.5}


def test_mpu_of_an_empty_cohort_is_nothing():
    mpu = median_percent(users_of_items(np.array([3]), np.array([1]), 2), 1, np.array([-1, 0], np.int8))
    assert mpu == {"head": 100, "mid": None, "tail": None}
