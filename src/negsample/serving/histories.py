"""Histories of people, with the item numbers of a model."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import polars as pl

from negsample.batches.windows import Ints


class Histories(NamedTuple):
    """Events by person: ``keys``, ``items``, ``times``, ``offsets``."""

    keys: pl.Series
    items: Ints
    times: Ints
    offsets: Ints
    unknown: int
    notes: list[str]

    def take(self, first: int, last: int) -> Histories:
        """People ``first .. last - 1``."""
        offsets = self.offsets[first : last + 1]
        events = slice(int(offsets[0]), int(offsets[-1]))
        return self._replace(
            keys=self.keys[first:last], items=self.items[events], times=self.times[events], offsets=offsets - offsets[0]
        )


def read_histories(
    source: Any,
    item_ids: pl.Series,
    *,
    at: int,
    user: str | None = None,
    item: str | None = None,
    time: str | None = None,
) -> Histories:
    """Items by person, as histories."""
    if isinstance(source, dict):
        keys, rows = list(source), list(source.values())
    else:
        keys, rows = list(range(1, len(source) + 1)), list(source)
    index = {str(k): i + 1 for i, k in enumerate(item_ids.to_list())}
    lists = [[index[str(x)] for x in r if str(x) in index] for r in rows]
    items = np.array([x for r in lists for x in r], np.int64)
    return Histories(
        pl.Series(keys),
        items,
        np.full(len(items), at - 1),
        np.append(0, np.cumsum([len(r) for r in lists])).astype(np.int64),
        0,
        [],
    )
