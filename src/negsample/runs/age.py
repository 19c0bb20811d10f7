"""How old a model is when it is tested."""

from __future__ import annotations

import numpy as np

from negsample.data.blocks import spans
from negsample.data.dataset import Dataset

_DAY = 24 * 60 * 60 * 10**6  # microseconds


def age_in_days(trained_on: Dataset) -> float | None:
    """Median over the test events of users with a history: days since the last train event of ``trained_on``; None
    where train and test do not follow each other in time."""
    if not trained_on.in_time:
        return None
    first, ends = np.asarray(trained_on.offsets[:-1]), np.asarray(trained_on.train_ends)
    last = trained_on.times[ends[ends > first] - 1].max()
    begin, end = np.asarray(trained_on.valid_ends), np.asarray(trained_on.offsets[1:])
    begin, end = begin[begin > first], end[begin > first]
    return float(np.median(trained_on.times[spans(begin, end - begin)] - last)) / _DAY
