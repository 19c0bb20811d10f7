"""The k items with the highest scores of each query, exactly; of equal ones those with the lowest numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from negsample.batches.device import upload
from negsample.batches.windows import Ints
from negsample.evaluation.divided import divided
from negsample.evaluation.ranks import ITEM_BLOCK, Added, queries_at_once
from negsample.evaluation.running_top_k import RunningTopK
from negsample.evaluation.seen import Seen


class Blocks(Protocol):
    """Vectors of items."""

    @property
    def items(self) -> int:
        """V."""
        ...

    def block(self, start: int, stop: int) -> Tensor:
        """Those of a stretch of numbers."""
        ...


class Top(NamedTuple):
    """``ids_QK``: item numbers, best first, 0 where fewer are left; ``scores_QK``, ``-inf`` there."""

    ids_QK: NDArray[np.int64]
    scores_QK: NDArray[np.floating[Any]]


class Shifts(NamedTuple):
    """What is added for every item: ``values_AV``, A rows of V + 1 numbers, and ``of_Q``, the row of each query."""

    values_AV: Tensor
    of_Q: Ints


@torch.no_grad()
def top_k(
    states_QD: Tensor,
    items: Blocks,
    k: int,
    *,
    shifts: Shifts | None = None,
    added: Added | None = None,
    seen: Seen | None = None,
) -> Top:
    """The ``k`` best of each query by ``<state, item>``, its shift and what is ``added`` for some items; none that is
    ``seen``, or has ``-inf``. What is held is a block of scores, and the answer."""
    if shifts is not None:
        shifts = shifts._replace(values_AV=upload(shifts.values_AV.to(states_QD.dtype), states_QD.device))
    more = (shifts, added, seen)
    queries, v, at_once = len(states_QD), items.items, queries_at_once(states_QD.device)
    sought = min(k + 1, v)  # one more says whether the last one has equals
    top, parted = RunningTopK(queries, sought, states_QD), divided(items)
    for start, block in _blocks(items, states_QD.dtype):
        for first in range(0, queries, at_once):
            here = np.arange(first, min(first + at_once, queries))
            top.add(_scores(states_QD[first : first + at_once], block, here, start, *more), first, start)
    if parted is not None:
        top.merge(parted.shards.processes)
    scores, ids = top.values_QK, top.ids_QK
    order = torch.argsort(ids, dim=1)
    order = order.gather(1, torch.argsort(scores.gather(1, order), dim=1, descending=True, stable=True))
    scores, ids = (each.gather(1, order).cpu() for each in (scores, ids))
    if sought > k:
        equal = (scores[:, k - 1] == scores[:, k]) & (scores[:, k] > -math.inf)
        for query in equal.nonzero().flatten().tolist():
            ids[query, :k] = _lowest_of_equal(states_QD[query : query + 1], items, k, query, *more).cpu()
    scores, ids = scores[:, :k], ids[:, :k].masked_fill(scores[:, :k] == -math.inf, 0)
    return Top(ids.numpy(), scores.numpy())


def _blocks(items: Blocks, dtype: torch.dtype) -> Iterator[tuple[int, Tensor]]:
    """The first number of each block, and its vectors. Of items that are divided over processes those that begin in the
    rows that are here: the blocks of one process, so that scores have the same bits."""
    parted = divided(items)
    for start in range(1, items.items + 1, ITEM_BLOCK):
        stop = min(start + ITEM_BLOCK, items.items + 1)
        if parted is None:
            yield start, items.block(start, stop).to(dtype)
            continue
        first, *others = parted.shards.owners(start, stop)
        block = items.block(start, stop) if others else None  # from several, so all take part
        if first == parted.shards.processes.rank:
            yield start, (parted.block_here(start, stop) if block is None else block).to(dtype)


def _scores(
    states: Tensor,
    block: Tensor,
    queries: Ints,
    start: int,
    shifts: Shifts | None,
    added: Added | None,
    seen: Seen | None,
) -> Tensor:
    scores, stop = states @ block.T, start + len(block)
    if shifts is not None:
        values = shifts.values_AV[:, start:stop]
        if len(values) > 1:
            values = values.index_select(0, upload(torch.from_numpy(shifts.of_Q[queries]), scores.device))
        scores += values
    if added is not None:
        rows, ids, values_N = added.among(queries, start, stop)
        at = upload(torch.from_numpy(rows * len(block) + ids - start), scores.device)
        scores.view(-1).index_add_(0, at, upload(torch.from_numpy(values_N).to(scores.dtype), scores.device))
    if seen is not None:
        for rows, ids in seen.among(queries, start, stop):
            at = upload(torch.from_numpy(rows * len(block) + ids - start), scores.device)
            scores.view(-1).index_fill_(0, at, -math.inf)
    return scores


def _lowest_of_equal(
    state: Tensor, items: Blocks, k: int, query: int, shifts: Shifts | None, added: Added | None, seen: Seen | None
) -> Tensor:
    """(k,) the same for one query, whose scores are all in memory."""
    parts, numbers = [state.new_empty(0)], [torch.empty(0, dtype=torch.int64, device=state.device)]
    parted = divided(items)
    for start, block in _blocks(items, state.dtype):
        parts.append(_scores(state, block, np.array([query]), start, shifts, added, seen)[0])
        numbers.append(torch.arange(start, start + len(block), device=state.device))
    scores, ids = torch.cat(parts), torch.cat(numbers)
    best = torch.argsort(scores, descending=True, stable=True)[:k]
    scores, ids = scores[best], ids[best]
    if parted is not None:
        scores, ids = (parted.shards.processes.joined(each) for each in (scores, ids))
        order = torch.argsort(ids)
        ids = ids[order[torch.argsort(scores[order], descending=True, stable=True)]]
    return ids[:k]
