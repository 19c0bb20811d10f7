"""Repeat and RepeatRecent: what the user had before, then what is popular lately."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal

import numpy as np
from torch import nn

from negsample.batches.windows import Ints
from negsample.data.dataset import Dataset
from negsample.rules.recent_pop import half_lives, recent_shares
from negsample.rules.rule import Asked, Floats, Part, Scorer, history_events, not_chosen

By = Literal["count", "recency"]


class Repeat(nn.Module):
    """The user's own items ``by`` how often they had each, ties by the latest, or the latest first; then all others as
    :class:`~negsample.rules.recent_pop.RecentPop` has them. Histories are whole."""

    setting = "half-life, days"

    def __init__(self, data: Dataset, by: By = "count") -> None:
        super().__init__()
        self.register_buffer("choice", not_chosen())
        self._data, self._by = data, by

    @property
    def choices(self) -> Sequence[float]:
        """Half-lives in days, of which that of RecentPop is taken."""
        return half_lives(self._data)

    def beyond(self, choice: float) -> Sequence[float]:
        """See :class:`negsample.rules.rule.Rule`."""
        return ()

    def trial(self, choice: float) -> Scorer:
        """See :class:`negsample.rules.rule.Rule`."""
        return recent_shares(self._data, "valid", choice)

    def scorer(self, part: Part, choice: float) -> Scorer:
        """See :class:`negsample.rules.rule.Rule`."""
        return _own_first(self._data, part, choice, self._by)


RepeatRecent = partial(Repeat, by="recency")
"""The user's own items, the latest first; then as :class:`Repeat`."""


def _own_first(data: Dataset, part: Part, days: float, by: By) -> Scorer:
    others = recent_shares(data, part, days)

    def scores(asked: Asked) -> Floats:
        shares = others(asked)
        found = np.array(np.broadcast_to(shares, (len(asked.users_Q), shares.shape[1])))
        queries, items, values = own_scores(data, asked, by)
        found[queries, items - 1] = values  # above 1, which no share is
        return found

    return scores


def own_scores(data: Dataset, asked: Asked, by: By) -> tuple[Ints, Ints, Floats]:
    """Query, item and score of each item that is the user's own: by count, where of equals the latest is first, or by
    how late the last time was. Later is later in the order of rows."""
    queries, items, ages = history_events(data, asked)
    lengths = np.bincount(queries, minlength=len(asked.users_Q))
    _, first, counts = np.unique(
        queries[::-1] * (data.catalogue_size + 1) + items[::-1], return_index=True, return_counts=True
    )
    last = len(queries) - 1 - first  # of the rows turned round the first is the latest
    queries, items = queries[last], items[last]
    recency = (lengths[queries] - ages[last]) / (lengths[queries] + 1)  # above 0, below 1
    return queries, items, (counts if by == "count" else 1) + recency
