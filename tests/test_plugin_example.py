"""``examples/plugin.py``: each of its parts computes what it says; ``e2e/test_plugins.py`` has it in studies."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

import negsample
from negsample import METHODS, load_plugins, negative_settings
from negsample.methods import changed_settings, cost
from negsample.miners import Scored
from negsample.plugins import load, loaded

EXAMPLE = Path(__file__).parents[1] / "examples" / "plugin.py"


@pytest.fixture(scope="module", autouse=True)
def example():
    """Its parts, which are gone after these tests."""
    (plugin,) = load_plugins([str(EXAMPLE)])
    (module,) = (each for name, each in sys.modules.items() if name.startswith("negsample_plugin_plugin_"))
    yield module
    load._forget(plugin)
    load._loaded.clear()
    del sys.modules[module.__name__]


@pytest.fixture(scope="module")
def data(world):
    return world(users=60, items=40, name="small")


def test_its_methods_stand_beside_the_others():
    for name in ("follows", "below-target", "hinge"):
        assert name in METHODS
        assert "scores" in cost(name)
    assert METHODS["follows"].space["follows_negatives"] == METHODS["bpr"].space["random_negatives"]._replace(
        low=2, high=250, among=METHODS["follows"].space["follows_negatives"].among
    )
    changed = negative_settings("follows", {"smoothing": 2, "temperature": 0.5})
    assert changed == {"follows_negatives": 50, "smoothing": 2.0, "exclude": "history"}
    assert changed_settings("follows", changed) == {"smoothing": 2.0}
    with pytest.raises(negsample.InputError, match="smoothing=-1: input should be greater than or equal to 0"):
        negative_settings("follows", {"smoothing": -1})


@pytest.mark.parametrize("exclude", ["history", "target", "none"])
def test_the_sampler_draws_by_what_follows(example, exclude, batch_of, rng):
    events = [[1, 2, 3, 2], [2, 3, 4], [3, 1, 2, 3]]
    items, offsets = np.concatenate(events), np.cumsum([0, *map(len, events)])
    counts = torch.from_numpy(np.bincount(items, minlength=6))
    catalogue = negsample.Catalogue(5, counts, counts, negsample.Events(items, offsets[:-1], offsets[1:]))
    sampler = example.Follows(catalogue, 20_000, 0.5)
    batch = replace(batch_of(events, 5), exclude=exclude)
    drawn = sampler.sample(batch, rng=rng(0))
    rows = {0: 0, 1: 1, 2: 2}
    by_length = sorted(rows, key=lambda row: -len(events[row]))
    every = torch.arange(6).expand(len(batch.targets_T), -1)
    stated_TV = sampler.log_prob(every, batch, per="position").exp().numpy()
    for t, (row, at) in enumerate(zip(batch.inputs.rows_T.tolist(), batch.inputs.items_T.tolist(), strict=True)):
        user = by_length[row]
        weights = np.zeros(6)
        for event in events:
            for first, second in pairwise(event):
                weights[second] += first == at
        weights += 0.5 * counts.numpy() / counts.numpy().sum()
        left_out = {"history": set(events[user]), "target": {int(batch.targets_T[t])}, "none": set()}[exclude]
        weights[list(left_out)] = 0
        if not weights.any():
            assert not drawn.ids[t].any()
            continue
        np.testing.assert_allclose(stated_TV[t], weights / weights.sum(), rtol=1e-5)
        shares = np.bincount(drawn.ids[t].numpy(), minlength=6) / 20_000
        np.testing.assert_allclose(shares, stated_TV[t], atol=0.015)
        np.testing.assert_allclose(drawn.log_q[t].exp().numpy(), stated_TV[t][drawn.ids[t].numpy()], rtol=1e-5)


def test_the_miner_and_the_loss_by_hand(example, rng):
    scored = Scored(torch.tensor([1.0, 0.0]), torch.tensor([[0.5, 2.5, -math.inf], [0.2, 1.0, 1.2]]))
    left = example.BelowTarget(1.0)(scored, rng=rng(0)).neg_TK
    assert left.tolist() == [[0.5, -math.inf, -math.inf], pytest.approx([0.2, 1.0, -math.inf])]
    loss = example.hinge(scored.pos_T, left)
    assert loss.item() == pytest.approx((0.5 + 1.2 + 2.0) / 3)
    sums = example.hinge(scored.pos_T, left, parts=True)
    assert (sums[0] / sums[1]).sum() == loss
    nothing = torch.full((2, 3), -math.inf, requires_grad=True)
    example.hinge(scored.pos_T, nothing).backward()
    assert not nothing.grad.any()


def test_the_backbone_sees_the_past_of_its_own_sequence_alone(example, batch_of, rng):
    table = negsample.SASRec(20, dim=6, rng=rng(0)).table
    model = example.Convolution(table, dim=6, max_length=9, blocks=3, dropout=0.0, rng=rng(1))
    histories = [[1, 2, 3, 4, 5, 6, 7], [8, 9, 10], [11, 12]]
    states_of = lambda batch: model(table.lookup(batch.inputs.items_T)[0], batch.inputs)  # noqa: E731
    states = states_of(batch_of(histories, 20))
    torch.testing.assert_close(states[:6], states_of(batch_of([histories[0]], 20)), rtol=1e-5, atol=1e-6)
    changed = states_of(batch_of([[1, 2, 3, 15, 5, 6, 7], *histories[1:]], 20))
    moved = (changed - states).abs().amax(1) > 1e-6
    assert moved.tolist() == [False] * 3 + [True] * 3 + [False] * 3


def test_the_baseline_recommends_what_users_had_last(example, data):
    model = example.last_items(data)
    last = [int(data.items[end - 1]) for end in data.train_ends]
    best = max(range(1, 41), key=lambda item: (last.count(item), -item))
    assert int(model.table.weight[1:].argmax()) + 1 == best


def test_the_term_is_the_share_of_the_family_before_the_time(example, data):
    ids, when = [str(each)[:2] for each in data.item_ids()], np.unique(data.times)[[3, 200, -1]]
    found = list(example.family(data, when))
    assert [each.shape for each in found] == [(41, 1)] * 3
    for time, features in zip(when, found, strict=True):
        weights = np.where(data.times < time, 2.0 ** -((time - data.times) / (7 * 86_400e6)), 0)
        of_family = dict.fromkeys(ids, 1.0)
        for item, weight in zip(data.items, weights, strict=True):
            of_family[ids[item - 1]] += weight
        mean = sum(of_family.values()) / len(of_family)
        expected = [0, *(math.log(of_family[each] / mean) for each in ids)]
        np.testing.assert_allclose(features[:, 0], expected, rtol=1e-9, atol=1e-12)
    assert len(set(ids)) > 3
    assert found[1].std() > 0.05


def test_its_term_makes_a_run_of_its_own(data):
    def identity(terms):
        settings = negsample.run_settings(terms=terms)
        return negsample.plan([data], ["random"], repeats=1, seed=0, settings=settings)[-1].identity()

    assert identity("family,recency")["plugins"] == {"plugin.py": loaded()[0].digest}
    assert "plugins" not in identity("recency")


def test_a_change_of_its_source_is_another_run(data, tmp_path):
    def identity():
        job = negsample.plan([data], ["follows"], repeats=1, seed=0, settings=negsample.run_settings())[-1]
        return job.name, job.identity()["plugins"]

    before = identity()
    assert before[1] == {"plugin.py": loaded()[0].digest}
    copy = tmp_path / "plugin.py"
    copy.write_text(EXAMPLE.read_text() + "\n# changed\n")
    load._forget(loaded()[0])
    try:
        (other,) = load_plugins([str(copy)])
        assert identity()[0] != before[0]
    finally:
        load._forget(other)
        load._loaded.clear()
        load_plugins([str(EXAMPLE)])
    assert identity() == before
