"""Learned weights of what is known at a time: numbers that are added to the scores of a model's states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from negsample.batches.packed import Packed
from negsample.models.item_table import ItemTable
from negsample.settings import laid_out

AFTER = ("popularity", "recency", "repeats", "neighbours")
"""Those that are weighed after training."""
_MINUTE = 60 * 10**6  # microseconds
_HOUR, _DAY = 60 * _MINUTE, 24 * 60 * _MINUTE
COUNTS = (2, 3, 5, 9, 17)
"""How often the user had an item: from each on another weight."""
SINCE = (10 * _MINUTE, _HOUR, 6 * _HOUR, *(days * _DAY for days in (1, 3, 7, 14, 30, 60, 120, 365)))
"""How long ago the last time was, microseconds: from each on another weight."""
LENGTHS = (5, 10, 25, 60, 150)
"""Events of the user's history: from each on another weight, for all of the user's own items."""
NEAR = 2
"""Weights of a neighbour of the user's latest items: one for all, and one for log(1 + 100 score)."""
OWN = 1 + sum(len(each) + 1 for each in (COUNTS, SINCE, LENGTHS))
"""Weights of an own item: one for all, and by how often, how long ago, and the length of the history."""

OWN_KINDS = (len(COUNTS) + 1) * (len(SINCE) + 1) * (len(LENGTHS) + 1)


class TermWeights(nn.Module):
    """The weights of some terms, 0 at first, and the factor on the products of states and items, 1 at first.

    Args:
        names: of :data:`~negsample.settings.TERMS`; after training also ``neighbours``.

    Attributes:
        laid: the columns of the features of items that it weighs.
    """

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self.names, self.laid = tuple(names), laid_out([each for each in names if each != "neighbours"])
        chosen = torch.zeros(self.laid[-1].stop if self.laid else 0)
        for each in self.laid:
            chosen[each.start : each.stop] = each.name in self.names
        self.register_buffer("chosen_F", chosen, persistent=False)
        self.items_F = nn.Parameter(torch.zeros(len(chosen))) if self.laid else None
        self.own_W = nn.Parameter(torch.zeros(OWN)) if "repeats" in self.names else None
        self.near_N = nn.Parameter(torch.zeros(NEAR)) if "neighbours" in self.names else None
        self.register_buffer("share", torch.ones(()), persistent=False)
        kinds = torch.meshgrid(*(torch.tensor((0, *each)) for each in (COUNTS, SINCE, LENGTHS)), indexing="ij")
        self.register_buffer("places", own_bins(*(each.flatten() for each in kinds)), persistent=False)

    chosen_F: Tensor
    share: Tensor
    places: Tensor

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> TermWeights:
        """From what :meth:`entry` gave."""
        made = cls(entry["names"])
        made.load_state_dict({name: torch.tensor(entry[name]) for name in made.state_dict()})
        made.share.fill_(entry["share"])
        return made

    def widened(self, names: Sequence[str]) -> TermWeights:
        """The same weights among those of more terms."""
        wide = TermWeights(names).to(self.share.device)
        columns = {each.name: each for each in self.laid if each.name in self.names}
        with torch.no_grad():
            wide.share.copy_(self.share)
            for new in wide.laid:
                if old := columns.get(new.name):
                    cast("Tensor", wide.items_F)[new.start : new.stop] = cast("Tensor", self.items_F)[
                        old.start : old.stop
                    ]
            for name in ("own_W", "near_N"):
                if getattr(self, name) is not None:
                    getattr(wide, name).copy_(getattr(self, name))
        return wide

    def entry(self) -> dict[str, Any]:
        """As JSON has them."""
        weights = {name: each.tolist() for name, each in self.state_dict().items()}
        return {"names": list(self.names), "share": self.share.item()} | weights

    def of_features(self) -> Tensor:
        """(F,) what is added for each feature of an item, times it."""
        assert self.items_F is not None
        return self.items_F * self.chosen_F

    def of_items(self, features: Tensor) -> Tensor:
        """(...) what is added for items of these (..., F) features."""
        return features @ self.of_features()

    def of_own(self, bins_EN: Tensor) -> Tensor:
        """(E,) what is added for a user's own items, by the places of their weights, see :func:`own_bins`."""
        assert self.own_W is not None
        return self.own_W.index_select(0, bins_EN.reshape(-1)).view(bins_EN.shape).sum(1)

    def own_table(self) -> Tensor:
        """(``OWN_KINDS``,) what is added for an own item by how often it was had, since when, and the length of the
        history: of the places c, s and l where these would be inserted into ``COUNTS``, ``SINCE`` and ``LENGTHS``, at
        ``(c (len(SINCE) + 1) + s) (len(LENGTHS) + 1) + l``."""
        return self.of_own(self.places)

    def of_neighbours(self, scores_E: Tensor) -> Tensor:
        """(E,) what is added for neighbours with these scores, above 0."""
        assert self.near_N is not None
        return self.near_N[0] + self.near_N[1] * torch.log1p(100 * scores_E)


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
