"""The best items of people by the scores of models that are averaged, exactly, as of a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from negsample.batches.windows import Ints, Windows
from negsample.data.blocks import spans
from negsample.data.dataset import Dataset
from negsample.data.own import own_before, repeats_of
from negsample.evaluation.encode import encode
from negsample.evaluation.seen import Seen
from negsample.evaluation.with_terms import Added
from negsample.models import Backbone
from negsample.models.build import terms_of
from negsample.parallel.shards import Shards
from negsample.rules.item_knn import LAST, Similarities
from negsample.rules.nearest import Nearest, nearest_of
from negsample.rules.recent_pop import shares_at
from negsample.rules.rule import Floats
from negsample.scoring.serving import own_values, term_column
from negsample.serving.histories import Histories
from negsample.serving.model import About
from negsample.serving.top_k import Shifts, Top, top_k


class Ask(NamedTuple):
    """What is asked beside the histories.

    ``k``: items a person. ``time``: microseconds; what is at or after it does not count. ``dial``: see
    :mod:`negsample.scoring.dial`. ``exclude_seen``: leave out what the person had. ``left_out``: (V + 1,) items that
    nobody gets.
    """

    k: int
    time: int
    dial: float
    exclude_seen: bool
    left_out: NDArray[np.bool_]

    def after(self, people: Histories) -> Ask:
        """The same just after the last event of ``people``, where that is later."""
        return self._replace(time=max(self.time, int(people.times.max(initial=0)) + 1))


class Ranker:
    """The ``models`` of a recommender, which know the events of ``data``.

    ``about``: what it is; ``log_p_V``: (V + 1,) float64, what the dial multiplies.
    """

    def __init__(self, about: About, models: Sequence[Backbone], data: Dataset, log_p_V: Tensor) -> None:
        self.about, self.models, self.data, self.log_p_V = about, list(models), data, log_p_V
        self._items = _Items(self.models)
        self._columns = lru_cache(maxsize=16)(self._column)
        self._with_dials = lru_cache(maxsize=16)(self._with_dial)
        self._popular = lru_cache(maxsize=16)(self._shares)

    @torch.no_grad()
    def best(self, people: Histories, asks: Sequence[Ask]) -> Top:
        """The best items of each person by what is asked for each; of fewer than the most that anybody asks for, and
        where fewer are left, the rest is 0 and ``-inf``."""
        people = people.before(np.array([ask.time for ask in asks]))
        lengths, k_Q = np.diff(people.offsets), np.array([ask.k for ask in asks], np.int64)
        width = min(k_Q.max(initial=0), self._items.items)
        ids, scores = np.zeros((len(asks), width), np.int64), np.full((len(asks), width), -math.inf)
        some, none = np.flatnonzero(lengths), np.flatnonzero(lengths == 0)
        if len(some):
            with_items = people._replace(
                keys=people.keys[some], offsets=np.append(people.offsets[some], len(people.items))
            )
            ids[some], scores[some] = self._of_histories(with_items, [asks[row] for row in some.tolist()], width)
        of_Q, firsts = _alike([(asks[row].time, id(asks[row].left_out)) for row in none.tolist()])
        for number, ask in enumerate(asks[row] for row in none[firsts].tolist()):
            rows, found = none[of_Q == number], self._of_popular(ask, width)
            ids[rows, : len(found.ids_QK)], scores[rows, : len(found.ids_QK)] = found
        beyond = np.arange(width) >= k_Q[:, None]
        return Top(np.where(beyond, 0, ids), np.where(beyond, -math.inf, scores))

    def _of_histories(self, people: Histories, asks: Sequence[Ask], k: int) -> Top:
        of_Q, firsts = _alike([(ask.time, ask.dial, id(ask.left_out)) for ask in asks])
        shifts_AV = torch.stack([self.shift(asks[row]).float() for row in firsts.tolist()])
        return top_k(
            self.states(people),
            self._items,
            k,
            shifts=Shifts(shifts_AV, of_Q),
            added=self.added(people, np.array([ask.time for ask in asks])),
            seen=_seen(people, np.array([ask.exclude_seen for ask in asks]), self._items.items),
        )

    def _of_popular(self, ask: Ask, k: int) -> Top:
        order, shares_V = self._popular(ask.time)
        best = order[~ask.left_out[order + 1]][:k]
        return Top(best + 1, shares_V[best])

    @torch.no_grad()
    def states(self, people: Histories) -> Tensor:
        """(Q, n D) of all members beside each other: what an item's vector is multiplied with. Items that came after
        the training are no input."""
        trained, queries = people.items <= self._items.items - self.about.untrained, len(people.offsets) - 1
        offsets, items = np.append(0, np.cumsum(trained))[people.offsets], people.items[trained].astype(np.int32)
        rows = np.flatnonzero(np.diff(offsets))
        stops, parts = offsets[1:][rows], []
        for model in self.models:
            device, lengths = _device(model), np.minimum(np.diff(offsets)[rows], model.max_length)
            states = torch.zeros(queries, model.table.block(1, 2).shape[1], device=device)
            if len(rows):
                windows = Windows(np.arange(len(rows)), stops - lengths, stops)
                weights = terms_of(model)
                share = (1.0 if weights is None else weights.share.item()) / len(self.models)
                states[torch.from_numpy(rows).to(device)] = encode(model, items, windows, device=device).float() * share
            parts.append(states)
        return torch.cat(parts, 1)

    def shift(self, ask: Ask) -> Tensor:
        """(V + 1,) what is added for each item: terms, dial, and minus infinity for what nobody gets."""
        return self._with_dials(ask.time, ask.dial).masked_fill(torch.from_numpy(ask.left_out), -math.inf)

    def _with_dial(self, time: int, dial: float) -> Tensor:
        return self._columns(time) + dial * self.log_p_V

    def _column(self, time: int) -> Tensor:
        found = torch.zeros(self._items.items + 1, dtype=torch.float64)
        for model in self.models:
            if terms_of(model) is not None:
                found += term_column(model, self.data, time).double().cpu() / len(self.models)
        return found

    def _shares(self, time: int) -> tuple[Ints, Floats]:
        """(V,) places of the items by their share lately, the largest first; and (V,) the shares."""
        days = self.about.recent_half_life
        shares_V = shares_at(self.data.known, time, math.inf if days is None else days)
        return np.argsort(-shares_V, kind="stable"), shares_V

    def added(self, people: Histories, time: int | Ints) -> Added | None:
        """What terms add for some items of each person, as of the time of each: neighbours of the latest ones, and
        their own."""
        both = [each for each in (self.of_neighbours(people), self.of_own(people, time)) if each is not None]
        return both[0].plus(both[1]) if len(both) == 2 else both[0] if both else None

    @torch.no_grad()
    def of_neighbours(self, people: Histories) -> Added | None:
        """What is added for the neighbours of the latest items of each person."""
        weights = [each for each in map(terms_of, self.models) if each is not None and each.near_N is not None]
        if not weights:
            return None
        near = self._near(people)
        scores = torch.from_numpy(near.scores_N)
        values = sum(each.of_neighbours(scores.to(each.share.device)).double().cpu().numpy() for each in weights)
        width = self._items.items + 1
        return Added(near.rows() * width + near.ids_N, np.asarray(values) / len(self.models), width)

    def of_own(self, people: Histories, time: int | Ints) -> Added | None:
        """What is added for the items that each person had, as of ``time``."""
        weights = [each for each in map(terms_of, self.models) if each is not None and each.own_W is not None]
        if not weights:
            return None
        width, rows = self._items.items + 1, np.arange(len(people.offsets) - 1)
        repeats = repeats_of(people.items, people.offsets, width)
        until, times = people.offsets[1:], np.broadcast_to(time, len(rows))
        own = own_before(people.items, people.times, people.offsets, repeats, rows, until, times, width)
        values = sum(own_values(each, own) for each in weights)
        return Added(own.row_E * width + own.item_E, np.asarray(values) / len(self.models), width)

    @cached_property
    def _similar(self) -> Similarities:
        return Similarities(self.data, None)

    def _near(self, people: Histories) -> Nearest:
        lengths = np.minimum(np.diff(people.offsets), LAST)
        stops = people.offsets[1:]
        events = spans(stops - lengths, lengths)
        queries = np.repeat(np.arange(len(lengths)), lengths)
        items, ages = people.items[events], np.repeat(stops, lengths) - 1 - events
        return nearest_of(self._similar, queries, items, ages, len(lengths))


class _Items:
    """The items of all members beside each other."""

    def __init__(self, models: Sequence[Backbone]) -> None:
        self._tables = [model.table for model in models]

    @property
    def items(self) -> int:
        return self._tables[0].items

    def block(self, start: int, stop: int) -> Tensor:
        return self._beside([table.block(start, stop).float() for table in self._tables])

    @property
    def shards(self) -> Shards | None:
        return self._tables[0].shards

    def block_here(self, start: int, stop: int) -> Tensor:
        return self._beside([table.block_here(start, stop).float() for table in self._tables])

    @staticmethod
    def _beside(parts: Sequence[Tensor]) -> Tensor:
        return parts[0] if len(parts) == 1 else torch.cat(list(parts), 1)


def _seen(people: Histories, asked_Q: NDArray[np.bool_], items: int) -> Seen | None:
    """What is left out for those of the people of whom it is asked."""
    if not asked_Q.any():
        return None
    rows = np.repeat(np.arange(len(asked_Q)), np.diff(people.offsets))
    kept = asked_Q[rows]
    return Seen.of_pairs(rows[kept], people.items[kept], queries=len(asked_Q), items=items)


def _alike(keys: Sequence[tuple[float, ...]]) -> tuple[Ints, Ints]:
    """The number of each key, equal ones have one; and where each number is first."""
    numbers: dict[tuple[float, ...], int] = {}
    found = np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)
    return found, np.unique(found, return_index=True)[1]


def _device(model: Backbone) -> torch.device:
    return next(model.parameters()).device
