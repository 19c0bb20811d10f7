"""How much a target counts in the loss: by its age, by the weight of its event, or both."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from negsample.batches.windows import Ints
from negsample.data.moments import DAY


class TargetWeights(NamedTuple):
    """The weight of a target at ``t`` is ``w 2 ** ((t - newest) / half_life) / mean``, 1 in the mean over an epoch.

    ``w`` is the weight of its event, 1 where events have none; an infinite half-life weighs no age. Only the ratio of
    two weights matters, so ages may be counted from any time: from the ``newest`` target on, no number is too small.
    The mean is that of the epoch and not of each batch: a batch of old targets moves a model less than one of new
    ones, and an epoch's loss is the weighted mean over all its targets. Times in microseconds.
    """

    half_life: float
    newest: int
    mean: float

    @classmethod
    def of(cls, days: float, targets: Iterable[tuple[Ints, Ints | int]]) -> TargetWeights:
        """Those with a half-life of so many ``days``; ``targets``: of all in an epoch, some at a time, the times and
        the weights of their events."""
        half_life, newest, total, count = days * DAY, -math.inf, 0.0, 0
        for times, weights in targets:
            before, newest = newest, max(newest, int(times.max()))
            total *= 2 ** ((before - newest) / half_life) if count else 1.0
            total += float((weights * _decayed(times, newest, half_life)).sum())
            count += len(times)
        return cls(half_life, int(newest), total / count)

    def weights(self, times_T: Tensor, weights_T: Tensor | None = None) -> Tensor:
        """(T,) float32, of targets at these times, of events with these weights."""
        raw_T = _decayed(times_T.numpy(), self.newest, self.half_life) * (1 if weights_T is None else weights_T.numpy())
        return torch.from_numpy((raw_T / self.mean).astype(np.float32))


def _decayed(times: Ints, newest: float, half_life: float) -> NDArray[np.float64]:
    decayed: NDArray[np.float64] = np.exp2((times - newest) / half_life)
    return decayed
