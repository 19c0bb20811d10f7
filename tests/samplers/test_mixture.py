"""Mixtures: parts that are shared by different ones, side by side, with one law for every id."""

from __future__ import annotations

import math

import pytest
import torch

from negsample.samplers import InBatch, Mixture, Popularity, Uniform

V = 7
COUNTS = torch.tensor([0, 6, 3, 1, 0, 2, 4, 4])
TARGETS = [[1, 5, 5], [2]]


def left_out(policy, per):
    """By hand, for each row of TARGETS."""
    if policy == "history" and per != "batch":
        return {"sequence": [{1, 5}, {2}], "position": [{1, 5}, {1, 5}, {1, 5}, {2}]}[per]
    if policy == "target" and per == "position":
        return [{1}, {5}, {5}, {2}]
    return [set()] * {"batch": 1, "sequence": 2, "position": 4}[per]


PAIRS = [("batch", "sequence"), ("batch", "position"), ("sequence", "position"), ("batch", "batch")]


@pytest.mark.parametrize("policy", ["history", "target", "none"])
@pytest.mark.parametrize(("coarse", "fine"), PAIRS, ids=[" + ".join(pair) for pair in PAIRS])
def test_a_part_that_more_share_is_given_to_each_without_what_is_excluded_there(coarse, fine, policy, batch_with, rng):
    batch = batch_with(TARGETS, V, policy)
    make = [lambda: Popularity(COUNTS, 40, per=coarse), lambda: Uniform(V, 25, per=fine)]
    one = rng(4)
    alone = [part().draw(batch, rng=one).ids for part in make]
    mixture = Mixture(*(part() for part in make))
    ids = mixture.draw(batch, rng=rng(4)).ids
    assert (mixture.per, mixture.k) == (fine, 65)
    assert torch.equal(ids[..., 40:], alone[1])
    rows_of_coarse = {"batch": [0] * 4, "sequence": [0, 0, 0, 1] if fine == "position" else [0, 1]}[coarse]
    of_coarse = alone[0].view(-1, 40)
    for row, without in enumerate(left_out(policy, fine)):
        shared = of_coarse[rows_of_coarse[row]].tolist()
        expected = [0 if item in without else item for item in shared]
        assert ids.view(-1, 65)[row, :40].tolist() == expected


@pytest.mark.parametrize("policy", ["history", "target", "none"])
@pytest.mark.parametrize(("coarse", "fine"), PAIRS, ids=[" + ".join(pair) for pair in PAIRS])
@pytest.mark.parametrize("last", ["coarse", "fine"])
def test_the_law_of_every_id_whichever_part_drew_it(last, coarse, fine, policy, batch_with, rng):
    batch = batch_with(TARGETS, V, policy)
    parts = [Popularity(COUNTS, 40, per=coarse), Uniform(V, 10, per=fine)]
    mixture = Mixture(*(parts if last == "fine" else parts[::-1]))
    ids, log_q, *_ = mixture.sample(batch, rng=rng(4))
    rows = zip(left_out(policy, fine), ids.view(-1, 50).tolist(), log_q.view(-1, 50).tolist(), strict=True)
    for without, drawn, logs in rows:
        of_counts = sum(int(COUNTS[i]) for i in range(1, V + 1) if i not in without)
        left = sum(item > 0 for item in (drawn[:40] if last == "fine" else drawn[10:]))  # of the coarse draws
        for item, found in zip(drawn, logs, strict=True):
            uniform = 1 / (V - len(without))
            q = 0.0 if item == 0 else (left * int(COUNTS[item]) / of_counts + 10 * uniform) / (left + 10)
            assert found == (pytest.approx(math.log(q), abs=1e-5) if q else -math.inf)
    everything = torch.arange(V + 1)
    for per in {"batch", fine}:
        rows = left_out(policy, per)
        found = mixture.log_prob(everything if per == "batch" else everything.expand(len(rows), -1), batch, per=per)
        for without, shares in zip(rows, found.exp().view(-1, V + 1).tolist(), strict=True):
            assert sum(shares) == pytest.approx(1, abs=1e-5)
            assert all(shares[item] == 0 for item in {0, *without})


