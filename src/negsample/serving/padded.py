"""States of padded histories: the trained layers on a fixed number of events, as a graph of tensor operations has them.

A history is padded with id 0 on the left, so that its latest event is the last one.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from negsample.errors import InputError
from negsample.models import GRU4Rec, SASRec
from negsample.models.attention import bins_of
from negsample.models.baselines import Terms
from negsample.models.build import Backbone, terms_of
from negsample.models.sasrec import run_blocks
from negsample.models.terms import NoStates


def moved(kept_BH: Tensor, values_BH: Tensor) -> Tensor:
    """The values that are kept, in their order at the end of each row, and 0 before them."""
    count, length = values_BH.shape
    counted = kept_BH.long()
    places_BH = length + 1 - (counted.sum(1, keepdim=True) - counted.cumsum(1) + counted)
    rows = values_BH.new_zeros(count, length + 1)
    return rows.scatter(1, torch.where(kept_BH, places_BH, 0), torch.where(kept_BH, values_BH, 0))[:, 1:]


def latest(items_BH: Tensor, length: int) -> Tensor:
    """(B, length) the last events of each history, 0 before the first."""
    return F.pad(items_BH, (length, 0))[:, -length:]


def share_of(model: Backbone) -> float:
    """What the products of its states and items are multiplied with."""
    terms = terms_of(model)
    return 1.0 if terms is None else terms.share.item()


def vectors_of(models: Sequence[Backbone]) -> list[Tensor]:
    """(V + 1, D) the items of each model."""
    return [model.table.block(0, model.table.items + 1).float().cpu() for model in models]


class Encoder(nn.Module):
    """The states of all members side by side, each times its share over their number, so that products with
    ``vectors_VD``, the members' items side by side, are the mean of the members' scores.

    Args:
        models: the members; they stay as they are, the layers are copied.
        untrained: so many items at the end of the catalogue came after the training, and are no input.

    Raises:
        InputError: a backbone is a plugin's.
    """

    vectors_VD: Tensor

    def __init__(self, models: Sequence[Backbone], *, untrained: int = 0) -> None:
        super().__init__()
        self.untrained, self.trained = untrained, models[0].table.items - untrained
        self.members = nn.ModuleList(_padded(model) for model in models)
        self.lengths = [model.max_length for model in models]
        self.weights = [share_of(model) / len(models) for model in models]
        tables = vectors_of(models)
        self.widths = [each.shape[1] for each in tables]
        self.register_buffer("vectors_VD", torch.cat(tables, 1))

    def forward(self, items_BH: Tensor) -> Tensor:
        """(B, D) after the last event of each history, of which each member knows its last L; zeros after none."""
        if self.untrained:
            items_BH = moved((items_BH > 0) & (items_BH <= self.trained), items_BH)
        states = []
        members = zip(
            self.members, torch.split(self.vectors_VD, self.widths, 1), self.lengths, self.weights, strict=True
        )
        for member, vectors_VD, length, weight in members:
            items_BL = latest(items_BH, length)
            states.append(member(F.embedding(items_BL, vectors_VD), items_BL > 0) * weight)
        return torch.where((items_BH > 0).any(1, keepdim=True), torch.cat(states, 1), 0.0)


class _SASRec(nn.Module):
    """Padding attends to padding alone, and an item to items alone."""

    def __init__(self, model: SASRec) -> None:
        super().__init__()
        self.positions, self.blocks, self.norm = model.positions, model.blocks, model.norm

    def forward(self, vectors_BLD: Tensor, real_BL: Tensor) -> Tensor:
        count, length, dim = vectors_BLD.shape
        places = torch.arange(count * length, device=real_BL.device)
        bins = bins_of(places, real_BL.flatten().long(), count, length, vectors_BLD.dtype)
        states = (vectors_BLD * math.sqrt(dim) + self.positions).flatten(0, 1)
        states = run_blocks(states, self.blocks, self.norm, bins, _as_they_are, _as_they_are)
        return states.view(count, length, dim)[:, -1]


class _GRU4Rec(nn.Module):
    """Histories are moved to the left: a state knows what came before it, so what follows the last event has no say."""

    def __init__(self, model: GRU4Rec) -> None:
        super().__init__()
        self.blocks = model.blocks

    def forward(self, vectors_BLD: Tensor, real_BL: Tensor) -> Tensor:
        _, length, dim = vectors_BLD.shape
        lengths_B1 = real_BL.long().sum(1, keepdim=True)
        at_BL = (torch.arange(length, device=real_BL.device) + length - lengths_B1).clamp(max=length - 1)
        states = vectors_BLD.gather(1, at_BL[:, :, None].expand(-1, -1, dim)).transpose(0, 1) * math.sqrt(dim)
        for block in self.blocks:
            states = block(states)[0]
        last_1BD = (lengths_B1 - 1).clamp(min=0)[None].expand(-1, -1, dim)
        return states.gather(0, last_1BD).squeeze(0)


class _NoStates(nn.Module):
    def __init__(self, model: NoStates | Terms) -> None:
        super().__init__()

    def forward(self, vectors_BLD: Tensor, real_BL: Tensor) -> Tensor:
        return torch.zeros_like(vectors_BLD[:, 0])


_PADDED: dict[type, Callable[[Any], nn.Module]] = {
    SASRec: _SASRec,
    GRU4Rec: _GRU4Rec,
    NoStates: _NoStates,
    Terms: _NoStates,
}


def _padded(model: Backbone) -> nn.Module:
    if type(model) not in _PADDED:
        raise InputError(
            f"a model of {type(model).__name__} cannot be exported whole: only sasrec, gru4rec and terms have a padded "
            "form; serve it with negsample, or export to vectors or faiss"
        )
    return copy.deepcopy(_PADDED[type(model)](model)).requires_grad_(False)


def _as_they_are(values: Tensor) -> Tensor:
    return values
