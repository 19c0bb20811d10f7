"""Causal self-attention over packed sequences.

Whole sequences are laid side by side into bins as wide as the longest (next fit), and each position attends to
those before it in its own sequence: the cost is T x W, W the width, with a few kernels for the whole batch however
many lengths there are. Length buckets would need each kernel once a bucket. The bins hold only what attention
itself needs; every dense layer sees T rows.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from negsample.data.batches import Packed
from negsample.models.dropout import dropout

_MIN_WIDTH = 32  # below this, more bins cost more than they save


class Bins(NamedTuple):
    """Where each packed position lies among a number of ``bins`` of ``width`` places, and who may look at whom."""

    places_T: Tensor
    mask: Tensor  # (bins, 1, W, W), 0 or -inf
    bins: int
    width: int


def lay_in_bins(packed: Packed, dtype: torch.dtype) -> Bins:
    """Bins for ``packed``, with a mask for states of ``dtype``; the same for every block of a model."""
    lengths = np.diff(packed.offsets)
    width = max(int(lengths.max()), _MIN_WIDTH)
    starts = np.empty_like(lengths)
    at = 0
    for row, length in enumerate(lengths.tolist()):
        if at % width + length > width:
            at += width - at % width
        starts[row] = at
        at += length
    count = -(-at // width)
    shift = torch.from_numpy(starts - packed.offsets[:-1]).to(packed.device)
    places = torch.arange(len(packed.rows_T), device=packed.device) + shift[packed.rows_T]
    owner = torch.full((count * width,), -1, device=packed.device).index_copy_(0, places, packed.rows_T)
    owner = owner.view(count, 1, width)
    same = owner.transpose(1, 2) == owner
    causal = torch.ones(width, width, dtype=torch.bool, device=packed.device).tril_()
    mask = torch.zeros(count, width, width, dtype=dtype, device=packed.device).masked_fill_(~(same & causal), -math.inf)
    return Bins(places, mask.unsqueeze(1), count, width)


def attend(
    query_TD: Tensor,
    key_TD: Tensor,
    value_TD: Tensor,
    bins: Bins,
    *,
    heads: int,
    drop: float,
    rng: torch.Generator | None,
) -> Tensor:
    """(T, D) softmax(q k / sqrt(D / heads)) v, each position over itself and those before it in its sequence.

    ``drop`` of the weights are dropped when there is an ``rng``.
    """
    depth = query_TD.shape[1] // heads
    query, key, value = (_spread(each, bins, heads) for each in (query_TD, key_TD, value_TD))
    weights = torch.baddbmm(
        bins.mask.expand(-1, heads, -1, -1).reshape(-1, bins.width, bins.width),
        query,
        key.transpose(1, 2),
        alpha=1 / math.sqrt(depth),
    ).softmax(-1)
    mixed = torch.bmm(dropout(weights, drop, rng), value)
    mixed = mixed.view(bins.bins, heads, bins.width, depth).transpose(1, 2).reshape(-1, heads * depth)
    return mixed.index_select(0, bins.places_T)


def _spread(packed_TD: Tensor, bins: Bins, heads: int) -> Tensor:
    """(T, D) to (bins * heads, W, D / heads), zero where a bin is empty."""
    dim = packed_TD.shape[1]
    spread = packed_TD.new_zeros(bins.bins * bins.width, dim).index_copy_(0, bins.places_T, packed_TD)
    spread = spread.view(bins.bins, bins.width, heads, dim // heads).transpose(1, 2)
    return spread.reshape(bins.bins * heads, bins.width, dim // heads)
