"""The time and the memory of a run, measured on a few of its steps and a part of its evaluation."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from negsample.batches.epochs import batches_of
from negsample.batches.packed import Batch
from negsample.evaluation.encode import encode
from negsample.evaluation.queries import Queries, queries
from negsample.evaluation.ranks import rank
from negsample.methods import Catalogue, Method, build_method
from negsample.models import Backbone
from negsample.models.item_table import ItemTable, Rows
from negsample.optim import Optimizer, optimizer_for
from negsample.random import generator
from negsample.runs.job import Job, build_model, default_device
from negsample.runs.machine import forget_peak, peak_memory
from negsample.scoring.dial import BETAS, NO_DIAL, Dials
from negsample.settings import RunSettings
from negsample.studies.forecast.needs import fit_bytes, needs_of, positions_of, table_bytes
from negsample.training.inputs import step_options
from negsample.training.knowledge import knowledge_for
from negsample.training.step import step

_ITEMS = 1 << 16  # of the table that is tried instead of a larger one: its rows cost a step about the same
_QUERIES = 256  # ranked at most
_STEPS = 6  # timed at most
_PATIENCE = 0.5  # seconds after which no further one is
_A_QUERY, _AN_EVENT = 2000, 500  # bytes that are held of each at all settings of the dial, top lists and ranks


class Pace(NamedTuple):
    """Seconds of a ``step``, of which there are ``steps`` an epoch, of a ``validation``, and of measuring both parts at
    the ``end``: the model before a refit too, and each without the terms that are fitted. ``memory``: bytes at the peak
    of the process (on a GPU: of its tensors); None: the system does not say."""

    step: float
    steps: int
    validation: float
    end: float
    memory: int | None = None

    @property
    def epoch(self) -> float:
        """Seconds of an epoch and the validation after it."""
        return self.steps * self.step + self.validation

    def run(self, settings: RunSettings) -> float:
        """Seconds of a whole run of all its epochs; of a refit at most: as many epochs again."""
        training = settings.training
        steps = training.epochs * self.steps * (2 if training.refit else 1)
        return steps * self.step + -(-training.epochs // training.eval_every) * self.validation + self.end


def pace_of(job: Job, catalogue: Catalogue, *, threads: int) -> Pace:
    """How fast a run of a trained method is on so many ``threads`` of this machine, and what memory it takes.

    It is tried out in about a second, and what is tried is forgotten. A table of 65,536 rows stands in for one of more
    rows: a step over rows hardly knows V, ranks take as much longer as there are more items, and the bytes of the
    larger table are added. So are those of kept batches, and of the ranks of all queries.
    """
    device = default_device()
    forget_peak(device)
    method = build_method(job.method, catalogue, job.negatives)
    tried = _tried(job)
    model = build_model(tried, device)
    optimizer = optimizer_for(model, tried.settings, rounding_rng=generator(job.seed, "rounding", device))
    if tried is not job:
        assert isinstance(model, nn.Module)
        model.add_module("table", _Folded(model.table, job.data.catalogue_size))
    with on_threads(threads):
        # Before the steps, after which the numbers of a training that diverges cannot be ranked.
        valid, test = (
            queries(job.data, part, history=job.settings.evaluation.history, max_length=model.max_length)
            for part in ("valid", "test")
        )
        encoding, ranking, with_top = _evaluation(job, valid, model, device)
        ranked = peak_memory(device)
        taken = list(_steps(job, method, model, optimizer, device))
    memory = peak_memory(device)
    if ranked is not None and memory is not None:
        held = max(_A_QUERY * len(asked.windows) + _AN_EVENT * len(asked.query_E) for asked in (valid, test))
        table, small = (table_bytes(each.settings, each.data.catalogue_size) for each in (job, tried))
        memory = max(ranked + held + fit_bytes(job), memory) + table - small + needs_of(job).kept
    measured = len(valid.windows) + len(test.windows) * (2 if job.refits else 1)
    plain = encoding + ranking if job.fits_terms else 0.0
    return Pace(
        step=statistics.median(taken) if taken else 0.0,  # not the mean: somebody else may have had the machine for one
        steps=positions_of(job).steps,
        validation=len(valid.windows) * (encoding + ranking),
        end=measured * (encoding + with_top + plain),
        memory=memory,
    )


def _tried(job: Job) -> Job:
    """``job``, or one over a small table where its own is one of more rows."""
    v = job.data.catalogue_size
    if v <= _ITEMS or job.settings.table(v) == "dense":
        return job
    smaller = replace(job.data, train_counts=job.data.train_counts[: _ITEMS + 1])
    return job._replace(data=smaller, settings=job.settings.replaced(table="rows"))


class _Folded(nn.Module):
    """A small table that takes the ids of a large one, of so many ``items``."""

    def __init__(self, table: ItemTable, items: int) -> None:
        super().__init__()
        self.table, self.items, self.shards = table, items, None

    @property
    def weight(self) -> Tensor:
        return self.table.weight

    def lookup(self, *ids: Tensor) -> list[Tensor]:
        return self.table.lookup(*(each % len(self.weight) for each in ids))

    def rows(self, *ids: Tensor) -> list[Rows]:
        return self.table.rows(*(each % len(self.weight) for each in ids))

    def block(self, start: int, stop: int) -> Tensor:
        return self.table.block(start, stop)


def _steps(job: Job, method: Method, model: Backbone, optimizer: Optimizer, device: torch.device) -> Iterator[float]:
    """Seconds of each of some steps but the first, which allocates; of that, where it is the only one."""
    settings, seed = job.settings, job.seed
    negatives_rng, dropout_rng = generator(seed, "negatives", device), generator(seed, "dropout", device)
    until, knowledge = None, knowledge_for(model, method, job.data, settings, device)
    epoch = batches_of(job.data, settings, method.exclude, rng=generator(seed, "order"))
    batches = [batch.to(device) for batch in islice(epoch, 1 + _STEPS)]
    for number, batch in enumerate(batches):

        def once(batch: Batch = batch) -> None:
            terms = None if knowledge is None else knowledge.of(batch)
            step(
                model,
                method,
                batch,
                optimizer,
                negatives_rng=negatives_rng,
                dropout_rng=dropout_rng,
                options=step_options(settings),
                terms=terms,
            )

        seconds = _seconds(once, device)
        until = until or time.perf_counter() + _PATIENCE
        if number or len(batches) == 1:
            yield seconds
            if time.perf_counter() > until:
                return


def _evaluation(job: Job, asked: Queries, model: Backbone, device: torch.device) -> tuple[float, float, float]:
    """Seconds a query of its encoding, of ranks, and of ranks with the first items at every setting of the dial."""
    table = model.table.table if isinstance(model.table, _Folded) else model.table  # as many items as it has rows
    dials = Dials(torch.zeros(table.items + 1, dtype=torch.float64), BETAS)
    some = min(_QUERIES, len(asked.windows))
    asked = asked.take(np.arange(some))
    targets = asked.targets_E % table.items + 1
    states = encode(model, job.data.items, asked.windows, device=device)
    encoding = _seconds(lambda: encode(model, job.data.items, asked.windows, device=device), device)
    larger = job.data.catalogue_size / table.items

    def ranked(top_k: int) -> float:
        def once() -> None:
            rank(states, table, asked.query_E, targets, dials if top_k else NO_DIAL, top_k=top_k)

        once()
        return larger * _seconds(once, device) / some

    return encoding / some, ranked(0), ranked(max(job.settings.evaluation.k))


def _seconds(call: Callable[[], object], device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    began = time.perf_counter()
    call()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - began


@contextmanager
def on_threads(threads: int) -> Iterator[None]:
    """As many threads of PyTorch inside, and as before after it."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
