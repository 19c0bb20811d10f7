"""What a MODEL is asked about a window of events, and the ranks that the events' items have in its answers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from negsample.data.dataset import Dataset
from negsample.serving.histories import Histories
from negsample.serving.recommender import Recommender

K = 10


class Window(NamedTuple):
    """The ``number``-th from T0, in microseconds; ``people``: users with an event in it and one before it."""

    number: int
    start: int
    end: int
    people: pl.DataFrame


class Asking(NamedTuple):
    """For its events from ``start`` until before ``end``, ``model`` is asked as of ``time``, with what was before it in
    the histories; with no histories where ``empty``."""

    model: Recommender
    time: int
    start: int
    end: int
    empty: bool = False


def events_of(data: Dataset) -> pl.DataFrame:
    """All events of a prepared log, with its ids: ``user``, ``item``, ``time`` in microseconds."""
    users = np.repeat(np.arange(data.users), np.diff(data.offsets))
    return pl.DataFrame(
        {
            "user": data.user_ids()[users],
            "item": data.item_ids()[np.asarray(data.items) - 1],
            "time": np.asarray(data.times),
        }
    )


def histories(model: Recommender, known: pl.DataFrame, people: pl.Series) -> Histories:
    """The events ``known`` of each of ``people``, which are sorted as its users are, on items of ``model``."""
    numbers = pl.DataFrame({"item": model.item_ids, "number": np.arange(1, len(model.item_ids) + 1)})
    rows = pl.DataFrame({"user": people, "row": np.arange(len(people))})
    of = (
        known.join(rows, on="user", maintain_order="left")
        .join(numbers, on="item", maintain_order="left")
        .sort("row", maintain_order=True)
    )
    offsets = np.append(0, np.cumsum(np.bincount(of["row"].to_numpy(), minlength=len(people))))
    items, times = of["number"].to_numpy().astype(np.int64), of["time"].to_numpy()
    return model.users._replace(keys=people, items=items, times=times, offsets=offsets.astype(np.int64))


def ranks(events: pl.DataFrame, asked: Asking, targets: pl.DataFrame) -> NDArray[np.float64]:
    """(E,) of each of ``targets``, from 0, infinite beyond the first :data:`K`; ``events``: of all times."""
    people = targets["user"].unique().sort()
    known = events.filter(pl.col("time") < (0 if asked.empty else asked.time))
    answers = asked.model.recommend(histories(asked.model, known, people), k=K, time=asked.time)
    found = targets.join(answers, on=["user", "item"], how="left", maintain_order="left")["rank"]
    return np.asarray(found.cast(pl.Float64).fill_null(np.inf).to_numpy() - 1)
