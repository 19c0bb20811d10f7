"""Laws on a line: every point is located as a search of the running sum does it, and weights say what they should."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import accumulate

import pytest
import torch
from torch.overrides import TorchFunctionMode

from negsample.samplers.distribution import (
    MAX_TOTAL,
    Categorical,
    Empirical,
    UniformDistribution,
    check_counts,
    power_weights,
    scaled,
)

SMALL = {
    "one item": [5],
    "one item of weight 1": [1],
    "all equal": [3] * 20,
    "all 1": [1] * 33,
    "zeros first": [0] * 50 + [2, 1, 4],
    "zeros last": [2, 1, 4] + [0] * 50,
    "zeros in the middle": [3, 1] + [0] * 70 + [1, 9],
    "zeros everywhere": [0, 0, 1, 0, 0, 0, 7, 0, 2, 0, 0],
    "one heavy, many light": [5_000] + [1] * 100,
    "many light, one heavy": [1] * 100 + [5_000],
    "heavy between": [1, 2, 3_000, 1, 0, 0, 2_000, 1],
    "falling": [1_000 // rank for rank in range(1, 200)],
    "rising": [1_000 // rank for rank in range(199, 0, -1)],
}
LARGE = {
    "1 beside 2^40": [1, 2**40, 1, 2**40, 2**40, 1, 1],
    "2^40 and a thousand of 1": [1] * 500 + [2**40] + [1] * 500,
    "2^53 in one": [2**53],
    "2^53 in two": [2**53 - 1, 1],
    "2^53 evenly": [2**43] * 2**10,
    "2^53 and zeros": [0] * 1_000 + [2**52] + [0] * 1_000 + [2**52] + [0] * 1_000,
    "halves": [2**exponent for exponent in range(52, -1, -1)],
    "zipf": [10**9 // rank for rank in range(1, 50_000)],
    "zipf, shuffled by a stride": [10**9 // (1 + rank * 7_919 % 49_999) for rank in range(49_999)],
}


def line_of(weights):
    return torch.tensor([0, *weights])


def truth(weights, points):
    return torch.searchsorted(torch.cumsum(line_of(weights), 0), points, right=True)


class Gathers(TorchFunctionMode):
    """Counts look-ups: two of the guide, then one for each halving."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.count += func is torch.Tensor.index_select
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", SMALL)
def test_every_point_of_a_small_line(name):
    weights = SMALL[name]
    points = torch.arange(sum(weights))
    assert torch.equal(Categorical(line_of(weights)).locate(points), truth(weights, points))


@pytest.mark.parametrize("seed", range(20))
def test_every_point_of_random_lines(seed, rng):
    draws = rng(seed)
    weights = torch.randint(0, 4 + 3**seed % 50, (1 + 7 * seed,), generator=draws)
    weights = [*(weights * torch.randint(0, 2, weights.shape, generator=draws)).tolist(), 1]
    points = torch.arange(sum(weights))
    assert torch.equal(Categorical(line_of(weights)).locate(points), truth(weights, points))


@pytest.mark.parametrize("name", LARGE)
def test_points_of_a_large_line(name, rng):
    weights = LARGE[name]
    until = torch.cumsum(line_of(weights), 0)
    total = int(until[-1])
    edges = torch.cat([until - 1, until, until + 1, torch.tensor([0, total - 1])])
    points = torch.cat([edges.clamp(0, total - 1), torch.randint(total, (20_000,), generator=rng(0))])
    line = Categorical(line_of(weights))
    assert line.total == total
    assert torch.equal(line.locate(points), truth(weights, points))


@pytest.mark.parametrize("name", [*SMALL, *LARGE])
def test_weight_and_before_are_those_of_the_line(name):
    weights = {**SMALL, **LARGE}[name]
    ids = torch.arange(len(weights) + 1)
    line = Categorical(line_of(weights))
    assert line.weight(ids).tolist() == [0, *weights]
    assert line.before(ids[1:]).tolist() == [0, *accumulate(weights)][:-1]
    points = line.before(ids[1:])[torch.tensor(weights) > 0]
    assert torch.equal(line.locate(points), ids[1:][torch.tensor(weights) > 0])


@pytest.mark.parametrize("name", [*SMALL, *LARGE])
def test_at_worst_the_catalogue_is_halved(name):
    weights = {**SMALL, **LARGE}[name]
    line = Categorical(line_of(weights))
    line.locate(torch.zeros(1, dtype=torch.int64))
    with Gathers() as gathers:
        line.locate(torch.arange(min(5, line.total)))
    assert 2 <= gathers.count <= 2 + len(line_of(weights)).bit_length()


