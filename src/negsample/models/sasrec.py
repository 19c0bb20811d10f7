"""SASRec (Kang & McAuley, ICDM'18), as the reference has it, on packed sequences."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from negsample.data.batches import Packed
from negsample.models.attention import Bins, attend, lay_in_bins
from negsample.models.dropout import dropout
from negsample.table import INIT_SD, DenseTable, RowsTable, table_for

_NORM_EPS = 1e-8


class SASRec(nn.Module):
    """Self-attention over a user's last L items; its state at each position is scored against the item table.

    Embedding times sqrt(D) plus a learned embedding of the slot (the last slot is the most recent item), dropout;
    then in each block attention with queries from the normalised and keys and values from the un-normalised input,
    added to the normalised input; then two pointwise layers with a ReLU between, added to their normalised input;
    a last norm at the end. Dropout also on the attention weights and after each pointwise layer.

    Args:
        items: V.
        dim: D.
        max_length: L.
        blocks: number of blocks.
        heads: attention heads; divides ``dim``.
        dropout: share of activations dropped while training.
        rng: where the initial values come from: N(0, 0.02) for every matrix, zero for every bias. (The
            reference has Glorot uniform; how this was chosen, and on how little: docs/log.md.)
        table: the items' embeddings, (V + 1, D), made with the same ``rng`` before; None: a dense table.

    Raises:
        ValueError: ``heads`` does not divide ``dim``, or ``table`` is not of this size.
    """

    def __init__(
        self,
        items: int,
        *,
        dim: int = 50,
        max_length: int = 50,
        blocks: int = 2,
        heads: int = 1,
        dropout: float = 0.2,
        rng: torch.Generator,
        table: DenseTable | RowsTable | None = None,
    ) -> None:
        super().__init__()
        if dim % heads:
            raise ValueError(f"heads must divide dim, got dim {dim} and heads {heads}")
        self.table = table_for(items, dim, rng=rng, given=table)
        self.slots = nn.Parameter(torch.empty(max_length, dim).normal_(0, INIT_SD, generator=rng))
        self.blocks = nn.ModuleList(_Block(dim, heads, dropout, rng) for _ in range(blocks))
        self.norm = nn.LayerNorm(dim, eps=_NORM_EPS)
        self.dropout = dropout

    @property
    def max_length(self) -> int:
        """L."""
        return len(self.slots)

    def forward(self, vectors_TD: Tensor, packed: Packed, rng: torch.Generator | None = None) -> Tensor:
        """(T, D) state at each position, from the table's rows of the items there.

        With ``rng`` (on the same device) as in training, with dropout; without, as in evaluation.
        """
        states = vectors_TD * math.sqrt(vectors_TD.shape[1]) + self.slots.index_select(0, packed.slots_T)
        states = dropout(states, self.dropout, rng)
        bins = lay_in_bins(packed, states.dtype)
        for block in self.blocks:
            states = block(states, bins, rng)
        normalised: Tensor = self.norm(states)
        return normalised


class _Block(nn.Module):
    def __init__(self, dim: int, heads: int, drop: float, rng: torch.Generator) -> None:
        super().__init__()
        self.heads, self.drop = heads, drop
        self.attention_norm = nn.LayerNorm(dim, eps=_NORM_EPS)
        self.feed_norm = nn.LayerNorm(dim, eps=_NORM_EPS)
        self.query = _linear(dim, rng)
        self.key = _linear(dim, rng)
        self.value = _linear(dim, rng)
        self.inner = _linear(dim, rng)
        self.outer = _linear(dim, rng)

    def forward(self, states_TD: Tensor, bins: Bins, rng: torch.Generator | None) -> Tensor:
        normalised = self.attention_norm(states_TD)
        attended = attend(
            self.query(normalised),
            self.key(states_TD),
            self.value(states_TD),
            bins,
            heads=self.heads,
            drop=self.drop,
            rng=rng,
        )
        fed = self.feed_norm(attended + normalised)
        inner = dropout(torch.relu(self.inner(fed)), self.drop, rng)
        result: Tensor = fed + dropout(self.outer(inner), self.drop, rng)
        return result


def _linear(dim: int, rng: torch.Generator) -> nn.Linear:
    """A D x D layer that takes nothing from the global generator."""
    layer: nn.Linear = nn.utils.skip_init(nn.Linear, dim, dim)  # type: ignore[no-untyped-call]
    nn.init.normal_(layer.weight, 0, INIT_SD, generator=rng)
    nn.init.zeros_(layer.bias)
    return layer
