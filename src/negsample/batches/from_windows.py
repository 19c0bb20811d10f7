"""From windows of a dataset to packed sequences, and to a training batch with its targets."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from negsample.batches.packed import Batch, Exclude, Packed, Predicted
from negsample.batches.windows import Events, Ints, Which, Windows, longest_first, targets_of
from negsample.data.blocks import spans
from negsample.data.moments import MOMENTS, Cuts, TrainWindow, predicted_from, unknown_from


def pack(items: NDArray[np.int32], windows: Windows, max_length: int) -> Packed:
    """Whole windows as sequences, in the order given (which must be longest first)."""
    lengths = windows.stops - windows.starts
    assert len(lengths) == 0 or lengths.max() <= max_length
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    rows = np.repeat(np.arange(len(lengths)), lengths)
    positions = np.arange(offsets[-1]) - offsets[rows] + (max_length - lengths)[rows]
    ids = items[spans(windows.starts, lengths)].astype(np.int64)
    return Packed(torch.from_numpy(ids), torch.from_numpy(positions), torch.from_numpy(rows), offsets)


def training_batch(
    data: Events,
    windows: Windows,
    *,
    max_length: int,
    exclude: Exclude = "history",
    which: Which = "last",
    cuts: Cuts | None = None,
    train_window: TrainWindow | None = None,
) -> Batch:
    """The inputs of ``windows``, and the events that are predicted from a state in them; ``which`` windows a user has.

    Without ``cuts`` targets are all but the first event of a window and the one after it; see
    :func:`~negsample.batches.windows.training_windows`.
    """
    windows = longest_first(windows)
    items, catalogue_size = data.items, data.catalogue_size
    packed = pack(items, windows, max_length)
    first, last = targets_of(data, windows, cuts, train_window)
    events = spans(first, last - first)
    had_from, had_to = data.offsets[windows.users], data.train_ends[windows.users]
    had = items[spans(had_from, had_to - had_from)].astype(np.int64)
    keys = np.repeat(np.arange(len(windows)), had_to - had_from) * (catalogue_size + 1) + had
    all_targets = None
    if which == "all":
        begin = predicted_from(data.times, had_from, had_to, cuts)  # nothing is known before the events up to it
        if train_window is not None:
            begin = np.maximum(begin, train_window.first(data.times, had_from, had_to))
        targets = items[spans(begin, had_to - begin)].astype(np.int64)
        rows = np.repeat(np.arange(len(windows)), had_to - begin)
        all_targets = torch.from_numpy(np.sort(rows * (catalogue_size + 1) + targets))
    times = np.array(data.times[events]) if len(data.times) else None
    return Batch(
        inputs=packed,
        targets_T=torch.from_numpy(items[events].astype(np.int64)),
        users_B=torch.from_numpy(windows.users),
        ends_B=torch.from_numpy(windows.stops),
        history_keys=torch.from_numpy(np.unique(keys)),
        catalogue_size=catalogue_size,
        exclude=exclude,
        target_keys=all_targets,
        predicted=None
        if cuts is None and train_window is None
        else _predicted(data, windows, packed, events, last - first, cuts),
        times_T=None if times is None else torch.from_numpy(times),
        weights_T=None if data.weights is None else torch.from_numpy(np.array(data.weights[events])),
        as_of_T=None if times is None else torch.from_numpy((cuts or MOMENTS).before(times)),
    )


def _predicted(
    data: Events, windows: Windows, packed: Packed, events: Ints, counts: Ints, cuts: Cuts | None
) -> Predicted:
    rows = np.repeat(np.arange(len(windows)), counts)
    starts = windows.starts[rows]
    states = packed.offsets[rows] + unknown_from(data.times, events, starts, cuts) - 1 - starts
    offsets = np.concatenate([[0], np.cumsum(counts)])
    return Predicted(torch.from_numpy(states), torch.from_numpy(rows), offsets)
