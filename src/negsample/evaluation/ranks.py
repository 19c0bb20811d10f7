"""Exact ranks over the whole catalogue, block by block."""

from __future__ import annotations

import math
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from negsample.batches.device import upload
from negsample.batches.windows import Ints
from negsample.evaluation.divided import divided
from negsample.evaluation.finite import Finite
from negsample.evaluation.running_top_k import RunningTopK
from negsample.evaluation.seen import Seen
from negsample.evaluation.sorted_ranks import SORTED_FROM, comparisons_of, count, matrix
from negsample.scoring.dial import NO_DIAL, Dials

QUERY_BLOCK = 128  # queries scored at once
ON_A_GPU = 4096  # the same there
ITEM_BLOCK = 16384  # against how many items: 8 MB of scores, which stay in a processor's last cache
_COUNTABLE = 2**24  # ones that a sum in float32 counts


def queries_at_once(device: torch.device) -> int:
    """How many queries are scored at once where nothing else is asked for."""
    return QUERY_BLOCK if device.type == "cpu" else ON_A_GPU


class Added(Protocol):
    """What is added to the scores of some items of some queries."""

    def of(self, query_E: Ints, items_E: Ints) -> NDArray[np.floating[Any]]:
        """(E,) what is added for the item beside each query."""

    def among(self, queries: Ints, start: int, stop: int) -> tuple[Ints, Ints, NDArray[np.floating[Any]]]:
        """Positions in ``queries``, items of ``start .. stop - 1``, and what is added there."""


class RankedItems(Protocol):
    """What evaluation needs of an item table."""

    @property
    def items(self) -> int:
        """V."""
        ...

    def lookup(self, *ids: Tensor) -> list[Tensor]:
        """Rows of ids."""
        ...

    def block(self, start: int, stop: int) -> Tensor:
        """Rows of a stretch of ids."""
        ...


class Ranking(NamedTuple):
    """``ranks_E``: rank of each target from 0, mean of ties; infinite for one that is left out of the ranking, so that
    it is no hit at any k. ``top_QK``: ids of the first K of each query, 0 where fewer are left, or None."""

    ranks_E: NDArray[np.float64]
    top_QK: NDArray[np.int64] | None


class _Dial(NamedTuple):
    """What is known so far at one setting. ``shift_V``: what is added to the scores of the items; scores between
    ``low_E1`` and ``high_E1`` are equal to the target's; ``twice_E``: twice the rank."""

    shift_V: Tensor | None
    low_E1: Tensor
    high_E1: Tensor
    twice_E: Tensor
    top: RunningTopK


