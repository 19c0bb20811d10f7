"""Dropout with a generator of its own."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

_STEPS = 1 << 16

Piece = tuple[slice, ...]
"""Where a part of a tensor lies."""


def dropout(values: Tensor, share: float, rng: torch.Generator | None) -> Tensor:
    """``values`` with ``share`` of them zero and the rest scaled by ``1 / (1 - share)``; as they are without rng.

    PyTorch's own takes no generator. Sixteen random bits a value, so ``share`` is rounded to a multiple of 2^-16
    (and the scale with it); four values share one 64-bit draw, which on a CPU is seven times faster than a
    Bernoulli draw each.
    """
    if rng is None or share == 0:
        return values
    return values * _factors(values.detach(), share, rng)


def dropout_by_piece(values: Tensor, share: float, rngs: Sequence[torch.Generator], pieces: Sequence[Piece]) -> Tensor:
    """The same for each piece of ``values`` from a generator of its own; what lies in no piece becomes zero."""
    if share == 0:
        return values
    factors = values.new_zeros(values.shape)
    for rng, piece in zip(rngs, pieces, strict=True):
        factors[piece] = _factors(values.detach()[piece], share, rng)
    return values * factors


def _factors(values: Tensor, share: float, rng: torch.Generator) -> Tensor:
    """0 or ``1 / (1 - share)`` for each of ``values``, in their order."""
    dropped = min(round(share * _STEPS), _STEPS - 1)
    words = torch.empty((values.numel() + 3) // 4, dtype=torch.int64, device=values.device)
    words.random_(-(1 << 63), None, generator=rng)
    bits = words.view(torch.int16)[: values.numel()].view(values.shape)
    keep = torch.ge(
        bits, dropped - _STEPS // 2, out=torch.empty(values.shape, dtype=values.dtype, device=values.device)
    )
    return keep.mul_(_STEPS / (_STEPS - dropped))
