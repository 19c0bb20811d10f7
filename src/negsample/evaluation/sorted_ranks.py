"""In which order queries are scored, and how the scores of their targets are compared with all others."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from negsample.batches.device import upload
from negsample.batches.windows import Ints

_FEW = 8  # rows are few when they are not an eighth of a block
SORTED_FROM = 64  # events of a query: as many comparisons of a row take as long as sorting it and looking them up


class Comparison(NamedTuple):
    """Events compared at once: a stretch of them, and whose scores. ``rows``: these of the block's, in order; or copies
    of these; or one row, whose scores are sorted and all the events looked up in them."""

    events: slice
    rows: slice | Tensor | int


def comparisons_of(
    query_E: Ints, queries: int, query_block: int, sorted_from: int | None = None
) -> tuple[Ints, Ints, list[list[Comparison]]]:
    """In which order queries are scored and events compared, so that few scores are copied.

    Queries with the most events first. Those with ``sorted_from`` of them (None: none has) are looked up one query at a
    time. Of the others in a block the first event of each is compared, then the second of those that have one, and so
    on: each comparison is of rows of the block's scores that lie together. Where those become few, they are copied, so
    that a comparison has half a block of events.

    Returns:
        The query at each position, the event at each position, and the comparisons of each block of queries.
    """
    counts = np.bincount(query_E, minlength=queries)
    query_Q = np.argsort(-counts, kind="stable")
    position_E = np.argsort(query_Q)[query_E]
    nth_E = np.arange(len(query_E)) - (np.cumsum(counts) - counts)[query_E]
    many = 0 if sorted_from is None else int((counts >= sorted_from).sum())  # the first positions are theirs
    event_E = np.lexsort((position_E, np.where(position_E < many, -1, nth_E), position_E // query_block))
    row_E = position_E[event_E] % query_block
    edges = np.searchsorted(position_E[event_E] // query_block, np.arange(-(-queries // query_block) + 1))
    found: list[list[Comparison]] = []
    for block, (low, high) in enumerate(pairwise(edges.tolist())):
        alone = min(max(many - block * query_block, 0), query_block)
        first = block * query_block
        ends_of_alone = low + np.cumsum(counts[query_Q[first : first + alone]])
        alone_from = [low, *ends_of_alone.tolist()]
        found.append([Comparison(slice(*ends), row) for row, ends in enumerate(pairwise(alone_from))])
        low = alone_from[-1]
        begins = low + np.flatnonzero(row_E[low:high] == alone)
        sizes = np.diff(begins, append=high)
        many_rows = begins[sizes * _FEW >= query_block].tolist()
        tail = begins[len(many_rows)] if len(many_rows) < len(begins) else high
        in_order = pairwise([*many_rows, tail])
        found[-1] += [Comparison(slice(*ends), slice(alone, alone + ends[1] - ends[0])) for ends in in_order]
        for start in range(tail, high, max(query_block // 2, 1)):
            part = slice(start, min(start + max(query_block // 2, 1), high))
            found[-1].append(Comparison(part, torch.from_numpy(row_E[part])))
    return query_Q, event_E, found


def count(
    scores: Tensor, comparisons: Sequence[Comparison], low_E1: Tensor, high_E1: Tensor, twice_E: Tensor, flags: Tensor
) -> None:
    """Add to ``twice_E`` how many of a block's (R, N) ``scores`` are at least ``high``, and how many above ``low``.

    ``flags``: room for the answers, and for rows that are copied.
    """
    width = scores.shape[1]
    for events, rows in comparisons:
        twice, low, high = twice_E[events], low_E1[events], high_E1[events]
        if isinstance(rows, int):
            ascending = np.sort(scores[rows].numpy())
            below = np.searchsorted(ascending, high[:, 0].numpy(), "left")
            below = below + np.searchsorted(ascending, low[:, 0].numpy(), "right")
            twice += torch.from_numpy(2 * width - below)
            continue
        flag = matrix(flags, len(twice), width)
        if isinstance(rows, slice):
            asked = scores[rows]
        else:
            spare = matrix(flags[flag.numel() :], len(twice), width)
            asked = torch.index_select(scores, 0, upload(rows, scores.device), out=spare)
        twice += torch.ge(asked, high, out=flag).sum(1)
        twice += torch.gt(asked, low, out=flag).sum(1)


def matrix(cells: Tensor, rows: int, columns: int) -> Tensor:
    """The first of ``cells`` as (rows, columns)."""
    return cells[: rows * columns].view(rows, columns)
