"""Miners that change scores, or draw by them: temperature, the log-q correction, resampling, mixing."""

from __future__ import annotations

import math

import torch

from negsample.miners.base import NOTHING, Needs, Scored, check_needs
from negsample.samplers.memory_bank import Cache

_LOWEST = -1e30  # of a log q that must be finite
_SMALLEST = 1e-6  # share that what is masked leaves to all other items


class Resample:
    """``k`` draws a position with replacement, with weights ``exp(s - log q)`` (BIR and XIR: Chen et al., NeurIPS'22).

    The proposals are drawn from q; these are then draws from about the softmax of the scores over all that could be
    proposed, and ``log_q`` becomes their log-probability there: ``s - log((1/m) sum_j exp(s_j - log q_j))``.
    :class:`LogQ` after it makes sampled softmax an estimate of full cross-entropy, with the same value whatever was
    drawn and the gradient spread over the draws.

    Args:
        k: draws.
        cache: told the first draw of each position, to be proposed again.
    """

    def __init__(self, k: int, *, cache: Cache | None = None) -> None:
        if k < 1:
            raise ValueError(f"resampled must be >= 1, got {k}")
        self.k, self.cache = k, cache
        self.adds = k
        # A cache is told once a batch, of all its positions.
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
        # The first place beyond the point; never one of no weight, since its running sum equals that before it.
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


class Temperature:
    """Every score divided by ``temperature``, the target's too; before :class:`LogQ`, whose correction is not."""

    needs = NOTHING

    def __init__(self, temperature: float) -> None:
        if not (math.isfinite(temperature) and temperature > 0):
            raise ValueError(f"temperature must be > 0, got {temperature}")
        self.temperature = temperature

    def __call__(self, scored: Scored, *, rng: torch.Generator) -> Scored:
        """The same, divided."""
        if self.temperature == 1:
            return scored
        return scored._replace(pos_T=scored.pos_T / self.temperature, neg_TK=scored.neg_TK / self.temperature)


class LogQ:
    """The log-q correction: ``s' = s - strength * log(m q)``, m the number of draws (Bengio & Senecal, 2008).

    With strength 1, ``sum_j exp(s'_j)`` over the negatives has the mean ``sum_i exp(s_i)`` over the items that may be
    one and that q can give, and sampled softmax is an estimate of full cross-entropy whose bias falls with m; the
    target's score is left as it is. With strength 0 it does nothing.

    Args:
        strength: from 0 to 1.
        positives: the target's score is corrected likewise, with its share of all targets (Yi et al., RecSys'19): its
            probability as any item of a batch, its own occurrence there included, where the negatives' is without the
            user's own. The usual form, and biased, since the target was not drawn. One that the law cannot give stays
            as it is.
        without_masked: ``q' = q / (1 - Q)``, Q the probability of all that is masked when it is scored, and m the
            negatives that are not (Khrylchenko et al., RecSys'25). What the draw left out already is no part of Q.
    """

    def __init__(self, strength: float = 1.0, *, positives: bool = False, without_masked: bool = False) -> None:
        if not 0 <= strength <= 1:
            raise ValueError(f"the strength of the log-q correction must be in [0, 1], got {strength}")
        if positives and without_masked:
            raise ValueError("the target is either corrected (positives) or taken out of q (without_masked), not both")
        self.strength, self.positives, self.without_masked = strength, positives, without_masked
        further: Needs = frozenset(("pos_log_q",)) if positives else frozenset(("masked",) if without_masked else ())
        self.needs: Needs = further | {"log_q"}

    def __call__(self, scored: Scored, *, rng: torch.Generator) -> Scored:
        """The same negatives with corrected scores."""
        if self.strength == 0:  # nothing, and not 0 * inf, where a target's log q is -inf
            return scored
        check_needs(self.needs, scored)
        assert scored.log_q_TK is not None
        pos_log_q_T = scored.pos_log_q_T
        log_m_T = torch.log(scored.drawn().clamp(min=1))
        if self.without_masked:
            assert scored.masked_T is not None
            present_T = (scored.neg_TK > -math.inf).sum(1).clamp(min=1)
            log_m_T = torch.log(present_T) - torch.log1p(-scored.masked_T.clamp(max=1 - _SMALLEST))
        log_q_TK = scored.log_q_TK.clamp(min=_LOWEST)  # where absent the score is -inf, and no number would be left
        by_law_TK = torch.sub(scored.neg_TK, log_q_TK, alpha=self.strength)
        corrected = scored._replace(neg_TK=by_law_TK - self.strength * log_m_T.unsqueeze(1))
        if not self.positives:
            return corrected
        assert pos_log_q_T is not None
        known_T = torch.where(pos_log_q_T > -math.inf, pos_log_q_T + log_m_T, 0)
        return corrected._replace(pos_T=scored.pos_T - self.strength * known_T)


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
