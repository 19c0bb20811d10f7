"""Scores against slow, obvious loops; who is masked; gradients."""

from __future__ import annotations

import math

import pytest
import torch

from negsample.negatives import InBatch, Mixture, Popularity, Uniform
from negsample.score import score_negatives, score_targets
from negsample.table import DenseTable

V, D = 40, 6


def histories_of(lengths, seed=0):
    chance = torch.Generator().manual_seed(seed)
    return [torch.randint(1, V + 1, (length,), generator=chance).tolist() for length in lengths]


LENGTHS = {
    "one": [2],
    "equal": [5, 5, 5],
    "near": [10, 9, 8, 8],
    "far": [30, 29, 21, 20, 9, 9, 8, 3, 2, 2, 2],
}
of_lengths = pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)


def setting(batch_of, lengths, rng):
    """A batch, its states, and a table, in double precision."""
    histories = histories_of(lengths)
    batch = batch_of(histories, V)
    chance = rng(1)
    states = torch.randn(len(batch.targets_T), D, generator=chance, dtype=torch.float64)
    table = DenseTable(V, D, rng=chance).double()
    return histories, batch, states, table


def slow_negatives(states, table, ids, batch, histories):
    """(T, K) one number after another."""
    rows = []
    for t, state in enumerate(states):
        row = int(batch.inputs.rows_T[t])
        had = histories[int(batch.users_B[row])]
        own = ids if ids.dim() == 1 else ids[row]
        rows.append(
            torch.stack(
                [
                    state.new_tensor(-math.inf) if i == 0 or (ids.dim() == 1 and i in had) else state @ table.weight[i]
                    for i in own.tolist()
                ]
            )
        )
    return torch.stack(rows)


def test_targets(rng):
    states = torch.randn(7, D, generator=rng(0), dtype=torch.float64)
    targets = torch.randn(7, D, generator=rng(1), dtype=torch.float64)
    expected = [float(sum(a * b for a, b in zip(s, t, strict=True))) for s, t in zip(states, targets, strict=True)]
    assert score_targets(states, targets).tolist() == pytest.approx(expected, abs=1e-12)


@of_lengths
@pytest.mark.parametrize("k", [1, 7])
def test_per_sequence(lengths, k, batch_of, rng):
    histories, batch, states, table = setting(batch_of, lengths, rng)
    ids = torch.randint(0, V + 1, (batch.sequences, k), generator=rng(2))  # some absent
    found = score_negatives(states, table.lookup(ids)[0], ids, batch)
    assert found.shape == (len(states), k)
    torch.testing.assert_close(found, slow_negatives(states, table, ids, batch, histories))


@of_lengths
def test_shared(lengths, batch_of, rng):
    histories, batch, states, table = setting(batch_of, lengths, rng)
    ids = torch.randint(1, V + 1, (30,), generator=rng(2))
    found = score_negatives(states, table.lookup(ids)[0], ids, batch)
    expected = slow_negatives(states, table, ids, batch, histories)
    assert found.shape == (len(states), 30)
    torch.testing.assert_close(found, expected)
    assert bool((found == -math.inf).any())


def test_an_absent_id_is_absent_when_shared_too(batch_of, rng):
    _, batch, states, table = setting(batch_of, [4, 3], rng)
    ids = torch.tensor([0, 0])
    assert (score_negatives(states, table.lookup(ids)[0], ids, batch) == -math.inf).all()


@of_lengths
@pytest.mark.parametrize("shared", [False, True], ids=["per sequence", "shared"])
def test_gradient_is_that_of_the_slow_version(lengths, shared, batch_of, rng):
    histories, batch, states, table = setting(batch_of, lengths, rng)
    shape = (9,) if shared else (batch.sequences, 9)
    ids = torch.randint(int(shared), V + 1, shape, generator=rng(3))

    def gradients(score):
        own = states.clone().requires_grad_()
        scores = score(own)
        present = torch.isfinite(scores)
        weights = torch.cos(torch.arange(scores.numel(), dtype=torch.float64)).view(scores.shape)
        table.zero_grad()
        (scores.masked_fill(~present, 0) * weights).sum().backward()
        return own.grad, table.weight.grad.clone()

    fast = gradients(lambda own: score_negatives(own, table.lookup(ids)[0], ids, batch))
    slow = gradients(lambda own: slow_negatives(own, table, ids, batch, histories))
    torch.testing.assert_close(fast, slow)
    assert not fast[1][0].any(), "the row of id 0 is trained"


def test_gradcheck(batch_of, rng):
    _, batch, states, table = setting(batch_of, [6, 4, 2], rng)
    ids = torch.randint(1, V + 1, (batch.sequences, 3), generator=rng(2))
    vectors = table.lookup(ids)[0].detach().requires_grad_()
    assert torch.autograd.gradcheck(lambda s, v: score_negatives(s, v, ids, batch), (states.requires_grad_(), vectors))


@pytest.mark.parametrize(
    "sampler",
    [
        InBatch("all"),
        InBatch(5),
        Uniform(V, 9),
        Mixture(InBatch("all"), Uniform(V, 3)),
        Mixture(InBatch(4), Uniform(V, 4)),
    ],
    ids=["all shared", "in-batch", "uniform", "all + uniform", "in-batch + uniform"],
)
def test_nothing_that_a_user_has_is_scored(sampler, batch_of, rng):
    histories, batch, states, table = setting(batch_of, [9, 6, 2, 2], rng)
    ids = sampler.draw(batch, rng=rng(5))
    scores = score_negatives(states, table.lookup(ids)[0], ids, batch)
    for t in range(len(states)):
        row = int(batch.inputs.rows_T[t])
        own = ids if ids.dim() == 1 else ids[row]
        allowed = torch.tensor([i != 0 and i not in histories[int(batch.users_B[row])] for i in own.tolist()])
        assert torch.equal(torch.isfinite(scores[t]), allowed)
        torch.testing.assert_close(scores[t][allowed], table.weight[own[allowed]] @ states[t])


def test_who_has_everything_has_no_score_and_no_gradient(batch_of, rng):
    batch = batch_of([list(range(1, V + 1)), [1, 2]], V)
    table = DenseTable(V, D, rng=rng(0))
    counts = torch.tensor([0] + [1] * V)
    ids = Popularity(counts, 4).draw(batch, rng=rng(0))
    states = torch.ones(len(batch.targets_T), D, requires_grad=True)
    scores = score_negatives(states, table.lookup(ids)[0], ids, batch)
    whole = batch.inputs.rows_T == 0
    assert (scores[whole] == -math.inf).all()
    torch.nn.functional.softplus(scores).sum().backward()
    assert not states.grad[whole].any()
    assert torch.isfinite(table.weight.grad).all()
    assert not table.weight.grad[0].any()
