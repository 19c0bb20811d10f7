"""What queries leave out of their ranking: items that their user has already."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from negsample.batches.windows import Ints
from negsample.data.blocks import spans

PAIRS = 1 << 18  # of a query and an item, held at once


class Seen(NamedTuple):
    """Each user's items once, however many queries ask for them: S of them in all, whatever Q.

    ``keys_S``: ``user * width + item``, ascending; ``since_S``: from which event on the user has the item; ``user_Q``:
    whose query it is, users numbered from 0; ``until_Q``: it knows the user's events before this one; ``width``: V + 1.
    """

    keys_S: Ints
    since_S: Ints
    user_Q: Ints
    until_Q: Ints
    width: int

    @classmethod
    def of_events(
        cls, users_N: Ints, items_N: Ints, positions_N: Ints, *, user_Q: Ints, until_Q: Ints, items: int
    ) -> Seen:
        """From N events, each of a user on an item at a position among all events, ascending for a user."""
        keys_S, first_S = np.unique(users_N * (items + 1) + items_N, return_index=True)
        return cls(keys_S, positions_N[first_S], user_Q, until_Q, items + 1)

    @classmethod
    def of_pairs(cls, queries_N: Ints, items_N: Ints, *, queries: int, items: int) -> Seen:
        """From (query, item) pairs, in any order."""
        positions = np.zeros(len(queries_N), np.int64)
        every = np.arange(queries)
        return cls.of_events(queries_N, items_N, positions, user_Q=every, until_Q=np.ones_like(every), items=items)

    def holds(self, query_E: Ints, items_E: Ints) -> NDArray[np.bool_]:
        """(E,) whether each query leaves the item beside it out."""
        if not len(self.keys_S):
            return np.zeros(len(query_E), np.bool_)
        keys_E = self.user_Q[query_E] * self.width + items_E
        at_E = np.searchsorted(self.keys_S, keys_E).clip(max=len(self.keys_S) - 1)
        found: NDArray[np.bool_] = (self.keys_S[at_E] == keys_E) & (self.since_S[at_E] < self.until_Q[query_E])
        return found

    def among(self, queries: Ints, start: int, stop: int) -> Iterator[tuple[Ints, Ints]]:
        """Positions in ``queries`` and items of ``start .. stop - 1`` that are left out there, some pairs at a time."""
        first = self.user_Q[queries] * self.width
        low = np.searchsorted(self.keys_S, first + start)
        lengths = np.searchsorted(self.keys_S, first + stop) - low
        ends = np.cumsum(lengths)
        cuts = np.searchsorted(ends, np.arange(0, ends[-1], PAIRS), side="right") if len(ends) else ends
        for begin, end in pairwise([*cuts.tolist(), len(ends)]):
            at = spans(low[begin:end], lengths[begin:end])
            rows = np.repeat(np.arange(begin, end), lengths[begin:end])
            known = self.since_S[at] < self.until_Q[queries[rows]]
            yield rows[known], self.keys_S[at[known]] % self.width
