"""Processes with a part of a batch each against one with the whole batch, in everything that a training gives."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from launching import GLOO, run
from worker import CPU, SENDING, job_of, measured, sending_job

from negsample.batches.epochs import batches_of
from negsample.batches.packed import Pool
from negsample.methods import build_method, catalogue_of
from negsample.optim import optimizer_for
from negsample.parallel.arithmetic import sent_in_a_step, share_of_table
from negsample.parallel.processes import Processes
from negsample.random import generator
from negsample.runs.job import build_model
from negsample.studies.forecast.divided import divided_forecast
from negsample.studies.forecast.needs import needs_of, table_bytes
from negsample.training.inputs import propose, step_options
from negsample.training.step import step

pytestmark = GLOO
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux what its connections have sent")
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
def wide(world):
    """Of many items, so that what is sent of them is most of what is sent."""
    return world(name="wide", users=400, items=3000)


@pytest.fixture(scope="module")
def out(data, wide, tmp_path_factory):
    """What so many processes left, each in the folder of their number."""
    out = tmp_path_factory.mktemp("fits")
    for size, names in ((2, (*METHODS, *VARIANTS)), (4, OF_FOUR)):
        (out / str(size)).mkdir()
        run(size, "learns", data.folder, wide.folder, out / str(size), *names)
    return out


def of_all(out, size, name):
    return [torch.load(out / str(size) / f"{name}-{rank}.pt") for rank in range(size)]


@pytest.fixture(scope="module")
def found(out):
    """What so many processes gave by a method: what the first had, and what the others had."""
    return {(size, name): of_all(out, size, name) for size, name in ALL}


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


@LINUX
@pytest.mark.parametrize("size", [2, 4])
@pytest.mark.parametrize("name", SENDING)
def test_they_send_what_arithmetic_says(size, name, out, wide):
    each, job = of_all(out, size, f"sent-{name}"), sending_job(wide.folder, name)
    some = slice(1, 6)  # steps; the first one connects them
    said = sent_in_a_step(
        rows=np.mean([own["asked"][some] for own in each]),
        dim=job.settings.model.dim,
        targets=np.mean(each[0]["targets"][some]),
        dense=each[0]["dense"],
        processes=size,
    )
    sent = np.mean([own["sent"][some] for own in each], axis=1)
    assert sent.mean() == pytest.approx(said.total, rel=0.03)
    assert sent.max() < 1.15 * said.total
    ahead = divided_forecast(job, size)
    assert ahead.rows == pytest.approx(np.mean(each[0]["asked"]), rel=0.05)
    assert ahead.sent.total == pytest.approx(sent.mean(), rel=0.08)


@pytest.mark.parametrize("size", [2, 4])
def test_they_hold_what_arithmetic_says(size, out, wide):
    first, *others = (each["held"] for each in of_all(out, size, "sent-mixed"))
    job, rows = sending_job(wide.folder, "mixed"), wide.catalogue_size + 1
    assert first == round(table_bytes(job.settings, rows - 1) * share_of_table(rows, size))
    assert first + sum(others) == table_bytes(job.settings, rows - 1)
    assert needs_of(job, processes=size).table == first
    assert needs_of(job, processes=size).step < needs_of(job).step


@pytest.fixture(scope="module")
def refused(data):
    """What two processes said, the dense weights of which differ at last."""
    return run(2, "refuses", data.folder, fails=True)


def test_methods_and_settings_that_cannot_be_shared_are_refused(refused):
    for ended in refused:
        first, second, third, fourth, said, _ = ended.said.splitlines()
        assert "selects from a batch as a whole" in first
        assert "oversampling_factor" in second
        assert "backbone terms" in third
        assert (fourth, said) == ("refused: not here", "True False")


def test_processes_that_drift_apart_are_stopped(refused):
    for ended in refused:
        assert ended.code == 2
        assert "dense weights or random states differ between the 2 processes" in ended.said
