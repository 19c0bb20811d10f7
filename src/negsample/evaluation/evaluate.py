"""What a model is measured on, and the figures that come out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from negsample.batches.packed import Packed, pack
from negsample.batches.windows import Ints, Windows, longest_first, spans
from negsample.data.dataset import Dataset
from negsample.errors import InputError, check_word, guarded
from negsample.evaluation.metrics import summarise
from negsample.evaluation.ranks import Ranking, Table, rank_by_dial
from negsample.evaluation.seen import Seen
from negsample.models.build import check_items
from negsample.scoring.dial import NO_DIAL, Dials
from negsample.settings import History, RunSettings

Part = Literal["valid", "test"]
"""What can be measured on."""

QUERIES_AT_ONCE = 1 << 14
"""Whose states and histories are held at once: enough that reading the catalogue once for them costs nothing."""

ENCODE_BLOCK = 256  # histories encoded at once; more at once take longer each


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

    def part(self, first: int, last: int) -> Queries:
        """Queries ``first .. last - 1`` with their events."""
        events = slice(*np.searchsorted(self.query_E, [first, last]))
        return Queries(
            self.windows.take(np.arange(first, last)),
            self.query_E[events] - first,
            self.targets_E[events],
            self.known_until[first:last],
        )


def queries(data: Dataset, part: Part, *, history: History, max_length: int) -> Queries:
    """The events of ``part`` that can be measured: those of users with an earlier event outside it.

    ``frozen``: one query a user, the last L events before the part. ``rolling``: one query a user and moment, the last
    L events strictly earlier than it; an event without any (its moment began before a cut by rows) is not measured.
    ``rolling-basket``: one query an event, the last L rows before it, those of its own moment included: another task,
    the completion of a basket.

    Raises:
        InputError: ``part`` or ``history`` is another word (train events are learned, not measured), or there is no
            such event.
    """
    check_word("part", part, get_args(Part))
    check_word("history", history, get_args(History))
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
    until = events if history == "rolling-basket" else _moments(data, events, of_user, first)
    known = until > first[of_user]
    of_user, until, targets = of_user[known], until[known], targets[known]
    if not len(until):
        raise InputError(f"nothing to measure on: no {part} event of {data.name} is later than another of its user")
    new = np.r_[True, until[1:] != until[:-1]]  # also between users: their events lie one after another
    until, of_user = until[new], of_user[new]
    windows = Windows(users[of_user], np.maximum(first[of_user], until - max_length), until)
    return Queries(windows, np.cumsum(new) - 1, targets, until)


def _moments(data: Dataset, events: Ints, of_user: Ints, first: Ints) -> Ints:
    """(E,) where the moment of each of ``events`` begins among the events of its user, whose first is ``first``."""
    times = data.times[events]
    new = np.r_[True, (of_user[1:] != of_user[:-1]) | (times[1:] != times[:-1])]
    begins = events[new]
    open_ = np.flatnonzero(begins > first[of_user[new]])
    while len(open_):  # a cut by rows may go through a moment: one round for each of its earlier rows
        open_ = open_[data.times[begins[open_] - 1] == times[new][open_]]
        begins[open_] -= 1
        open_ = open_[begins[open_] > first[of_user[new]][open_]]
    begins_E: Ints = begins[np.cumsum(new) - 1]
    return begins_E


@torch.no_grad()
def encode(model: Model, items: NDArray[np.int32], windows: Windows, *, device: torch.device) -> Tensor:
    """(Q, D) state after the last item of each window."""
    order = np.argsort(windows.starts - windows.stops, kind="stable")
    parts = []
    for start in range(0, len(order), ENCODE_BLOCK):
        chosen = longest_first(windows.take(order[start : start + ENCODE_BLOCK]))
        packed = pack(items, chosen, model.max_length).to(device)
        states = model(model.table.lookup(packed.items_T)[0], packed)
        parts.append(states[torch.from_numpy(packed.offsets[1:] - 1).to(device)])
    back = torch.from_numpy(np.argsort(order)).to(device)
    return torch.cat(parts).index_select(0, back)


def _seen(data: Dataset, asked: Queries) -> Seen:
    """Of each user the events that the last of his queries knows."""
    users, user_Q = np.unique(asked.windows.users, return_inverse=True)
    until_U = np.zeros(len(users), np.int64)
    np.maximum.at(until_U, user_Q, asked.known_until)
    starts_U = np.asarray(data.offsets[:-1])[users]
    events = spans(starts_U, until_U - starts_U)
    return Seen.of_events(
        np.repeat(np.arange(len(users)), until_U - starts_U),
        data.items[events].astype(np.int64),
        events,
        user_Q=user_Q,
        until_Q=asked.known_until,
        items=data.catalogue_size,
    )


class Evaluation(NamedTuple):
    """``figures`` by name (see :func:`negsample.evaluation.metrics.summarise`) and the rank of every event, infinite
    for one whose target ``filter_seen`` leaves out: it is no hit at any k."""

    figures: dict[str, float | int]
    ranks_E: NDArray[np.float64]


@guarded
def evaluate(
    model: Model,
    data: Dataset,
    part: Part,
    settings: RunSettings,
    *,
    device: torch.device | None = None,
    with_top: bool = True,
) -> Evaluation:
    """Measure ``model`` on the validation or test events of ``data``; ``with_top`` adds coverage and ARP.

    What is held beside the model is bound by blocks (:func:`negsample.evaluation.ranks.rank`) of some thousand queries,
    and a few numbers an event and a query.

    Raises:
        InputError: ``part`` is another word, there is nothing to measure on, or the model's numbers are not finite.
        ValueError: the model is for another number of items.
    """
    (found,) = evaluate_by_dial(model, data, part, settings, NO_DIAL, device=device, with_top=with_top)
    return found


@guarded
def evaluate_by_dial(
    model: Model,
    data: Dataset,
    part: Part,
    settings: RunSettings,
    dials: Dials,
    *,
    device: torch.device | None = None,
    with_top: bool = True,
) -> list[Evaluation]:
    """The same at each setting of the dial; histories are encoded and items scored once for all."""
    device = device or torch.device("cpu")
    check_items(model.table.items, data.catalogue_size, data.name)
    asked = queries(data, part, history=settings.evaluation.history, max_length=model.max_length)
    rankings = []
    for first in range(0, len(asked.windows), QUERIES_AT_ONCE):
        some = asked.part(first, min(first + QUERIES_AT_ONCE, len(asked.windows)))
        rankings.append(
            rank_by_dial(
                encode(model, data.items, some.windows, device=device),
                model.table,
                some.query_E,
                some.targets_E,
                dials,
                top_k=max(settings.evaluation.k) if with_top else 0,
                seen=_seen(data, some) if settings.evaluation.filter_seen else None,
            )
        )
    return [_evaluation(each, asked, data, settings.evaluation.k) for each in zip(*rankings, strict=True)]


def _evaluation(rankings: Sequence[Ranking], asked: Queries, data: Dataset, cutoffs: Sequence[int]) -> Evaluation:
    ranks_E = np.concatenate([each.ranks_E for each in rankings])
    tops = [each.top_QK for each in rankings if each.top_QK is not None]
    top_QK = np.concatenate(tops) if tops else None
    figures = summarise(ranks_E, asked.targets_E, data.train_counts, data.cohorts, top_QK, cutoffs=cutoffs)
    return Evaluation(figures, ranks_E)
