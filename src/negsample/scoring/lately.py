"""How popular items were as of a time: the features that terms of popularity and recency weigh."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from negsample.data.known import Ints, Known
from negsample.errors import InputError
from negsample.models.terms import FEATURES, HALF_LIVES
from negsample.samplers.recent import shares_as_of

CUTS = 400
"""Times as of which features are there; fewer where they would take more than ``MEMORY``, at least ``LEAST``."""
LEAST = 20
MEMORY = 1 << 30
"""Bytes that the features of all cuts may take: 28 for an item and cut, 129 MiB for 12,101 items."""


class Lately:
    """Features of all items as of some cuts; a time is answered as of the latest cut at or before it.

    Attributes:
        times_C: (C,) the cuts, microseconds, ascending.
        features_NF: (C (V + 1), F) the features of item ``i`` as of cut ``c`` at ``c (V + 1) + i``, float32.
        width: V + 1.
    """

    def __init__(self, known: Known, times: Ints) -> None:
        self.width = known.catalogue_size + 1
        self.times_C = torch.from_numpy(np.unique(times))
        features = torch.empty(len(self.times_C), self.width, FEATURES)
        for cut, found in enumerate(features_as_of(known, self.times_C.numpy())):
            features[cut] = torch.from_numpy(found)
        self.features_NF = features.view(-1, FEATURES)

    def cuts_of(self, times: Tensor) -> Tensor:
        """The cut of each time; the first for one before it."""
        return torch.searchsorted(self.times_C.to(times.device), times, right=True).sub_(1).clamp_(min=0)


@lru_cache(maxsize=1)
def lately_of_train(known: Known, events: int) -> Lately:
    """As of times spread over the first ``events`` events, which are train; that of the last log is kept.

    Raises:
        InputError: see :func:`spread_cuts`.
    """
    return Lately(known, spread_cuts(known, events))


def spread_cuts(known: Known, events: int) -> Ints:
    """Cuts for the first ``events`` events in time: their times, spread evenly over them.

    Raises:
        InputError: the catalogue is too large for the least number of cuts.
    """
    of_a_cut = 4 * FEATURES * (known.catalogue_size + 1)
    cuts = min(CUTS, MEMORY // of_a_cut)
    if cuts < LEAST:
        raise InputError(
            f"terms: popularity of {known.catalogue_size:,} items as of {LEAST} times takes "
            f"{LEAST * of_a_cut / 2**30:.1f} GiB, and may take {MEMORY / 2**30:.0f}; leave popularity and recency out"
        )
    return np.asarray(known.by_time_times[np.arange(cuts) * events // cuts])


def features_as_of(known: Known, times: Ints) -> Iterator[NDArray[np.float32]]:
    """(V + 1, F) of each of ``times``, ascending; see :data:`negsample.models.terms.COLUMNS`. Row 0, which is no item,
    is zero."""
    v, seen, start = known.catalogue_size, np.zeros(known.catalogue_size + 1), 0
    by_half_life = zip(*(shares_as_of(known, times, half_life) for half_life in HALF_LIVES), strict=True)
    for time, lately in zip(times.tolist(), by_half_life, strict=True):
        stop = int(np.searchsorted(known.by_time_times, time, side="left"))
        seen += np.bincount(known.by_time_items[start:stop], minlength=v + 1)
        start, ever = stop, np.maximum(seen[1:], 1)
        found = np.zeros((v + 1, FEATURES), np.float32)
        found[1:, 0] = np.log(v * (ever / ever.sum()))
        found[1:, 1:-1] = np.log(v * np.stack(lately)[:, 1:]).T
        found[1:, -1] = seen[1:] == 0
        yield found
