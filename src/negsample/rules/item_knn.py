"""ItemKNN: items that the same users have as the user's latest ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp  # type: ignore[import-untyped]
from torch import nn

from negsample.batches.windows import Ints
from negsample.data.dataset import Dataset
from negsample.rules.rule import Asked, Part, Scorer, binary_users, history_events, not_chosen

LAST = 10
"""Events of a history that count."""
FADING = 0.8
"""What an event counts of the one after it."""
PAIRS = 10**8
"""Of two items of a user: up to so many, over all users, similarities are computed once, and in at most 0.8 GB."""


class ItemKNN(nn.Module):
    """Scores an item by its similarity to the last 10 of the history, each weighted by ``0.8^age``.

    The similarity of two items is ``c_ij / sqrt((c_i + 1) (c_j + 1))``, of the users who have both and either when the
    part begins; an item has none to itself. With more than ``PAIRS`` similarities are computed for the items that a
    block of queries asks for, so that memory holds the events twice, and the neighbours of some items.
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
        near = neighbours(self._data, part)
        return lambda asked: np.asarray(near(asked)[:, 1:].toarray())


def neighbours(data: Dataset, part: Part) -> Callable[[Asked], Any]:
    """A function to the sparse (Q, V + 1) scores of :class:`ItemKNN` for queries of ``part``."""
    similar = _similar(data, part)

    def scores(asked: Asked) -> Any:
        queries, items, ages = history_events(data, asked, LAST)
        which, column = np.unique(items, return_inverse=True)
        weights = sp.csr_matrix((FADING**ages, (queries, column)), (len(asked.users_Q), len(which)))
        return weights @ similar(which)

    return scores


def _similar(data: Dataset, part: Part) -> Callable[[Ints], Any]:
    """A function to the sparse (N, V + 1) similarities of N items."""
    of_users = binary_users(data, part)
    of_items = of_users.T.tocsr()
    norms = np.sqrt(np.diff(of_items.indptr) + 1.0)

    def similar(which: Ints) -> Any:
        near = (of_items[which] @ of_users).tocsr()
        own = which[np.repeat(np.arange(len(which)), np.diff(near.indptr))]
        near.data = np.where(near.indices == own, 0, near.data / (norms[own] * norms[near.indices]))
        return near

    if (np.diff(of_users.indptr).astype(np.float64) ** 2).sum() > PAIRS:
        return similar
    every = similar(np.arange(data.catalogue_size + 1))
    return lambda which: every[which]
