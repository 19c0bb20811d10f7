"""Scores in parts: a step that may hold few scores is the step that holds them all."""

from __future__ import annotations

from itertools import pairwise
from typing import get_args

import pytest
import torch

from negsample.batches.epochs import epoch_batches
from negsample.errors import InputError
from negsample.methods import METHODS, build_method, catalogue_of, negative_settings
from negsample.miners import KeepAll
from negsample.models import GRU4Rec, SASRec
from negsample.training import step as train
from negsample.training import vectors
from negsample.training.inputs import StepOptions, propose
from negsample.training.score import MIB

V = 60
SMALL = {
    "random_negatives": 12,
    "popularity_negatives": 9,
    "log_uniform_negatives": 11,
    "in_batch_negatives": 7,
    "cohort_negatives": 8,
    "bank_size": 20,
    "warm_up": 1,
    "cache_negatives": 6,
    "cache_size": 30,
    "kept_hardest": 3,
    "picked_from": 3,
    "resampled": 4,
    "mixed_negatives": 5,
}
BY_CHANCE = ("dns-mn",)  # each position draws; batch-mix does too, but what the batch shares
WHOLE = ("xir",)


@pytest.fixture(scope="module")
def data(dataset_of):
    """Users of 2 to 18 train items, so that parts differ in length."""
    source = torch.Generator().manual_seed(3)
    users = [(torch.randint(1, V + 1, (2 + user % 17,), generator=source).tolist(), [1], [2]) for user in range(34)]
    return dataset_of(users, V)


def built(name, data, changes=None):
    return build_method(name, catalogue_of(data, 20), negative_settings(name, SMALL | (changes or {})))


def batches_of(data, method, rng, number=2):
    sizes = {"batch_size": 9, "max_length": 20, "exclude": method.exclude}
    found = epoch_batches(data, **sizes, rng=rng(1))
    return [batch for batch, _ in zip(found, range(number), strict=False)]


def after_steps(data, rng, name, changes=None, backbone=SASRec, **options):
    """Losses of two steps, and all weights after them; gradient descent, so that a step is the gradient."""
    model = backbone(V, dim=8, max_length=20, blocks=1, dropout=0.1, rng=rng(0))
    with torch.no_grad():
        model.table.weight[1:].normal_(0, 0.7, generator=rng(9))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
    method, negatives, drops = built(name, data, changes), rng(2), rng(3)
    losses = []
    for batch in batches_of(data, method, rng):
        # The state of the second step's generator is another one after parts: give both the same.
        negatives.manual_seed(len(losses))
        losses.append(
            train.step(
                model,
                method,
                batch,
                optimizer,
                negatives_rng=negatives,
                dropout_rng=drops,
                options=StepOptions(**options),
            )
        )
    return torch.stack(losses), model.state_dict()


def ways(name):
    """How a method may share its draws, as changes of its settings."""
    fields = METHODS[name].settings.model_fields
    return [{"draws_per": per} for per in get_args(fields["draws_per"].annotation)] if "draws_per" in fields else [{}]


@pytest.mark.parametrize(
    ("name", "changes"),
    [(name, changes) for name in METHODS if name not in BY_CHANCE + WHOLE for changes in ways(name)],
)
def test_a_step_in_parts_is_the_step_at_once(name, changes, data, rng, monkeypatch):
    expected, weights = after_steps(data, rng, name, changes)
    numbers = []
    cuts = vectors.cuts
    monkeypatch.setattr(train, "cuts", lambda batch, parts: numbers.append(parts) or cuts(batch, parts))
    for memory in (1, 7000):
        losses, ours = after_steps(data, rng, name, changes, score_memory=memory)
        torch.testing.assert_close(losses, expected, atol=1e-5, rtol=1e-5)
        for key, value in weights.items():
            torch.testing.assert_close(ours[key], value, atol=1e-5, rtol=1e-4)
    assert bool(numbers) == (not built(name, data, changes).merged)
    assert not numbers or max(numbers) == 9


