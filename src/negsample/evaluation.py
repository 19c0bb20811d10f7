"""Exact ranks over the whole catalogue, block by block."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from negsample.config import InputError, TrainSettings
from negsample.data.batches import Ints, Packed, Windows, longest_first, pack, spans
from negsample.data.sequences import Dataset
from negsample.metrics import CUTOFFS, summarise

QUERY_BLOCK = 512  # histories scored at once: with ITEM_BLOCK the bound on memory, 16 MB a matrix
ITEM_BLOCK = 8192
_ENCODE_BLOCK = 1024  # histories encoded at once
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


class Model(Protocol):
    """A backbone with its table."""

    @property
    def table(self) -> Table:
        """The item embeddings."""
        ...

    @property
    def max_length(self) -> int:
        """L."""
        ...

    def __call__(self, vectors_TD: Tensor, packed: Packed, rng: torch.Generator | None = None) -> Tensor:
        """(T, D) states."""
        ...


class Queries(NamedTuple):
    """E events to rank and the Q histories they are ranked for.

    ``windows``: the history of each query, at most L items; ``query_E``: which query an event belongs to, ascending;
    ``targets_E``: its item; ``known_until``: (Q,) events of the query's user before this index are known to it.
    """

    windows: Windows
    query_E: Ints
    targets_E: Ints
    known_until: Ints


class Ranking(NamedTuple):
    """``ranks_E``: rank of each target from 0, mean of ties; ``top_QK``: ids of the first K of each query, or None."""

    ranks_E: NDArray[np.float64]
    top_QK: NDArray[np.int64] | None


def queries(
    data: Dataset, part: Literal["valid", "test"], *, history: Literal["frozen", "rolling"], max_length: int
) -> Queries:
    """The events of ``part`` that can be measured: those of users with an earlier event outside it.

    ``frozen``: one query a user, the last L events before the part. ``rolling``: one an event, the last L before it.
    """
    first = np.asarray(data.offsets[:-1])
    begin = np.asarray(data.train_ends if part == "valid" else data.valid_ends)
    end = np.asarray(data.valid_ends if part == "valid" else data.offsets[1:])
    users = np.flatnonzero((end > begin) & (begin > first))
    if not len(users):
        raise InputError(f"nothing to measure on: no {part} event of {data.name} is of a user with an earlier event")
    first, begin, end = first[users], begin[users], end[users]
    events = spans(begin, end - begin)
    targets = data.items[events].astype(np.int64)
    of_user = np.repeat(np.arange(len(users)), end - begin)
    if history == "frozen":
        windows = Windows(users, np.maximum(first, begin - max_length), begin)
        return Queries(windows, of_user, targets, begin)
    windows = Windows(users[of_user], np.maximum(first[of_user], events - max_length), events)
    return Queries(windows, np.arange(len(events)), targets, events)


@torch.no_grad()
def encode(model: Model, items: NDArray[np.int32], windows: Windows, *, device: torch.device) -> Tensor:
    """(Q, D) state after the last item of each window."""
    order = np.argsort(windows.starts - windows.stops, kind="stable")
    parts = []
    for start in range(0, len(order), _ENCODE_BLOCK):
        chosen = longest_first(windows.take(order[start : start + _ENCODE_BLOCK]))
        packed = pack(items, chosen, model.max_length).to(device)
        states = model(model.table.lookup(packed.items_T)[0], packed)
        parts.append(states[torch.from_numpy(packed.offsets[1:] - 1).to(device)])
    back = torch.from_numpy(np.argsort(order)).to(device)
    return torch.cat(parts).index_select(0, back)


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


def _seen(data: Dataset, asked: Queries) -> tuple[Ints, Ints]:
    starts = np.asarray(data.offsets[:-1])[asked.windows.users]
    lengths = asked.known_until - starts
    items = data.items[spans(starts, lengths)].astype(np.int64)
    return np.repeat(np.arange(len(starts)), lengths), items


class Evaluation(NamedTuple):
    """``figures`` by name (see :func:`negsample.metrics.summarise`) and the rank of every event."""

    figures: dict[str, float | int]
    ranks_E: NDArray[np.float64]


def evaluate(
    model: Model,
    data: Dataset,
    part: Literal["valid", "test"],
    settings: TrainSettings,
    *,
    device: torch.device | None = None,
    with_top: bool = True,
) -> Evaluation:
    """Measure ``model`` on the validation or test events of ``data``; ``with_top`` adds coverage and ARP."""
    device = device or torch.device("cpu")
    asked = queries(data, part, history=settings.history, max_length=model.max_length)
    states = encode(model, data.items, asked.windows, device=device)
    ranking = rank(
        states,
        model.table,
        asked.query_E,
        asked.targets_E,
        top_k=max(CUTOFFS) if with_top else 0,
        seen=_seen(data, asked) if settings.filter_seen else None,
    )
    figures = summarise(ranking.ranks_E, asked.targets_E, data.train_counts, data.cohorts, ranking.top_QK)
    return Evaluation(figures, ranking.ranks_E)
