"""Synthetic negatives: mixtures of two."""

from __future__ import annotations

import math

import torch

from negsample.miners.base import NOTHING, Scored


class BatchMix:
    """``n`` synthetic negatives beside the proposed: ``lambda e_i + (1 - lambda) e_j`` (BMNS, Fan et al., CIKM'23).

    ``i`` and ``j`` are proposals, uniformly, and ``lambda ~ Beta(a, a)``. A score is linear in the item, so the score
    of a synthetic item is the mixture of two scores, and needs no vector. For proposals shared by the batch the
    synthetic items are shared too. One that mixes an absent negative is absent.
    """

    needs = NOTHING

    def __init__(self, n: int, *, a: float = 1.0) -> None:
        if n < 1:
            raise ValueError(f"mixed negatives must be >= 1, got {n}")
        if not (math.isfinite(a) and a > 0):
            raise ValueError(f"the Beta distribution's a must be > 0, got {a}")
        self.n, self.a = n, a
        self.adds = n

    def __call__(self, scored: Scored, *, rng: torch.Generator) -> Scored:
        """(T, K + n) scores."""
        neg_TK = scored.neg_TK
        k, device = neg_TK.shape[1], neg_TK.device
        if not k:
            return scored
        first, second = torch.randint(k, (2, self.n), generator=rng, device=device)
        gammas = torch._standard_gamma(torch.full((2, self.n), self.a, dtype=torch.float64, device=device), rng)
        share = (gammas[0] / gammas.sum(0)).clamp(1e-6, 1 - 1e-6).to(neg_TK.dtype)
        mixed = share * neg_TK.index_select(1, first) + (1 - share) * neg_TK.index_select(1, second)
        return Scored(scored.pos_T, torch.cat([neg_TK, mixed], 1))
