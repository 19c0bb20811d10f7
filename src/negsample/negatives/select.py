"""The second seat: which of the proposed negatives take part, by their scores."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

Select = Callable[[Tensor], Tensor]
"""(T, K) scores, ``-inf`` where absent, to (T, K') scores."""


def keep_all(scores_TK: Tensor) -> Tensor:
    """Every proposed negative."""
    return scores_TK


class Hardest:
    """The ``k`` highest scores of each position (ANS and AMNS of the paper; DNS, Zhang et al., SIGIR'13, for k=1).

    What is not kept is left out (``omit``: the result is (T, k)), or its score becomes 0 and stays in the mean
    (``zero``, the paper's: (T, K), the gradient scaled by k / K, a constant log 2 added to BCE). With fewer than k
    proposed all are kept. Absent ones stay absent.
    """

    def __init__(self, k: int, *, not_kept: Literal["omit", "zero"] = "omit") -> None:
        if k < 1:
            raise ValueError(f"kept hardest must be >= 1, got {k}")
        if not_kept not in ("omit", "zero"):
            raise ValueError(f"not_kept must be 'omit' or 'zero', got {not_kept!r}")
        self.k = k
        self.not_kept = not_kept

    def __call__(self, scores_TK: Tensor) -> Tensor:
        """See the class."""
        if self.k >= scores_TK.shape[1]:
            return scores_TK
        best = torch.topk(scores_TK, self.k, dim=1, sorted=False)
        if self.not_kept == "omit":
            return best.values
        kept = torch.zeros_like(scores_TK, dtype=torch.bool).scatter_(1, best.indices, True)
        return torch.where(kept | (scores_TK == -math.inf), scores_TK, 0.0)
