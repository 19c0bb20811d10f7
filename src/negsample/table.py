"""Item embeddings: one row an item, looked up once a step."""

from __future__ import annotations

import torch
from torch import Tensor, nn

INIT_SD = 0.02


class DenseTable(nn.Module):
    """(V + 1, D) embeddings, trained as one dense parameter; row 0 is for id 0 and stays zero.

    Initialised from N(0, 0.02), the same for every catalogue size. (The reference's Glorot uniform shrinks with V:
    its deviation is 0.013 at 12 thousand items, 0.0004 at ten million.)

    Args:
        items: V.
        dim: D.
        rng: where the initial values come from.
    """

    def __init__(self, items: int, dim: int, *, rng: torch.Generator) -> None:
        super().__init__()
        weight = torch.empty(items + 1, dim).normal_(0, INIT_SD, generator=rng)
        weight[0] = 0
        self.weight = nn.Parameter(weight)

    @property
    def items(self) -> int:
        """V."""
        return len(self.weight) - 1

    def lookup(self, *ids: Tensor) -> list[Tensor]:
        """The rows of each tensor of ids, (..., D); gathered in one go, so that a step has one scatter back."""
        flat = torch.cat([each.reshape(-1) for each in ids])
        rows = self.weight.index_select(0, flat)
        parts = torch.split(rows, [each.numel() for each in ids])
        return [part.view(*each.shape, self.weight.shape[1]) for part, each in zip(parts, ids, strict=True)]

    def block(self, start: int, stop: int) -> Tensor:
        """Rows of items ``start .. stop - 1``, without gradient."""
        return self.weight.detach()[start:stop]
