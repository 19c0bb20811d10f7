"""In which order queries are scored and their events compared."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from negsample.batches.windows import Ints

_FEW = 8  # rows are few when they are not an eighth of a block
SORTED_FROM = 64  # events of a query: as many comparisons of a row take as long as sorting it and looking them up


class Turn(NamedTuple):
    """Events compared at once: a stretch of them, and whose scores. ``rows``: these of the block's, in order; or copies
    of these; or one row, whose scores are sorted and all the events looked up in them."""

    events: slice
    rows: slice | Tensor | int


def in_turns(
    query_E: Ints, queries: int, query_block: int, sorted_from: int | None = None
) -> tuple[Ints, Ints, list[list[Turn]]]:
    """In which order queries are scored and events compared, so that few scores are copied.

    Queries with the most events first. Those with ``sorted_from`` of them (None: none has) are looked up one query at a
    time. Of the others in a block the first event of each is compared, then the second of those that have one, and so
    on: each turn asks rows of the block's scores that lie together. Where those become few, they are copied, so that a
    turn has half a block of events.

    Returns:
        The query at each place, the event at each place, and the turns of each block of queries.
    """
    counts = np.bincount(query_E, minlength=queries)
    query_Q = np.argsort(-counts, kind="stable")
    place_E = np.argsort(query_Q)[query_E]
    nth_E = np.arange(len(query_E)) - (np.cumsum(counts) - counts)[query_E]
    many = 0 if sorted_from is None else int((counts >= sorted_from).sum())  # the first places are theirs
    event_E = np.lexsort((place_E, np.where(place_E < many, -1, nth_E), place_E // query_block))
    row_E = place_E[event_E] % query_block
    edges = np.searchsorted(place_E[event_E] // query_block, np.arange(-(-queries // query_block) + 1))
    turns: list[list[Turn]] = []
    for block, (low, high) in enumerate(pairwise(edges.tolist())):
        alone = min(max(many - block * query_block, 0), query_block)
        first = block * query_block
        ends_of_alone = low + np.cumsum(counts[query_Q[first : first + alone]])
        alone_from = [low, *ends_of_alone.tolist()]
        turns.append([Turn(slice(*ends), row) for row, ends in enumerate(pairwise(alone_from))])
        low = alone_from[-1]
        begins = low + np.flatnonzero(row_E[low:high] == alone)
        sizes = np.diff(begins, append=high)
        whole = begins[sizes * _FEW >= query_block].tolist()
        tail = begins[len(whole)] if len(whole) < len(begins) else high
        turns[-1] += [Turn(slice(*ends), slice(alone, alone + ends[1] - ends[0])) for ends in pairwise([*whole, tail])]
        for start in range(tail, high, max(query_block // 2, 1)):
            part = slice(start, min(start + max(query_block // 2, 1), high))
            turns[-1].append(Turn(part, torch.from_numpy(row_E[part])))
    return query_Q, event_E, turns
