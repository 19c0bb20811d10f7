"""Padding that counts in the loss, as it does in the reference (``padding=count``)."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from negsample.errors import InputError
from negsample.miners import Scored
from negsample.models import SASRec
from negsample.models.item_table import Rows, looked_up
from negsample.training.inputs import StepInputs
from negsample.training.score import MIB, scores_bytes


def check_padding(given: StepInputs) -> None:
    """Positions without an item can be counted in the loss.

    Raises:
        InputError: they have no state or no negatives, the miner needs more of them than scores, or all is too much at
            once.
    """
    model, method, batch, negatives, _, (score_memory, _, padded_to) = given
    assert padded_to is not None
    if not isinstance(model, SASRec):
        raise InputError("setting padding=count is for backbone sasrec; leave it out")
    ids = negatives.ids
    if ids.dim() != 2 or len(ids) != batch.sequences or method.miner.needs:
        raise InputError(
            "setting padding=count is for methods whose negatives are drawn per sequence (draws_per=sequence) and "
            "selected by score alone, as the reference's are; leave it out, or choose such a method"
        )
    size = scores_bytes(batch.sequences * padded_to, ids.shape[1])
    if score_memory is not None and size > score_memory:
        raise InputError(
            f"score_memory: with padding=count scores of about {-(-size // MIB):,} MiB must be held at once; raise "
            f"score_memory={score_memory // MIB}, or take a smaller batch_size or max_length"
        )


def padding_scores(given: StepInputs, negatives: Tensor | Rows, padding_D: Tensor) -> Scored:
    """Scores of the positions without an item, as the miner leaves them.

    Their state is ``padding_D``, their target id 0 with the vector zero, their negatives those of their sequence, with
    the vectors ``negatives``. Those of a sequence are alike, so the miner sees one of them.
    """
    assert given.options.padded_to is not None
    scores_BK = (looked_up(negatives) @ padding_D).masked_fill(given.negatives.ids == 0, -math.inf)
    pos_B, neg_BK, *_ = given.method.miner(Scored(scores_BK.new_zeros(len(scores_BK)), scores_BK), rng=given.rng)
    missing_B = given.options.padded_to - torch.from_numpy(np.diff(given.batch.inputs.offsets)).to(neg_BK.device)
    return Scored(pos_B.repeat_interleave(missing_B), neg_BK.repeat_interleave(missing_B, 0))
