"""The neighbours of queries: the items that are most similar to the latest ones of a history."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp  # type: ignore[import-untyped]
import torch
from numpy.typing import NDArray

from negsample.batches.windows import Ints
from negsample.data.dataset import Dataset
from negsample.rules.item_knn import Similarities
from negsample.rules.rule import Asked, Floats, Part

NEAREST = 500
"""Neighbours of a query that count."""
KEPT = 1 << 28
"""Bytes of neighbours that are kept for each of validation and test: of 45,000 queries with 500 each."""


class Nearest(NamedTuple):
    """Up to ``NEAREST`` neighbours of each of Q queries, by query, then by item.

    ``offsets_Q``: (Q + 1,) where those of each query begin; ``ids_N``: int32; ``scores_N``: above 0, see
    :class:`negsample.rules.ItemKNN`.
    """

    offsets_Q: Ints
    ids_N: Ints
    scores_N: Floats

    def rows(self) -> Ints:
        """(N,) the query of each."""
        return np.repeat(np.arange(len(self.offsets_Q) - 1), np.diff(self.offsets_Q))


class NearestOf:
    """The neighbours of the queries ``asked`` of ``part``. What was found is kept, up to ``KEPT`` bytes, for the same
    questions about the same data."""

    def __init__(self, data: Dataset, part: Part, asked: Asked) -> None:
        self._data, self._part, self._asked = data, part, asked

    @cached_property
    def _similar(self) -> Similarities:
        return Similarities(self._data, self._part, self._asked)

    def of(self, queries: Ints) -> Nearest:
        """Of some of the queries."""
        asked, kept = self._asked.take(queries), _kept(self._data, self._part)
        key = np.asarray(asked.until_Q, np.int64).tobytes()  # of the user who has this event, or the one before it
        if key not in kept:
            found = nearest_of(self._similar, *self._similar.history(asked), len(asked.users_Q))
            if sum(each.nbytes for one in (*kept.values(), found) for each in one) > KEPT:
                return found
            kept[key] = found
        return kept[key]


@lru_cache(maxsize=2)
def _kept(data: Dataset, part: Part) -> dict[bytes, Nearest]:
    """By the queries: the last events that they know."""
    return {}


def nearest_of(similar: Similarities, queries: Ints, items: Ints, ages: Ints, number: int) -> Nearest:
    """The neighbours of ``number`` queries with these events in their histories, by query."""

    def of(some: Ints) -> Nearest:
        here = slice(*np.searchsorted(queries, [some[0], some[-1] + 1]))
        return nearest(similar.scores_of(queries[here] - some[0], items[here], ages[here], len(some)))

    with ThreadPoolExecutor(torch.get_num_threads()) as threads:
        return joined(list(threads.map(of, similar.grouped(queries, items, number))))


def nearest(scores: Any, most: int | None = None) -> Nearest:
    """Of sparse (Q, V + 1) scores the ``most`` (None: ``NEAREST``) largest of each query, of equals those with the
    lowest ids."""
    kept, most = scores.data > 0, NEAREST if most is None else most
    for row in np.flatnonzero(np.diff(scores.indptr) > most):
        of_row = slice(scores.indptr[row], scores.indptr[row + 1])
        kept[of_row] &= _are_best(scores.data[of_row], scores.indices[of_row], most)
    at = np.flatnonzero(kept)
    found = sp.csr_matrix((scores.data[at], scores.indices[at], np.searchsorted(at, scores.indptr)), scores.shape)
    found.sort_indices()
    return Nearest(found.indptr.astype(np.int64), found.indices.astype(np.int32), found.data)


def joined(parts: list[Nearest]) -> Nearest:
    """Those of queries after others."""
    offsets = np.cumsum(np.concatenate([[0], *(np.diff(each.offsets_Q) for each in parts)]))
    return Nearest(offsets, *(np.concatenate([each[at] for each in parts]) for at in (1, 2)))


def _are_best(values_N: Floats, ids_N: Ints, most: int) -> NDArray[np.bool_]:
    """(N,) which of the values are the ``most`` largest, of equals those with the lowest ids."""
    least = np.partition(values_N, -most)[-most]
    best: NDArray[np.bool_] = values_N > least
    equal = np.flatnonzero(values_N == least)
    best[equal[np.argsort(ids_N[equal])[: most - np.count_nonzero(best)]]] = True
    return best
