"""What a process of the tests does; ``launching.run`` starts several of them."""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

import torch

import negsample.serving.recommender as recommender_module
import negsample.serving.top_k as top_k
from benchmarks.wire import bytes_sent
from negsample.batches.epochs import batches_of
from negsample.data.dataset import open_dataset
from negsample.errors import FailedError, InputError
from negsample.evaluation.evaluate import evaluate_by_dial
from negsample.execution.attempts import run_job
from negsample.methods import build_method, catalogue_of, negative_settings
from negsample.optim import optimizer_for
from negsample.parallel.launch import leave
from negsample.parallel.processes import Processes, together
from negsample.runs.folder import read_run
from negsample.runs.job import Job, build_model
from negsample.scoring.dial import dials
from negsample.serving.files import write_answers
from negsample.serving.final import make_final
from negsample.serving.load import load_model
from negsample.serving.plan import plan_final
from negsample.settings import run_settings
from negsample.training.inputs import StepInputs, propose, step_options
from negsample.training.loop import fit
from negsample.training.processes import pooled
from negsample.training.state import TrainingState
from negsample.training.step import step_of

CPU = torch.device("cpu")
COMMON = {
    "epochs": 3,
    "batch_size": 32,
    "learning_rate": 5e-3,
    "max_length": 12,
    "dim": 16,
    "blocks": 1,
    "dropout": 0.0,
}
CHANGES = {"random_negatives": 20, "in_batch_negatives": 20, "kept_hardest": 5, "bank_size": 60, "warm_up": 1}
BETAS = (0.0, 0.5, -1.0)
ASKED: dict[str, dict[str, Any]] = {
    "all": {},
    "many": {"k": 45, "exclude_seen": True, "dial": -0.5},  # more than a process has
    "every": {"k": 60, "dial": 2.0},
    "some": {"k": 7, "only": list(range(3, 50)), "exclude": [4, 30, 31]},
    "new": {"histories": {"a": [1, 2, 59], "none": [], "strange": ["x"], "long": list(range(1, 41))}, "k": 12},
}
"""What is asked of a recommender, by name."""
SENDING = ("random", "in-batch", "mixed", "full-ce")


def job_of(folder: str, method: str, **changes: object) -> Job:
    """The job of a test, over the dataset in ``folder``."""
    settings = run_settings(**COMMON | changes)
    return Job(open_dataset(Path(folder)), method, 0, settings, negative_settings(method, CHANGES))


def sending_job(folder: str, method: str) -> Job:
    """The job whose bytes are counted."""
    return job_of(folder, method, table="sharded", batch_size=64, dim=96)


def whole_table(model) -> torch.Tensor:
    """(V + 1, D), in every process."""
    return model.table.block(0, model.table.items + 1)


def measured(model, job: Job) -> dict[str, object]:
    """Ranks at several settings of the dial, and figures with the top of each query."""
    grid = dials(job.catalogue(CPU).target_weights, BETAS)
    found = evaluate_by_dial(model, job.data, "test", job.settings, grid, device=CPU)
    return {
        "ranks": [torch.from_numpy(each.ranks_E) for each in found],
        "coverage": [float(each.figures["coverage@10"]) for each in found],
    }


def fits(processes: Processes, data: str, out: str, *methods: str) -> None:
    """Train by each of ``methods``, and measure."""
    for method in methods:
        name, _, more = method.partition(":")
        changes = dict(each.split("=") for each in more.split(",") if each)
        job = job_of(data, name, table="sharded", **changes)
        model = build_model(job, CPU)
        begin = whole_table(model).clone()
        built = build_method(name, catalogue_of(job.data, job.settings.model.max_length), job.negatives)
        fitted = fit(model, job.data, built, job.settings, seed=0)
        found = {
            "begin": begin,
            "table": whole_table(model),
            "dense": {key: each for key, each in model.state_dict().items() if key != "table.weight"},
            "losses": [each.loss for each in fitted.log],
            "best": fitted.best_epoch,
        } | measured(model, job)
        torch.save(found, Path(out) / f"{method}-{processes.rank}.pt")


def learns(processes: Processes, data: str, wide: str, out: str, *methods: str) -> None:
    """What they learn, and what they send: in one start."""
    fits(processes, data, out, *methods)
    sends(processes, wide, out, *SENDING)


def sends(processes: Processes, data: str, out: str, *methods: str) -> None:
    """Some steps by each of ``methods``: bytes that the process sent in each by Linux's count, the items that it looked
    up, and the targets of all; and bytes that it holds of the table."""
    for name in methods:
        job = sending_job(data, name)
        model, settings = build_model(job, CPU), job.settings
        method = build_method(name, catalogue_of(job.data, settings.model.max_length), job.negatives)
        training, optimizer = TrainingState(model, method, seed=0), optimizer_for(model, settings)
        training.begin(1)
        asked = []
        fetch = model.table.shards.fetch
        model.table.shards.fetch = lambda ids, here, of=fetch, to=asked: (to.append(len(ids)), of(ids, here))[1]
        batches = batches_of(job.data, settings, method.exclude, rng=training.order_rng, processes=processes)
        rngs, steps = (training.miner_rng, training.dropout_rng), []
        for batch in islice(batches, 6):
            processes.wait()
            before = bytes_sent()
            there = pooled(batch, processes)
            negatives = propose(method, there, rng=training.draws_rng)
            step_of([StepInputs(model, method, there, negatives, *rngs, step_options(settings))], optimizer)
            processes.wait()
            steps.append((bytes_sent() - before, len(there.of_all.targets_N)))
        dense = sum(each.numel() for each in model.parameters())
        found = {"asked": asked, "sent": [each for each, _ in steps], "targets": [each for _, each in steps]}
        kept = [each for each in optimizer.tables[0].state_dict().values() if isinstance(each, torch.Tensor)]
        held = sum(each.nbytes for each in (model.table.weight, *kept) if len(each) == len(model.table.weight))
        torch.save(found | {"dense": dense, "held": held}, Path(out) / f"sent-{name}-{processes.rank}.pt")