@pytest.mark.parametrize("items", [1_000, 100_000, 1_000_000])
def test_popularity_of_any_size_is_located_in_a_few_steps(items):
    line = Categorical(torch.cat([torch.zeros(1), 1e12 / torch.arange(1, items + 1)]).long())
    line.locate(torch.zeros(1, dtype=torch.int64))
    with Gathers() as gathers:
        line.locate(torch.arange(5))
    assert gathers.count <= 2 + 6


def test_points_of_any_shape_and_an_even_law():
    weights = [2, 0, 3, 1]
    points = torch.arange(6).view(2, 3)
    assert Categorical(line_of(weights)).locate(points).tolist() == [[1, 1, 3], [3, 3, 4]]
    even, same = UniformDistribution(7), Categorical(line_of([1] * 7))
    ids, points = torch.arange(8), torch.arange(7)
    assert even.total == same.total
    assert torch.equal(even.weight(ids), same.weight(ids))
    assert torch.equal(even.before(ids[1:]), same.before(ids[1:]))
    assert torch.equal(even.locate(points), same.locate(points))


def test_occurrences_by_hand():
    law = Empirical(torch.tensor([5, 2, 5, 9]))
    assert law.total == 4
    assert law.weight(torch.tensor([[0, 2, 5], [9, 10, 1]])).tolist() == [[0, 1, 2], [1, 0, 0]]
    nothing = Empirical(torch.empty(0, dtype=torch.int64))
    assert (nothing.total, nothing.weight(torch.tensor([1, 2])).tolist()) == (0, [0, 0])


COUNTS = {
    "plain": [7, 3, 1, 12, 5],
    "one": [4],
    "all equal": [6] * 1_000,
    "one heavy": [10**6] + [1] * 2_000,
    "two heavy": [10**6, 10**6] + [1] * 2_000,
    "zipf": [10**7 // rank for rank in range(1, 3_000)],
    "with zeros": [0, 5, 0, 0, 2, 10**5, 0],
}


@pytest.mark.parametrize("exponent", [1, 0.75, 0, -1, -0.5, 3])
@pytest.mark.parametrize("name", COUNTS)
def test_powers_of_counts_within_their_stated_error(name, exponent):
    counts = COUNTS[name]
    weights = power_weights(line_of(counts), exponent).tolist()
    total, items = sum(weights), len(counts)
    assert weights[0] == 0
    assert total <= MAX_TOTAL
    if float(exponent).is_integer():  # exactly
        powers = [Fraction(count) ** int(exponent) if count or exponent == 0 else Fraction(0) for count in counts]
        common = math.lcm(*(power.denominator for power in powers))
        powers = [int(power * common) for power in powers]
    else:
        powers = [float(count) ** exponent if count else 0.0 for count in counts]
    of_all = sum(powers) if isinstance(powers[0], int) else math.fsum(powers)
    for weight, power in zip(weights[1:], powers, strict=True):
        share = power / of_all
        assert abs(weight / total - share) <= (1 + items * share) * 2**-53 + share * 2**-49
        assert (weight > 0) == (power > 0)


@pytest.mark.parametrize("exponent", [0.75, -1, -0.5, 3, 2.5])
def test_ordinary_counts_are_within_2_to_the_minus_52(exponent):
    counts = COUNTS["plain"]
    weights = power_weights(line_of(counts), exponent).double()
    powers = torch.tensor(counts).double() ** exponent
    assert (weights[1:] / weights.sum() - powers / powers.sum()).abs().max() <= 2**-52


def test_counts_are_their_own_weights_for_exponent_1():
    assert power_weights(line_of([7, 0, 3]), 1).tolist() == [0, 7, 0, 3]
    assert int(power_weights(line_of([2**60, 0, 2**60]), 1).sum()) <= MAX_TOTAL


def test_no_share_above_0_is_lost():
    weights = scaled(torch.tensor([0.0, 1.0, 1e-30, 0.0, 1e-300], dtype=torch.float64)).tolist()
    assert weights[2] == weights[4] == 1
    assert weights[0] == weights[3] == 0


@pytest.mark.parametrize("counts", [[0], [1, 2], [0, -1, 5], [0, 0, 0]])
def test_what_is_no_count_is_refused(counts):
    with pytest.raises(ValueError, match="counts must be"):
        check_counts(torch.tensor(counts))
