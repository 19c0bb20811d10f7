"""The items of a model by their numbers: its weights can be used without its dataset."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

ITEMS = "items.parquet"


def write_items(folder: Path, ids: pl.Series, counts: NDArray[np.int64], targets: NDArray[np.int64]) -> None:
    """The log's id of each item, how many events the model knows of it, and how often it was a target (what the dial
    weighs by), as ``items.parquet`` in ``folder``; of a log with weights their sums.

    Args:
        folder: of a run or a MODEL.
        ids: (V,) that of item ``i`` at ``i - 1``.
        counts: (V + 1,) events.
        targets: (V + 1,)
    """
    columns = {"item": ids, "events": np.asarray(counts[1:], np.int64), "targets": np.asarray(targets[1:], np.int64)}
    pl.DataFrame(columns).write_parquet(folder / ITEMS)
