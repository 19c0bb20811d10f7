"""What is known of all items as of some times: the features that terms weigh, popularity and recency among them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from negsample.data.dataset import Dataset
from negsample.data.known import Floats, Ints, Known
from negsample.errors import InputError
from negsample.samplers.recent import shares_as_of
from negsample.settings import Laid, TermDefinition

_HOUR = 3600 * 10**6  # microseconds
HALF_LIVES = (_HOUR // 8, *(_HOUR * 8**k for k in range(5)))
"""Microseconds: 7.5 minutes, an hour, 8 hours, 2.7 days, 3 weeks, half a year; the same for every log, so that nothing
is fitted."""
CUTS = 400
"""Times as of which features are there; fewer where they would take more than ``MEMORY``, at least ``LEAST``."""
LEAST = 20
MEMORY = 1 << 30
"""Bytes that the features of all cuts may take: of popularity and recency 32 for an item and cut, 148 MiB for 12,101
items."""


class Lately:
    """Features of all items as of some cuts; a time is answered as of the latest cut at or before it.

    Attributes:
        times_C: (C,) the cuts, microseconds, ascending.
        features_NF: (C (V + 1), F) the features of item ``i`` as of cut ``c`` at ``c (V + 1) + i``, float32.
        width: V + 1.
    """

    def __init__(self, data: Dataset, laid: Sequence[Laid], times: Ints) -> None:
        """Of ``data``, with the columns ``laid``.

        Raises:
            InputError: a term does not give what it should.
        """
        self.width = data.catalogue_size + 1
        times = np.unique(times)
        self.times_C = torch.from_numpy(times)
        features = torch.empty(len(times), self.width, laid[-1].stop)
        for term in laid:
            found = iter(term.features(data, times))
            for cut in range(len(times)):
                features[cut, :, term.start : term.stop] = self._checked(term, next(found, None))
        self.features_NF = features.view(-1, laid[-1].stop)

    def _checked(self, term: Laid, found: object) -> Tensor:
        shape, given = (self.width, term.stop - term.start), np.asarray(found)
        if given.shape != shape or given.dtype.kind not in "fiub" or not np.isfinite(given[1:]).all():
            numbers = "numbers that are not finite" if given.shape == shape else f"{type(found).__name__} {given.shape}"
            raise InputError(
                f"term {term.name} must give (V + 1, columns) = {shape} finite numbers for each time, got {numbers}"
            )
        given = given.astype(np.float32)
        given[0] = 0
        return torch.from_numpy(given)

    def cuts_of(self, times: Tensor) -> Tensor:
        """The cut of each time; the first for one before it."""
        return torch.searchsorted(self.times_C.to(times.device), times, right=True).sub_(1).clamp_(min=0)


@lru_cache(maxsize=1)
def lately_of_train(data: Dataset, laid: tuple[Laid, ...]) -> Lately:
    """As of times spread over the train events; that of the last log is kept.

    Raises:
        InputError: see :func:`spread_cuts` and :class:`Lately`.
    """
    return Lately(data, laid, spread_cuts(data, laid))


def bytes_of_a_cut(data: Dataset, laid: Sequence[Laid]) -> int:
    """What the features of all items as of one time take."""
    return 4 * laid[-1].stop * (data.catalogue_size + 1)


def spread_cuts(data: Dataset, laid: Sequence[Laid]) -> Ints:
    """Cuts for the train events, which are the first in time: their times, spread evenly over them.

    Raises:
        InputError: the catalogue is too large for the least number of cuts.
    """
    of_a_cut = bytes_of_a_cut(data, laid)
    cuts, events = min(CUTS, MEMORY // of_a_cut), data.train_events
    if cuts < LEAST:
        names = ", ".join(each.name for each in laid)
        raise InputError(
            f"terms: {names} of {data.catalogue_size:,} items as of {LEAST} times take "
            f"{LEAST * of_a_cut / 2**30:.1f} GiB, and may take {MEMORY / 2**30:.0f}; leave {names} out"
        )
    return np.asarray(data.known.by_time_times[np.arange(cuts) * events // cuts])


def popularity(data: Dataset, times: Ints) -> Iterator[NDArray[np.float32]]:
    """(V + 1, 1) as of each of ``times``, ascending: log of V times the share of each item in all events before."""
    v = data.catalogue_size
    for seen in _seen(data.known, times):
        ever = np.maximum(seen[1:], 1)
        found = np.zeros((v + 1, 1), np.float32)
        found[1:, 0] = np.log(v * (ever / ever.sum()))
        yield found


def recency(data: Dataset, times: Ints) -> Iterator[NDArray[np.float32]]:
    """(V + 1, 7) as of each of ``times``, ascending: log of V times the share of each item lately, by each half-life,
    and 1 for an item that nobody has had yet."""
    v, known = data.catalogue_size, data.known
    for seen, lately in zip(_seen(known, times), shares_as_of(known, times, *HALF_LIVES), strict=True):
        found = np.zeros((v + 1, len(HALF_LIVES) + 1), np.float32)
        for column, shares in enumerate(lately):
            found[1:, column] = np.log(v * shares[1:])
        found[1:, -1] = seen[1:] == 0
        yield found


POPULARITY = TermDefinition(popularity)
RECENCY = TermDefinition(recency, len(HALF_LIVES) + 1)


def _seen(known: Known, times: Ints) -> Iterator[Floats]:
    """(V + 1,) how often each item was had before each of ``times``, ascending; one array that goes on."""
    seen, start = np.zeros(known.catalogue_size + 1), 0
    for stop in np.searchsorted(known.by_time_times, times, side="left").tolist():
        seen += np.bincount(known.by_time_items[start:stop], minlength=len(seen))
        start = stop
        yield seen
