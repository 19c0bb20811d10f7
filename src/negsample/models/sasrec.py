"""SASRec (Kang & McAuley, ICDM'18), as the reference has it, on packed sequences."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import partial

import torch
from torch import Tensor, nn

from negsample.batches.packed import Packed
from negsample.models.attention import Bins, attend, lay_in_bins
from negsample.models.dropout import dropout
from negsample.models.init import Init, empty_layer, fill
from negsample.models.item_table import ItemTable, table_for

NORM_EPS = 1e-8

Drop = Callable[[Tensor], Tensor]
"""Dropout of some values."""


class SASRec(nn.Module):
    """Self-attention over a user's last L items; its state at each position is scored against the item table.

    Embedding times sqrt(D) plus a learned embedding of the position (the last one is the most recent item), dropout;
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
        rng: where the initial values come from; every bias is zero.
        init: what the initial values of matrices are. N(0, 0.02) was first chosen on Beauty's test events
            (docs/log.md); on validation of four logs it and the reference's Glorot uniform do not differ significantly
            (``benchmarks/initial.py``).
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
        init: Init = "normal",
        table: ItemTable | None = None,
    ) -> None:
        super().__init__()
        if dim % heads:
            raise ValueError(f"heads must divide dim, got dim {dim} and heads {heads}")
        self.table = table_for(items, dim, rng=rng, given=table, init=init)
        self.positions = nn.Parameter(fill(torch.empty(max_length, dim), init, rng=rng))
        self.blocks = nn.ModuleList(Block(heads, lambda name: _layer(name, dim, rng, init)) for _ in range(blocks))
        self.norm = nn.LayerNorm(dim, eps=NORM_EPS)
        self.heads, self.dropout = heads, dropout

    @property
    def max_length(self) -> int:
        """L."""
        return len(self.positions)

    @property
    def padding_state(self) -> Tensor:
        """(D,) the state of a position without an item where padding is computed along: masked, it is the last
        norm's bias."""
        bias: Tensor = self.norm.bias
        return bias

    def forward(self, vectors_TD: Tensor, packed: Packed, rng: torch.Generator | None = None) -> Tensor:
        """(T, D) state at each position, from the table's rows of the items there.

        With ``rng`` (on the same device) as in training, with dropout; without, as in evaluation.
        """
        drop = partial(dropout, share=self.dropout, rng=rng)
        states = vectors_TD * math.sqrt(vectors_TD.shape[1]) + self.positions.index_select(0, packed.positions_T)
        return run_blocks(states, self.blocks, self.norm, lay_in_bins(packed, states.dtype), drop, drop)


def run_blocks(
    states_ND: Tensor, blocks: Iterable[nn.Module], norm: nn.Module, bins: Bins, drop: Drop, drop_weights: Drop
) -> Tensor:
    """(N, D) blocks and norm applied to items with their positions; ``drop_weights``: dropout of attention's
    weights."""
    states_ND = drop(states_ND)
    for block in blocks:
        states_ND = block(states_ND, bins, drop, drop_weights)
    normalised: Tensor = norm(states_ND)
    return normalised


class Block(nn.Module):
    """Attention and two pointwise layers, each with its residual.

    Args:
        heads: attention heads.
        layer: makes the layer of this name, D to D: a norm where it ends so, else a linear one.
    """

    def __init__(self, heads: int, layer: Callable[[str], nn.Module]) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = layer("attention_norm")
        self.feed_norm = layer("feed_norm")
        self.query = layer("query")
        self.key = layer("key")
        self.value = layer("value")
        self.inner = layer("inner")
        self.outer = layer("outer")

    def forward(self, states_ND: Tensor, bins: Bins, drop: Drop, drop_weights: Drop) -> Tensor:
        """(N, D) to (N, D)."""
        normalised = self.attention_norm(states_ND)
        attended = attend(
            self.query(normalised),
            self.key(states_ND),
            self.value(states_ND),
            bins,
            heads=self.heads,
            drop=drop_weights,
        )
        fed = self.feed_norm(attended + normalised)
        inner = drop(torch.relu(self.inner(fed)))
        result: Tensor = fed + drop(self.outer(inner))
        return result


def _layer(name: str, dim: int, rng: torch.Generator, init: Init) -> nn.Module:
    """See :class:`Block`; takes nothing from the global generator."""
    if name.endswith("norm"):
        return nn.LayerNorm(dim, eps=NORM_EPS)
    layer = empty_layer(nn.Linear, dim, dim)
    with torch.no_grad():
        fill(layer.weight, init, rng=rng)
    nn.init.zeros_(layer.bias)
    return layer
