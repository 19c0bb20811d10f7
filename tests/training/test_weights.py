"""Targets that count by the weights of their events: as so many copies of them, and as ever where all are 1."""

from __future__ import annotations

from functools import partial

import numpy as np
import polars as pl
import pytest
import torch

from negsample import InputError, fit, losses, run_settings
from negsample.batches.epochs import batches_again, batches_of
from negsample.data.log.read import Log
from negsample.data.prepare.pipeline import prepare
from negsample.methods import Method, build_method, catalogue_of, negative_settings
from negsample.miners import KeepAll
from negsample.random import generator
from negsample.runs.job import Job, build_model
from negsample.samplers import Uniform
from negsample.settings import PrepareSettings

USERS, STEPS, V = 40, 15, 29
DAY = 86_400 * 10**6
CPU = torch.device("cpu")
SETTINGS = {"epochs": 1, "batch_size": 16, "dim": 8, "max_length": 4, "blocks": 1, "learning_rate": 0.03}
FEW = {"random_negatives": 6, "popularity_negatives": 6, "in_batch_negatives": 5}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A dataset of one event an hour; ``weights``: of the events as they come, from their items."""

    def make(weights=None):
        chance = np.random.default_rng(5)
        items = np.concatenate([np.arange(1, V + 1), chance.integers(1, V + 1, USERS * STEPS - V)])
        users = chance.permutation(np.repeat(np.arange(USERS), STEPS))
        frame = pl.DataFrame({"user": users, "item": items, "time": np.arange(USERS * STEPS) * 3600 * 10**6})
        if weights is not None:
            frame = frame.with_columns(weight=pl.Series(weights(items), dtype=pl.Int32))
        log = Log(frame.lazy(), "hours", [], weight=None if weights is None else "qty")
        shares = PrepareSettings(valid_fraction=0.2, test_fraction=0.1)
        return prepare(log, shares, tmp_path_factory.mktemp("data") / "hours")

    return make


@pytest.fixture(scope="module")
def data(prepared):
    """An event weighs as much as the number of its item."""
    return prepared(lambda items: items)


def trained(data, method, **changes):
    job = Job(data, method, 3, run_settings(**SETTINGS | changes), negative_settings(method, FEW))
    model = build_model(job, CPU)
    found = fit(model, data, build_method(method, job.catalogue(CPU), job.negatives), job.settings, seed=3)
    return [epoch.loss for epoch in found.log], torch.cat([each.flatten() for each in model.state_dict().values()])


@pytest.mark.parametrize("method", ["random", "popularity", "mixed-log-q", "in-batch", "cohort", "recent"])
def test_weights_of_one_are_no_weights(method, prepared, data):
    (plain, ones, other) = (trained(each, method) for each in (prepared(), prepared(np.ones_like), data))
    assert plain[0] == ones[0]
    assert torch.equal(plain[1], ones[1])
    assert not torch.equal(plain[1], other[1])


LOSSES = {
    "bce": losses.bce,
    "mean bce": partial(losses.bce, negatives="mean"),
    "bpr": losses.bpr,
    "softmax": losses.sampled_softmax,
    "bpr-max": losses.bpr_max,
}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_the_loss_is_that_of_so_many_copies(loss, data):
    """The whole epoch is one batch, so that its mean weight is that of the epoch."""
    seen = []

    def kept(pos_T, neg_TK, *, parts=False, weights_T=None):
        seen.append((pos_T.detach(), neg_TK.detach(), weights_T))
        return loss(pos_T, neg_TK, parts=parts, weights_T=weights_T)

    settings = run_settings(**SETTINGS | {"batch_size": USERS})
    model = build_model(Job(data, "random", 0, settings, negative_settings("random", FEW)), CPU)
    found = fit(model, data, Method(Uniform(V, 5, per="position"), KeepAll(), kept), settings, seed=0)
    ((pos_T, neg_TK, weights_T),) = seen
    (batch,) = batches_of(data, settings, "history", rng=generator(0, "order"))
    copies_T = batch.targets_T  # the weight of an event is the number of its item
    assert weights_T.tolist() == pytest.approx((copies_T / copies_T.double().mean()).tolist())
    expected = loss(pos_T.repeat_interleave(copies_T), neg_TK.repeat_interleave(copies_T, 0))
    assert found.log[0].loss == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("half_life", [None, 3.0])
@pytest.mark.parametrize(
    "changes",
    [{}, {"windows": "all"}, {"targets": "moments"}, {"targets": "horizon", "horizon": 3}, {"train_window": 9}],
)
def test_weights_are_relative_to_the_mean_of_the_epoch(changes, half_life, data):
    settings = run_settings(**SETTINGS | changes, weight_half_life=half_life)
    batches = list(batches_of(data, settings, "history", rng=generator(0, "order")))
    items_T, times_T, found_T = (
        torch.cat([getattr(each, name) for each in batches]).double() for name in ("targets_T", "times_T", "weights_T")
    )
    raw_T = items_T * (1 if half_life is None else torch.exp2((times_T - times_T.max()) / (half_life * DAY)))
    assert found_T.tolist() == pytest.approx((raw_T / raw_T.mean()).tolist(), rel=1e-5)
    if "horizon" not in changes:
        again = batches_again(data, settings, "history", [each.ends_B for each in batches])
        assert all(torch.equal(old.weights_T, new.weights_T) for old, new in zip(batches, again, strict=True))


def test_popularity_is_weighed_and_the_law_of_batches_is_not(data, prepared):
    """What is drawn by train counts follows the weights, and so does the dial; targets of a batch come once each."""
    known, plain = catalogue_of(data, 4), catalogue_of(prepared(), 4)
    number = torch.arange(V + 1)
    assert known.counts.tolist() == (plain.counts * number).tolist()
    assert known.target_counts.tolist() == plain.target_counts.tolist()
    assert known.target_weights.tolist() == (plain.target_counts * number).tolist()
    assert plain.target_weights is plain.target_counts


def test_a_loss_without_weights_is_refused(data):
    method = Method(Uniform(V, 5), KeepAll(), lambda pos_T, neg_TK: losses.bce(pos_T, neg_TK))
    settings = run_settings(**SETTINGS)
    model = build_model(Job(data, "random", 0, settings, negative_settings("random", FEW)), CPU)
    with pytest.raises(InputError, match=r"a log with --weight\) are for losses with the argument weights_T"):
        fit(model, data, method, settings, seed=0)
