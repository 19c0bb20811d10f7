"""The loop, in the open: one step, and the epochs around it."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from negsample.config import InputError, TrainSettings
from negsample.data.batches import Batch, epoch_batches
from negsample.data.sequences import Dataset
from negsample.evaluation import evaluate
from negsample.losses import of_parts
from negsample.methods import Method
from negsample.models import Backbone
from negsample.negatives import Negatives, Scored
from negsample.optimizers import Optimizer, optimizer_for, release, settle
from negsample.score import merge_negatives, score, score_targets, scores_bytes
from negsample.seeds import generator
from negsample.table import Rows, distinct_ids

SELECTED_BY = "hr@10"
MIB = 1 << 20
_MANY = 1 << 20  # numbers in the vectors of negatives: more are not looked up all at once


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


class Proposed(NamedTuple):
    """What the first seat gave for a batch.

    ``negatives``: their ``log_q`` is there when the selector needs it, and empty otherwise. ``frozen``: how many at
    the end take no gradient. ``pos_log_q_T``: of the targets, when the selector needs it.
    """

    negatives: Negatives
    frozen: int
    pos_log_q_T: Tensor | None


def propose(method: Method, batch: Batch, *, rng: torch.Generator) -> Proposed:
    """The method's proposal, and no more than its selector needs."""
    needs, sampler = method.select.needs, method.sampler
    if "log_q" in needs:
        negatives = sampler.sample(batch, rng=rng)
    else:
        ids = sampler.draw(batch, rng=rng)
        negatives = Negatives(ids, torch.empty(0, device=ids.device))
    pos_log_q_T = sampler.log_prob(batch.targets_T, batch, per="batch") if "pos_log_q" in needs else None
    return Proposed(negatives, sampler.frozen, pos_log_q_T)


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
    size = scores_bytes(len(batch.targets_T), proposed.negatives.ids.shape[-1])
    if score_memory is None or size <= score_memory or method.merged:
        loss = _loss_at_once(model, method, batch, proposed, negatives_rng, dropout_rng)
    elif "whole" in method.select.needs:
        raise InputError(
            f"score_memory: scores of about {-(-size // MIB):,} MiB are more than {score_memory / MIB:,.4g}, and this "
            "method must select from a batch as a whole; raise score_memory, or take a smaller batch_size"
        )
    else:
        parts = min(-(-size // score_memory), batch.sequences)
        loss = _loss_in_parts(model, method, batch, proposed, negatives_rng, dropout_rng, parts)
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return loss.detach()


def _loss_at_once(
    model: Backbone,
    method: Method,
    batch: Batch,
    proposed: Proposed,
    negatives_rng: torch.Generator,
    dropout_rng: torch.Generator,
) -> Tensor:
    ids = proposed.negatives.ids
    vectors: Tensor | Rows
    if _own(ids, batch) and ids.numel() * model.table.weight.shape[1] > _MANY:
        asked, vectors = model.table.rows(torch.cat([batch.inputs.items_T, batch.targets_T]), ids)
        inputs, targets = asked.vectors().chunk(2)
    else:
        inputs, targets, vectors = model.table.lookup(batch.inputs.items_T, batch.targets_T, ids)
    states_TD = model(inputs, batch.inputs, dropout_rng)
    vectors = _hold(vectors, proposed.frozen)
    if isinstance(vectors, Tensor) and method.merged:
        scored = Scored(score_targets(states_TD, targets), merge_negatives(states_TD, vectors, ids, batch))
    else:
        scored = _selected(method, states_TD, targets, vectors, proposed, batch, negatives_rng)
    return method.loss(scored.pos_T, scored.neg_TK)


def _loss_in_parts(
    model: Backbone,
    method: Method,
    batch: Batch,
    proposed: Proposed,
    negatives_rng: torch.Generator,
    dropout_rng: torch.Generator,
    parts: int,
) -> Tensor:
    """The same loss; vectors of negatives and scores are there for one of ``parts`` at a time."""
    ids = proposed.negatives.ids
    asked = (batch.inputs.items_T, batch.targets_T, ids)
    distinct, places = distinct_ids(torch.cat([each.reshape(-1) for each in asked]))
    (rows_ND,) = model.table.lookup(distinct)
    of_inputs, of_targets, of_ids = torch.split(places, [each.numel() for each in asked])
    of_ids = of_ids.view(ids.shape)
    states_TD = model(rows_ND.index_select(0, of_inputs), batch.inputs, dropout_rng)
    start = negatives_rng.clone_state()

    def sums(first: int, last: int, states_TD: Tensor, rows_ND: Tensor) -> Tensor:
        low, high = (int(each) for each in batch.inputs.offsets[[first, last]])
        some, own = batch.part(first, last), _part(proposed, batch, first, last)
        places = of_ids if ids.dim() == 1 else of_ids[first:last] if len(ids) == batch.sequences else of_ids[low:high]
        targets = rows_ND.index_select(0, of_targets[low:high])
        vectors = _hold(Rows(rows_ND, places), own.frozen)
        scored = _selected(method, states_TD[low:high], targets, vectors, own, some, start.clone_state())
        return method.loss(scored.pos_T, scored.neg_TK, parts=True)

    cuts = _cuts(batch, parts)
    total = torch.stack(
        [
            checkpoint(sums, first, last, states_TD, rows_ND, use_reentrant=False, preserve_rng_state=False)
            for first, last in pairwise(cuts)
        ]
    ).sum(0)
    torch.empty(1, device=ids.device).random_(generator=negatives_rng)  # the next step draws other numbers
    return of_parts(total)


def _selected(
    method: Method,
    states_TD: Tensor,
    targets_TD: Tensor,
    vectors: Tensor | Rows,
    proposed: Proposed,
    batch: Batch,
    rng: torch.Generator,
) -> Scored:
    needs = method.select.needs
    scored = score(
        states_TD, targets_TD, vectors, proposed.negatives, batch, needs=needs, pos_log_q_T=proposed.pos_log_q_T
    )
    return method.select(scored, rng=rng)


def _cuts(batch: Batch, parts: int) -> list[int]:
    """Sequence numbers that cut the batch's positions into about equal parts."""
    offsets = batch.inputs.offsets
    wanted = [offsets[-1] * part / parts for part in range(1, parts)]
    inner = {int(abs(offsets - each).argmin()) for each in wanted} - {0, batch.sequences}
    return [0, *sorted(inner), batch.sequences]


def _part(proposed: Proposed, batch: Batch, first: int, last: int) -> Proposed:
    """Of sequences ``first .. last - 1``."""
    low, high = batch.inputs.offsets[first], batch.inputs.offsets[last]

    def of(values: Tensor) -> Tensor:
        if values.dim() == 1:
            return values
        return values[first:last] if len(values) == batch.sequences else values[low:high]

    pos_log_q_T = proposed.pos_log_q_T
    return Proposed(
        Negatives(of(proposed.negatives.ids), of(proposed.negatives.log_q)),
        proposed.frozen,
        None if pos_log_q_T is None else pos_log_q_T[low:high],
    )


def _own(ids: Tensor, batch: Batch) -> bool:
    """Whether each position has negatives of its own."""
    return ids.dim() == 2 and len(ids) != batch.sequences


def _hold(vectors: Tensor | Rows, last: int) -> Tensor | Rows:
    """The vectors of negatives, those of the ``last`` ones without gradient."""
    if not last:
        return vectors
    vectors = vectors.vectors() if isinstance(vectors, Rows) else vectors
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
