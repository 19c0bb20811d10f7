"""The log-q correction, and the temperature before it."""

from __future__ import annotations

import math

import torch

from negsample.miners.base import NOTHING, Needs, Scored, check_needs

_LOWEST = -1e30  # of a log q that must be finite
_SMALLEST = 1e-6  # share that what is masked leaves to all other items


class Temperature:
    """Every score divided by ``temperature``, the target's too; before :class:`LogQ`, whose correction is not."""

    needs = NOTHING
    of_several = True

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
            user's own. The usual form, and biased, since the target was not drawn. One that it cannot give stays
            as it is.
        without_masked: ``q' = q / (1 - Q)``, Q the probability of all that is masked when it is scored, and m the
            negatives that are not (Khrylchenko et al., RecSys'25). What the draw left out already is no part of Q.
    """

    of_several = True

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
        corrected_TK = torch.sub(scored.neg_TK, log_q_TK, alpha=self.strength)
        corrected = scored._replace(neg_TK=corrected_TK - self.strength * log_m_T.unsqueeze(1))
        if not self.positives:
            return corrected
        assert pos_log_q_T is not None
        known_T = torch.where(pos_log_q_T > -math.inf, pos_log_q_T + log_m_T, 0)
        return corrected._replace(pos_T=scored.pos_T - self.strength * known_T)
