"""PopRec: the items of highest train count, for everybody."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from negsample.batches.packed import Packed


class PopRec(nn.Module):
    """Ranks items by train count, ties by id, whatever the history; nothing is trained.

    Its state is the number 1 and an item's vector the number ``-rank``, so that it is measured by the very code
    that measures every other model.

    Args:
        order: (V,) item ids by popularity, see :func:`negsample.data.popularity.popularity_order`.
        max_length: L, the length of a history (it makes no difference).
    """

    def __init__(self, order: Tensor, *, max_length: int = 1) -> None:
        super().__init__()
        self.table = _Ranks(order)
        self.max_length = max_length

    def forward(self, vectors_TD: Tensor, packed: Packed, rng: torch.Generator | None = None) -> Tensor:
        """(T, 1) ones."""
        return torch.ones_like(vectors_TD)


class _Ranks(nn.Module):
    def __init__(self, order: Tensor) -> None:
        super().__init__()
        weight = torch.zeros(len(order) + 1, 1, dtype=torch.float64)  # exact for any number of items
        weight[order] = -torch.arange(len(order), dtype=torch.float64).unsqueeze(1)
        self.weight = nn.Parameter(weight, requires_grad=False)

    @property
    def items(self) -> int:
        return len(self.weight) - 1

    def lookup(self, *ids: Tensor) -> list[Tensor]:
        return [self.weight[each] for each in ids]

    def block(self, start: int, stop: int) -> Tensor:
        return self.weight[start:stop]
