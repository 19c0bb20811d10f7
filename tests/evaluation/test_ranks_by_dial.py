"""Ranks for a grid of dials in one pass are those of each dial by itself, by slow float64 arithmetic."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from negsample.evaluation import ranks as ranking
from negsample.evaluation.ranks import rank
from negsample.evaluation.seen import Seen
from negsample.models.item_table import ItemTable
from negsample.scoring.dial import Dials
from negsample.scoring.serving import item_vectors, query_vectors

BETAS = (-1.0, -0.5, 0.0, 0.25, 2.0)
BLOCKS = [(1, 1), (3, 2), (4, 7), (7, 23), (512, 8192)]


def table_of(rows):
    table = ItemTable(len(rows), rows.shape[1], rng=torch.Generator().manual_seed(0))
    with torch.no_grad():
        table.weight[1:] = rows
    return table


def slow_ranks(scores, query, targets, seen):
    result = []
    for q, target in zip(query, targets, strict=True):
        own_scores = scores[q].copy()
        for owner, item in seen:
            if owner == q:
                own_scores[item - 1] = -math.inf
        own = own_scores[target - 1]
        result.append(math.inf if own == -math.inf else sum(own_scores > own) + (sum(own_scores == own) - 1) / 2)
    return result


@pytest.fixture(params=["whole numbers, many ties", "any numbers"])
def small_world(request):
    chance = np.random.default_rng(1)
    if request.param == "any numbers":
        states, rows = chance.normal(size=(9, 3)), chance.normal(size=(23, 3))
        states, rows = (each.astype(np.float32).astype(np.float64) for each in (states, rows))
    else:
        states, rows = (chance.integers(-2, 3, size).astype(np.float64) for size in ((9, 3), (23, 3)))
    query = np.sort(np.concatenate([np.arange(9), chance.integers(0, 9, 31)]))
    log_p = -np.log2(chance.integers(1, 5, 24).astype(np.float64)).round()  # whole, so that sums are exact too
    return states, rows, query, chance.integers(1, 24, 40), log_p


def given(states, rows, query, targets, log_p):
    states_QD, table = torch.tensor(states, dtype=torch.float32), table_of(torch.tensor(rows, dtype=torch.float32))
    return states_QD, table, query, targets, Dials(torch.from_numpy(log_p), BETAS)


@pytest.fixture(params=[1, 4, None], ids=["all sorted", "some sorted", "as it is"])
def looked_up(request, monkeypatch):
    """From how many events a query's scores are sorted and its events looked up in them."""
    if request.param is not None:
        monkeypatch.setattr(ranking, "SORTED_FROM", request.param)


@pytest.mark.usefixtures("looked_up")
@pytest.mark.parametrize("seen", [(), ((0, 1), (0, 5), (2, 3), (8, 23))])
@pytest.mark.parametrize(("query_block", "item_block"), BLOCKS)
def test_ranks_of_a_grid_are_the_slow_ones(small_world, query_block, item_block, seen):
    states, rows, query, targets, log_p = small_world
    owners, items = (np.array([pair[at] for pair in seen], dtype=np.int64) for at in (0, 1))
    found = rank(
        *given(*small_world),
        top_k=5,
        seen=Seen.of_pairs(owners, items, queries=9, items=23) if seen else None,
        query_block=query_block,
        item_block=item_block,
    )
    assert len(found) == len(BETAS)
    for beta, ranked in zip(BETAS, found, strict=True):
        scores = states @ rows.T + beta * log_p[1:]
        assert ranked.ranks_E.tolist() == slow_ranks(scores, query, targets, seen)
        for q, top in enumerate(ranked.top_QK):
            left = scores[q].copy()
            left[[item - 1 for owner, item in seen if owner == q]] = -math.inf
            assert sorted(left[top - 1], reverse=True) == pytest.approx(sorted(left, reverse=True)[:5])


def test_a_dial_of_zero_changes_nothing_bit_for_bit(rng):
    states, rows = torch.randn(50, 16, generator=rng(1)), torch.randn(300, 16, generator=rng(2))
    chance = np.random.default_rng(3)
    query, targets = np.sort(chance.integers(0, 50, 80)), chance.integers(1, 301, 80)
    (plain,) = rank(states, table_of(rows), query, targets, top_k=7)
    log_p = torch.randn(301, generator=rng(4), dtype=torch.float64)
    _, still, _ = rank(states, table_of(rows), query, targets, Dials(log_p, (1.0, 0.0, -1.0)), top_k=7)
    assert np.array_equal(still.ranks_E, plain.ranks_E)
    assert np.array_equal(still.top_QK, plain.top_QK)


def test_a_coordinate_more_gives_the_dialled_scores(rng):
    """At serving: the item's vector has ``log p`` as one more coordinate, and the query ``beta`` there."""
    states, rows = torch.randn(20, 8, generator=rng(1)), torch.randn(60, 8, generator=rng(2))
    chance = np.random.default_rng(3)
    query, targets = np.sort(chance.integers(0, 20, 40)), chance.integers(1, 61, 40)
    log_p = torch.log(torch.rand(61, generator=rng(4), dtype=torch.float64))
    for beta, ranked in zip(BETAS, rank(states, table_of(rows), query, targets, Dials(log_p, BETAS)), strict=True):
        longer, asking = item_vectors(rows, log_p[1:]), query_vectors(states, beta)
        dialled = states @ rows.T + beta * log_p[1:].float()
        assert torch.allclose(asking @ longer.T, dialled, rtol=1e-6, atol=1e-6)
        assert ranked.ranks_E.tolist() == rank(asking, table_of(longer), query, targets)[0].ranks_E.tolist()


def test_each_request_has_a_dial_of_its_own(rng):
    states, rows = torch.randn(3, 8, generator=rng(1)), torch.randn(60, 8, generator=rng(2))
    log_p, betas = torch.log(torch.rand(60, generator=rng(4))), torch.tensor([-0.5, 0.0, 2.0])
    scores = query_vectors(states, betas) @ item_vectors(rows, log_p).T
    assert torch.allclose(scores, states @ rows.T + betas[:, None] * log_p, atol=1e-5)
    assert torch.equal(query_vectors(states, 0.0)[:, :-1], states)


@pytest.mark.parametrize("beta", [-1.0, 0.0, 0.5])
def test_states_of_zeros_rank_by_popularity_alone(beta, rng):
    states, rows = torch.zeros(3, 4), torch.randn(40, 4, generator=rng(1))
    counts = np.arange(41) // 4 + 1.0
    log_p = torch.from_numpy(np.log(counts / counts.sum()))
    (ranking,) = rank(states, table_of(rows), np.arange(3), np.array([1, 17, 40]), Dials(log_p, (beta,)))
    expected = slow_ranks(np.repeat([beta * counts[1:]], 3, 0), np.arange(3), [1, 17, 40], ())
    assert ranking.ranks_E.tolist() == expected
