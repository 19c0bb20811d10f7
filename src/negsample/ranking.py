"""Exact ranks over the whole catalogue, block by block."""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from negsample.config import InputError
from negsample.data.batches import Ints

QUERY_BLOCK = 512  # histories scored at once: with ITEM_BLOCK the bound on memory, 16 MB a matrix
ITEM_BLOCK = 8192
_REMOVED = -1e30  # the score of an item left out of the ranking; finite, so that differences are numbers


class Table(Protocol):
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
    """``ranks_E``: rank of each target from 0, mean of ties; ``top_QK``: ids of the first K of each query, or None."""

    ranks_E: NDArray[np.float64]
    top_QK: NDArray[np.int64] | None


@torch.no_grad()
def rank(
    states_QD: Tensor,
    table: Table,
    query_E: Ints,
    targets_E: Ints,
    *,
    top_k: int = 0,
    seen: tuple[Ints, Ints] | None = None,
    query_block: int = QUERY_BLOCK,
    item_block: int = ITEM_BLOCK,
) -> Ranking:
    """Rank of every event's target among all V items: ``#(score > s) + (#(score == s) - 1) / 2``.

    Scores closer than the rounding error of their products are equal. A rank is a sum over blocks of the catalogue,
    so memory is ``O(query_block x item_block)`` whatever V.

    Args:
        states_QD: one state a query.
        table: the items.
        query_E: query of each event, ascending.
        targets_E: item of each event.
        top_k: also give the ids of this many highest scores a query.
        seen: (query, item) pairs left out of the ranking, queries ascending; such a target ranks last.
        query_block: queries scored at once.
        item_block: items scored at once.

    Raises:
        InputError: a state is not finite (the training diverged).
    """
    queries_, width = len(states_QD), min(item_block, table.items)
    blocks = (table.block(start, min(start + width, table.items + 1)) for start in range(1, table.items + 1, width))
    if not all(bool(torch.isfinite(each).all()) for each in (states_QD, *blocks)):
        raise InputError("the model's numbers are not finite: training diverged; take a smaller learning_rate")
    ranks = np.empty(len(targets_E))
    tops = []
    for first in range(0, queries_, query_block):
        last = min(first + query_block, queries_)
        low, high = np.searchsorted(query_E, [first, last])
        pairs = _pairs_of(seen, first, last)
        counted, top = _rank_block(
            states_QD[first:last], table, query_E[low:high] - first, targets_E[low:high], pairs, width, top_k
        )
        ranks[low:high] = counted
        tops.append(top)
    return Ranking(ranks, np.concatenate(tops) if top_k and tops else None)


def _rank_block(
    states: Tensor, table: Table, query: Ints, targets: Ints, seen: tuple[Ints, Ints], width: int, top_k: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    device, v = states.device, table.items
    query_t, target_t = torch.from_numpy(query).to(device), torch.from_numpy(targets).to(device)
    own, margin = _target_scores(states, table, query_t, target_t)
    if len(seen[0]):
        keys = np.sort(seen[0] * (v + 1) + seen[1])
        had = torch.from_numpy(np.isin(query * (v + 1) + targets, keys)).to(device)
        own = torch.where(had, torch.full_like(own, _REMOVED), own)
    above = torch.zeros(len(query), dtype=torch.float64, device=device)  # #(score > s) - #(score < s)
    best = states.new_empty(len(states), 0)
    best_ids = torch.empty(len(states), 0, dtype=torch.int64, device=device)
    for start in range(1, v + 1, width):
        stop = min(start + width, v + 1)
        scores = states @ table.block(start, stop).T
        inside = (seen[1] >= start) & (seen[1] < stop)
        if inside.any():
            rows, columns = (torch.from_numpy(each[inside]).to(device) for each in seen)
            scores[rows, columns - start] = _REMOVED
        for event in range(0, len(query), len(states)):
            part = slice(event, event + len(states))
            difference = scores.index_select(0, query_t[part]).sub_(own[part].unsqueeze(1))
            above[part] += difference.div_(margin[part].unsqueeze(1)).trunc_().sign_().sum(1)
        if top_k:
            some = torch.topk(scores, min(top_k, stop - start), dim=1)
            joined = torch.cat([best, some.values], 1)
            joined_ids = torch.cat([best_ids, some.indices + start], 1)
            best, at = torch.topk(joined, min(top_k, joined.shape[1]), dim=1)
            best_ids = torch.gather(joined_ids, 1, at)
    shown = torch.where(best > _REMOVED / 2, best_ids, 0)
    return ((above + v - 1) / 2).cpu().numpy(), shown.cpu().numpy()


def _target_scores(states: Tensor, table: Table, query: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """(E,) the targets' scores, and how far two equal scores may lie apart: ``(1 + sqrt(D) / 2) eps |state| |item|``.

    A product's last bits depend on where in a matrix it is computed. Without the margin a collapsed model, whose
    scores are all equal, would rank its targets by those bits, instead of in the middle.
    """
    vectors = table.lookup(targets)[0]
    asking = states.index_select(0, query)
    own = (asking.double() * vectors.double()).sum(1).to(states.dtype)
    margin = torch.linalg.vector_norm(asking, dim=1) * torch.linalg.vector_norm(vectors, dim=1)
    margin *= (1 + math.sqrt(states.shape[1]) / 2) * torch.finfo(states.dtype).eps
    return own, margin.clamp_(min=torch.finfo(states.dtype).tiny)


def _pairs_of(seen: tuple[Ints, Ints] | None, first: int, last: int) -> tuple[Ints, Ints]:
    if seen is None:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    low, high = np.searchsorted(seen[0], [first, last])
    return seen[0][low:high] - first, seen[1][low:high]