@torch.no_grad()
def rank(
    states_QD: Tensor,
    table: RankedItems,
    query_E: Ints,
    targets_E: Ints,
    dials: Dials = NO_DIAL,
    *,
    top_k: int = 0,
    seen: Seen | None = None,
    added: Added | None = None,
    query_block: int | None = None,
    item_block: int = ITEM_BLOCK,
) -> list[Ranking]:
    """Rank of every event's target among all V items, ``#(score > s) + (#(score == s) - 1) / 2``, at each of
    ``dials.betas``.

    Scores closer than the rounding error of their products are equal. The catalogue is read once, a block at a time,
    products are computed once for all settings, and a rank is a sum over blocks. Whatever V, what is held beside the
    arguments is at most ``item_block (6 query_block + 3 D)`` numbers of the states' type and ``O(E + Q K)``; with
    a dial one block of scores more, and ``O(E + Q K)`` for each setting.

    Of a table that is divided over processes each compares with the items that it has: all processes call this alike,
    and each has the ranks, which are sums of what was counted, and the highest of all their highest scores.

    Args:
        states_QD: one state a query.
        table: the items; its blocks are taken to the states' type.
        query_E: query of each event, ascending.
        targets_E: item of each event.
        dials: settings of the popularity dial.
        top_k: also give the ids of this many highest scores a query, in the same pass.
        seen: what each query leaves out of the ranking; such a target has no rank among the others: it is infinite.
        added: what is added to the scores of some items of each query.
        query_block: queries scored at once, and events compared at once. (default: 128, on a GPU 4,096)
        item_block: items scored at once.

    Raises:
        NotFiniteError: a state, an item or a target's score is not finite (the training diverged).
    """
    queries, v, device = len(states_QD), table.items, states_QD.device
    width = -(-v // -(-v // min(item_block, _COUNTABLE)))
    parted, first_item, stop_item, block_of = divided(table), 1, v + 1, table.block
    if parted is not None:
        first_item, stop_item, block_of = max(parted.shards.start, 1), parted.shards.stop, parted.block_here
    query_block = max(min(query_block or queries_at_once(device), queries), 1)
    finite = Finite(device, None if parted is None else parted.shards.processes)
    finite.check(states_QD)
    bounds = _bounds(finite, states_QD, table, query_E, targets_E, dials, added, max(item_block // 8, 1))
    sorts = device.type == "cpu" and states_QD.dtype in (torch.float32, torch.float64)
    query_Q, event_E, comparisons = comparisons_of(query_E, queries, query_block, SORTED_FROM if sorts else None)
    asking_Q, event_t = (upload(torch.from_numpy(each), device) for each in (query_Q, event_E))
    by_dial = [
        _Dial(
            upload(dials.log_p_V, device).mul(beta).to(states_QD.dtype) if beta else None,
            low_E[event_t].unsqueeze(1),
            high_E[event_t].unsqueeze(1),
            torch.zeros(len(query_E), dtype=torch.float64, device=device),
            RunningTopK(queries, min(top_k, v), states_QD),
        )
        for beta, (low_E, high_E) in zip(dials.betas, bounds, strict=True)
    ]
    cells, flags = states_QD.new_empty(2, query_block * width)
    shifted = states_QD.new_empty(query_block * width if any(dials.betas) else 0)
    for start in range(first_item, stop_item, width):
        block = block_of(start, min(start + width, stop_item)).to(states_QD.dtype)
        for first, of_block in zip(range(0, queries, query_block), comparisons, strict=True):
            states = states_QD.index_select(0, asking_Q[first : first + query_block])
            scores = torch.mm(states, block.T, out=matrix(cells, len(states), len(block)))
            if first == 0:
                finite.check(scores[0])  # an item that is not finite gives any state a score that is not
            if added is not None:
                rows, items, values = added.among(query_Q[first : first + query_block], start, start + len(block))
                at = upload(torch.from_numpy(rows * len(block) + items - start), device)
                scores.view(-1).index_add_(0, at, upload(torch.from_numpy(values).to(scores.dtype), device))
            if seen is not None:
                for rows_N, items_N in seen.among(query_Q[first : first + query_block], start, start + len(block)):
                    at = upload(torch.from_numpy(rows_N * len(block) + items_N - start), device)
                    scores.view(-1).index_fill_(0, at, -math.inf)
            for dial in by_dial:
                dialled = scores
                if dial.shift_V is not None:
                    shift = dial.shift_V[start : start + len(block)]
                    dialled = torch.add(scores, shift, out=matrix(shifted, len(states), len(block)))
                count(dialled, of_block, dial.low_E1, dial.high_E1, dial.twice_E, flags)
                if top_k:
                    dial.top.add(dialled, first, start)
    if parted is not None:
        for dial in by_dial:
            dial.twice_E.copy_(parted.shards.processes.sum(dial.twice_E))
            dial.top.merge(parted.shards.processes)
    finite.sure()
    left_out_E = None if seen is None else seen.holds(query_E, targets_E)
    return [_ranking(dial, query_Q, event_E, left_out_E, top_k) for dial in by_dial]


def _ranking(dial: _Dial, query_Q: Ints, event_E: Ints, left_out_E: NDArray[np.bool_] | None, top_k: int) -> Ranking:
    ranks_E = np.empty(len(event_E))
    ranks_E[event_E] = ((dial.twice_E - 1) / 2).cpu().numpy()
    if left_out_E is not None:
        ranks_E[left_out_E] = math.inf
    if not top_k:
        return Ranking(ranks_E, None)
    values, ids = dial.top.ordered()
    top_QK = np.empty(ids.shape, np.int64)
    top_QK[query_Q] = torch.where(values > -math.inf, ids, 0).cpu().numpy()
    return Ranking(ranks_E, top_QK)


def _bounds(
    finite: Finite,
    states: Tensor,
    table: RankedItems,
    query_E: Ints,
    targets_E: Ints,
    dials: Dials,
    added: Added | None,
    chunk: int,
) -> list[tuple[Tensor, Tensor]]:
    """(E,) twice for each beta: scores strictly between them are equal to the target's.

    They lie ``(1 + sqrt(D) / 2) eps |state| |item|`` on either side of it. A product's last bits depend on where in a
    matrix it is computed. Without the margin a collapsed model, whose scores are all equal, would rank its targets by
    those bits, instead of in the middle.
    What a dial or ``added`` adds is rounded as it is added: ``2 eps (|score| + |added|)`` more.
    """
    found = [(states.new_empty(len(query_E)), states.new_empty(len(query_E))) for _ in dials.betas]
    kind = torch.finfo(states.dtype)
    for start in range(0, len(query_E), chunk):
        part = slice(start, start + chunk)
        query, targets = (upload(torch.from_numpy(each[part]), states.device) for each in (query_E, targets_E))
        asking, vectors = states.index_select(0, query).double(), table.lookup(targets)[0].double()
        own = (asking * vectors).sum(1)
        margin = torch.linalg.vector_norm(asking, dim=1) * torch.linalg.vector_norm(vectors, dim=1)
        margin = (margin * (1 + math.sqrt(states.shape[1]) / 2) * kind.eps).clamp_(min=kind.tiny)
        if added is not None:
            more = upload(torch.from_numpy(added.of(query_E[part], targets_E[part])).to(own.dtype), own.device)
            margin = torch.where(more == 0, margin, margin + 2 * kind.eps * (own.abs() + more.abs()))
            own = own + more
        for (low_E, high_E), beta in zip(found, dials.betas, strict=True):
            middle, room = own, margin
            if beta:
                shift = beta * upload(dials.log_p_V, states.device).index_select(0, targets)
                middle, room = own + shift, margin + 2 * kind.eps * (own.abs() + shift.abs())
            low_E[part], high_E[part] = middle - room, middle + room
    for bound_E in (each for pair in found for each in pair):
        finite.check(bound_E)
    return found
