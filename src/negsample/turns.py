"""In which order queries are scored and their events compared."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from negsample.data.batches import Ints

_FEW = 8  # rows are few when they are not an eighth of a block


class Turn(NamedTuple):
    """Events compared at once: a stretch of them, and whose scores; None: the first queries of the block, in order."""

    events: slice
    rows: Tensor | None


def in_turns(query_E: Ints, queries: int, query_block: int) -> tuple[Ints, Ints, list[list[Turn]]]:
    """In which order queries are scored and events compared, so that few scores are copied.

    Queries with the most events first; in a block of them the first event of each, then the second of those that have
    one, and so on: each turn asks the first rows of the block's scores. Where those become few, they are copied, so
    that a turn has half a block of events.

    Returns:
        The query at each place, the event at each place, and the turns of each block of queries.
    """
    counts = np.bincount(query_E, minlength=queries)
    query_Q = np.argsort(-counts, kind="stable")
    place_E = np.argsort(query_Q)[query_E]
    nth_E = np.arange(len(query_E)) - (np.cumsum(counts) - counts)[query_E]
    event_E = np.lexsort((place_E, nth_E, place_E // query_block))
    row_E = place_E[event_E] % query_block
    edges = np.searchsorted(place_E[event_E] // query_block, np.arange(-(-queries // query_block) + 1))
    turns: list[list[Turn]] = []
    for low, high in pairwise(edges.tolist()):
        begins = low + np.flatnonzero(row_E[low:high] == 0)
        sizes = np.diff(begins, append=high)
        whole = begins[sizes * _FEW >= query_block].tolist()
        tail = begins[len(whole)] if len(whole) < len(begins) else high
        turns.append([Turn(slice(*each), None) for each in pairwise([*whole, tail])])
        for start in range(tail, high, max(query_block // 2, 1)):
            part = slice(start, min(start + max(query_block // 2, 1), high))
            turns[-1].append(Turn(part, torch.from_numpy(row_E[part])))
    return query_Q, event_E, turns
