"""A trained recommender that answers: the k best items for people, exactly, as of a time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from negsample.batches.windows import Ints, Windows
from negsample.data.blocks import spans
from negsample.data.dataset import Dataset
from negsample.data.own import own_before, repeats_of
from negsample.errors import InputError, guarded, whole
from negsample.evaluation.encode import encode
from negsample.evaluation.evaluate import QUERIES_AT_ONCE
from negsample.evaluation.seen import Seen
from negsample.evaluation.with_terms import Added
from negsample.models import Backbone
from negsample.models.build import terms_of
from negsample.rules.item_knn import LAST, Similarities
from negsample.rules.nearest import Nearest, nearest_of
from negsample.rules.recent_pop import shares_at
from negsample.rules.rule import Floats
from negsample.scoring.dial import LARGEST, log_shares
from negsample.scoring.serving import LATEST, own_values, term_column
from negsample.serving.histories import Histories, read_histories
from negsample.serving.top_k import Shifts, Top, top_k

if TYPE_CHECKING:
    from negsample.serving.model import About

MOST = 10_000
"""Items that may be asked for at once."""


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


class Recommender:
    """Models whose scores are averaged, and all events that they know.

    Attributes:
        folder: where it lies.
        about: what it is, see :class:`negsample.serving.model.About`.
        models: its members.
        data: all events that it knows, in memory.
        item_ids: (V,) the log's id of each item; that of item ``i`` at ``i - 1``.
        user_ids: (U,) of each user.
        target_counts: (V + 1,) how often each item was a target in training: what the dial weighs by.
        log_p_V: (V + 1,) float64, what the dial multiplies.
    """

    def __init__(
        self,
        folder: Path,
        about: About,
        models: Sequence[Backbone],
        data: Dataset,
        item_ids: pl.Series,
        user_ids: pl.Series,
        target_counts: NDArray[np.int64],
    ) -> None:
        self.folder, self.about, self.models, self.data = folder, about, list(models), data
        self.item_ids, self.user_ids, self.target_counts = item_ids, user_ids, target_counts
        self.log_p_V = log_shares(target_counts)
        self._items = _Items(self.models)
        self._everything: NDArray[np.bool_] = np.arange(len(item_ids) + 1) == 0
        self._columns = lru_cache(maxsize=16)(self._column)
        self._with_dials = lru_cache(maxsize=16)(self._with_dial)
        self._popular = lru_cache(maxsize=16)(self._shares)

    def __repr__(self) -> str:
        about = self.about
        of = f" x {len(self.models)}" if len(self.models) > 1 else ""
        return (
            f"<Recommender {str(self.folder)!r}: {about.method}{of}, {about.items:,} items, {about.users:,} users, "
            f"events up to {np.datetime64(about.until - 1, 'us').astype('datetime64[s]')}>"
        )

    @cached_property
    def users(self) -> Histories:
        """All users that it knows, with their histories."""
        data = self.data
        times = np.asarray(data.times)
        return Histories(self.user_ids, data.items.astype(np.int64), times, np.asarray(data.offsets), 0, [])

    @guarded
    def recommend(
        self,
        histories: Any = None,
        *,
        k: int = 10,
        time: int | None = None,
        dial: float | None = None,
        exclude_seen: bool = False,
        exclude: Sequence[Any] = (),
        only: Sequence[Any] | None = None,
    ) -> pl.DataFrame:
        """The ``k`` best items for each person: columns ``user``, ``rank`` (1 is best), ``item``, ``score``.

        Equal scores are in the order of the model's item numbers. A person without an item that the model knows gets
        what is popular lately (``RecentPop``), with shares as scores.

        Args:
            histories: a file or frame of events, or items by person: see
                :func:`negsample.serving.histories.read_histories`. (default: all users that it knows)
            k: from 1 to 10,000; fewer are given where fewer are left.
            time: microseconds since 1970, as of which popularity, recency and the like are; events at or after it do
                not count. (default: just after the last event, of those that it knows and of the histories)
            dial: towards the head above 0, towards the tail below. (default: the model's own, ``about.dial``)
            exclude_seen: leave out what the person had.
            exclude: item ids that nobody gets; one that the model does not know is no error.
            only: item ids that alone are given. (default: all)

        Example:
            >>> load_model("MODEL").recommend({"ann": ["84029E", "71053"]}, k=5)  # doctest: +SKIP

        Raises:
            InputError: the histories cannot be read, or a value breaks its rule.
        """
        ask = self.ask(k=k, time=time, dial=dial, exclude_seen=exclude_seen, exclude=exclude, only=only)
        people = self.histories(histories, ask.time)
        if time is None:
            ask = ask.after(people)
        return pl.concat(list(self.answers(people, ask)))

    def histories(self, given: Any, at: int, **columns: str | None) -> Histories:
        """What was ``given`` as histories, with the model's item numbers; None: all users that it knows. ``at``,
        ``columns``: see :func:`~negsample.serving.histories.read_histories`."""
        if named := [
            name for name, column in columns.items() if column is not None and not isinstance(given, str | Path)
        ]:
            raise InputError(f"--{named[0]} is for --histories FILE; leave it out, or give the file")
        if given is None:
            return self.users
        return given if isinstance(given, Histories) else read_histories(given, self.item_ids, at=at, **columns)

    def ask(
        self,
        *,
        k: int = 10,
        time: int | None = None,
        dial: float | None = None,
        exclude_seen: bool = False,
        exclude: Sequence[Any] = (),
        only: Sequence[Any] | None = None,
    ) -> Ask:
        """See :meth:`recommend`.

        Raises:
            InputError: a value breaks its rule, or nothing is left to recommend.
        """
        whole("k", k, 1, MOST)
        if dial is not None and not -LARGEST <= dial <= LARGEST:  # NaN is not
            raise InputError(f"dial must be a number from -{LARGEST:g} to {LARGEST:g}, got {dial}")
        left_out = self._left_out(exclude, only)
        if left_out.all():
            raise InputError("nothing is left to recommend: only and exclude leave no item that the model knows")
        time = self.about.until if time is None else whole("time", time, 0, LATEST)
        if time <= (first := int(self.data.known.by_time_times[0])):
            moment = np.datetime64(first, "us").astype("datetime64[s]")
            raise InputError(f"nothing is known before the time that was asked for; the first event is at {moment}")
        return Ask(k, time, self.about.dial if dial is None else float(dial), exclude_seen, left_out)

    def _left_out(self, exclude: Sequence[Any], only: Sequence[Any] | None) -> NDArray[np.bool_]:
        if only is None and not len(exclude):
            return self._everything
        left_out = self._everything.copy()
        if only is not None:
            left_out[:] = True
            left_out[self.numbers(only)] = False
        left_out[self.numbers(exclude)] = True
        return left_out

    def numbers(self, ids: Sequence[Any]) -> Ints:
        """The numbers of those of ``ids`` that the model knows."""
        found = self.numbers_or_0(ids)
        return found[found > 0]

    def numbers_or_0(self, ids: Sequence[Any]) -> Ints:
        """(N,) the number of each of ``ids``, 0 for one that the model does not know."""
        return np.array([self._numbered.get(str(each).strip(), 0) for each in ids], np.int64)

    @cached_property
    def _numbered(self) -> dict[str, int]:
        return {each: number for number, each in enumerate(self.item_ids.cast(pl.String), start=1)}

    def answers(self, people: Histories, ask: Ask) -> Iterator[pl.DataFrame]:
        """The same, some thousand people at a time."""
        for first in range(0, max(len(people.offsets) - 1, 1), QUERIES_AT_ONCE):
            some = people.take(first, first + QUERIES_AT_ONCE)
            ids, scores = self.best(some, [ask] * len(some.keys))
            rows, places = np.nonzero(ids)
            yield pl.DataFrame(
                {
                    "user": some.keys[rows],
                    "rank": places.astype(np.int32) + 1,
                    "item": self.item_ids[ids[rows, places] - 1],
                    "score": scores[rows, places].astype(np.float32),
                }
            )

    @torch.no_grad()
    def best(self, people: Histories, asks: Sequence[Ask]) -> Top:
        """The best items of each person by what is asked for each; of fewer than the most that anybody asks for, and
        where fewer are left, the rest is 0 and ``-inf``."""
        people = known_before(people, np.array([ask.time for ask in asks]))
        lengths, k_Q = np.diff(people.offsets), np.array([ask.k for ask in asks], np.int64)
        width = min(k_Q.max(initial=0), len(self.item_ids))
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
            seen=_seen(people, np.array([ask.exclude_seen for ask in asks]), len(self.item_ids)),
        )

    def _of_popular(self, ask: Ask, k: int) -> Top:
        order, shares_V = self._popular(ask.time)
        best = order[~ask.left_out[order + 1]][:k]
        return Top(best + 1, shares_V[best])

    @torch.no_grad()
    def states(self, people: Histories) -> Tensor:
        """(Q, n D) of all members beside each other: what an item's vector is multiplied with. Items that came after
        the training are no input."""
        trained, queries = people.items <= len(self.item_ids) - self.about.untrained, len(people.offsets) - 1
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
        found = torch.zeros(len(self.item_ids) + 1, dtype=torch.float64)
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
        width = len(self.item_ids) + 1
        return Added(near.rows() * width + near.ids_N, np.asarray(values) / len(self.models), width)

    def of_own(self, people: Histories, time: int | Ints) -> Added | None:
        """What is added for the items that each person had, as of ``time``."""
        weights = [each for each in map(terms_of, self.models) if each is not None and each.own_W is not None]
        if not weights:
            return None
        width, rows = len(self.item_ids) + 1, np.arange(len(people.offsets) - 1)
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
        parts = [table.block(start, stop).float() for table in self._tables]
        return parts[0] if len(parts) == 1 else torch.cat(parts, 1)


def known_before(people: Histories, time: int | Ints) -> Histories:
    """The same without the events at or after ``time``, of all or of each person."""
    lengths = np.diff(people.offsets)
    kept = people.times < np.repeat(np.broadcast_to(time, len(lengths)), lengths)
    if kept.all():
        return people
    before = np.append(0, np.cumsum(kept))
    return people._replace(items=people.items[kept], times=people.times[kept], offsets=before[people.offsets])


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
