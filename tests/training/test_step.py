"""One step of training: what is taught, and what is not."""

from __future__ import annotations

import pytest
import torch

from negsample.batches.epochs import epoch_batches
from negsample.losses import bce
from negsample.methods import Method, build_method, catalogue_of, negative_settings
from negsample.miners import Hardest, KeepAll
from negsample.models import SASRec
from negsample.runs.job import Job, build_model
from negsample.samplers import InBatch, Uniform
from negsample.settings import run_settings
from negsample.training import loop as train
from negsample.training.step import step

V = 60


@pytest.fixture(scope="module")
def data(world):
    return world(users=60, items=V, name="steps")


def one_step(data, rng, method):
    """One plain step of gradient descent: its batch, and the table before and after."""
    model = SASRec(V, dim=8, max_length=20, blocks=1, dropout=0.0, rng=rng(0))
    sizes = {"batch_size": 2, "max_length": 20}
    batch = next(epoch_batches(data, **sizes, rng=rng(1)))
    before = model.table.weight.detach().clone()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loss = step(model, method, batch, optimizer, negatives_rng=rng(2), dropout_rng=rng(3))
    assert loss.shape == ()
    assert not loss.requires_grad
    return batch, before, model.table.weight.detach()


def moved(before, after):
    return set(torch.nonzero((before != after).any(1)).flatten().tolist())


def known(batch):
    return set(batch.inputs.items_T.tolist()) | set(batch.targets_T.tolist())


@pytest.mark.parametrize("sampler", [InBatch(3), InBatch("all"), Uniform(V, 3)], ids=["in-batch", "all", "uniform"])
def test_a_step_teaches_inputs_targets_and_the_negatives_that_were_drawn(sampler, data, rng):
    batch, before, after = one_step(data, rng, Method(sampler, KeepAll(), bce))
    drawn = set(sampler.draw(batch, rng=rng(2)).ids.flatten().tolist())
    assert moved(before, after) == (known(batch) | drawn) - {0}
    if isinstance(sampler, Uniform):
        assert drawn - known(batch), "no negative of its own: the test would be weak"


def test_only_the_kept_negatives_are_taught(data, rng):
    sampler = Uniform(V, 40)
    batch, before, after = one_step(data, rng, Method(sampler, Hardest(1), bce))
    drawn = set(sampler.draw(batch, rng=rng(2)).ids.flatten().tolist()) - known(batch)
    taught = moved(before, after) - known(batch)
    assert taught < drawn
    assert 1 <= len(taught) <= len(batch.targets_T)


def test_negatives_are_pushed_away_and_targets_pulled_near(data, rng):
    model = SASRec(V, dim=8, max_length=20, blocks=1, dropout=0.0, rng=rng(0))
    sizes = {"batch_size": 8, "max_length": 20}
    batch = next(epoch_batches(data, **sizes, rng=rng(1)))
    method, optimizer = Method(Uniform(V, 20), KeepAll(), bce), torch.optim.SGD(model.parameters(), lr=0.5)

    def margins():
        ids = method.sampler.draw(batch, rng=rng(2)).ids
        inputs, targets, negatives = model.table.lookup(batch.inputs.items_T, batch.targets_T, ids)
        states = model(inputs, batch.inputs)
        mean_negative = torch.einsum("td,tkd->tk", states, negatives[batch.inputs.rows_T]).mean()
        return float(((states * targets).sum(1).mean() - mean_negative).detach())

    before = margins()
    for _ in range(20):
        step(model, method, batch, optimizer, negatives_rng=rng(2), dropout_rng=rng(3))
    assert margins() > before + 0.1


@pytest.mark.parametrize("method", ["in-batch", "mixed", "random"])
def test_the_row_of_nothing_stays_zero_where_negatives_run_out(method, dataset_of):
    users = [([1, 2, 3, 4, 5], [1], [2]), ([1, 2, 3], [4], [5]), ([2, 1, 3, 4], [5], [1])] * 4
    data = dataset_of(users, 5)
    settings = run_settings(epochs=2, batch_size=5, dim=8, blocks=1, max_length=5)
    job = Job(data, method, 0, settings, negative_settings(method, {}))
    model = build_model(job, torch.device("cpu"))
    built = build_method(method, catalogue_of(data, 5), job.negatives)
    train.fit(model, data, built, settings, seed=0)
    assert not model.table.weight[0].any()
    assert all(torch.isfinite(each).all() for each in model.state_dict().values())
