"""The batches of an epoch: in what order users come, and the next ones made in advance."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

from negsample.batches.from_windows import training_batch
from negsample.batches.packed import Batch, Exclude
from negsample.batches.target_weights import TargetWeights
from negsample.batches.windows import Events, Ints, Which, Windows, targets_of, training_windows, windows_to
from negsample.data import blocks
from negsample.data.blocks import spans
from negsample.data.dataset import Dataset
from negsample.data.moments import MOMENTS, Cuts, TrainWindow, counting_cuts, horizon_width, nothing_earlier
from negsample.parallel.processes import Processes
from negsample.settings import RunSettings

T = TypeVar("T")


class TargetRule(NamedTuple):
    """What decides which events are targets; see :func:`~negsample.batches.from_windows.training_batch`."""

    max_length: int
    which: Which = "last"
    cuts: Cuts | None = None
    train_window: TrainWindow | None = None


def target_counts(
    data: Events,
    *,
    max_length: int,
    which: Which = "last",
    cuts: Cuts | None = None,
    train_window: TrainWindow | None = None,
    weighted: bool = False,
) -> Ints:
    """(V + 1,) how often each id is a target in an epoch: the unigram that in-batch negatives follow.

    ``weighted``: a target counts as much as its event does, as in the loss.
    """
    counts = np.zeros(data.catalogue_size + 1, np.int64)
    for events in _target_events(data, TargetRule(max_length, which, cuts, train_window)):
        np.add.at(counts, data.items[events], data.weights_of(events) if weighted else 1)
    return counts


def _target_events(data: Events, rule: TargetRule) -> Iterator[Ints]:
    """The events that are targets in an epoch, some at a time."""
    windows = training_windows(data, *rule)
    at_once = max(blocks.BLOCK // rule.max_length, 1)
    for start in range(0, len(windows), at_once):
        some = windows.take(np.arange(start, min(start + at_once, len(windows))))
        first, last = targets_of(data, some, rule.cuts, rule.train_window)
        yield spans(first, last - first)


def epoch_batches(
    data: Events,
    *,
    batch_size: int,
    max_length: int,
    exclude: Exclude = "history",
    with_replacement: bool = False,
    which: Which = "last",
    cuts: Cuts | None = None,
    train_window: TrainWindow | None = None,
    half_life: float | None = None,
    processes: Processes | None = None,
    rng: torch.Generator,
) -> Iterator[Batch]:
    """One pass over the training windows (one of each trained user, or all) in random order, ``batch_size`` a batch.

    ``with_replacement``: batches of as many windows each drawn uniformly with replacement, ``n // batch_size`` times
    (once at least): an epoch of the reference, where ``n`` counts the users that are not trained on as one window each.
    ``half_life``: days after which a target counts half; see
    :class:`~negsample.batches.target_weights.TargetWeights`, which weigh targets too where the events have weights.
    ``processes``: batches are divided over them, and these are the shares of one; each has the same ``rng``.

    Raises:
        InputError: no event is a target in ``train_window``, or by ``cuts``.
    """
    rule = TargetRule(max_length, which, cuts, train_window)
    windows = training_windows(data, *rule)
    of_epoch: Callable[[Batch], Batch] | None = None
    for some in orders(data, windows, batch_size, with_replacement=with_replacement, cuts=cuts, rng=rng):
        own, counts = share_of(some, processes)
        batch = training_batch(data, windows.take(own.numpy()), exclude=exclude, **rule._asdict())
        of_epoch = of_epoch or _of_epoch(data, half_life, rule)
        yield of_epoch(batch if counts else replace(batch, counts=False))


def orders(
    data: Events,
    windows: Windows,
    batch_size: int,
    *,
    with_replacement: bool = False,
    cuts: Cuts | None = None,
    rng: torch.Generator,
) -> Iterator[Tensor]:
    """Which of the ``windows`` are in each batch of an epoch; see :func:`epoch_batches`."""
    if not len(windows):
        if cuts is None:
            return
        raise nothing_earlier()
    if not with_replacement:
        yield from torch.split(torch.randperm(len(windows), generator=rng), batch_size)
        return
    idle = len(data.offsets) - 1 - len(np.unique(windows.users))
    for _ in range(steps_an_epoch(len(windows), idle, batch_size, with_replacement)):
        yield torch.randint(len(windows), (batch_size,), generator=rng)


def share_of(windows_B: Tensor, processes: Processes | None) -> tuple[Tensor, bool]:
    """Which of a batch's windows this one of ``processes`` takes, and whether they count: where there are fewer windows
    than processes, the first one stands in for some, so that all of them do the same work."""
    if processes is None:
        return windows_B, True
    own = windows_B[processes.rank :: processes.size]
    return (own, True) if len(own) else (windows_B[:1], False)


def steps_an_epoch(windows: int, idle: int, batch_size: int, with_replacement: bool) -> int:
    """How many batches :func:`epoch_batches` gives of so many windows, with ``idle`` users who have none."""
    return -(-windows // batch_size) if not with_replacement else max((windows + idle) // batch_size, 1)


def _rule(data: Dataset, settings: RunSettings, rng: torch.Generator | None) -> TargetRule:
    """Of an epoch: the cuts of a horizon are a grid that begins at random."""
    training = settings.training
    cuts = counting_cuts(training.targets)
    if training.targets == "horizon":
        assert rng is not None, "settings refuse a horizon whose batches are used again"
        width = horizon_width(data, training.horizon)
        cuts = Cuts(width, int(torch.randint(width, (1,), generator=rng)))
    within = TrainWindow.of(data, training.train_window)
    return TargetRule(settings.model.max_length, training.windows, cuts, within)


def _of_epoch(data: Events, half_life: float | None, rule: TargetRule) -> Callable[[Batch], Batch]:
    """What gives a batch the facts of its epoch: weights of targets, and their counts where cuts are at random."""
    weighing, counts = None, None
    if half_life is not None or data.weights is not None:
        targets = _target_events(data, rule)
        weighing = TargetWeights.of(
            math.inf if half_life is None else half_life,
            ((data.times[events], data.weights_of(events)) for events in targets),
        )
    if rule.cuts not in (None, MOMENTS):
        counts = target_counts(data, **rule._asdict())

    def told(batch: Batch) -> Batch:
        times_T = batch.times_T
        weights_T = None if weighing is None or times_T is None else weighing.weights(times_T, batch.weights_T)
        return replace(batch, weights_T=weights_T, target_counts=counts)

    return told


def batches_again(data: Dataset, settings: RunSettings, exclude: Exclude, ends: Iterable[Tensor]) -> Iterator[Batch]:
    """The batches whose windows end at ``ends``, their ``ends_B``, as they were."""
    offsets, rule = np.asarray(data.offsets), _rule(data, settings, None)
    of_epoch = _of_epoch(data, settings.training.weight_half_life, rule)
    for ends_B in ends:
        stops = ends_B.cpu().numpy()
        windows = windows_to(np.searchsorted(offsets, stops, "left") - 1, stops, offsets, rule.max_length)
        yield of_epoch(training_batch(data, windows, exclude=exclude, **rule._asdict()))


def batches_of(
    data: Dataset,
    settings: RunSettings,
    exclude: Exclude,
    *,
    rng: torch.Generator,
    processes: Processes | None = None,
) -> Iterator[Batch]:
    """:func:`epoch_batches` of a dataset, as ``settings`` say."""
    return epoch_batches(
        data,
        batch_size=settings.training.batch_size,
        exclude=exclude,
        with_replacement=settings.training.with_replacement,
        half_life=settings.training.weight_half_life,
        processes=processes,
        rng=rng,
        **_rule(data, settings, rng)._asdict(),
    )


def prefetched(source: Iterator[T], depth: int = 2) -> Iterator[T]:
    """The items of ``source``, in the same order, up to ``depth`` of them made in advance by a thread.

    What ``source`` raises is raised here, in its place. The thread ends when this iterator is closed.
    """
    end = object()
    worker = ThreadPoolExecutor(1)
    ready = deque(worker.submit(next, source, end) for _ in range(1 + depth))
    try:
        while (item := ready.popleft().result()) is not end:
            ready.append(worker.submit(next, source, end))
            yield item  # type: ignore[misc]
    finally:
        worker.shutdown(cancel_futures=True)