def test_all_shared_stays_shared(batch_with, rng):
    batch = batch_with(TARGETS, V)
    mixture = Mixture(InBatch("all"), Uniform(V, 30, per="batch"), InBatch(3, per="batch"))
    ids, log_q, owner, *_ = mixture.sample(batch, rng=rng(0))
    assert (mixture.per, mixture.k) == ("batch", "all")
    assert (ids.shape, log_q.shape) == ((37,), (2, 37))
    assert ids[:4].tolist() == batch.targets_T.tolist()
    assert owner.tolist()[:34] == [0, 0, 0, 1] + [-1] * 30
    # The first has nothing but the 2 of the second, who has a 1 and two 5 of the first; of three more at random.
    there = 1 + owner[34:].tolist().count(1), 3 + owner[34:].tolist().count(0)
    assert float(log_q[0, 3].exp()) == pytest.approx((there[0] + 30 / 7) / (there[0] + 30), abs=1e-6)
    assert float(log_q[1, 0].exp()) == pytest.approx((there[1] / 3 + 30 / 7) / (there[1] + 30), abs=1e-6)
    assert float(log_q[1, 1].exp()) == pytest.approx((there[1] * 2 / 3 + 30 / 7) / (there[1] + 30), abs=1e-6)
    assert torch.isneginf(log_q[0, :3]).all()
    assert torch.isneginf(log_q[1, 3])


def test_all_targets_go_to_those_who_do_not_have_them(batch_with, rng):
    batch = batch_with(TARGETS, V)
    ids = Mixture(InBatch("all"), Uniform(V, 3)).draw(batch, rng=rng(0)).ids
    assert ids.shape == (2, 7)
    assert ids[:, :4].tolist() == [[0, 0, 0, 2], [1, 5, 5, 0]]


def test_where_a_part_has_nothing_left_the_law_is_that_of_the_others(batch_with, rng):
    batch = batch_with([[1, 5, 5]], V)  # alone: no target of the batch is left for him
    ids, log_q, *_ = Mixture(InBatch(3), Uniform(V, 9)).sample(batch, rng=rng(0))
    assert ids[0, :3].tolist() == [0, 0, 0]
    torch.testing.assert_close(log_q[0, 3:].exp(), torch.full((9,), 1 / 5))


@pytest.mark.parametrize("inner", [5, "all"])
@pytest.mark.parametrize("per", ["sequence", "position"])
def test_a_mixture_of_a_mixture_is_the_flat_one(per, inner, batch_with, rng):
    batch = batch_with(TARGETS, V)
    parts = InBatch(inner), Uniform(V, 30), Popularity(COUNTS, 10, per=per)
    nested, flat = Mixture(Mixture(*parts[:2]), parts[2]), Mixture(*parts)
    assert nested.k == flat.k == ("all" if inner == "all" else 45)
    assert nested.per == flat.per == per
    first, second = nested.sample(batch, rng=rng(1)), flat.sample(batch, rng=rng(1))
    assert torch.equal(first.ids, second.ids)
    assert torch.equal(first.log_q, second.log_q)


def test_log_q_is_the_frequency_of_what_a_row_is_given(batch_with, rng):
    # The user of 1, 6 and 7 has 14 of 20 of the popularity: of the shared draws he is given 6 in 20.
    batch = batch_with([[1, 6, 7], [2]], V)
    row = batch.users_B.tolist().index(0)
    mixture = Mixture(Popularity(COUNTS, 400_000, per="batch"), Uniform(V, 100_000))
    ids, log_q, *_ = mixture.sample(batch, rng=rng(0))
    given = ids[row][ids[row] > 0]
    observed = torch.bincount(given, minlength=V + 1) / len(given)
    shares = torch.zeros(V + 1).index_put((ids[row],), log_q[row].exp())
    torch.testing.assert_close(observed, shares, atol=0.005, rtol=0)
    assert float(shares.sum()) == pytest.approx(1, abs=1e-4)
