"""What a method proposes for a batch, with all that its miner needs to know of it."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from negsample.batches.packed import Batch
from negsample.methods import Method
from negsample.samplers import Negatives, Sampler
from negsample.samplers.exclusion import excludes, split_keys


def propose(method: Method, batch: Batch, *, rng: torch.Generator) -> Negatives:
    """The method's negatives for ``batch``, with no more than its miner needs."""
    needs, sampler = method.miner.needs, method.sampler
    negatives = sampler.sample(batch, rng=rng) if "log_q" in needs else sampler.draw(batch, rng=rng)
    return negatives._replace(
        pos_log_q_T=sampler.log_prob(batch.targets_T, batch, per="batch") if "pos_log_q" in needs else None,
        masked_T=masked_share(sampler, batch) if "masked" in needs else None,
    )


def masked_share(sampler: Sampler, batch: Batch) -> Tensor:
    """(T,) probability that one draw of ``sampler`` is masked when it is scored: what its draw could not leave out."""
    rows_T = batch.inputs.rows_T
    if batch.exclude == "none" or excludes(batch, sampler.per):
        return torch.zeros(len(rows_T), device=batch.device)
    free = replace(batch, exclude="none")
    if batch.exclude == "target":
        return sampler.log_prob(batch.targets_T.unsqueeze(1), free, per="position").exp().squeeze(1)
    rows, items = split_keys(batch)
    share = sampler.log_prob(items.unsqueeze(1), free, per="sequence", rows=rows).exp().squeeze(1)
    return torch.zeros(batch.sequences, device=batch.device).index_add_(0, rows, share)[rows_T]
