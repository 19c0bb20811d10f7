"""Padding that counts in the loss, as it does in the reference (``padding=count``)."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from negsample.batches.packed import Batch
from negsample.errors import InputError
from negsample.methods import Method
from negsample.miners import Scored
from negsample.models import Backbone, SASRec
from negsample.models.item_table import Rows
from negsample.training.proposals import Proposed, of_positions
from negsample.training.score import MIB, scores_bytes


def check_padding(
    model: Backbone,
    method: Method,
    batch: Batch,
    proposed: Proposed,
    padded_to: int,
    score_memory: int | None,
) -> None:
    """Slots without an item can be counted in what ``method`` loses on ``batch``.

    Raises:
        InputError: they have no state or no negatives, the miner needs more of them than scores, or all is too much
            at once.
    """
    if not isinstance(model, SASRec):
        raise InputError("setting padding=count is for model=sasrec; leave it out")
    ids = proposed.negatives.ids
    if ids.dim() != 2 or of_positions(ids, batch) or method.miner.needs:
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


def blank_scores(
    blank_D: Tensor,
    method: Method,
    vectors: Tensor | Rows,
    ids_BK: Tensor,
    batch: Batch,
    padded_to: int,
    negatives_rng: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Scores of the slots without an item as of positions, what is selected: their state is ``blank_D``, their target
    id 0 with the vector zero, their negatives those of their sequence. Those of a sequence are alike, so selecting is
    done once for it."""
    vectors_BKD = vectors.vectors() if isinstance(vectors, Rows) else vectors
    scores_BK = (vectors_BKD @ blank_D).masked_fill(ids_BK == 0, -math.inf)
    selected = method.miner(Scored(scores_BK.new_zeros(len(scores_BK)), scores_BK), rng=negatives_rng)
    missing_B = padded_to - torch.from_numpy(np.diff(batch.inputs.offsets)).to(ids_BK.device)
    return selected.pos_T.repeat_interleave(missing_B), selected.neg_TK.repeat_interleave(missing_B, 0)
