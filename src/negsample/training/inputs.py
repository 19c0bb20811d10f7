"""What one step of a model computes with: its options, and the negatives that its method proposes."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from negsample.batches.packed import Batch
from negsample.methods import Method
from negsample.models import Backbone
from negsample.samplers import Negatives, Sampler
from negsample.samplers.exclusion import excludes, split_keys
from negsample.settings import RunSettings
from negsample.training.score import MIB
from negsample.training.terms import StepTerms


class StepOptions(NamedTuple):
    """How a step is computed.

    Attributes:
        score_memory: bytes that the scores may take (None: any); where they would take more, they are computed for
            some sequences at a time, and again for the gradient. (What a miner draws is then the same for each part.)
        autocast: number type of the encoder's products, ``torch.bfloat16`` or None; scores and losses are float32.
        padded_to: L, to have the loss's means run over all B x L positions, those without an item included, as the
            reference has it. There a position without an item adds ``log 2`` to the positive mean, its target's vector
            being zero, and to the negative mean ``softplus(beta . e)`` for each negative of its sequence, ``beta`` the
            bias of the last norm. So the gradient of a real position is smaller by the share of positions that are
            real, and rows that are drawn learn to have a low score in the direction of ``beta``. Never in parts.
    """

    score_memory: int | None = None
    autocast: torch.dtype | None = None
    padded_to: int | None = None


class StepInputs(NamedTuple):
    """What a step of one model computes with. ``miner_rng``: for what the miner draws; ``terms``: what is known at the
    times of the targets, None: nothing is asked for."""

    model: Backbone
    method: Method
    batch: Batch
    negatives: Negatives
    miner_rng: torch.Generator
    dropout_rng: torch.Generator
    options: StepOptions = StepOptions()
    terms: StepTerms | None = None

    def part(self, first: int, last: int) -> StepInputs:
        """Sequences ``first .. last - 1`` alone."""
        negatives, here, batch = self.negatives, self.batch.span(first, last), self.batch.part(first, last)
        return self._replace(
            batch=batch,
            terms=self.terms and self.terms.of(batch),
            negatives=negatives._replace(
                ids=self.rows_of(negatives.ids, first, last),
                log_q=None if negatives.log_q is None else self.rows_of(negatives.log_q, first, last),
                pos_log_q_T=None if negatives.pos_log_q_T is None else negatives.pos_log_q_T[here],
                masked_T=None if negatives.masked_T is None else negatives.masked_T[here],
            ),
        )

    def rows_of(self, values: Tensor, first: int, last: int) -> Tensor:
        """What of ``values`` (K,), (S, 1, K), (B, K) or (T, K) is of these sequences."""
        if values.dim() != 2:
            return values
        sequences = len(values) == self.batch.sequences
        return values[first:last] if sequences else values[self.batch.span(first, last)]


def step_options(settings: RunSettings, models: int = 1) -> StepOptions:
    """What ``settings`` say for each of several ``models`` that are trained together."""
    return StepOptions(
        score_memory=settings.machine.score_memory * MIB // models,
        autocast=torch.bfloat16 if settings.training.precision == "bfloat16" else None,
        padded_to=settings.model.max_length if settings.training.padding == "count" else None,
    )


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
    rows_T = batch.target_rows
    if batch.exclude == "none" or excludes(batch, sampler.per):
        return torch.zeros(len(rows_T), device=batch.device)
    free = replace(batch, exclude="none")
    if batch.exclude == "target":
        return sampler.log_prob(batch.targets_T.unsqueeze(1), free, per="position").exp().squeeze(1)
    rows, items = split_keys(batch)
    share = sampler.log_prob(items.unsqueeze(1), free, per="sequence", rows=rows).exp().squeeze(1)
    return torch.zeros(batch.sequences, device=batch.device).index_add_(0, rows, share)[rows_T]
