"""Miners that change which negatives take part: the hardest, resampled by their scores, and mixtures of two."""

from __future__ import annotations

import math
from typing import Literal

import torch

from negsample.miners.base import NOTHING, Needs, Scored, check_needs
from negsample.samplers.memory_bank import Cache


class Hardest:
    """The ``k`` highest scores of each position (ANS and AMNS of the paper; DNS, Zhang et al., SIGIR'13, for k=1).

    What is not kept is left out (``omit``: the result is (T, k)), or its score becomes 0 and stays in the mean
    (``zero``, the paper's: (T, K), the gradient scaled by k / K, a constant log 2 added to BCE). With fewer than k
    proposed all are kept. Absent ones stay absent.
    """

    needs = NOTHING
    of_several = True

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


class Resample:
    """``k`` draws a position with replacement, with weights ``exp(s - log q)`` (BIR and XIR: Chen et al., NeurIPS'22).

    The proposals are drawn from q; these are then draws from about the softmax of the scores over all that could be
    proposed, and ``log_q`` becomes their log-probability there: ``s - log((1/m) sum_j exp(s_j - log q_j))``.
    :class:`LogQ` after it makes sampled softmax an estimate of full cross-entropy, with the same value whatever was
    drawn and the gradient spread over the draws.

    Args:
        k: draws.
        cache: gets the first draw of each position, to propose it again.
    """

    def __init__(self, k: int, *, cache: Cache | None = None) -> None:
        if k < 1:
            raise ValueError(f"resampled must be >= 1, got {k}")
        self.k, self.cache = k, cache
        self.adds = k
        # A cache is updated once a batch, with all its positions.
        self.needs: Needs = frozenset(("log_q",)) if cache is None else frozenset(("log_q", "ids", "whole"))

    def __call__(self, scored: Scored, *, rng: torch.Generator) -> Scored:
        """(T, k) scores; (T, k) absent ones where all were absent."""
        check_needs(self.needs, scored)
        assert scored.log_q_TK is not None
        neg_TK, log_q_TK = scored.neg_TK.detach(), scored.log_q_TK
        if not neg_TK.shape[1]:
            return scored
        weights = torch.where(log_q_TK > -math.inf, neg_TK - log_q_TK, -math.inf)
        highest = weights.amax(1, keepdim=True)
        until = torch.cumsum(torch.exp(weights - highest.clamp(min=torch.finfo(weights.dtype).min)).double(), 1)
        total = until[:, -1:]
        uniform = torch.rand(len(weights), self.k, generator=rng, dtype=torch.float64, device=weights.device)
        # The first column beyond the point; never one of no weight, since its running sum equals that before it.
        columns = torch.searchsorted(until, uniform * total, right=True).clamp_(max=weights.shape[1] - 1)
        taken = scored.take(columns)
        if self.cache is not None:
            assert taken.ids_TK is not None
            # One of its draws from each position stands for all, so that a cache holds several batches.
            first = taken.ids_TK[:, 0]
            self.cache.remember(torch.where(taken.neg_TK[:, 0] > -math.inf, first, 0))
        drawn_T1 = scored.drawn().unsqueeze(1).clamp(min=1)
        log_total = torch.log(total) + highest - torch.log(drawn_T1)
        log_q = torch.where(taken.neg_TK > -math.inf, taken.neg_TK.detach() - log_total, -math.inf)
        return taken._replace(log_q_TK=log_q.to(weights.dtype))


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
