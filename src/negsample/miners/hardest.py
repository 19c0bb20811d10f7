"""Hard negatives: those with the highest scores."""

from __future__ import annotations

import math
from typing import Literal

import torch

from negsample.miners.base import NOTHING, Scored


class Hardest:
    """The ``k`` highest scores of each position (ANS and AMNS of the paper; DNS, Zhang et al., SIGIR'13, for k=1).

    What is not kept is left out (``omit``: the result is (T, k)), or its score becomes 0 and stays in the mean
    (``zero``, the paper's: (T, K), the gradient scaled by k / K, a constant log 2 added to BCE). With fewer than k
    proposed all are kept. Absent ones stay absent.
    """

    needs = NOTHING

    def __init__(self, k: int, *, not_kept: Literal["omit", "zero"] = "omit") -> None:
        if k < 1:
            raise ValueError(f"kept hardest must be >= 1, got {k}")
        if not_kept not in ("omit", "zero"):
            raise ValueError(f"not_kept must be 'omit' or 'zero', got {not_kept!r}")
        self.k, self.not_kept = k, not_kept

    def __call__(self, scored: Scored, *, rng: torch.Generator) -> Scored:
        """See the class."""
        neg_TK = scored.neg_TK
        if self.k >= neg_TK.shape[1]:
            return scored
        columns = torch.topk(neg_TK.detach(), self.k, dim=1, sorted=False).indices
        if self.not_kept == "omit":
            return scored.take(columns)
        kept = torch.zeros_like(neg_TK, dtype=torch.bool).scatter_(1, columns, True)
        return scored._replace(neg_TK=torch.where(kept | (neg_TK == -math.inf), neg_TK, 0.0))


class OneOfHardest:
    """One at random of the ``n`` highest scores of each position: DNS(M, N) (Shi et al., WWW'23), M being proposed.

    For n=1 it is DNS (Zhang et al., SIGIR'13). Where fewer than n are present, one of those.
    """

    needs = NOTHING

    def __init__(self, n: int) -> None:
        if n < 1:
            raise ValueError(f"n, of which one is picked, must be >= 1, got {n}")
        self.n = n

    def __call__(self, scored: Scored, *, rng: torch.Generator) -> Scored:
        """(T, 1) scores."""
        neg_TK = scored.neg_TK
        if not neg_TK.shape[1]:
            return scored
        best = torch.topk(neg_TK.detach(), min(self.n, neg_TK.shape[1]), dim=1)
        present = (best.values > -math.inf).sum(1).clamp_(min=1)
        uniform = torch.rand(len(neg_TK), generator=rng, device=neg_TK.device)
        pick = torch.minimum((uniform * present).long(), present - 1)
        return scored.take(torch.gather(best.indices, 1, pick.unsqueeze(1)))
