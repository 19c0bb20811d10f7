"""The third seat: pure functions of scores.

``pos_T``: the score of each position's target. ``neg_TK``: of its negatives, ``-inf`` where absent: an absent one
adds nothing, and leaves the mean.
"""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn import functional as F


def bce(pos_T: Tensor, neg_TK: Tensor) -> Tensor:
    """Binary cross-entropy as in SASRec (Kang & McAuley, ICDM'18), for any number of negatives.

    ``mean_T softplus(-s_pos) + mean over the present negatives of softplus(s_neg)``; the second mean is 0 when
    none is present. Returns a scalar.
    """
    present = (neg_TK > -math.inf).sum().clamp(min=1)
    return F.softplus(-pos_T).mean() + F.softplus(neg_TK).sum() / present


LOSSES = {"bce": bce}
