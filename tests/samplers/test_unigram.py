"""Fixed weights: log-uniform by hand, extreme catalogues and weights, and users who have nearly all."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from negsample.samplers import Cohort, InBatch, LogUniform, Mixture, Popularity, Uniform


def test_log_uniform_by_hand(batch_with):
    # By count: 3, then 1 and 5 (a tie, by id), then 4, then 2, which has no events.
    sampler = LogUniform(torch.tensor([0, 7, 0, 9, 2, 7]), 5)
    found = sampler.log_prob(torch.arange(6), batch_with([[1]], 5), per="batch").exp()
    whole = math.log(6)
    by_hand = [0, math.log(3 / 2) / whole, math.log(6 / 5) / whole, math.log(2) / whole, math.log(5 / 4) / whole]
    torch.testing.assert_close(found, torch.tensor([*by_hand, math.log(4 / 3) / whole]))
    assert found.sum().item() == pytest.approx(1)
    of_one = sampler.log_prob(torch.arange(6).unsqueeze(0), batch_with([[1]], 5), per="sequence").exp()
    assert of_one[0, 3].item() == pytest.approx(math.log(2) / (whole - math.log(3 / 2)))


def test_log_uniform_ties_are_ranked_by_id_in_a_large_catalogue(batch_with):
    counts = torch.ones(5_001, dtype=torch.int64)
    counts[0] = 0
    counts[4_000] = 2
    found = LogUniform(counts, 5).log_prob(torch.arange(1, 5_001), batch_with([[1]], 5_000), per="batch")
    order = torch.argsort(found, descending=True, stable=True) + 1
    assert order.tolist()[:4] == [4_000, 1, 2, 3]
    ranks = torch.arange(5_000, dtype=torch.float64)
    expected = torch.log(torch.log((ranks + 2) / (ranks + 1)) / math.log(5_001)).float()
    torch.testing.assert_close(found.sort(descending=True).values, expected)


def test_log_uniform_draws_items_without_events(batch_with, rng, p_value):
    ids = LogUniform(torch.tensor([0, 7, 0, 9, 0]), 1_000_000, per="batch").draw(batch_with([[1]], 4), rng=rng(0)).ids
    shares = [math.log((rank + 2) / (rank + 1)) / math.log(5) for rank in range(4)]
    assert p_value(ids, dict(zip([3, 1, 2, 4], shares, strict=True))) > 1e-5


@pytest.mark.parametrize("per", ["batch", "sequence", "position"])
def test_a_catalogue_of_one_item(per, batch_with, rng):
    batch = batch_with([[1, 1], [1]], 1, "target")
    for sampler in (Uniform(1, 3, per=per), Popularity(torch.tensor([0, 4]), 3, per=per)):
        ids, log_q, *_ = sampler.sample(batch, rng=rng(0))
        assert (ids == (0 if per == "position" else 1)).all()
        assert (log_q == (-math.inf if per == "position" else 0)).all()
        free, log_q, *_ = sampler.sample(dataclasses.replace(batch, exclude="none"), rng=rng(0))
        assert (free == 1).all()
        assert (log_q == 0).all()


ITEMS = 2_000
HUGE = [i % 1_990 + 1 for i in range(20_000)]  # all but the last ten, ten times over
CATALOGUE = ["uniform", "popularity", "popularity 0.75", "popularity 0", "popularity -1", "log-uniform", "cohort"]


@pytest.mark.parametrize("per", ["sequence", "position"])
@pytest.mark.parametrize("name", [*CATALOGUE, "in-batch", "in-batch + uniform", "all three"])
def test_a_large_batch_with_one_huge_history(name, per, batch_of, rng):
    small = torch.randint(1, ITEMS + 1, (1_000, 6), generator=rng(0)).tolist()
    counts = torch.bincount(torch.tensor([*HUGE, *(item for user in small for item in user)]), minlength=ITEMS + 1)
    cohorts = torch.arange(ITEMS + 1) % 3
    cohorts[0] = -1
    sampler = {
        "uniform": Uniform(ITEMS, 50, per=per),
        "log-uniform": LogUniform(counts, 50, per=per),
        "cohort": Cohort(cohorts, [0.5, 0.2, 0.3], 50, per=per),
        "in-batch": InBatch(50, per=per),
        "in-batch + uniform": Mixture(InBatch(10, per=per), Uniform(ITEMS, 40, per=per)),
        "all three": Mixture(InBatch(10), Popularity(counts, 20, per=per), Uniform(ITEMS, 20)),
    }.get(name) or Popularity(counts, 50, exponent=float(name.removeprefix("popularity") or 1), per=per)
    histories = [HUGE, *small]
    batch = batch_of(histories, ITEMS)
    ids, log_q, *_ = sampler.sample(batch, rng=rng(0))
    had = [set(histories[user]) for user in batch.users_B.tolist()]
    rows = batch.inputs.rows_T.tolist() if per == "position" else range(batch.sequences)
    assert all(not had[row] & set(drawn) for row, drawn in zip(rows, ids.tolist(), strict=True))
    assert set(ids[0].tolist()) - {0} <= set(range(1_991, 2_001))
    assert torch.equal(ids > 0, torch.isfinite(log_q))
    assert (ids[torch.tensor(list(rows)) > 0] > 0).all()
    if name in CATALOGUE:
        assert len(set(ids[0].tolist())) > 5


def test_uniform_reaches_every_bit_of_two_billion_items(batch_of, rng):
    items = 2**31 - 2
    batch = batch_of([[1, 2], [items, items - 1]], items)
    ids = Uniform(items, 50_000).draw(batch, rng=rng(0)).ids
    assert int(ids.min()) >= 1
    assert int(ids.max()) <= items
    assert len(torch.unique(ids)) > 99_990  # about 2.3 repeats are expected
    shares = torch.stack([(ids >> bit & 1).double().mean() for bit in range(30)])
    assert (shares - 0.5).abs().max() < 5 * 0.5 / math.sqrt(ids.numel())
    assert (torch.histc(ids.double(), 16, 1, items) - ids.numel() / 16).abs().max() < 5 * math.sqrt(ids.numel() / 16)


def test_popularity_has_no_limit_at_2_to_the_24_items(batch_of, rng):
    items = 2**24 + 1_000
    counts = torch.ones(items + 1, dtype=torch.int64)
    counts[0] = 0
    counts[-1] = items  # half of the weight on the last item
    batch = batch_of([[1, 2], [5, 3]], items)
    ids = Popularity(counts, 20_000).draw(batch, rng=rng(0)).ids
    assert abs(float((ids == items).double().mean()) - 0.5) < 5 * 0.5 / math.sqrt(ids.numel())
    rest = ids[ids < items].double()
    assert rest.max() > 2**24 * 0.99
    assert abs(float((rest % 2).mean()) - 0.5) < 5 * 0.5 / math.sqrt(len(rest))  # no rounding to even ids


@pytest.mark.parametrize("per", ["sequence", "position"])
@pytest.mark.parametrize(
    ("exponent", "counts"), [(1.0, [2**50, 3 * 2**50, 2**50]), (-3.0, [1, 10**6, 10**3]), (9, [1, 9, 3])]
)
def test_extreme_weights_keep_their_law(exponent, counts, per, batch_of, rng):
    batch = batch_of([[4, 5], [5, 4]], 5)
    sampler = Popularity(torch.tensor([0, *counts, 1, 1]), 20_000, exponent=exponent, per=per)
    ids, *_ = sampler.sample(batch, rng=rng(0))
    weights = [float(count) ** exponent for count in counts]
    stated = dict(zip((1, 2, 3), (weight / sum(weights) for weight in weights), strict=True))
    found = sampler.log_prob(torch.tensor([[1, 2, 3], [1, 2, 3]]), batch, per=per).exp()
    torch.testing.assert_close(found[0], torch.tensor(list(stated.values())), rtol=1e-5, atol=2**-40)
    assert set(ids.flatten().tolist()) <= {1, 2, 3}
    for item, share in stated.items():
        drawn = float((ids == item).double().mean())
        assert abs(drawn - share) < 5 * math.sqrt(share * (1 - share) / ids.numel()) + 1e-3


@pytest.mark.parametrize("per", ["sequence", "position"])
@pytest.mark.parametrize("users", [512, 513, 2_000])
def test_every_row_of_a_large_batch_follows_the_law(users, per, batch_of, rng, p_value):
    # A total of 2^53 leaves room for 511 rows in one go; the rest is drawn for group by group.
    batch = batch_of([[1, 2, 1], [5, 2, 5]] * (users // 2) + [[1, 2, 1]] * (users % 2), 5)
    ids = Popularity(torch.tensor([0, 5, 5, 3, 1, 8]), 400, exponent=0.5, per=per).draw(batch, rng=rng(0)).ids
    rows = torch.arange(users) if per == "sequence" else batch.inputs.rows_T
    assert len(ids) == len(rows)
    odd = batch.users_B[rows] % 2 == 1
    for of_users, weights in ((~odd, {3: 3**0.5, 4: 1.0, 5: 8**0.5}), (odd, {1: 5**0.5, 3: 3**0.5, 4: 1.0})):
        stated = {i: w / sum(weights.values()) for i, w in weights.items()}
        assert p_value(ids[of_users], stated) > 1e-4
        last = torch.nonzero(of_users).flatten()[-60:]
        assert p_value(ids[last], stated) > 1e-4
