"""The loop, in the open: one step, and the epochs around it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from negsample.batches.epochs import batches_again, batches_of
from negsample.batches.packed import Batch
from negsample.batches.prefetch import ahead
from negsample.data.dataset import Dataset
from negsample.errors import guarded
from negsample.methods import Method
from negsample.models import Backbone, SASRec, Together
from negsample.models.agreement import check_items, check_model
from negsample.optim import ModelOptimizer, Optimizer, optimizer_of, release
from negsample.settings import TrainSettings
from negsample.training.checkpoint import Checkpoint, State
from negsample.training.divergence import Trace
from negsample.training.forward import way_of
from negsample.training.proposals import Proposed, Replay, laid_together, propose
from negsample.training.score import MIB
from negsample.training.state import Epoch, Fitted, TrainingState


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
    autocast: torch.dtype | None = None,
    padded_to: int | None = None,
) -> Tensor:
    """One update: propose, look up, encode, score, select, lose, learn. Returns the loss, detached.

    Args:
        model: a backbone with its table.
        method: the three seats.
        batch: what to learn from.
        optimizer: of PyTorch where the table is dense; see :func:`negsample.optim.optimizer_for`.
        negatives_rng: for what is proposed and selected, on the batch's device.
        dropout_rng: likewise.
        proposed: an earlier proposal for this batch, used again instead of a new one.
        score_memory: bytes that the scores may take (None: any); where they would take more, they are computed for
            some sequences at a time, and again for the gradient. (Chance in a miner is then the same for each part.)
        autocast: number type of the encoder's products, ``torch.bfloat16`` or None; scores and losses are float32.
        padded_to: L, to have the loss's means run over all B x L slots, those without an item included: the
            reference's quirk, see :func:`padding_of`. Never in parts.

    Raises:
        InputError: the scores would take more, and the method's miner needs the batch as a whole; or slots without
            an item cannot be counted for this method and model.
        ValueError: the batch is of another catalogue than the model.
    """
    check_items(model.table, batch.catalogue_size, "the batch")
    proposed = proposed or propose(method, batch, rng=negatives_rng)
    way = way_of(
        model,
        method,
        batch,
        proposed,
        negatives_rng=negatives_rng,
        score_memory=score_memory,
        padded_to=padded_to,
    )
    with _autocast(batch.device, autocast):
        states_TD = model(way.inputs_TD, batch.inputs, dropout_rng)
    loss = way.finish(states_TD.float(), _blank_of(model)) if way.blank else way.finish(states_TD.float())
    _learn(loss, optimizer)
    return loss.detach()


def precision_of(settings: TrainSettings) -> torch.dtype | None:
    """The ``autocast`` of :func:`step` that ``settings`` say."""
    return torch.bfloat16 if settings.precision == "bfloat16" else None


def padding_of(settings: TrainSettings) -> int | None:
    """The ``padded_to`` of :func:`step` that ``settings`` say.

    In the reference a slot without an item adds ``log 2`` to the positive mean, its target's vector being zero, and to
    the negative mean ``softplus(beta . e)`` for each negative of its sequence, ``beta`` the bias of the last norm. So
    the gradient of a real position is smaller by the share of slots that are real, and rows that are drawn learn to
    have a low score in the direction of ``beta``.
    """
    return settings.max_length if settings.padding == "count" else None


def _blank_of(model: Backbone) -> Tensor:
    assert isinstance(model, SASRec), "way_of has refused all others"
    return model.blank_state


def _autocast(device: torch.device, to: torch.dtype | None) -> torch.autocast:
    return torch.autocast(device.type, to, enabled=to is not None)


def _learn(loss: Tensor, optimizer: Optimizer) -> None:
    if loss.device.type == "cpu" and not bool(torch.isfinite(loss)):
        return  # the weights stay as they were, and show what was wrong first; a GPU would have to be waited for
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()


@guarded
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
    """Train ``model`` in place and leave it with the weights of its best epoch: the highest validation HR@10, of equal
    ones the highest NDCG@10, and of those the first.

    Adam with betas 0.9 and 0.98, as the reference; see :func:`negsample.optim.optimizer_for`. Chance comes from
    ``seed``, by purpose; ``watch`` and ``scratch`` as of :class:`TrainingState`.

    Raises:
        DivergedError: the loss or the weights stopped being finite.
        InputError: :func:`step` refuses.
        ValueError: ``model`` is another than ``settings`` say, or for another number of items than ``data`` has.
    """
    (fitted,) = fit_together([TrainingState(model, method, seed=seed, watch=watch, scratch=scratch)], data, settings)
    return fitted


def fit_together(
    trainings: Sequence[TrainingState], data: Dataset, settings: TrainSettings, checkpoint: Checkpoint | None = None
) -> list[Fitted]:
    """:func:`fit` for each of ``trainings``, all at once as one batched model (:class:`negsample.models.Together`).

    Each gives what it would give alone, but for rounding. Seconds of training are a training's share of what all took.
    With a ``checkpoint`` the training is carried on from what was kept there: on a CPU its numbers are those of a
    training that was never stopped, bit for bit, given the same number of threads.

    Raises:
        InputError: see :func:`fit`; or what was kept is damaged.
        ValueError: there are several and they are no SASRec of one shape; or see :func:`fit`.
    """
    for training in trainings:
        check_items(training.model.table, data.catalogue_size, data.name)
        check_model(training.model, settings)
    with ExitStack() as positions:
        for training in trainings:
            positions.enter_context(training.keeping_best())
        return _fit(trainings, data, settings, checkpoint)


def _fit(
    trainings: Sequence[TrainingState], data: Dataset, settings: TrainSettings, checkpoint: Checkpoint | None
) -> list[Fitted]:
    models = [training.model for training in trainings]
    together = None if len(models) == 1 else _together(models)
    parameters = models[0].parameters() if together is None else together.parameters()
    rounding = [training.rounding_rng for training in trainings]
    optimizer = optimizer_of([model.table for model in models], parameters, settings, rounding)
    done, seconds, steps = _carry_on(trainings, optimizer, checkpoint)
    for epoch in range(done + 1, settings.epochs + 1):
        began = time.perf_counter()
        trace = Trace(trainings, epoch)
        sources = [_epoch(training, data, settings, epoch) for training in trainings]
        for turns in zip(*sources, strict=True):
            trace.add(_step_of(trainings, turns, together, optimizer, settings), [batch.users_B for batch, _ in turns])
        loss_of = trace.means()
        seconds += (time.perf_counter() - began) / len(trainings)
        steps += len(trace.losses)
        looked = epoch % settings.eval_every == 0 or epoch == settings.epochs
        if looked:
            optimizer.apply_deferred()
        for training, loss in zip(trainings, loss_of, strict=True):
            valid = trace.look(training, data, settings) if looked else None
            training.log.append(Epoch(epoch, loss, seconds, steps, valid))
            training.watch(training.log[-1])
        if checkpoint is not None and checkpoint.after_epoch(partial(_state, trainings, optimizer)):
            for training in trainings:
                training.forget_earlier_bests()
    optimizer.zero_grad()
    del optimizer  # its state would lie beside the second copy of the weights
    for training in trainings:
        release(training.model)
    for training in trainings:
        training.load_best()
    return [Fitted(training.log, training.best_epoch) for training in trainings]


def _state(trainings: Sequence[TrainingState], optimizer: ModelOptimizer) -> State:
    return {"trainings": [training.state() for training in trainings], "optimizer": optimizer.state_dict()}


def _carry_on(
    trainings: Sequence[TrainingState], optimizer: ModelOptimizer, checkpoint: Checkpoint | None
) -> tuple[int, float, int]:
    """Epochs, seconds and steps that are done already; all is as it was after them."""
    state = None if checkpoint is None else checkpoint.load()
    if state is None:
        return 0, 0.0, 0
    optimizer.load_state_dict(state["optimizer"])
    for training, kept in zip(trainings, state["trainings"], strict=True):
        training.restore(kept)
    last = trainings[0].log[-1]
    return last.epoch, last.seconds, last.steps


def _together(models: Sequence[Backbone]) -> Together:
    found = [model for model in models if isinstance(model, SASRec)]
    if len(found) < len(models):
        raise ValueError("only models of SASRec can be trained together")
    return Together(found)


def _step_of(
    trainings: Sequence[TrainingState],
    turns: Sequence[tuple[Batch, Proposed]],
    together: Together | None,
    optimizer: Optimizer,
    settings: TrainSettings,
) -> Tensor:
    """(S,) losses of one update of all ``trainings``."""
    score_memory = settings.score_memory * MIB
    autocast = precision_of(settings)
    if together is None:
        (training,), ((batch, proposed),) = trainings, turns
        loss = step(
            training.model,
            training.method,
            batch,
            optimizer,
            negatives_rng=training.negatives_rng,
            dropout_rng=training.dropout_rng,
            proposed=proposed,
            score_memory=score_memory,
            autocast=autocast,
            padded_to=padding_of(settings),
        )
        return loss.unsqueeze(0)
    ways = [
        way_of(
            training.model,
            training.method,
            batch,
            proposed,
            negatives_rng=training.negatives_rng,
            score_memory=score_memory // len(trainings),
            padded_to=padding_of(settings),
        )
        for training, (batch, proposed) in zip(trainings, turns, strict=True)
    ]
    with _autocast(turns[0][0].device, autocast):
        states = together(
            [way.inputs_TD for way in ways],
            [batch.inputs for batch, _ in turns],
            [training.dropout_rng for training in trainings],
        )
    blanks = together.blank_states
    losses = torch.stack(
        [
            way.finish(own.float(), blank_D) if way.blank else way.finish(own.float())
            for way, own, blank_D in zip(ways, states, blanks, strict=True)
        ]
    )
    _learn(losses.sum(), optimizer)
    return losses.detach()


def _epoch(
    training: TrainingState, data: Dataset, settings: TrainSettings, epoch: int
) -> Iterator[tuple[Batch, Proposed]]:
    """The batches of an epoch with their negatives: new ones, or, once there are enough of them, some that were kept.

    The paper's oversampling factor: the first ``factor`` epochs' batches are kept with their negatives; after that
    each step takes one of them at random.
    """
    factor, device, kept = settings.oversampling_factor, training.negatives_rng.device, training.kept
    if factor is not None and epoch > factor:
        picks = torch.randint(len(kept), (len(kept) // factor,), generator=training.order_rng).tolist()
        again = batches_again(data, settings, training.method.exclude, (kept[pick].ends_B for pick in picks))
        for batch, pick in zip(ahead(again) if device.type == "cuda" else again, picks, strict=True):
            yield batch.to(device), kept[pick].proposed()
        return
    batches, first = batches_of(data, settings, training.method.exclude, rng=training.order_rng), len(kept)
    for batch in ahead(batches) if device.type == "cuda" else batches:
        there = batch.to(device)
        proposed = propose(training.method, there, rng=training.negatives_rng)
        if factor is not None:
            kept.append(Replay.of(batch, proposed))
        yield there, proposed
    if factor is not None:
        kept[first:] = laid_together(kept[first:])
