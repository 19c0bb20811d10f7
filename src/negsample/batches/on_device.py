"""Batches gathered where they are used: a dataset's events and what users may not be given, kept on a device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from negsample.batches.device import upload
from negsample.batches.epochs import orders
from negsample.batches.packed import Batch, Exclude, Packed
from negsample.batches.windows import Events, Ints, Windows, longest_first, training_windows
from negsample.data.blocks import spans
from negsample.settings import RunSettings

MOST = 1 << 30
"""Bytes that events may take on the device; beyond it batches are made on the CPU."""
_BYTES = 16  # an event: its item, its time, and an item that its user had


def is_made_there(data: Events, settings: RunSettings) -> bool:
    """Whether the batches of ``data`` can be made on a device: they are small enough, and of the usual kind."""
    training = settings.training
    return (
        _BYTES * len(data.items) <= MOST
        and (training.targets, training.windows, training.train_window) == ("rows", "last", None)
        and (training.weight_half_life, data.weights, training.oversampling_factor) == (None, None, None)
    )


def batches_on(
    events: EventsOnDevice, data: Events, settings: RunSettings, rngs: Sequence[torch.Generator]
) -> Iterator[Batch]:
    """The batches of an epoch, as :func:`~negsample.batches.epochs.batches_of` has them with the generator of one
    model; of several, each with a generator, as :func:`~negsample.batches.joined.joined` has them."""
    training = settings.training
    windows = training_windows(data, settings.model.max_length)
    each = [
        orders(data, windows, training.batch_size, with_replacement=training.with_replacement, rng=rng) for rng in rngs
    ]
    for taken in zip(*each, strict=True):
        own = [longest_first(windows.take(some.numpy())) for some in taken]
        of_all = Windows(*(np.concatenate([vars(some)[name] for some in own]) for name in ("users", "starts", "stops")))
        yield events.batch(of_all, np.cumsum([0, *map(len, own)]) if len(own) > 1 else None)


class EventsOnDevice:
    """The events of ``data`` on ``device``: batches whose targets follow their inputs row by row, one window a user.

    The CPU knows how long every sequence and every history is, so shapes are known without asking the device, and a
    batch takes one small upload however many sequences it has. What users had in train is sorted once, here.

    Args:
        data: of which batches are made; targets have no weights.
        device: where events and batches are.
        max_length: L.
        exclude: what is never a negative.
    """

    def __init__(self, data: Events, device: torch.device, *, max_length: int, exclude: Exclude) -> None:
        self._max_length, self._exclude, self._items = max_length, exclude, data.catalogue_size
        offsets, ends = np.asarray(data.offsets), np.asarray(data.train_ends)
        rows = np.repeat(np.arange(len(ends)), ends - offsets[:-1])
        had = data.items[spans(offsets[:-1], ends - offsets[:-1])]
        keys = np.unique(rows * (data.catalogue_size + 1) + had)
        self._had_from = np.searchsorted(keys, np.arange(len(ends) + 1) * (data.catalogue_size + 1))
        had_items = (keys % (data.catalogue_size + 1)).astype(np.int32)
        self._had_N, self._items_N = (
            upload(torch.from_numpy(np.array(each)), device) for each in (had_items, data.items)
        )
        self._times_N = upload(torch.from_numpy(np.array(data.times)), device) if len(data.times) else None

    def batch(self, windows: Windows, split: Ints | None = None) -> Batch:
        """What :func:`~negsample.batches.from_windows.training_batch` makes of ``windows``, in the order given; with
        ``split``, where the windows of each of several models begin and how many there are, what
        :func:`~negsample.batches.joined.joined` makes of them."""
        lengths, device, width = windows.stops - windows.starts, self._items_N.device, self._items + 1
        offsets, rows = np.concatenate([[0], np.cumsum(lengths)]), np.arange(len(lengths))
        had_from = self._had_from[windows.users]
        had = self._had_from[windows.users + 1] - had_from
        had_offsets = np.cumsum(had) - had
        tables = (
            np.zeros(0, np.int64) if split is None else np.repeat(np.arange(len(split) - 1) * width, np.diff(split))
        )
        # Of each sequence, in one upload: where it begins among the events less where in the batch, and so on.
        numbers = (
            *(lengths, windows.starts - offsets[:-1], self._max_length - lengths - offsets[:-1]),
            *(had, had_from - had_offsets, rows * width, windows.users, windows.stops, rows),
        )
        together = torch.from_numpy(np.concatenate([*numbers, tables]))
        parts = torch.split(upload(together, device), [*[len(rows)] * len(numbers), len(tables)])
        lengths_B, events_B, positions_B, had_B, items_B, keys_B, users_B, stops_B, rows_B, tables_B = parts
        positions, histories = int(offsets[-1]), int(had.sum())
        rows_T = torch.repeat_interleave(rows_B, lengths_B, output_size=positions)
        at_T = torch.arange(positions, device=device)
        events_T = at_T + events_B.index_select(0, rows_T)
        rows_H = torch.repeat_interleave(rows_B, had_B, output_size=histories)
        at_H = torch.arange(histories, device=device) + items_B.index_select(0, rows_H)
        items_T, times_T = self._of(self._items_N, events_T).long(), None
        if self._times_N is not None:
            times_T = self._of(self._times_N, events_T + 1)
        several = split is not None
        return Batch(
            inputs=Packed(
                items_T + tables_B.index_select(0, rows_T) if several else items_T,
                at_T + positions_B.index_select(0, rows_T),
                rows_T,
                offsets,
                split,
                tables_B if several else None,
            ),
            targets_T=self._of(self._items_N, events_T + 1).long(),
            users_B=users_B,
            ends_B=stops_B,
            history_keys=self._of(self._had_N, at_H) + keys_B.index_select(0, rows_H),
            catalogue_size=self._items,
            exclude=self._exclude,
            times_T=times_T,
            as_of_T=times_T,
        )

    @staticmethod
    def _of(values_N: Tensor, at: Tensor) -> Tensor:
        return values_N.index_select(0, at)
