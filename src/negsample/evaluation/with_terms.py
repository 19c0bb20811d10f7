"""What a model's terms add to the scores of queries: one number an item and time, and some for a user's own items."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from negsample.batches.windows import Ints
from negsample.data.blocks import spans
from negsample.data.dataset import Dataset
from negsample.data.own import OwnItems, own_before
from negsample.evaluation.divided import divided
from negsample.evaluation.queries import Part, Queries
from negsample.evaluation.ranks import RankedItems, Ranking, rank
from negsample.evaluation.seen import Seen
from negsample.models.terms import TermWeights
from negsample.parallel.shards import Shards
from negsample.rules.nearest import Nearest, NearestOf
from negsample.rules.rule import Asked, Floats, cut_time
from negsample.scoring.dial import Dials
from negsample.scoring.lately import MEMORY, Lately, bytes_of_a_cut
from negsample.scoring.serving import own_values

CUTS = 100
"""Times as of which popularity is taken where each query has its own: the latest of them at or before it. Fewer, at
least one, where they would take more than :data:`~negsample.scoring.lately.MEMORY`."""


class Added(NamedTuple):
    """What is added to the scores of some items of some queries, by query, then by item.

    ``keys_N``: ``query * width + item``, ascending; ``values_N``; ``width``: V + 1.
    """

    keys_N: Ints
    values_N: Floats
    width: int

    def take(self, queries: Ints) -> Added:
        """Those of these queries, ascending, numbered from 0."""
        rows, items, values = self.among(queries, 0, self.width)
        return Added(rows * self.width + items, values, self.width)

    def plus(self, other: Added) -> Added:
        """Both, where they add for the same items their sums."""
        at = np.searchsorted(self.keys_N, other.keys_N)
        both = at < len(self.keys_N)
        both[both] = self.keys_N[at[both]] == other.keys_N[both]
        values = self.values_N.copy()
        values[at[both]] += other.values_N[both]
        keys = np.insert(self.keys_N, at[~both], other.keys_N[~both])
        return Added(keys, np.insert(values, at[~both], other.values_N[~both]), self.width)

    def of(self, query_E: Ints, items_E: Ints) -> Floats:
        """(E,) what is added for the item beside each query."""
        keys_E = query_E * self.width + items_E
        if not len(self.keys_N):
            return np.zeros(len(keys_E))
        at_E = np.searchsorted(self.keys_N, keys_E).clip(max=len(self.keys_N) - 1)
        return np.where(self.keys_N[at_E] == keys_E, self.values_N[at_E], 0.0)

    def among(self, queries: Ints, start: int, stop: int) -> tuple[Ints, Ints, Floats]:
        """Positions in ``queries``, items of ``start .. stop - 1``, and what is added there."""
        low, high = (np.searchsorted(self.keys_N, queries * self.width + bound) for bound in (start, stop))
        lengths = high - low
        at = spans(low, lengths)
        return np.repeat(np.arange(len(queries)), lengths), self.keys_N[at] % self.width, self.values_N[at]


class TableWithTerm:
    """An item table whose vectors have one coordinate more: what the terms add for the item."""

    def __init__(self, table: RankedItems, term_V: Tensor) -> None:
        self._table, self._term_V = table, term_V

    @property
    def items(self) -> int:
        """V."""
        return self._table.items

    def lookup(self, *ids: Tensor) -> list[Tensor]:
        """Rows of ids."""
        rows = zip(self._table.lookup(*ids), ids, strict=True)
        return [torch.cat([found, self._term_V[of].to(found).unsqueeze(-1)], -1) for found, of in rows]

    def block(self, start: int, stop: int) -> Tensor:
        """Rows of a stretch of ids."""
        return self._with_term(self._table.block(start, stop), start, stop)

    @property
    def shards(self) -> Shards | None:
        """Those of the table."""
        parted = divided(self._table)
        return None if parted is None else parted.shards

    def block_here(self, start: int, stop: int) -> Tensor:
        """Rows of a stretch of ids that are all here."""
        parted = divided(self._table)
        assert parted is not None
        return self._with_term(parted.block_here(start, stop), start, stop)

    def _with_term(self, rows_ND: Tensor, start: int, stop: int) -> Tensor:
        return torch.cat([rows_ND, self._term_V[start:stop].to(rows_ND).unsqueeze(1)], 1)


class AtOneTime(NamedTuple):
    """Queries that are asked as of one time: which, and what the terms add for every item, (V + 1,); None: nothing."""

    queries: Ints
    term_V: Tensor | None


class TermsOf:
    """What ``weights`` add for the queries ``asked`` of a part.

    With frozen histories all is as of the part's cut; else as of each query's own time, popularity as of the latest
    of ``CUTS`` times at or before it.
    """

    def __init__(self, weights: TermWeights, data: Dataset, part: Part, asked: Queries, frozen: bool) -> None:
        self._weights = weights
        queries = len(asked.windows)
        cut = np.full(queries, cut_time(data, part))
        times_Q = cut if frozen else np.asarray(data.times[asked.known_until])
        self._device = weights.share.device
        self.lately = None
        self.cut_Q = np.zeros(queries, np.int64)
        if weights.items_F is not None:
            cuts = max(min(CUTS, MEMORY // bytes_of_a_cut(data, weights.laid)), 1)
            spread = np.quantile(times_Q, np.linspace(0, 1, cuts), method="lower") if len(times_Q) else times_Q
            self.lately = Lately(data, weights.laid, spread)
            self.cut_Q = self.lately.cuts_of(torch.from_numpy(times_Q)).numpy()
        self.share = weights.share.item()
        self.data, self.times_Q = data, times_Q
        self.asked = Asked(asked.windows.users, asked.known_until, None)
        self._near = NearestOf(data, part, self.asked)

    @torch.no_grad()
    def by_time(self, first: int, last: int) -> Iterator[AtOneTime]:
        """Queries ``first .. last - 1``, numbered from ``first``, those of one time together."""
        cuts = self.cut_Q[first:last]
        for cut in np.unique(cuts).tolist():
            term_V = None
            if self.lately is not None:
                here = slice(cut * self.lately.width, (cut + 1) * self.lately.width)
                term_V = self._weights.of_items(self.lately.features_NF[here].to(self._device))
            yield AtOneTime(np.flatnonzero(cuts == cut), term_V)

    @torch.no_grad()
    def some(self, first: int, last: int) -> Added | None:
        """What is added for some items of queries ``first .. last - 1``, numbered from ``first``: the user's own, and
        neighbours."""
        width, found = self.data.catalogue_size + 1, []
        if self._weights.near_N is not None:
            near = self.nearest(np.arange(first, last))
            scores = torch.from_numpy(near.scores_N).to(self._device)
            values = self._weights.of_neighbours(scores).double().cpu().numpy()
            found.append(Added(near.rows() * width + near.ids_N, values, width))
        if self._weights.own_W is not None:
            own = self.own(np.arange(first, last))
            found.append(Added(own.row_E * width + own.item_E, own_values(self._weights, own), width))
        return found[0].plus(found[1]) if len(found) == 2 else found[0] if found else None

    def own(self, queries: Ints) -> OwnItems:
        """What the users of ``queries`` had before, see :func:`negsample.data.own.own_before`."""
        data, asked = self.data, self.asked.take(queries)
        return own_before(
            data.items,
            data.times,
            data.offsets,
            data.repeats,
            asked.users_Q,
            asked.until_Q,
            self.times_Q[queries],
            data.catalogue_size + 1,
        )

    def nearest(self, queries: Ints) -> Nearest:
        """The neighbours of ``queries``."""
        return self._near.of(queries)


def rank_with_terms(
    terms: TermsOf,
    part: tuple[int, int],
    states_QD: Tensor,
    table: RankedItems,
    asked: Queries,
    dials: Dials,
    *,
    top_k: int,
    seen: Seen | None,
) -> list[Ranking]:
    """As :func:`negsample.evaluation.ranks.rank` for the queries ``asked``, which are those of ``part`` of all; the
    catalogue is read once for each time."""
    added, share = terms.some(*part), terms.share
    ranks = [np.empty(len(asked.query_E)) for _ in dials.betas]
    tops = [np.zeros((len(states_QD), min(top_k, table.items)), np.int64) for _ in dials.betas]
    for queries, term_V in terms.by_time(*part):
        place_Q = np.full(len(states_QD), -1)
        place_Q[queries] = np.arange(len(queries))
        events = np.flatnonzero(place_Q[asked.query_E] >= 0)
        states = states_QD[torch.from_numpy(queries).to(states_QD.device)]
        states = states if share == 1 else states * share
        if term_V is not None:
            states = torch.cat([states, states.new_ones(len(states), 1)], 1)
        found = rank(
            states,
            table if term_V is None else TableWithTerm(table, term_V),
            place_Q[asked.query_E[events]],
            asked.targets_E[events],
            dials,
            top_k=top_k,
            seen=seen and seen._replace(user_Q=seen.user_Q[queries], until_Q=seen.until_Q[queries]),
            added=added and added.take(queries),
        )
        for ranks_E, top_QK, each in zip(ranks, tops, found, strict=True):
            ranks_E[events] = each.ranks_E
            if each.top_QK is not None:
                top_QK[queries] = each.top_QK
    return [Ranking(ranks_E, top_QK if top_k else None) for ranks_E, top_QK in zip(ranks, tops, strict=True)]
