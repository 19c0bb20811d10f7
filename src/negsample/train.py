"""The loop, in the open: one step, and the epochs around it."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from negsample.config import InputError, TrainSettings
from negsample.data.batches import Batch, epoch_batches
from negsample.data.sequences import Dataset
from negsample.evaluation import evaluate
from negsample.methods import Method
from negsample.models import Backbone
from negsample.negatives import Negatives, Scored
from negsample.score import merge_negatives, score, score_targets
from negsample.seeds import generator

SELECTED_BY = "hr@10"


class Epoch(NamedTuple):
    """What an epoch gave; ``valid`` where it was looked at, ``seconds`` and ``steps`` of training so far."""

    epoch: int
    loss: float
    seconds: float
    steps: int
    valid: dict[str, float | int] | None

    def entry(self) -> dict[str, Any]:
        """As a line of ``log.jsonl``."""
        return {name: value for name, value in self._asdict().items() if value is not None}


class Fitted(NamedTuple):
    """A finished training: its epochs, and the one whose weights the model now has."""

    log: list[Epoch]
    best_epoch: int


def step(
    model: Backbone,
    method: Method,
    batch: Batch,
    optimizer: torch.optim.Optimizer,
    *,
    negatives_rng: torch.Generator,
    dropout_rng: torch.Generator,
) -> Tensor:
    """One update: propose, look up, encode, score, select, lose, learn. Returns the loss, detached."""
    proposed = propose(method, batch, rng=negatives_rng)
    inputs, targets, vectors = model.table.lookup(batch.inputs.items_T, batch.targets_T, proposed.ids)
    vectors = _hold(vectors, method.sampler.frozen)
    states_TD = model(inputs, batch.inputs, dropout_rng)
    if method.merged:
        scored = Scored(score_targets(states_TD, targets), merge_negatives(states_TD, vectors, proposed.ids, batch))
    else:
        needs = method.select.needs
        asked = "pos_log_q" in needs
        pos_log_q_T = method.sampler.log_prob(batch.targets_T, batch, per="batch") if asked else None
        scored = score(states_TD, targets, vectors, proposed, batch, needs=needs, pos_log_q_T=pos_log_q_T)
        scored = method.select(scored, rng=negatives_rng)
    loss = method.loss(scored.pos_T, scored.neg_TK)
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return loss.detach()


def propose(method: Method, batch: Batch, *, rng: torch.Generator) -> Negatives:
    """The method's proposal; its ``log_q`` is computed when the selector needs it, and empty otherwise."""
    if "log_q" in method.select.needs:
        return method.sampler.sample(batch, rng=rng)
    ids = method.sampler.draw(batch, rng=rng)
    return Negatives(ids, torch.empty(0, device=ids.device))


def _hold(vectors: Tensor, last: int) -> Tensor:
    """The vectors of negatives, those of the ``last`` ones without gradient."""
    if not last:
        return vectors
    learning, held = torch.split(vectors, [vectors.shape[-2] - last, last], -2)
    return torch.cat([learning, held.detach()], -2)


def fit(
    model: Backbone,
    data: Dataset,
    method: Method,
    settings: TrainSettings,
    *,
    seed: int,
    watch: Callable[[Epoch], None] = lambda epoch: None,
) -> Fitted:
    """Train ``model`` in place and leave it with the weights of its best epoch by validation HR@10 (first if tied).

    Adam with betas 0.9 and 0.98, as the reference. Chance comes from ``seed``, by purpose. ``watch`` is called
    after each epoch.

    Raises:
        InputError: the loss stopped being a number.
    """
    device = model.table.weight.device
    order_rng = generator(seed, "order")
    negatives_rng, dropout_rng = generator(seed, "negatives", device), generator(seed, "dropout", device)
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.learning_rate, betas=(0.9, 0.98), eps=1e-8, fused=True)
    log: list[Epoch] = []
    best_epoch, best_value, best_weights = 0, -math.inf, copy.deepcopy(model.state_dict())
    seconds, steps = 0.0, 0
    for epoch in range(1, settings.epochs + 1):
        began = time.perf_counter()
        losses = []
        for batch in epoch_batches(
            data.items,
            data.offsets,
            data.train_ends,
            batch_size=settings.batch_size,
            max_length=settings.max_length,
            catalogue_size=data.catalogue_size,
            collisions=method.collisions,
            rng=order_rng,
        ):
            losses.append(
                step(
                    model,
                    method,
                    batch.to(device),
                    optimizer,
                    negatives_rng=negatives_rng,
                    dropout_rng=dropout_rng,
                )
            )
        loss = float(torch.stack(losses).mean())
        seconds += time.perf_counter() - began
        steps += len(losses)
        if not math.isfinite(loss):
            raise InputError(
                f"the loss became {loss} in epoch {epoch}: training diverged at learning_rate "
                f"{settings.learning_rate}; take a smaller one"
            )
        valid = None
        if epoch % settings.eval_every == 0 or epoch == settings.epochs:
            valid = evaluate(model, data, "valid", settings, device=device, with_top=False).figures
            if valid[SELECTED_BY] > best_value:
                best_epoch, best_value = epoch, valid[SELECTED_BY]
                best_weights = copy.deepcopy(model.state_dict())
        log.append(Epoch(epoch, loss, seconds, steps, valid))
        watch(log[-1])
    model.load_state_dict(best_weights)
    return Fitted(log, best_epoch)
