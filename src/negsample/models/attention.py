"""Causal self-attention over packed sequences.

Whole sequences are laid side by side into bins as wide as the longest (next fit), and each position attends to
those before it in its own sequence: the cost is T x W, W the width, with a few kernels for the whole batch however
many lengths there are. Length buckets would need each kernel once a bucket. The bins hold only what attention
itself needs; every dense layer sees T rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from negsample.batches.device import upload
from negsample.batches.packed import Packed
from negsample.batches.windows import Ints
from negsample.data.blocks import spans

_MIN_WIDTH = 32  # below this, more bins cost more than they save


class Bins(NamedTuple):
    """Where each position lies among a number of ``bins`` of ``width``, and which attend to which."""

    positions_N: Tensor
    mask: Tensor  # (bins, 1, W, W), 0 or -inf
    bins: int
    width: int


class Laid(NamedTuple):
    """Places of packed positions in ``bins`` of ``width``, (T,), before anything is on a device."""

    positions_T: Ints
    bins: int
    width: int


def lay(offsets: Ints) -> Laid:
    """Sequences into bins as wide as the longest, in their order, each into the first bin from the last one on."""
    lengths = np.diff(offsets)
    width = max(int(lengths.max()), _MIN_WIDTH)
    starts = np.empty_like(lengths)
    at = 0
    for row, length in enumerate(lengths.tolist()):
        if at % width + length > width:
            at += width - at % width
        starts[row] = at
        at += length
    return Laid(spans(starts, lengths), -(-at // width), width)


def lay_in_bins(packed: Packed, dtype: torch.dtype) -> Bins:
    """Bins for ``packed``, with a mask for states of ``dtype``; the same for every block of a model."""
    laid = lay(packed.offsets)
    return bins_of(
        upload(torch.from_numpy(laid.positions_T), packed.device), packed.rows_T, laid.bins, laid.width, dtype
    )


def bins_of(positions_N: Tensor, owners_N: Tensor, bins: int, width: int, dtype: torch.dtype) -> Bins:
    """Bins where positions lie at ``positions_N`` and attend to those before them with the same owner."""
    device = positions_N.device
    owner = torch.full((bins * width,), -1, device=device).index_copy_(0, positions_N, owners_N)
    owner = owner.view(bins, 1, width)
    same = owner.transpose(1, 2) == owner
    causal = torch.ones(width, width, dtype=torch.bool, device=device).tril_()
    mask = torch.zeros(bins, width, width, dtype=dtype, device=device).masked_fill_(~(same & causal), -math.inf)
    return Bins(positions_N, mask.unsqueeze(1), bins, width)


def attend(
    query_ND: Tensor, key_ND: Tensor, value_ND: Tensor, bins: Bins, *, heads: int, drop: Callable[[Tensor], Tensor]
) -> Tensor:
    """(N, D) softmax(q k / sqrt(D / heads)) v, each position over itself and those before it in its sequence.

    ``drop``: dropout of the weights, (bins * heads, W, W).
    """
    depth = query_ND.shape[1] // heads
    query, key, value = (_spread(each, bins, heads) for each in (query_ND, key_ND, value_ND))
    weights = torch.baddbmm(
        bins.mask.expand(-1, heads, -1, -1).reshape(-1, bins.width, bins.width),
        query,
        key.transpose(1, 2),
        alpha=1 / math.sqrt(depth),
    ).softmax(-1)
    mixed = torch.bmm(drop(weights), value)
    mixed = mixed.view(bins.bins, heads, bins.width, depth).transpose(1, 2).reshape(-1, heads * depth)
    return mixed.index_select(0, bins.positions_N)


def _spread(packed_ND: Tensor, bins: Bins, heads: int) -> Tensor:
    """(N, D) to (bins * heads, W, D / heads), zero where a bin is empty."""
    dim = packed_ND.shape[1]
    spread = packed_ND.new_zeros(bins.bins * bins.width, dim).index_copy_(0, bins.positions_N, packed_ND)
    spread = spread.view(bins.bins, bins.width, heads, dim // heads).transpose(1, 2)
    return spread.reshape(bins.bins * heads, bins.width, dim // heads)
