"""A step that several processes share: what each of them hands to the others, and what it does not do."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from negsample.batches.packed import Batch, Pool
from negsample.errors import InputError
from negsample.losses import of_parts
from negsample.methods import Method
from negsample.models import Backbone
from negsample.parallel.processes import Processes
from negsample.settings import RunSettings


def processes_of(model: Backbone) -> Processes | None:
    """The processes that train ``model``; None where its table is not sharded."""
    shards = model.table.shards
    return None if shards is None else shards.processes


def pooled(batch: Batch, processes: Processes | None) -> Batch:
    """``batch``, the share of one of ``processes``, with the targets of all shares to draw from: in the same order
    however many shares there are, so that what is drawn for the whole batch is the same too."""
    if processes is None:
        return batch
    windows_T = batch.ends_B.index_select(0, batch.target_rows)
    own_T3 = torch.stack([windows_T, batch.targets_T, batch.position_users], 1)
    windows_N, targets_N, users_N = processes.joined(own_T3 if batch.counts else own_T3[:0]).unbind(1)
    order_N = torch.argsort(windows_N, stable=True)
    return replace(batch, of_all=Pool(targets_N[order_N], users_N[order_N]))


class Loss(NamedTuple):
    """The loss of a batch: ``whole``, detached, and what of it is this process's: all of it where there is but one."""

    own: Tensor
    whole: Tensor

    @classmethod
    def of(cls, sums_2N: Tensor, batch: Batch, processes: Processes) -> Loss:
        """From the sums of a share, and what they are to be divided by, see :mod:`negsample.losses`. What all processes
        learn from their own parts is what one learns from the whole batch: divisors are those of all shares."""
        sums_2N = sums_2N if batch.counts else sums_2N * 0
        every_2N = processes.sum(sums_2N)
        return cls((sums_2N[0] / every_2N[1].clamp(min=1)).sum(), of_parts(every_2N))


def sum_gradients(parameters: Iterable[nn.Parameter], processes: Processes) -> None:
    """The gradients of dense parameters become their sums over ``processes``, in one exchange."""
    gradients = [each.grad for each in parameters if each.grad is not None]
    if gradients:
        total = processes.sum(torch.cat([each.reshape(-1) for each in gradients]))
        for each, part in zip(gradients, torch.split(total, [each.numel() for each in gradients]), strict=True):
            each.copy_(part.view_as(each))


def check_same(model: Backbone, rngs: Sequence[torch.Generator], processes: Processes) -> None:
    """What all processes have alike is alike: dense parameters, and the random numbers to come.

    Raises:
        InputError: it is not; training on would mix several models.
    """
    digest = hashlib.sha256()
    for each in (*model.parameters(), *(rng.get_state() for rng in rngs)):
        digest.update(each.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    processes.same("dense weights or random states", digest.hexdigest())


def check_shared(models: Sequence[Backbone], methods: Sequence[Method], settings: RunSettings) -> None:
    """Refuses what several processes cannot share, where the models' tables are sharded.

    Raises:
        InputError: what it is, and what to take.
    """
    if all(processes_of(each) is None for each in models):
        return
    way = "leave it out, or take table=rows in one process"
    if len(models) > 1:
        raise InputError("table=sharded trains one model at a time; leave --together out")
    if settings.model.backbone == "terms":
        raise InputError(f"table=sharded has nothing to do for backbone terms, whose table is not trained; {way}")
    if settings.training.oversampling_factor is not None:
        raise InputError(f"oversampling_factor keeps batches of one process, and table=sharded divides them; {way}")
    (method,) = methods
    if "whole" in method.miner.needs:
        raise InputError(
            "this method selects from a batch as a whole, and with table=sharded each process sees its share; take "
            "another method, or table=rows in one process"
        )
    if not method.loss_takes("parts"):
        raise InputError(
            "table=sharded is for losses with the argument parts, see negsample.losses, and this method's loss has "
            "none; give it one, or take table=rows in one process"
        )
