"""The reference's means over all B x L slots: against the same loss written out on padded tensors."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from negsample.batches.epochs import epoch_batches
from negsample.batches.windows import TrainEvents
from negsample.errors import InputError
from negsample.losses import bce
from negsample.methods import METHODS, Method
from negsample.miners import Hardest, KeepAll, LogQ
from negsample.models import SASRec
from negsample.runs.job import Job, build_model
from negsample.samplers import Uniform
from negsample.settings import run_settings
from negsample.training import step as train
from negsample.training.inputs import StepOptions

V, L, B, K = 60, 25, 4, 7


@pytest.fixture(scope="module")
def data(world):
    return world(users=60, items=V, name="padding")


class Unchanged(torch.optim.SGD):
    """Nothing is learned, so that gradients can be compared."""

    def step(self, closure=None):
        return None


def batch_of(data, rng):
    """Users of 3, 6, 9, ... train events."""
    lengths = 3 * np.arange(1, B + 1)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    sizes = {"batch_size": B, "max_length": L}
    return next(epoch_batches(TrainEvents(data.items[: offsets[-1]], offsets, offsets[1:], V), **sizes, rng=rng(1)))


def model_of(rng):
    model = SASRec(V, dim=8, max_length=L, blocks=2, dropout=0.0, rng=rng(0))
    with torch.no_grad():
        model.norm.bias.normal_(0, 5, generator=rng(9))
    return model


def padded_loss(model, batch, negatives_BK, kept):
    """As the reference writes it: every slot has a state, a target and K negatives, and means are over all of them."""
    states = model.table.lookup(batch.inputs.items_T)[0]
    states_TD = model(states, batch.inputs)
    where = (batch.inputs.rows_T, batch.inputs.positions_T)
    states_BLD = model.norm.bias.expand(B, L, -1).clone().index_put(where, states_TD)
    targets_BL = torch.zeros(B, L, dtype=torch.int64).index_put(where, batch.targets_T)
    vectors = torch.cat([torch.zeros(1, 8), model.table.weight[1:]])
    pos_BL = (vectors[targets_BL] * states_BLD).sum(-1)
    neg_BLK = states_BLD @ vectors[negatives_BK].transpose(1, 2)
    if kept is not None:
        lowest_kept = neg_BLK.topk(kept, -1).values[..., -1:]
        neg_BLK = torch.where(neg_BLK >= lowest_kept, neg_BLK, 0.0)
    positives = torch.where(targets_BL > 0, F.logsigmoid(pos_BL), F.logsigmoid(-pos_BL))
    return -positives.mean() - F.logsigmoid(-neg_BLK).mean()


@pytest.mark.parametrize("kept", [None, 3], ids=["all", "hardest-zero"])
def test_counted_padding_is_the_loss_over_all_slots(kept, data, rng):
    sampler, select = Uniform(V, K), KeepAll() if kept is None else Hardest(kept, not_kept="zero")
    ours, theirs, batch = model_of(rng), model_of(rng), batch_of(data, rng)
    loss = train.step(
        ours,
        Method(sampler, select, bce),
        batch,
        Unchanged(ours.parameters(), lr=1.0),
        negatives_rng=rng(2),
        dropout_rng=rng(3),
        options=StepOptions(padded_to=L),
    )
    expected = padded_loss(theirs, batch, sampler.draw(batch, rng=rng(2)).ids, kept)
    expected.backward()
    torch.testing.assert_close(loss, expected.detach(), rtol=1e-5, atol=1e-6)
    for (name, mine), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, other.grad, rtol=1e-4, atol=1e-7, msg=lambda text, name=name: name + text)
    assert ours.norm.bias.grad.abs().max() > 0


def test_an_omitted_padding_is_another_loss(data, rng):
    batch, losses = batch_of(data, rng), []
    for padded_to in (None, L):
        model = model_of(rng)
        method, optimizer = Method(Uniform(V, K), KeepAll(), bce), Unchanged(model.parameters(), lr=1.0)
        rngs = {"negatives_rng": rng(2), "dropout_rng": rng(3)}
        losses.append(
            float(train.step(model, method, batch, optimizer, **rngs, options=StepOptions(padded_to=padded_to)))
        )
    assert abs(losses[0] - losses[1]) > 1e-3


@pytest.mark.parametrize(
    ("method", "settings", "says"),
    [
        (Method(Uniform(V, K, per="batch"), KeepAll(), bce), {}, "drawn per sequence"),
        (Method(Uniform(V, K, per="position"), KeepAll(), bce), {}, "drawn per sequence"),
        (Method(Uniform(V, K), LogQ(1.0), bce), {}, "drawn per sequence"),
        (Method(Uniform(V, K), KeepAll(), bce), {"score_memory": 1000}, "score_memory"),
    ],
)
def test_what_cannot_count_padding_is_refused(method, settings, says, data, rng):
    model = model_of(rng)
    optimizer = Unchanged(model.parameters(), lr=1.0)
    rngs = {"negatives_rng": rng(2), "dropout_rng": rng(3)}
    with pytest.raises(InputError, match=says):
        train.step(model, method, batch_of(data, rng), optimizer, **rngs, options=StepOptions(padded_to=L, **settings))


def test_only_sasrec_has_a_padding_state():
    with pytest.raises(ValueError, match="padding=count is for backbone sasrec"):
        run_settings(backbone="gru4rec", padding="count")
    with pytest.raises(ValueError, match="init is for backbone sasrec"):
        run_settings(backbone="gru4rec", init="glorot")


def test_glorot_is_as_wide_as_its_formula(data):
    settings = run_settings(init="glorot", dim=8, max_length=30)
    model = build_model(Job(data, "random", 0, settings, METHODS["random"].defaults), torch.device("cpu"))
    for name, value in model.named_parameters():
        if value.dim() == 2:
            bound = math.sqrt(6 / sum(value.shape))
            assert 0.9 * bound < value.abs().max() <= bound, name
    assert (model.table.weight[0] == 0).all()
