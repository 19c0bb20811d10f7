"""Resampling of negatives by their scores."""

from __future__ import annotations

import math

import torch

from negsample.miners.base import Needs, Scored, check_needs
from negsample.samplers.memory_bank import Cache


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
