"""The time that a run takes, from a few of its steps and a part of its evaluation."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

import torch
from torch import Tensor, nn

from negsample.batches.epochs import batches_of
from negsample.batches.packed import Batch
from negsample.evaluation.evaluate import encode, queries
from negsample.evaluation.metrics import CUTOFFS
from negsample.evaluation.ranks import rank_by_dial
from negsample.methods import POPREC, Catalogue, Method, build_method
from negsample.models import Backbone, GRU4Rec, PopRec, SASRec
from negsample.models.item_table import DenseTable, Rows, RowsTable
from negsample.optim import ModelOptimizer, optimizer_for
from negsample.random import generator
from negsample.runs.job import Job, build_model, default_device
from negsample.scoring.dial import BETAS, NO_DIAL, Dials
from negsample.settings import TrainSettings
from negsample.studies.forecast.needs import asked_of, positions_of
from negsample.training.loop import padding_of, precision_of, step
from negsample.training.score import MIB

_ITEMS = 1 << 16  # of the table that is tried instead of a larger one: its rows cost a step about the same
_QUERIES = 256  # ranked at most
_STEPS = 6  # timed at most
_PATIENCE = 0.5  # seconds after which no further one is


class Pace(NamedTuple):
    """Seconds: of a ``step``, of which there are ``steps`` an epoch; of a ``look`` at validation; of the measuring of
    both parts at the ``end``."""

    step: float
    steps: int
    look: float
    end: float

    def run(self, settings: TrainSettings) -> float:
        """Seconds of a whole run."""
        looks = -(-settings.epochs // settings.eval_every)
        return settings.epochs * self.steps * self.step + looks * self.look + self.end


def pace_of(job: Job, catalogue: Catalogue, *, threads: int) -> Pace:
    """How fast a run of ``job`` is on so many ``threads`` of this machine, tried out in about a second.

    A table of rows stands in for one of more than 65,536 items (ranks take as much longer as there are more). What
    is tried is forgotten. PopRec takes no time that is worth saying.
    """
    if job.method == POPREC:
        return Pace(0.0, 0, 0.0, 0.0)
    device = default_device()
    method = build_method(job.method, catalogue, job.negatives)
    model, optimizer = _model(job, device)
    with _on(threads):
        # Before the steps, after which the numbers of a training that diverges cannot be ranked.
        encoding, ranking, with_top = _evaluation(job, model, device)
        taken = list(_steps(job, method, model, optimizer, device))
    valid, test = (asked.queries for asked in asked_of(job))
    return Pace(
        step=statistics.median(taken) if taken else 0.0,  # not the mean: somebody else may have had the machine for one
        steps=positions_of(job).steps,
        look=valid * (encoding + ranking),
        end=(valid + test) * (encoding + with_top),
    )


class _Folded(nn.Module):
    """A small table that takes the ids of a large one, of so many ``items``."""

    def __init__(self, table: DenseTable | RowsTable, items: int) -> None:
        super().__init__()
        self.table, self.items = table, items

    @property
    def weight(self) -> Tensor:
        return self.table.weight

    def lookup(self, *ids: Tensor) -> list[Tensor]:
        return self.table.lookup(*(each % len(self.weight) for each in ids))

    def rows(self, *ids: Tensor) -> list[Rows]:
        return self.table.rows(*(each % len(self.weight) for each in ids))

    def block(self, start: int, stop: int) -> Tensor:
        return self.table.block(start, stop)


def _model(job: Job, device: torch.device) -> tuple[SASRec | GRU4Rec, ModelOptimizer]:
    """The model, over a small table where a large one is of rows, and its optimiser."""
    v, settings = job.data.catalogue_size, job.settings
    folded = v > _ITEMS and settings.table_at(v) == "rows"
    if folded:
        smaller = replace(job.data, train_counts=job.data.train_counts[: _ITEMS + 1])
        job = job._replace(data=smaller, settings=settings.model_copy(update={"table": "rows"}))
    model = build_model(job, device)
    assert not isinstance(model, PopRec)
    optimizer = optimizer_for(model, settings, rounding_rng=generator(job.seed, "rounding", device))
    if folded:
        model.add_module("table", _Folded(model.table, v))
    return model, optimizer


def _steps(
    job: Job, method: Method, model: Backbone, optimizer: ModelOptimizer, device: torch.device
) -> Iterator[float]:
    """Seconds of each of some steps but the first, which allocates; of that, where it is the only one."""
    settings, seed = job.settings, job.seed
    negatives_rng, dropout_rng = generator(seed, "negatives", device), generator(seed, "dropout", device)
    until = None
    epoch = batches_of(job.data, settings, method.exclude, rng=generator(seed, "order"))
    batches = list(islice(epoch, 1 + _STEPS))
    for number, batch in enumerate(batches):
        there = batch.to(device)

        def once(there: Batch = there) -> None:
            step(
                model,
                method,
                there,
                optimizer,
                negatives_rng=negatives_rng,
                dropout_rng=dropout_rng,
                score_memory=settings.score_memory * MIB,
                autocast=precision_of(settings),
                padded_to=padding_of(settings),
            )

        seconds = _seconds(once, device)
        until = until or time.perf_counter() + _PATIENCE
        if number or len(batches) == 1:
            yield seconds
            if time.perf_counter() > until:
                return


def _evaluation(job: Job, model: Backbone, device: torch.device) -> tuple[float, float, float]:
    """Seconds a query of its encoding, of ranks, and of ranks with the first items at every setting of the dial."""
    table = model.table.table if isinstance(model.table, _Folded) else model.table  # as many items as it has rows
    dials = Dials(torch.zeros(table.items + 1, dtype=torch.float64), BETAS)
    asked = queries(job.data, "valid", history=job.settings.history, max_length=model.max_length)
    some = min(_QUERIES, len(asked.windows))
    asked = asked.part(0, some)
    targets = asked.targets_E % table.items + 1
    states = encode(model, job.data.items, asked.windows, device=device)
    encoding = _seconds(lambda: encode(model, job.data.items, asked.windows, device=device), device)
    larger = job.data.catalogue_size / table.items

    def ranked(top_k: int) -> float:
        def once() -> None:
            rank_by_dial(states, table, asked.query_E, targets, dials if top_k else NO_DIAL, top_k=top_k)

        once()
        return larger * _seconds(once, device) / some

    return encoding / some, ranked(0), ranked(max(CUTOFFS))


def _seconds(call: Callable[[], object], device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    began = time.perf_counter()
    call()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - began


@contextmanager
def _on(threads: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
