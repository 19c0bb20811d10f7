"""Learned weights of what is known at a time: numbers that are added to the scores of a model's states."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from negsample.batches.packed import Packed
from negsample.models.item_table import ItemTable
from negsample.settings import laid_out

_MINUTE = 60 * 10**6  # microseconds
_HOUR, _DAY = 60 * _MINUTE, 24 * 60 * _MINUTE
COUNTS = (2, 3, 5, 9, 17)
"""How often the user had an item: from each on another weight."""
SINCE = (10 * _MINUTE, _HOUR, 6 * _HOUR, *(days * _DAY for days in (1, 3, 7, 14, 30, 60, 120, 365)))
"""How long ago the last time was, microseconds: from each on another weight."""
LENGTHS = (5, 10, 25, 60, 150)
"""Events of the user's history: from each on another weight, for all of the user's own items."""
OWN = 1 + sum(len(each) + 1 for each in (COUNTS, SINCE, LENGTHS))
"""Weights of an own item: one for all, and by how often, how long ago, and the length of the history."""


class TermWeights(nn.Module):
    """The weights of some :data:`~negsample.settings.TERMS`, 0 at first.

    Args:
        names: which terms.

    Attributes:
        laid: the columns of the features of items that it weighs.
    """

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self.names, self.laid = tuple(names), laid_out(names)
        chosen = torch.zeros(self.laid[-1].stop if self.laid else 0)
        for each in self.laid:
            chosen[each.start : each.stop] = each.name in self.names
        self.register_buffer("chosen_F", chosen, persistent=False)
        self.items_F = nn.Parameter(torch.zeros(len(chosen))) if self.laid else None
        self.own_W = nn.Parameter(torch.zeros(OWN)) if "repeats" in self.names else None

    chosen_F: Tensor

    def of_items(self, features: Tensor) -> Tensor:
        """(...) what is added for items of these (..., F) features."""
        assert self.items_F is not None
        return features @ (self.items_F * self.chosen_F)

    def of_own(self, bins_EN: Tensor) -> Tensor:
        """(E,) what is added for a user's own items, by the places of their weights, see :func:`own_bins`."""
        assert self.own_W is not None
        return self.own_W.index_select(0, bins_EN.reshape(-1)).view(bins_EN.shape).sum(1)


class NoStates(nn.Module):
    """A backbone whose states are zero, so that scores are those of its terms alone; its table is never trained."""

    def __init__(self, table: ItemTable, max_length: int) -> None:
        super().__init__()
        self.table, self.max_length = table, max_length

    def forward(self, vectors_TD: Tensor, packed: Packed, rng: torch.Generator | None = None) -> Tensor:
        """(T, D) zeros."""
        return torch.zeros_like(vectors_TD)


def own_bins(count_E: Tensor, since_E: Tensor, length_E: Tensor) -> Tensor:
    """(E, 4) places among the weights of an own item, of items had ``count_E`` times, the last one ``since_E``
    microseconds ago, by users with ``length_E`` events."""
    places, start = [torch.zeros_like(count_E)], 1
    for values, edges in ((count_E, COUNTS), (since_E, SINCE), (length_E, LENGTHS)):
        bins = torch.bucketize(values, torch.tensor(edges, device=values.device), right=True)
        places.append(bins + start)
        start += len(edges) + 1
    return torch.stack(places, 1)
