"""The batches of an epoch: in what order users come, and the next ones made in advance."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from negsample.batches.packed import Batch, Exclude, training_batch
from negsample.batches.windows import Events, Ints, Which, spans, targets_of, training_windows, windows_to
from negsample.data import blocks
from negsample.data.dataset import Dataset
from negsample.data.moments import Cuts, counting_cuts, horizon_width
from negsample.errors import InputError
from negsample.settings import RunSettings

T = TypeVar("T")


def target_counts(data: Events, *, max_length: int, which: Which = "last", cuts: Cuts | None = None) -> Ints:
    """(V + 1,) how often each id is a target in an epoch: the unigram that in-batch negatives follow."""
    windows = training_windows(data, max_length, which, cuts)
    counts = np.zeros(data.catalogue_size + 1, np.int64)
    at_once = max(blocks.BLOCK // max_length, 1)
    for start in range(0, len(windows), at_once):
        first, last = targets_of(data, windows.take(np.arange(start, min(start + at_once, len(windows)))), cuts)
        np.add.at(counts, data.items[spans(first, last - first)], 1)
    return counts


def epoch_batches(
    data: Events,
    *,
    batch_size: int,
    max_length: int,
    exclude: Exclude = "history",
    with_replacement: bool = False,
    which: Which = "last",
    cuts: Cuts | None = None,
    rng: torch.Generator,
) -> Iterator[Batch]:
    """One pass over the training windows (one of each trained user, or all) in random order, ``batch_size`` a batch.

    ``with_replacement``: batches of as many windows each drawn uniformly with replacement, ``n // batch_size`` times
    (once at least): an epoch of the reference, where ``n`` counts the users that are not trained on as one window each.
    """
    windows = training_windows(data, max_length, which, cuts)
    if not len(windows):
        if cuts is None:
            return
        raise InputError(
            "no train event can be predicted from an earlier time of its user (targets=moments), or from before a cut "
            "(targets=horizon); take targets=rows"
        )
    if not with_replacement:
        taken: Iterable[Tensor] = torch.split(torch.randperm(len(windows), generator=rng), batch_size)
    else:
        idle = len(data.offsets) - 1 - len(np.unique(windows.users))
        steps = steps_an_epoch(len(windows), idle, batch_size, with_replacement)
        taken = (torch.randint(len(windows), (batch_size,), generator=rng) for _ in range(steps))
    for some in taken:
        some_windows = windows.take(some.numpy())
        yield training_batch(data, some_windows, max_length=max_length, exclude=exclude, which=which, cuts=cuts)


def steps_an_epoch(windows: int, idle: int, batch_size: int, with_replacement: bool) -> int:
    """How many batches :func:`epoch_batches` gives of so many windows, with ``idle`` users who have none."""
    return -(-windows // batch_size) if not with_replacement else max((windows + idle) // batch_size, 1)


def _cuts(data: Dataset, settings: RunSettings, rng: torch.Generator | None) -> Cuts | None:
    """Those of an epoch: of a horizon a grid that begins at random."""
    if settings.training.targets != "horizon":
        return counting_cuts(settings.training.targets)
    assert rng is not None, "settings refuse a horizon whose batches are used again"
    width = horizon_width(data)
    return Cuts(width, int(torch.randint(width, (1,), generator=rng)))


def batches_again(data: Dataset, settings: RunSettings, exclude: Exclude, ends: Iterable[Tensor]) -> Iterator[Batch]:
    """The batches whose windows end at ``ends``, their ``ends_B``, as they were."""
    offsets, cuts = np.asarray(data.offsets), _cuts(data, settings, None)
    for ends_B in ends:
        stops = ends_B.cpu().numpy()
        windows = windows_to(np.searchsorted(offsets, stops, "left") - 1, stops, offsets, settings.model.max_length)
        length, which = settings.model.max_length, settings.training.windows
        yield training_batch(data, windows, max_length=length, exclude=exclude, which=which, cuts=cuts)


def batches_of(data: Dataset, settings: RunSettings, exclude: Exclude, *, rng: torch.Generator) -> Iterator[Batch]:
    """:func:`epoch_batches` of a dataset, as ``settings`` say."""
    return epoch_batches(
        data,
        batch_size=settings.training.batch_size,
        max_length=settings.model.max_length,
        exclude=exclude,
        with_replacement=settings.training.with_replacement,
        which=settings.training.windows,
        cuts=_cuts(data, settings, rng),
        rng=rng,
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
