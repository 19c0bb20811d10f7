"""Exact ranks over the whole catalogue, block by block."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from negsample.best import Best
from negsample.config import InputError
from negsample.data.batches import Ints

QUERY_BLOCK = 128  # queries scored at once
ITEM_BLOCK = 16384  # against how many items: 8 MB of scores, which stay in a processor's last cache
_COUNTABLE = 2**24  # ones that a sum in float32 counts
_REMOVED = -1e30  # the score of an item left out of the ranking


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

    Scores closer than the rounding error of their products are equal. The catalogue is read once, a block at a time,
    and a rank is a sum over blocks. Whatever V, no more is held beside the arguments than
    ``5 item_block (query_block + D)`` numbers of the states' type and ``O(E + S + Q K)``, S the length of ``seen``.

    Args:
        states_QD: one state a query.
        table: the items; its blocks are taken to the states' type.
        query_E: query of each event, ascending.
        targets_E: item of each event.
        top_k: also give the ids of this many highest scores a query, in the same pass.
        seen: (query, item) pairs left out of the ranking, queries ascending; such a target ranks last.
        query_block: queries scored at once, and events compared at once.
        item_block: items scored at once.

    Raises:
        InputError: a state, an item or a target's score is not finite (the training diverged).
    """
    queries, v = len(states_QD), table.items
    width = -(-v // -(-v // min(item_block, _COUNTABLE)))
    _check(states_QD)
    low_E, high_E = _bounds(states_QD, table, query_E, targets_E, max(item_block // 8, 1))
    if seen is not None:
        left_out = np.isin(query_E * (v + 1) + targets_E, seen[0] * (v + 1) + seen[1])
        left_out_E = torch.from_numpy(left_out).to(states_QD.device)
        low_E.masked_fill_(left_out_E, 2 * _REMOVED)
        high_E.masked_fill_(left_out_E, _REMOVED / 2)
    twice_E = torch.zeros(len(query_E), dtype=torch.float64, device=states_QD.device)
    parts = _parts(query_E, low_E, high_E, twice_E, query_block, queries)
    best = Best(queries, min(top_k, v), states_QD)
    rows = min(query_block, queries)
    cells = states_QD.new_empty(rows * width)
    spare = states_QD.new_empty(2, _compared(rows) * width)
    for start, (owners, items) in zip(range(1, v + 1, width), _by_block(seen, v, width), strict=True):
        block = table.block(start, min(start + width, v + 1)).to(states_QD.dtype)
        for first, events in zip(range(0, queries, query_block), parts, strict=True):
            states = states_QD[first : first + query_block]
            scores = torch.mm(states, block.T, out=_matrix(cells, len(states), len(block)))
            if first == 0:
                _check(scores[0])  # an item that is not finite gives any state a score that is not
            low, high = np.searchsorted(owners, [first, first + query_block])
            if low < high:
                places = (owners[low:high] - first) * len(block) + items[low:high] - start
                scores.view(-1).index_fill_(0, torch.from_numpy(places).to(scores.device), _REMOVED)
            for part in events:
                _count(scores, part, spare)
            if top_k:
                best.see(scores, first, start)
    ranks_E = ((twice_E - 1) / 2).cpu().numpy()
    if not top_k:
        return Ranking(ranks_E, None)
    values_QK, ids_QK = best.ordered()
    return Ranking(ranks_E, torch.where(values_QK > _REMOVED / 2, ids_QK, 0).cpu().numpy())


class _Part(NamedTuple):
    """Events whose targets are compared at once.

    ``rows``: whose scores, in a block of queries, as a slice where each row is asked once. ``low_E1``, ``high_E1``:
    scores strictly between them tie with the target's. ``twice_E``: so far, scores above the target's and scores not
    below, added up.
    """

    rows: Tensor | slice
    low_E1: Tensor
    high_E1: Tensor
    twice_E: Tensor


def _compared(rows: int) -> int:
    return -(-rows // SHARE)

SHARE = 1

def _parts(
    query_E: Ints, low_E: Tensor, high_E: Tensor, twice_E: Tensor, query_block: int, queries: int
) -> list[list[_Part]]:
    parts: list[list[_Part]] = []
    size = _compared(min(query_block, queries)) if queries else 0
    for first in range(0, queries, query_block):
        low, high = np.searchsorted(query_E, [first, first + query_block])
        parts.append([])
        for start in range(low, high, size):
            part = slice(start, min(start + size, high))
            rows = query_E[part] - first
            once = (np.diff(rows) == 1).all()
            chosen = slice(rows[0], rows[-1] + 1) if once else torch.from_numpy(rows).to(low_E.device)
            parts[-1].append(_Part(chosen, low_E[part].unsqueeze(1), high_E[part].unsqueeze(1), twice_E[part]))
    return parts


def _count(scores: Tensor, part: _Part, spare: Tensor) -> None:
    copies, flags = (_matrix(each, len(part.twice_E), scores.shape[1]) for each in spare)
    if isinstance(part.rows, slice):
        asked, copies = scores[part.rows], flags
    else:
        asked = torch.index_select(scores, 0, part.rows, out=copies)
    part.twice_E.add_(torch.ge(asked, part.high_E1, out=flags).sum(1))
    part.twice_E.add_(torch.gt(asked, part.low_E1, out=copies).sum(1))


def _check(numbers: Tensor) -> None:
    if not bool(torch.isfinite(numbers).all()):
        raise InputError("the model's numbers are not finite: training diverged; take a smaller learning_rate")


def _matrix(cells: Tensor, rows: int, columns: int) -> Tensor:
    return cells[: rows * columns].view(rows, columns)


def _bounds(states: Tensor, table: Table, query_E: Ints, targets_E: Ints, chunk: int) -> tuple[Tensor, Tensor]:
    """(E,) twice: scores strictly between them are equal to the target's.

    They lie ``(1 + sqrt(D) / 2) eps |state| |item|`` on either side of it. A product's last bits depend on where in a
    matrix it is computed. Without the margin a collapsed model, whose scores are all equal, would rank its targets by
    those bits, instead of in the middle.
    """
    low_E, high_E = states.new_empty(2, len(query_E))
    kind = torch.finfo(states.dtype)
    for start in range(0, len(query_E), chunk):
        part = slice(start, start + chunk)
        query, targets = (torch.from_numpy(each[part]).to(states.device) for each in (query_E, targets_E))
        asking, vectors = states.index_select(0, query).double(), table.lookup(targets)[0].double()
        own = (asking * vectors).sum(1)
        margin = torch.linalg.vector_norm(asking, dim=1) * torch.linalg.vector_norm(vectors, dim=1)
        margin = (margin * (1 + math.sqrt(states.shape[1]) / 2) * kind.eps).clamp_(min=kind.tiny)
        low_E[part], high_E[part] = own - margin, own + margin
    _check(low_E)
    _check(high_E)
    return low_E, high_E


def _by_block(seen: tuple[Ints, Ints] | None, v: int, width: int) -> Iterator[tuple[Ints, Ints]]:
    """The pairs of each block of items, queries ascending."""
    owners, items = (np.empty(0, np.int64),) * 2 if seen is None else seen
    block = (items - 1) // width
    order = np.argsort(block, kind="stable")
    edges = np.searchsorted(block[order], np.arange(-(-v // width) + 1))
    for start, stop in pairwise(edges.tolist()):
        here = order[start:stop]
        yield owners[here], items[here]
