"""Gini and Balance by hand."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from negsample.evaluation.figures import balance, balance_slopes, gini


def pairwise(values):
    """Gini by its other definition: the mean absolute difference of all pairs over twice the mean."""
    n = len(values)
    return sum(abs(a - b) for a in values for b in values) / (2 * n * sum(values))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((0.2, 0.2, 0.2), 0),
        ((1, 0, 0), 2 / 3),
        ((0, 0, 1), 2 / 3),
        # ascending 1, 2, 3: (-2 * 1 + 0 * 2 + 2 * 3) / (3 * 6) = 4 / 18
        ((3, 1, 2), 4 / 18),
        # ascending 0.1, 0.1, 0.3: (-0.2 + 0.6) / (3 * 0.5) = 0.4 / 1.5
        ((0.3, 0.1, 0.1), 0.4 / 1.5),
        # ascending 1, 3: (-1 + 3) / (2 * 4)
        ((3, 1), 0.25),
        ((5,), 0),
        ((0, 0, 0, 8), 3 / 4),
    ],
)
def test_gini_by_hand(values, expected):
    assert gini(values) == pytest.approx(expected, abs=1e-15)


def test_gini_against_its_definition_by_pairs():
    chance = random.Random(0)
    for n in range(1, 12):
        values = [chance.random() for _ in range(n)]
        assert gini(values) == pytest.approx(pairwise(values), abs=1e-12)


def test_gini_of_nothing_is_undefined():
    assert math.isnan(gini(()))
    assert math.isnan(gini((0, 0)))
    assert math.isnan(gini((0.5, math.nan, 0.1)))
    assert math.isnan(gini((math.nan, 0.1, 0.5)))


def test_gini_of_a_negative_is_refused():
    with pytest.raises(ValueError, match=r"values >= 0, got -0.1"):
        gini((0.5, -0.1, 0.2))


def test_balance_by_hand():
    assert balance(0.2, 0.2, 0.2) == 1
    # ascending 0.05, 0.1, 0.25: Gini = (-0.1 + 0.5) / (3 * 0.4) = 1 / 3
    assert balance(0.25, 0.1, 0.05) == pytest.approx(2 / 3)


@pytest.mark.parametrize("level", [1e-9, 0.04, 1])
def test_balance_of_head_alone_is_a_third(level):
    assert balance(level, 0, 0) == pytest.approx(1 / 3)
    assert balance(0, 0, level) == pytest.approx(1 / 3)


def test_balance_stays_between_a_third_and_one_and_is_blind_to_level_and_order():
    chance = random.Random(1)
    for _ in range(500):
        values = [chance.random() * chance.choice([0, 1e-6, 1]) for _ in range(3)]
        if sum(values) == 0:
            continue
        found = balance(*values)
        assert 1 / 3 - 1e-12 <= found <= 1 + 1e-12
        assert balance(*sorted(values)) == pytest.approx(found)
        assert balance(*(value / 7 for value in values)) == pytest.approx(found)


def test_balance_without_a_hit_or_without_events_is_undefined():
    assert math.isnan(balance(0, 0, 0))
    assert math.isnan(balance(0.5, 0.2, math.nan))


@pytest.mark.parametrize("rates", [(0.3, 0.2, 0.1), (0.01, 0.05, 0.02), (0.2, 0.0, 0.0001)])
def test_slopes_are_those_of_small_steps(rates):
    (slopes,) = balance_slopes(np.array([rates]))
    for place in range(3):
        step = np.eye(3)[place] * 1e-7
        assert slopes[place] == pytest.approx((balance(*(rates + step)) - balance(*rates)) / 1e-7, rel=1e-2, abs=1e-4)
    assert slopes @ rates == pytest.approx(0, abs=1e-12)  # blind to level


def test_slopes_without_hits_are_undefined():
    assert np.isnan(balance_slopes(np.zeros((1, 3)))).all()