@pytest.mark.parametrize("per", ["batch", "sequence", "position"])
def test_in_parts_on_another_backbone_and_policy(per, data, rng):
    changes = {"draws_per": per, "exclude": "target"}
    for one in ({}, {"score_memory": 1}):
        losses, weights = after_steps(data, rng, "mixed-log-q", changes, backbone=GRU4Rec, **one)
        if not one:
            expected = losses, weights
    torch.testing.assert_close((losses, weights), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", BY_CHANCE)
def test_who_selects_by_chance_learns_in_parts(name, world, rng):
    predictable = world(users=60, items=V, name="parts")
    model = SASRec(V, dim=16, max_length=20, blocks=1, dropout=0.0, rng=rng(0))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    method, negatives = built(name, predictable), rng(2)
    memory = {"options": StepOptions(10_000)}
    losses = [
        float(train.step(model, method, batch, optimizer, negatives_rng=negatives, dropout_rng=rng(3), **memory))
        for batch in batches_of(predictable, method, rng, 4) * 15
    ]
    assert sum(losses[-8:]) < 0.7 * sum(losses[:8])
    assert not model.table.weight[0].any()


def test_chance_of_a_step_in_parts_goes_on(data, rng):
    """Steps draw other negatives one after the other, and choose the same ones when they compute again."""
    model = SASRec(V, dim=8, max_length=20, blocks=1, dropout=0.0, rng=rng(0))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    method, negatives = built("dns-mn", data), rng(2)
    (batch,) = batches_of(data, method, rng, 1)
    proposed = propose(method, batch, rng=negatives)
    options = {"negatives_rng": negatives, "negatives": proposed, "options": StepOptions(1)}
    losses = {float(train.step(model, method, batch, optimizer, dropout_rng=rng(3), **options)) for _ in range(3)}
    assert len(losses) == 3


def test_scores_are_computed_again_for_the_gradient_rather_than_kept(data, rng):
    called = []

    class Noted(KeepAll):
        def __call__(self, scored, *, rng):
            called.append(len(scored.pos_T))
            return scored

    model = SASRec(V, dim=8, max_length=20, blocks=1, dropout=0.0, rng=rng(0))
    method = built("random", data)._replace(miner=Noted())
    (batch,) = batches_of(data, method, rng, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    train.step(model, method, batch, optimizer, negatives_rng=rng(2), dropout_rng=rng(3), options=StepOptions(1))
    first, again = called[: len(called) // 2], called[len(called) // 2 :]
    assert len(first) > 5
    assert sum(first) == len(batch.targets_T)
    assert sorted(first) == sorted(again)


@pytest.mark.parametrize("name", WHOLE)
def test_who_must_see_the_whole_batch_is_refused_parts(name, data, rng):
    with pytest.raises(InputError, match=r"score_memory: .* raise score_memory, or take a smaller batch_size"):
        after_steps(data, rng, name, score_memory=1)
    losses, _ = after_steps(data, rng, name, score_memory=MIB)
    assert torch.equal(losses, after_steps(data, rng, name)[0])


def test_a_cache_is_told_once_a_batch(data, rng, monkeypatch):
    told = []
    monkeypatch.setattr("negsample.samplers.memory_bank.Cache.remember", lambda self, ids: told.append(len(ids)))
    method = built("xir", data)
    after_steps(data, rng, "xir", score_memory=MIB)
    assert told == [len(batch.targets_T) for batch in batches_of(data, method, rng)]


def test_parts_are_whole_sequences_and_about_equal(data, rng):
    (batch,) = batches_of(data, built("random", data), rng, 1)
    offsets = batch.inputs.offsets
    for parts in (1, 2, 3, 9):
        cuts = vectors.cuts(batch, parts)
        assert cuts[0][0] == 0
        assert cuts[-1][1] == batch.sequences
        assert all(low < high for low, high in cuts)
        assert all(before[1] == after[0] for before, after in pairwise(cuts))
        assert len(cuts) <= parts
        sizes = [offsets[high] - offsets[low] for low, high in cuts]
        assert max(sizes) <= offsets[-1] / parts + max(offsets[1:] - offsets[:-1])


def test_a_part_of_a_batch_is_the_batch_of_those_sequences(batch_of):
    histories = [[1, 2, 3, 4], [5, 6, 1], [7, 8]]
    part, alone = batch_of(histories, 9).part(1, 3), batch_of(histories[1:], 9)
    for name in ("items_T", "positions_T", "rows_T"):
        assert torch.equal(getattr(part.inputs, name), getattr(alone.inputs, name))
    assert part.inputs.offsets.tolist() == alone.inputs.offsets.tolist()
    assert torch.equal(part.targets_T, alone.targets_T)
    assert torch.equal(part.history_keys, alone.history_keys)
    assert part.users_B.tolist() == [1, 2]
