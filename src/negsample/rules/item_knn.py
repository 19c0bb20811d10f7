"""ItemKNN: items that the same users have as the user's latest ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp  # type: ignore[import-untyped]
from torch import nn

from negsample.batches.windows import Ints
from negsample.data.dataset import Dataset
from negsample.errors import InputError
from negsample.rules.rule import Asked, Floats, Part, Scorer, binary_users, history_events, not_chosen

LAST = 10
"""Events of a history that count."""
FADING = 0.8
"""What an event counts of the one after it."""
PAIRS = 3 * 10**7
"""Similarities that are kept, in 0.4 GB; those of other items are computed when they are asked for."""
AT_ONCE = 1 << 23
"""Similarities that are computed at once, in 0.1 GB."""
CACHED = 1 << 17
"""Items whose scores a processor has at hand. Of more of them similarities are kept by item: added up in no order they
take seven times as long at ten million items."""


class ItemKNN(nn.Module):
    """Scores an item by its similarity to the last 10 of the history, each weighted by ``0.8^age``.

    The similarity of two items is ``c_ij / sqrt((c_i + 1) (c_j + 1))``, of the users who have both and either when the
    part begins; an item has none to itself.
    """

    choices: Sequence[float] = (0.0,)
    setting = ""

    def __init__(self, data: Dataset) -> None:
        super().__init__()
        self.register_buffer("choice", not_chosen())
        self._data = data

    def beyond(self, choice: float) -> Sequence[float]:
        """See :class:`negsample.rules.rule.Rule`."""
        return ()

    def trial(self, choice: float) -> Scorer:
        """See :class:`negsample.rules.rule.Rule`."""
        return self.scorer("valid", choice)

    def scorer(self, part: Part, choice: float) -> Scorer:
        """See :class:`negsample.rules.rule.Rule`."""
        similar = Similarities(self._data, part)
        return lambda asked: np.asarray(similar.scores(asked)[:, 1:].toarray())


class Pairs(NamedTuple):
    """Who has what when a part begins, and the similarities of some items by it.

    ``users``: (U, V + 1) sparse, 1 where the user has the item; ``items``: the same by items; ``norms_V``: (V + 1,);
    ``most_V``: (V + 1,) to how many items each can be similar at most.
    """

    users: Any
    items: Any
    norms_V: Floats
    most_V: Floats

    @classmethod
    def of(cls, data: Dataset, part: Part | None) -> Pairs:
        """When ``part`` begins; None: in all events."""
        users = binary_users(data, part)
        items = users.T.tocsr()
        most_V = np.minimum(items @ np.diff(users.indptr).astype(np.float64), items.shape[0])
        return cls(users, items, np.sqrt(np.diff(items.indptr) + 1.0), most_V)

    def rows(self, which: Ints) -> Any:
        """The sparse (N, V + 1) similarities of N items."""
        near = (self.items[which] @ self.users).tocsr()
        lengths = np.diff(near.indptr)
        norms = np.repeat(self.norms_V[which], lengths)
        norms *= self.norms_V[near.indices]
        near.data = np.divide(near.data, norms, out=norms)
        near.data[near.indices == np.repeat(which.astype(near.indices.dtype), lengths)] = 0
        return near


class Similarities:
    """The similarities of :class:`ItemKNN` when ``part`` begins; None: in all events.

    Those of the items that are asked for most often are computed once, up to ``PAIRS`` of them. In memory is beside
    them twice what users and items have in common, 8 bytes a pair.

    Args:
        data: its events count.
        part: what begins.
        asked: all queries that there will be. (default: any)
    """

    def __init__(self, data: Dataset, part: Part | None, asked: Asked | None = None) -> None:
        self._data, self._pairs = data, Pairs.of(data, part)
        self._most_V, counts_V = self._pairs.most_V, np.diff(self._pairs.items.indptr)
        often_V = counts_V if asked is None else np.bincount(self.history(asked)[1], minlength=len(counts_V))
        order = np.argsort(-often_V, kind="stable")[: np.count_nonzero(often_V)]
        kept, left = [self._pairs.rows(order[:0])], PAIRS
        for some in groups(order, self._most_V[order]):
            found = self._pairs.rows(some)
            left -= found.nnz
            if left < 0:
                break
            kept.append(found)
        self._kept, self._place_V = sp.vstack(kept, "csr"), np.full(len(counts_V), -1, np.int32)
        if len(counts_V) > CACHED:
            self._kept.sort_indices()
        order = order[: self._kept.shape[0]]
        self._place_V[order] = np.arange(len(order))
        self._most_V[order] = np.diff(self._kept.indptr)

    def history(self, asked: Asked) -> tuple[Ints, Ints, Ints]:
        """The events of queries that count, see :func:`~negsample.rules.rule.history_events`."""
        return history_events(self._data, asked, LAST)

    def scores(self, asked: Asked) -> Any:
        """The sparse (Q, V + 1) scores of queries; some may be 0."""
        return self.scores_of(*self.history(asked), len(asked.users_Q))

    def all_pairs(self) -> Any:
        """The sparse (V + 1, V + 1) similarities of all items.

        Raises:
            InputError: they are more than ``PAIRS``.
        """
        if np.any((self._place_V < 0) & (self._pairs.norms_V > 1)):
            raise InputError(
                f"the items have more than {PAIRS:,} similarities, too many for an export; serve the model with "
                "negsample, or export to vectors or faiss, which have none"
            )
        nothing = sp.csr_matrix((1, len(self._place_V)))
        pairs = sp.vstack([self._kept, nothing], "csr")[self._place_V]
        pairs.eliminate_zeros()
        return pairs

    def grouped(self, queries: Ints, items: Ints, number: int) -> list[Ints]:
        """The numbers of so many queries, which have these items in their histories, some after others: so many that
        ``AT_ONCE`` similarities make their scores."""
        return groups(np.arange(number), np.bincount(queries, self._most_V[items], number))

    def scores_of(self, queries: Ints, items: Ints, ages: Ints, number: int) -> Any:
        """The same for ``number`` queries with these events in their histories."""
        width = len(self._place_V)
        weights = sp.csr_matrix((FADING**ages, (queries, items)), (number, width))
        which = weights.indices[self._place_V[weights.indices] < 0]
        similar, place_V = self._kept, self._place_V
        if len(which):
            which = np.unique(weights.indices)
            new = place_V[which] < 0
            similar = sp.vstack([self._kept[place_V[which[~new]]], self._pairs.rows(which[new])], "csr")
            place_V = np.zeros(width, np.int32)
            place_V[np.concatenate([which[~new], which[new]])] = np.arange(len(which))
        of_rows = (weights.data, place_V[weights.indices], weights.indptr)  # an item's place is no order of the sum
        return sp.csr_matrix(of_rows, (number, similar.shape[0])) @ similar


def groups(which: Ints, sizes: Floats | Ints) -> list[Ints]:
    """``which`` in stretches of about ``AT_ONCE`` in size, with at least one each."""
    return np.split(which, np.flatnonzero(np.diff(np.cumsum(sizes) // AT_ONCE)) + 1)
