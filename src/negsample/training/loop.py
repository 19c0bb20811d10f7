"""The loop, in the open: epochs of steps, and validation between them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import torch

from negsample.batches.device import may_ask
from negsample.batches.epochs import batches_again, batches_of, prefetched
from negsample.batches.on_device import EventsOnDevice, batches_on, is_made_there
from negsample.batches.packed import Batch
from negsample.batches.streams import Chance, Streams
from negsample.data.dataset import Dataset
from negsample.errors import guarded
from negsample.methods import Method
from negsample.models import Backbone, Together
from negsample.models.build import check_items, check_model, terms_of
from negsample.optim import ModelOptimizer, optimizer_of, release
from negsample.settings import RunSettings
from negsample.training.checkpoint import Saving, State
from negsample.training.divergence import EpochLosses
from negsample.training.inputs import StepInputs, StepOptions, propose, step_options
from negsample.training.joint import joint_batches, joint_steps, may_join
from negsample.training.knowledge import TermKnowledge, knowledge_for
from negsample.training.processes import check_shared, pooled
from negsample.training.replay import Replay, laid_together
from negsample.training.state import Epoch, Fitted, TrainingState
from negsample.training.step import step_of
from negsample.training.terms import StepTerms


@guarded
def fit(
    model: Backbone,
    data: Dataset,
    method: Method,
    settings: RunSettings,
    *,
    seed: int,
    watch: Callable[[Epoch], None] = lambda epoch: None,
    scratch: Path | None = None,
) -> Fitted:
    """Train ``model`` in place and leave it with the weights of its best epoch: the highest validation HR@10, of equal
    ones the highest NDCG@10, and of those the first. It has as many epochs as ``settings`` say, or fewer with
    ``early_stop``.

    Adam with betas 0.9 and 0.98, as the reference; see :func:`negsample.optim.optimizer_for`. Random numbers come from
    ``seed``, by purpose; ``watch`` and ``scratch`` as of :class:`~negsample.training.state.TrainingState`.

    Raises:
        DivergedError: the loss or the weights stopped being finite.
        InputError: :func:`~negsample.training.step.step` refuses.
        ValueError: ``model`` is another than ``settings`` say, or for another number of items than ``data`` has.
    """
    (fitted,) = fit_together([TrainingState(model, method, seed=seed, watch=watch, scratch=scratch)], data, settings)
    return fitted


def fit_together(
    trainings: Sequence[TrainingState],
    data: Dataset,
    settings: RunSettings,
    checkpoint: Saving | None = None,
) -> list[Fitted]:
    """:func:`fit` for each of ``trainings``, all at once as one batched model (:class:`negsample.models.Together`).

    Each gives what it would give alone, but for rounding. Seconds of training are its share of what all took. With a
    ``checkpoint`` the training goes on from what was saved there: on a CPU its numbers are those of a training that
    was never stopped, bit for bit, given the same number of threads.

    Raises:
        InputError: see :func:`fit`; or what was saved is damaged.
        ValueError: there are several and they are no SASRec of one shape; or see :func:`fit`.
    """
    for training in trainings:
        check_items(training.model.table.items, data.catalogue_size, data.name)
        check_model(training.model, settings)
    check_shared([each.model for each in trainings], [each.method for each in trainings], settings)
    with ExitStack() as files:
        for training in trainings:
            files.enter_context(training.best.opened())
        _fit(trainings, data, settings, checkpoint)
        for training in trainings:
            release(training.model)
        for training in trainings:
            training.model.load_state_dict(training.best.load(training.device, training.model.state_dict()))
    return [Fitted(training.log, training.best.epoch) for training in trainings]


def _fit(
    trainings: Sequence[TrainingState],
    data: Dataset,
    settings: RunSettings,
    checkpoint: Saving | None,
) -> None:
    """Epochs until all trainings are over. What the optimizer holds is let go of before the best weights are read."""
    models = [training.model for training in trainings]
    knowledge = [knowledge_for(each.model, each.method, data, settings, each.device) for each in trainings]
    joint = len(models) > 1 and not any(knowledge) and may_join(trainings[0].method, settings)
    together = None if len(models) == 1 else Together(models, one_table=joint)
    parameters = models[0].parameters() if together is None else together.parameters()
    tables = [models[0].table] if together is None else together.tables
    rounding_rngs: list[Chance] = [training.rounding_rng for training in trainings]
    if joint:
        rounding_rngs = [Streams(tuple(training.rounding_rng for training in trainings))]
    optimizer = optimizer_of(tables, parameters, settings, rounding_rngs, [terms_of(model) for model in models])
    options = step_options(settings, 1 if joint else len(models))
    events = _events_there(trainings, data, settings, any(knowledge))
    last = _resume(trainings, optimizer, checkpoint)
    while not all(over := [training.is_over(settings) for training in trainings]):
        began, epoch = time.perf_counter(), last.epoch + 1
        losses = EpochLosses(trainings, epoch, over)
        for training in trainings:
            training.begin(epoch)
        steps_of: Iterable[Sequence[StepInputs]]
        if together is not None and joint:
            if events is not None:
                ready = batches_on(events, data, settings, [training.order_rng for training in trainings])
            else:
                ready = _ready(joint_batches(trainings, data, settings), trainings[0].device)
            steps_of = ([given] for given in joint_steps(trainings, together, ready, options))
        else:
            steps_of = zip(
                *(
                    _epoch(training, data, settings, epoch, options, known, events)
                    for training, known in zip(trainings, knowledge, strict=True)
                ),
                strict=True,
            )
        for given in steps_of:
            losses.add(
                step_of(given, optimizer, together), [users for each in given for users in each.batch.users_by_model]
            )
        means = losses.means()
        seconds, steps = last.seconds + (time.perf_counter() - began) / len(trainings), last.steps + len(losses)
        if any(training.is_due(epoch, settings) for training in trainings):
            optimizer.apply_deferred()
        for training, loss, done in zip(trainings, means, over, strict=True):
            if done:  # it is trained on with the others, and nothing of that is kept
                continue
            valid = losses.validate(training, data, settings) if training.is_due(epoch, settings) else None
            last = Epoch(epoch, loss, seconds, steps, valid, training.refit)
            training.log.append(last)
            training.watch(last)
        # A refit after it begins with what is saved at the end.
        always = settings.training.refit and all(training.is_over(settings) for training in trainings)
        if checkpoint is not None and checkpoint.after_epoch(partial(_state, trainings, optimizer), always=always):
            for training in trainings:
                training.best.forget_earlier()
    optimizer.zero_grad()


def _state(trainings: Sequence[TrainingState], optimizer: ModelOptimizer) -> State:
    return {"trainings": [training.state() for training in trainings], "optimizer": optimizer.state_dict()}


def _resume(trainings: Sequence[TrainingState], optimizer: ModelOptimizer, checkpoint: Saving | None) -> Epoch:
    """The last epoch that is done already; all is as it was after it."""
    state = None if checkpoint is None else checkpoint.load(partial(_state, trainings, optimizer))
    if state is None:
        return Epoch(0, 0.0, 0.0, 0, None)
    optimizer.load_state_dict(state["optimizer"])
    for training, saved in zip(trainings, state["trainings"], strict=True):
        training.restore(saved)
    return max((training.log[-1] for training in trainings), key=lambda epoch: epoch.epoch)


def _epoch(
    training: TrainingState,
    data: Dataset,
    settings: RunSettings,
    epoch: int,
    options: StepOptions,
    knowledge: TermKnowledge | None,
    events: EventsOnDevice | None,
) -> Iterator[StepInputs]:
    """The steps of an epoch, with new batches and negatives, or, once there are enough of them, some that were kept.

    The paper's oversampling factor: the first ``factor`` epochs' batches are kept with their negatives; after that
    each step takes one of them at random.
    """
    factor, device, replay = settings.training.oversampling_factor, training.device, training.replay
    exclude, parts = training.method.exclude, (training.model, training.method)
    rngs = (training.miner_rng, training.dropout_rng)

    def known(batch: Batch, there: Batch) -> StepTerms | None:
        return None if knowledge is None else knowledge.of(batch, there)

    if factor is not None and epoch > factor:
        picks = torch.randint(len(replay), (len(replay) // factor,), generator=training.order_rng).tolist()
        again = batches_again(data, settings, exclude, (replay[pick].ends_B for pick in picks))
        for batch, pick in zip(_ready(again, device), picks, strict=True):
            there = batch.to(device)
            yield StepInputs(*parts, there, replay[pick].drawn(), *rngs, options, known(batch, there))
        return
    first = len(replay)
    if events is not None:
        made = batches_on(events, data, settings, [training.order_rng])
    else:
        shares = batches_of(data, settings, exclude, rng=training.order_rng, processes=training.processes)
        made = _ready(shares, device)
    for batch in made:
        there = pooled(batch.to(device), training.processes)
        negatives = propose(training.method, there, rng=training.draws_rng)
        if factor is not None:
            replay.append(Replay.of(batch, negatives))
        yield StepInputs(*parts, there, negatives, *rngs, options, known(batch, there))
    if factor is not None:
        replay[first:] = laid_together(replay[first:])


def _events_there(
    trainings: Sequence[TrainingState], data: Dataset, settings: RunSettings, known: bool
) -> EventsOnDevice | None:
    """The events on the device of the trainings, where batches can be made there; None: the CPU makes them.

    ``known``: a step asks the CPU what is known at the times of its targets.
    """
    first = trainings[0]
    if may_ask(first.device) or known or first.processes is not None or not is_made_there(data, settings):
        return None
    return EventsOnDevice(data, first.device, max_length=settings.model.max_length, exclude=first.method.exclude)


def _ready(batches: Iterator[Batch], device: torch.device) -> Iterator[Batch]:
    return prefetched(batches) if device.type == "cuda" else batches