def runs(processes: Processes, data: str, folder: str, dies_after: str, *given: str) -> None:
    """A run, refit and all, saved after every epoch; the last process is killed after an epoch, if it is not 0."""
    torch.set_num_threads(1)
    import negsample.training.checkpoint as checkpoint

    checkpoint._SHARE = 0
    changes = dict(each.split("=") for each in given)
    job = job_of(data, changes.pop("method", "mixed-log-q"), table="sharded", refit=True, **changes)

    def watch(epoch) -> None:
        print(f"epoch {epoch.epoch} refit {epoch.refit}", flush=True)
        if epoch.epoch == int(dies_after) and processes.rank == processes.size - 1:
            os.kill(os.getpid(), signal.SIGKILL)

    run_job(job, Path(folder), watch=watch)


APART = ("method=random", "dropout=0.2")
"""Of a run whose processes draw apart."""


def two_runs(processes: Processes, data: str, folder: str, *given: str) -> None:
    """One whose processes draw alike and one whose draw apart; what is left of either is gone on from."""
    runs(processes, data, f"{folder}/alike", "0", *given)
    runs(processes, data, f"{folder}/apart", "0", *given, *APART)


def makes(processes: Processes, data: str, out: str, block: str) -> None:
    """A run with terms, and what :func:`serves` makes of it."""
    runs(processes, data, f"{out}/run", "0", "epochs=2", "method=mixed-log-q", "terms=popularity,recency,repeats")
    serves(processes, f"{out}/run", out, block)


def within(processes: Processes, data: str, folder: str, megabytes: str, dies_after: str) -> None:
    """:func:`runs` in so much memory more than the process has when its libraries are there."""
    import_module("torch.distributed.checkpoint")
    import_module("torch.distributed.tensor")
    (used,) = (line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if "VmData" in line)
    resource.setrlimit(resource.RLIMIT_DATA, 2 * (1024 * int(used) + 10**6 * int(megabytes),))
    given = ("method=in-batch", "dim=64", "batch_size=1024", "epochs=2", "fit_terms=no")
    try:
        runs(processes, data, folder, dies_after, *given)
    except FailedError as error:
        raise InputError(str(error)) from None


def serves(processes: Processes, run: str, out: str, block: str, *more: str) -> None:
    """Answers to all of ``ASKED``, by a MODEL that is made of a run if it is not there."""
    model, top_k.ITEM_BLOCK = Path(out) / "MODEL", int(block)
    if not model.exists():
        make_final(plan_final(read_run(Path(run))), model)
    recommender = load_model(model)
    shards = recommender.models[0].table.shards
    assert (shards.stop - shards.start) <= -(-shards.rows // processes.size)
    for name, asked in ASKED.items():
        found = recommender.recommend(**asked)
        found.write_parquet(Path(out) / f"{name}-{processes.size}-{processes.rank}.parquet")
    if "dies" not in more:
        return
    recommender_module.QUERIES_AT_ONCE = 50
    if processes.rank:
        answers = recommender.answers(recommender.users, recommender.ask())
        next(answers)
        os.kill(os.getpid(), signal.SIGKILL)
    write_answers(recommender, recommender.users, recommender.ask(), Path(out) / "top.parquet", lambda done: None)


def refuses(processes: Processes, data: str) -> None:
    """What several processes cannot share."""
    alone = run_settings(backbone="terms", table="sharded", epochs=1)
    jobs = [
        job_of(data, "xir", table="sharded"),
        job_of(data, "random", table="sharded", oversampling_factor=1),
        Job(open_dataset(Path(data)), "random", 0, alone, {}),
    ]
    for job in jobs:
        built = build_method(job.method, catalogue_of(job.data, job.settings.model.max_length), job.negatives)
        try:
            fit(build_model(job, CPU), job.data, built, job.settings, seed=0)
        except InputError as error:
            print(f"refused: {error}")
    try:
        processes.all_or_none(partial(_in_the_last, processes))
    except InputError as error:
        print(f"refused: {error}")
    print(processes.all_say(True), processes.all_say(processes.rank == 0))
    differs(processes, data)


def _in_the_last(processes: Processes) -> None:
    if processes.rank == processes.size - 1:
        raise InputError("not here")


def differs(processes: Processes, data: str) -> None:
    """A process whose dense weights are others than those of the rest."""
    job = job_of(data, "random", table="sharded")
    model = build_model(job, CPU)
    if processes.rank == 1:
        next(iter(model.parameters())).data[0] += 1
    built = build_method("random", catalogue_of(job.data, job.settings.model.max_length), job.negatives)
    fit(model, job.data, built, job.settings, seed=0)


CASES: dict[str, Callable[..., None]] = {
    each.__name__: each for each in (learns, runs, two_runs, within, makes, serves, refuses)
}


if __name__ == "__main__":
    torch.set_num_threads(1)
    try:
        with together() as processes:
            CASES[sys.argv[1]](processes, *sys.argv[2:])
    except InputError as error:
        print(f"error: {error}", flush=True)
        leave(2)
    leave(0)
