"""The two split rules against arithmetic by hand."""

import numpy as np
import pytest

from negsample.data.split import split_by_time
from negsample.errors import InputError


def parts(times, rule, valid=0.05, test=0.05):
    found = split_by_time(np.array(times, np.int64), rule=rule, valid_fraction=valid, test_fraction=test)
    assert found.dtype == np.int8
    return found.tolist()


@pytest.mark.parametrize("rule", ["timestamp", "paper"])
def test_twenty_distinct_times_give_one_each(rule):
    assert parts(range(20), rule) == [0] * 18 + [1, 2]


@pytest.mark.parametrize(("n", "share"), [(100, 5), (20, 1), (21, 2), (40, 2), (60, 3), (101, 6), (140, 7)])
def test_share_is_the_ceiling_of_the_decimal_fraction(n, share):
    assert parts(range(n), "paper").count(2) == share
    assert parts(range(n), "paper").count(1) == share


def test_share_is_not_fooled_by_floats():
    assert 0.07 * 100 > 7
    assert parts(range(100), "paper", valid=0.07, test=0.14).count(1) == 7
    assert parts(range(100), "paper", valid=0.07, test=0.14).count(2) == 14


# Ten events, test and validation 0.2 each. Sorted times: 1 2 3 3 3 4 4 5 5 5.
TIED = [5, 1, 3, 4, 3, 5, 2, 3, 4, 5]


def test_paper_cuts_by_rows_inside_ties():
    """The last two of the stable order are the second and third 5; before them the first 5 and the last 4."""
    assert parts(TIED, "paper", 0.2, 0.2) == [1, 0, 0, 0, 0, 2, 0, 0, 1, 2]


def test_timestamp_moves_both_cuts_to_a_time():
    """Test takes all three 5; two rows before that cut is the first 4, so validation is both 4."""
    assert parts(TIED, "timestamp", 0.2, 0.2) == [2, 0, 0, 1, 0, 2, 0, 0, 1, 2]


def test_timestamp_takes_a_whole_tie_into_validation():
    """Three rows before the cut at 5 stands the last 3: all three 3 come along."""
    assert parts(TIED, "timestamp", 0.3, 0.2) == [2, 0, 1, 1, 1, 2, 0, 1, 1, 2]


@pytest.mark.parametrize("seed", range(20))
def test_no_tie_straddles_a_timestamp_cut(seed):
    times = np.random.default_rng(seed).integers(0, 30, 200)
    part = split_by_time(times, rule="timestamp", valid_fraction=0.1, test_fraction=0.1)
    assert times[part == 0].max() < times[part == 1].min()
    assert times[part == 1].max() < times[part == 2].min()
    assert (part == 2).sum() >= 20
    assert (part == 1).sum() >= 20


@pytest.mark.parametrize("seed", range(5))
def test_paper_keeps_file_order_inside_ties(seed):
    times = np.random.default_rng(seed).integers(0, 5, 100)
    part = split_by_time(times, rule="paper", valid_fraction=0.1, test_fraction=0.1)
    order = sorted(range(100), key=lambda row: (times[row], row))
    assert part[order].tolist() == [0] * 80 + [1] * 10 + [2] * 10


@pytest.mark.parametrize("rule", ["timestamp", "paper"])
@pytest.mark.parametrize("n", [0, 1, 2])
def test_too_few_events(rule, n):
    with pytest.raises(InputError, match=f"too few events to split: {n} events leave none for train"):
        parts(range(n), rule)


def test_one_time_for_all():
    with pytest.raises(InputError, match=r"100 events share their time: all have the same one.*--split paper, which"):
        parts([7] * 100, "timestamp")
    assert parts([7] * 100, "paper") == [0] * 90 + [1] * 5 + [2] * 5


def test_nothing_before_the_validation_tie():
    with pytest.raises(InputError, match="there are 2 different times"):
        parts([1] * 90 + [2] * 10, "timestamp")


def test_unknown_rule():
    with pytest.raises(InputError, match="rule must be 'timestamp' or 'paper', got 'random'"):
        parts(range(20), "random")
