"""Practical equivalence: by hand, and against the interval that says the same."""

from __future__ import annotations

import math

import pytest
from made import comparisons, popular, row
from scipy import stats

from negsample.analysis.difference import Difference
from negsample.analysis.equivalence import tost
from negsample.analysis.significance import significance_table
from negsample.analysis.t_test import TTest


@pytest.mark.parametrize("difference", [-0.004, 0.0, 0.0029, 0.006])
@pytest.mark.parametrize("freedom", [2.0, 17.3])
def test_it_is_the_larger_of_two_one_sided_tests(difference: float, freedom: float) -> None:
    error, margin = 0.001, 0.005
    below = stats.t.sf((difference + margin) / error, freedom)
    above = stats.t.cdf((difference - margin) / error, freedom)
    assert tost(TTest(difference, error, freedom, 0.5), margin) == pytest.approx(max(below, above))


@pytest.mark.parametrize("margin", [0.002, 0.0028, 0.0031, 0.004])
def test_below_five_percent_is_a_ninety_percent_interval_within_the_margin(margin: float) -> None:
    difference, error, freedom = 0.001, 0.001, 9.0
    reach = stats.t.ppf(0.95, freedom) * error
    inside = -margin < difference - reach and difference + reach < margin
    assert (tost(TTest(difference, error, freedom, 0.3), margin) < 0.05) == inside


def test_equal_ranks_are_equivalent_and_what_is_untested_is_not() -> None:
    assert tost(TTest(0.0, 0.0, 5.0, 1.0), 0.001) == 0.0
    assert tost(TTest(0.0, 0.0, 5.0, 1.0), 0.0) == 1.0
    assert math.isnan(tost(TTest(0.001, math.nan, math.nan, math.nan), 0.001))


def of(p_holm: float | None, p_equivalent_holm: float | None, difference: float = 0.001) -> Difference:
    found = comparisons([row("a", 0.03), popular()], lambda *key: 0.5).found[0]
    return found._replace(difference=difference, p_holm=p_holm, p_equivalent_holm=p_equivalent_holm, margin=0.002)


def test_what_was_found_of_a_difference() -> None:
    assert of(0.01, 0.9).kind == "better"
    assert of(0.01, 0.9).reversed.kind == "worse"
    assert of(0.01, 0.01).kind == "better"
    assert of(0.01, 0.01).equivalent
    assert of(0.2, 0.01).kind == of(0.2, 0.01).reversed.kind == "equivalent"
    assert of(0.2, 0.05).kind == "undecided"
    assert of(None, None).kind == "untested"


def test_the_file_says_it() -> None:
    table = significance_table([of(0.2, 0.01), of(0.2, 0.6), of(None, None)._replace(margin=None)])
    assert table["equivalent"].to_list() == [True, False, None]
    assert table["p_equivalent_holm"].to_list() == [0.01, 0.6, None]
