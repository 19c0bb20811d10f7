"""What each of several processes that train one model together will hold and send."""

from __future__ import annotations

import os
import statistics
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

import torch

from negsample.batches.epochs import batches_of
from negsample.batches.packed import Batch, Pool
from negsample.errors import InputError
from negsample.methods import build_method
from negsample.parallel.arithmetic import Sent, sent_in_a_step
from negsample.parallel.processes import Processes
from negsample.random import generator
from negsample.runs.job import Job, build_model, default_device
from negsample.studies.forecast.needs import PROCESS, needs_of, positions_of
from negsample.studies.forecast.system import available_memory
from negsample.training.inputs import propose

AN_ITEM = 40
"""Bytes of an item in each process, whatever the table: how often it was an event and a target, and for sampling."""
_TOGETHER = 60_000_000  # bytes of torch.distributed and its checkpoints
_STEPS = 3


class Divided(NamedTuple):
    """``memory``: bytes of the process that needs most; ``sent``: by a process in a step, of which there are ``steps``
    an epoch; ``rows``: distinct items in its share of one."""

    memory: int
    sent: Sent
    rows: float
    steps: int


def divided_forecast(job: Job, processes: int) -> Divided:
    """What so many processes will hold and send for ``job``, by arithmetic, and by the items in a few batches of it.

    Raises:
        InputError: its settings do not go together.
    """
    rows, targets = zip(*_drawn(job, processes), strict=True)
    small = job._replace(data=replace(job.data, train_counts=job.data.train_counts[:2]))
    model = build_model(small._replace(settings=job.settings.replaced(table="rows")), torch.device("cpu"))
    return Divided(
        memory_of_one(job, processes),
        sent_in_a_step(
            rows=statistics.fmean(rows),
            dim=job.settings.model.dim,
            targets=statistics.fmean(targets),
            dense=sum(each.numel() for each in model.parameters()),
            processes=processes,
        ),
        statistics.fmean(rows),
        positions_of(job).steps,
    )


def memory_of_one(job: Job, processes: int) -> int:
    """Bytes of the process that needs most."""
    return PROCESS + _TOGETHER + needs_of(job, processes=processes).peak + AN_ITEM * (job.data.catalogue_size + 1)


def check_divided_fits(job: Job, processes: int) -> None:
    """Refuse, before any work, a training that this host has no memory for.

    Raises:
        InputError: as it says; or settings do not go together.
    """
    here = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    there = available_memory()
    if default_device().type == "cuda":
        there, here = torch.cuda.mem_get_info()[0], 1
    needed = here * (memory_of_one(job, processes) - PROCESS)  # which are running
    if there is not None and needed > there:
        raise InputError(
            f"not enough memory: {job.method} on {job.data.name} takes about {needed / 1e9:,.1f} GB of this host, "
            f"{here} of {processes} processes, and {there / 1e9:,.1f} GB are available; start more processes on more "
            "hosts, or take table_optimizer=adagrad table_dtype=bfloat16, or a smaller dim"
        )


def _drawn(job: Job, processes: int) -> list[tuple[int, int]]:
    """Of some batches: distinct items in the share of the first process, and targets of all."""
    catalogue = job.catalogue(torch.device("cpu"))
    method = build_method(job.method, catalogue, job.negatives)
    whole, share = (
        batches_of(job.data, job.settings, method.exclude, rng=generator(job.seed, "order"), processes=each)
        for each in (None, Processes(0, processes))
    )
    rng = generator(job.seed, "negatives")
    return [
        (_distinct(own, propose(method, replace(own, of_all=_pool(each)), rng=rng).ids), len(each.targets_T))
        for each, own in islice(zip(whole, share, strict=True), _STEPS)
    ]


def _pool(batch: Batch) -> Pool:
    return Pool(batch.targets_T, batch.position_users)


def _distinct(batch: Batch, negatives: torch.Tensor) -> int:
    asked = (batch.inputs.items_T, batch.targets_T, negatives)
    return len(torch.unique(torch.cat([each.reshape(-1) for each in asked])))
