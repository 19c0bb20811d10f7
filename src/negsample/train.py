"""The loop, in the open: one step, and the epochs around it."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from negsample.config import InputError, TrainSettings
from negsample.data.batches import Batch, epoch_batches
from negsample.data.sequences import Dataset
from negsample.evaluation import evaluate
from negsample.forward import MIB, Proposed, loss_of, propose
from negsample.methods import Method
from negsample.models import Backbone
from negsample.optimizers import Optimizer, optimizer_for, release, settle
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
    optimizer: Optimizer,
    *,
    negatives_rng: torch.Generator,
    dropout_rng: torch.Generator,
    proposed: Proposed | None = None,
    score_memory: int | None = None,
) -> Tensor:
    """One update: propose, look up, encode, score, select, lose, learn. Returns the loss, detached.

    Args:
        model: a backbone with its table.
        method: the three seats.
        batch: what to learn from.
        optimizer: of PyTorch where the table is dense; see :func:`negsample.optimizers.optimizer_for`.
        negatives_rng: for what is proposed and selected, on the batch's device.
        dropout_rng: likewise.
        proposed: an earlier proposal for this batch, used again instead of a new one.
        score_memory: bytes that the scores may take (None: any); where they would take more, they are computed for
            some sequences at a time, and again for the gradient. (Chance in a selector is then the same for each part.)

    Raises:
        InputError: the scores would take more, and the method's selector needs the batch as a whole.
    """
    proposed = proposed or propose(method, batch, rng=negatives_rng)
    loss = loss_of(
        model,
        method,
        batch,
        proposed,
        negatives_rng=negatives_rng,
        dropout_rng=dropout_rng,
        score_memory=score_memory,
    )
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return loss.detach()


def fit(
    model: Backbone,
    data: Dataset,
    method: Method,
    settings: TrainSettings,
    *,
    seed: int,
    watch: Callable[[Epoch], None] = lambda epoch: None,
    scratch: Path | None = None,
) -> Fitted:
    """Train ``model`` in place and leave it with the weights of its best epoch by validation HR@10 (first if tied).

    Adam with betas 0.9 and 0.98, as the reference; see :func:`negsample.optimizers.optimizer_for`. Chance comes from
    ``seed``, by purpose. ``watch`` is called after each epoch. The weights of the best epoch so far lie in a nameless
    file in the folder ``scratch`` (None: the system's for temporary files), so that they take no memory.

    Raises:
        InputError: the loss stopped being a number, or :func:`step` refuses.
    """
    device = model.table.weight.device
    order_rng = generator(seed, "order")
    negatives_rng, dropout_rng = generator(seed, "negatives", device), generator(seed, "dropout", device)
    optimizer = optimizer_for(model, settings, rounding_rng=generator(seed, "rounding", device))
    score_memory = settings.score_memory * MIB
    log: list[Epoch] = []
    best_epoch, best_value = 0, -math.inf
    seconds, steps = 0.0, 0
    kept: list[tuple[Batch, Proposed]] = []
    with tempfile.TemporaryFile(dir=scratch) as best:
        for epoch in range(1, settings.epochs + 1):
            began = time.perf_counter()
            source = _epoch(data, method, settings, epoch, kept, order_rng=order_rng, negatives_rng=negatives_rng)
            losses = [
                step(
                    model,
                    method,
                    batch,
                    optimizer,
                    negatives_rng=negatives_rng,
                    dropout_rng=dropout_rng,
                    proposed=proposed,
                    score_memory=score_memory,
                )
                for batch, proposed in source
            ]
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
                settle(optimizer)
                valid = evaluate(model, data, "valid", settings, device=device, with_top=False).figures
                if valid[SELECTED_BY] > best_value:
                    best_epoch, best_value = epoch, valid[SELECTED_BY]
                    best.seek(0)
                    torch.save(model.state_dict(), best)
            log.append(Epoch(epoch, loss, seconds, steps, valid))
            watch(log[-1])
        optimizer.zero_grad()
        release(model)
        del optimizer  # its state would lie beside the second copy of the weights
        best.seek(0)
        model.load_state_dict(torch.load(best, map_location=device, weights_only=True))
    return Fitted(log, best_epoch)


def _epoch(
    data: Dataset,
    method: Method,
    settings: TrainSettings,
    epoch: int,
    kept: list[tuple[Batch, Proposed]],
    *,
    order_rng: torch.Generator,
    negatives_rng: torch.Generator,
) -> Iterator[tuple[Batch, Proposed]]:
    """The batches of an epoch with their negatives: new ones, or, once there are enough of them, some of ``kept``.

    The paper's oversampling factor: the first ``factor`` epochs' batches are kept with their negatives; after that
    each step takes one of them at random.
    """
    factor, device = settings.oversampling_factor, negatives_rng.device
    if factor is not None and epoch > factor:
        picks = torch.randint(len(kept), (len(kept) // factor,), generator=order_rng)
        yield from (kept[pick] for pick in picks.tolist())
        return
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
        there = batch.to(device)
        proposed = propose(method, there, rng=negatives_rng)
        if factor is not None:
            kept.append((there, proposed))
        yield there, proposed
