"""Losses by their formulas (FIELD, sections 3 and 4), position by position.

``pos``: the score of each position's target; ``neg``: those of its negatives, the absent ones left away.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

Negatives = Sequence[Tensor]


def softplus(x: Tensor) -> Tensor:
    """``log(1 + exp x)``."""
    return torch.log(1 + torch.exp(x))


def mean(values: Sequence[Tensor]) -> Tensor:
    """0 of nothing."""
    return sum(values[1:], values[0]) / len(values) if values else torch.zeros(())


def each_of(neg: Negatives) -> list[Tensor]:
    """Every negative of every position."""
    return [score for scores in neg for score in scores]


def bce(pos: Sequence[Tensor], neg: Negatives) -> Tensor:
    """Mean over positions of ``softplus(-s_pos)``, and over positions and negatives of ``softplus(s_neg)``."""
    return mean([softplus(-score) for score in pos]) + mean([softplus(score) for score in each_of(neg)])


def gbce(pos: Sequence[Tensor], neg: Negatives, *, drawn: int, items: int, t: float) -> Tensor:
    """``-log sigma(s_pos)^beta`` for the target, and every negative by itself."""
    a = drawn / (items - 1)
    beta = a * (t * (1 - 1 / a) + 1 / a)
    both = zip(pos, neg, strict=True)
    return mean([beta * softplus(-target) + softplus(scores).sum() for target, scores in both])


def bpr(pos: Sequence[Tensor], neg: Negatives) -> Tensor:
    """``-log sigma(s_pos - s_neg)``."""
    both = zip(pos, neg, strict=True)
    return mean([-torch.log(torch.sigmoid(target - score)) for target, scores in both for score in scores])


def bpr_max(pos: Sequence[Tensor], neg: Negatives, *, reg: float) -> Tensor:
    """``-log sum_j softmax(s_j) sigma(s_pos - s_j) + reg sum_j softmax(s_j) s_j^2``; 0 without negatives."""
    found = []
    for target, scores in zip(pos, neg, strict=True):
        if len(scores) == 0:
            found.append(0 * target)
            continue
        share = torch.exp(scores) / torch.exp(scores).sum()
        found.append(-torch.log((share * torch.sigmoid(target - scores)).sum()) + reg * (share * scores**2).sum())
    return mean(found)


def softmax(pos: Sequence[Tensor], neg: Negatives) -> Tensor:
    """``-s_pos + log(exp s_pos + sum exp s_neg)``."""
    both = zip(pos, neg, strict=True)
    return mean([-target + torch.log(torch.exp(target) + torch.exp(scores).sum()) for target, scores in both])


def corrected_log_q(pos: Sequence[Tensor], neg: Negatives) -> Tensor:
    """``sg(1 - P(pos)) (-s_pos + log sum_neg exp s')``, for scores that are corrected; 0 without negatives."""
    found = []
    for target, scores in zip(pos, neg, strict=True):
        if len(scores) == 0:
            found.append(0 * target)
            continue
        others = torch.exp(scores).sum()
        share = torch.exp(target) / (torch.exp(target) + others)
        found.append((1 - share).detach() * (-target + torch.log(others)))
    return mean(found)
