"""Dropout: how many, which, and how much the rest is scaled."""

from __future__ import annotations

import math

import pytest
import torch

from negsample.models.dropout import dropout

of_shares = pytest.mark.parametrize("share", [0.01, 0.2, 0.5, 0.75, 0.999])


@of_shares
def test_the_share_is_dropped_and_the_mean_stays(share, rng):
    n = 400_001
    dropped = dropout(torch.ones(n), share, rng(0))
    zeros = float((dropped == 0).double().mean())
    assert abs(zeros - share) < 5 * math.sqrt(share * (1 - share) / n) + 2**-16
    kept = dropped[dropped != 0]
    assert torch.allclose(kept, torch.tensor(1 / (1 - share)), rtol=2**-16 / (1 - share))
    assert abs(float(dropped.double().mean()) - 1) < 5 * math.sqrt(share / (1 - share) / n)


@of_shares
def test_values_are_dropped_independently(share, rng):
    # four values share one 64-bit draw: no lane and no pair of lanes may stand out
    n = 400_000
    zero = (dropout(torch.ones(n), share, rng(1)) == 0).double().view(-1, 4)
    draws, variance = len(zero), share * (1 - share)
    assert (zero.mean(0) - share).abs().max() < 5 * math.sqrt(variance / draws) + 2**-16
    centred = zero - share
    together = (centred.T @ centred / draws / variance).fill_diagonal_(0)
    following = centred[1:].T @ centred[:-1] / draws / variance
    assert together.abs().max() < 6 / math.sqrt(draws)
    assert following.abs().max() < 6 / math.sqrt(draws)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 7, 64])
def test_any_shape(n, rng):
    for shape in ((n,), (n, 3), (2, n, 5)):
        found = dropout(torch.ones(shape), 0.5, rng(0))
        assert found.shape == shape
        assert set(found.unique().tolist()) <= {0.0, 2.0}


def test_nothing_is_dropped_without_a_generator_or_a_share(rng):
    values = torch.randn(50, generator=rng(0))
    assert dropout(values, 0.5, None) is values
    one = rng(1)
    assert dropout(values, 0.0, one) is values


def test_the_same_generator_drops_the_same(rng):
    values = torch.randn(1000, generator=rng(0))
    one = rng(1)
    first, second = dropout(values, 0.3, one), dropout(values, 0.3, one)
    assert torch.equal(first, dropout(values, 0.3, rng(1)))
    assert not torch.equal(first, second)


def test_the_gradient_passes_where_the_value_does(rng):
    values = torch.randn(1000, generator=rng(0), requires_grad=True)
    found = dropout(values, 0.25, rng(1))
    found.sum().backward()
    assert torch.equal(values.grad != 0, found != 0)
    assert torch.allclose(values.grad[values.grad != 0], torch.tensor(4 / 3), rtol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_the_type_stays(dtype, rng):
    assert dropout(torch.ones(10, dtype=dtype), 0.5, rng(0)).dtype == dtype


def test_a_share_next_to_one_is_allowed(rng):
    assert torch.isfinite(dropout(torch.ones(1000), 1 - 1e-7, rng(0))).all()
