"""Processes with a part of a batch each against one with the whole batch, in everything that a training gives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from launching import GLOO, run
from worker import CPU, job_of, measured

from negsample.batches.epochs import batches_of
from negsample.batches.packed import Pool
from negsample.methods import build_method, catalogue_of
from negsample.optim import optimizer_for
from negsample.parallel.processes import Processes
from negsample.random import generator
from negsample.runs.job import build_model
from negsample.training.inputs import propose, step_options
from negsample.training.step import step

pytestmark = GLOO
METHODS = ("random", "in-batch", "mixed", "adaptive-mixed", "mixed-log-q", "in-batch-log-q", "cross-batch", "full-ce")
VARIANTS = (
    "random:table_optimizer=adagrad,table_learning_rate=0.05",
    "random:padding=count",
    "random:score_memory=1,max_length=20",
    "mixed-log-q:batch_size=27",
    "mixed:batch_size=239",  # the last batch is of one user: the second process has no share
)
OF_FOUR = ("random", "in-batch", "mixed", "adaptive-mixed", "mixed-log-q")
ALL = [*((2, each) for each in (*METHODS, *VARIANTS)), *((4, each) for each in OF_FOUR)]


@pytest.fixture(scope="module")
def data(world):
    return world(name="sharded")


@pytest.fixture(scope="module")
def found(data, tmp_path_factory):
    """What so many processes gave by a method: what the first had, and what the others had."""
    out = tmp_path_factory.mktemp("fits")
    for size, names in ((2, (*METHODS, *VARIANTS)), (4, OF_FOUR)):
        (out / str(size)).mkdir()
        run(size, "fits", data.folder, out / str(size), *names)
    return {
        (size, name): [torch.load(out / str(size) / f"{name}-{rank}.pt") for rank in range(size)] for size, name in ALL
    }


def one_process(data, name, processes, **changes):
    """The same by :func:`~negsample.training.step.step` on whole batches, over a table of rows. Negatives are drawn as
    so many processes draw them: for each share by its own stream, or for the whole batch by the common one."""
    job = job_of(data.folder, name, table="rows", **changes)
    model = build_model(job, CPU)
    begin = model.table.weight.clone()
    optimizer, settings = optimizer_for(model, job.settings), job.settings
    method = build_method(name, catalogue_of(data, settings.model.max_length), job.negatives)
    orders = [generator(0, "order") for _ in range(1 + processes)]
    common, dropout, losses = generator(0, "negatives"), generator(0, "dropout"), []
    for epoch in range(1, settings.training.epochs + 1):
        own = [generator(0, "negatives", stream=(epoch, rank, processes)) for rank in range(processes)]
        epochs = [batches_of(data, settings, method.exclude, rng=orders[0])]
        epochs += [
            batches_of(data, settings, method.exclude, rng=orders[1 + rank], processes=Processes(rank, processes))
            for rank in range(processes)
        ]
        of_epoch = []
        for batch, *shares in zip(*epochs, strict=True):
            real = [each for each in shares if each.counts]
            assert sum(each.sequences for each in real) == batch.sequences
            order = torch.argsort(batch.ends_B[batch.target_rows], stable=True)
            pool = Pool(batch.targets_T[order], batch.position_users[order])
            whole = replace(batch, of_all=pool)
            if method.sampler.per == "batch":
                negatives = propose(method, whole, rng=common)
            else:
                drawn = [propose(method, replace(each, of_all=pool), rng=own[rank]) for rank, each in enumerate(shares)]
                assert method.sampler.per == "sequence"
                ends = torch.cat([each.ends_B for each in real])
                ids = torch.cat([each.ids for each, share in zip(drawn, shares, strict=True) if share.counts])
                order = torch.tensor([int((ends == end).nonzero()) for end in batch.ends_B])
                negatives = drawn[0]._replace(ids=ids[order])
                assert negatives.log_q is None
            options = step_options(settings)
            of_epoch.append(
                step(
                    model, method, whole, optimizer, negatives_rng=common, dropout_rng=dropout, negatives=negatives,
                    options=options,
                )
            )  # fmt: skip
        losses.append(float(torch.stack(of_epoch).double().mean()))
    optimizer.apply_deferred()
    return model, begin, losses


@pytest.mark.parametrize(("size", "name"), ALL)
def test_several_processes_learn_what_one_learns(size, name, data, found):
    method, _, more = name.partition(":")
    changes = dict(each.split("=") for each in more.split(",") if each)
    model, begin, losses = one_process(data, method, size, **changes)
    first, *others = found[size, name]
    assert torch.equal(first["begin"], begin)
    assert first["losses"] == pytest.approx(losses, rel=1e-4)
    assert losses[-1] < losses[0]
    for other in others:
        assert torch.equal(first["table"], other["table"])
        assert first["losses"] == other["losses"]
        for key, value in first["dense"].items():
            assert torch.equal(value, other["dense"][key]), key
    if first["best"] == 3:  # else the weights are of an earlier epoch
        off = (first["table"] - model.table.weight).abs()
        # Rounding decides the sign of a first step where a gradient is nearly nothing; all but a few agree closely.
        assert float(off.flatten().quantile(0.9)) < 1e-3
    assert not first["table"][0].any()


@pytest.mark.parametrize("size", [2, 4])
def test_some_of_them_are_compared_at_the_end(size, found):
    assert sum(each[0]["best"] == 3 for (of, _), each in found.items() if of == size) >= 3


@pytest.mark.parametrize(("size", "name"), [(2, "random"), (2, "mixed-log-q"), *((4, each) for each in OF_FOUR)])
def test_ranks_over_shards_are_those_of_one_process(size, name, data, found):
    job = job_of(data.folder, name, table="rows")
    model, alone = build_model(job, CPU), None
    for each in found[size, name]:  # all have the same weights
        model.load_state_dict(each["dense"] | {"table.weight": each["table"]})
        alone = alone or measured(model, job)
        for here, there in zip(alone["ranks"], each["ranks"], strict=True):
            assert np.array_equal(here, there)
        assert alone["coverage"] == each["coverage"]


def test_methods_and_settings_that_cannot_be_shared_are_refused(data):
    for ended in run(2, "refuses", data.folder):
        first, second, third = ended.said.splitlines()
        assert "selects from a batch as a whole" in first
        assert "oversampling_factor" in second
        assert "backbone terms" in third


def test_processes_that_drift_apart_are_stopped(data):
    for ended in run(2, "differs", data.folder, fails=True):
        assert ended.code == 2
        assert "dense weights or random states differ between the 2 processes" in ended.said
