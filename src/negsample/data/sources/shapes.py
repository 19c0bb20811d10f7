"""Shapes: from the rows of an official file to the log, and a sentence on each step.

The rules of :func:`sequences` and :func:`view_sessions` are those of Hidasi and Czapp (2023), *Widespread Flaws in
Offline Evaluation of Recommender Systems*, and of the scripts published with it and with their study of third-party
implementations.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from negsample.errors import InputError

Shape = Callable[[pl.LazyFrame], tuple[pl.LazyFrame, list[str]]]
LEAST_LENGTH, LEAST_COUNT = 2, 5  # events of a sequence, of an item
GAP = 3_600_000_000  # microseconds between sessions


def all_rows(rows: pl.LazyFrame) -> tuple[pl.LazyFrame, list[str]]:
    """All rows, in the order of the file."""
    return rows.select("user", "item", "time"), []


def sequences(rows: pl.LazyFrame) -> tuple[pl.LazyFrame, list[str]]:
    """Each user's events without repeats, of frequent users and items; see above.

    A repeat is on the item of the user's previous event. Users with one event and items with fewer than five are left
    out in turn, until none is left. A file of which nothing is left is refused.
    """
    return _sequences(rows.select("user", "item", "time").collect().sort("user", "time", maintain_order=True))


def _sequences(events: pl.DataFrame) -> tuple[pl.LazyFrame, list[str]]:
    single = events.filter((pl.col("item") != pl.col("item").shift().over("user")).fill_null(True))
    kept, before = single, -1
    while len(kept) != before:
        before = len(kept)
        kept = kept.filter(pl.len().over("user") >= LEAST_LENGTH)
        kept = kept.filter(pl.len().over("item") >= LEAST_COUNT)
    if kept.is_empty():
        raise InputError(
            f"none of its {len(events):,} events is left: a sequence needs {LEAST_LENGTH} events, an item "
            f"{LEAST_COUNT}; bring a larger file"
        )
    return kept.lazy(), [
        f"{len(events) - len(single):,} events left out: on the item of the previous event in the sequence.",
        f"{len(single) - len(kept):,} events left out: of sequences with one event and items with fewer than "
        f"{LEAST_COUNT}, in turn until none was left.",
    ]


def view_sessions(rows: pl.LazyFrame, gap: int = GAP) -> tuple[pl.LazyFrame, list[str]]:
    """The views (``event`` is ``view``) of a shop's visitors by session, then as :func:`sequences`.

    Sessions ``USER-1``, ``USER-2``, ... are cut over all events; the views among them are the log, by user (a number),
    time and item.

    Args:
        rows: columns ``user`` and ``item`` (text of whole numbers), ``time`` (microseconds since 1970), ``event``.
        gap: a session ends where the user's next event is more microseconds away.
    """
    numbers = rows.select(pl.col("user", "item").cast(pl.Int64), "time", view=pl.col("event") == "view").collect()
    events = numbers.sort("user", "time", "item", maintain_order=True)
    session = (pl.col("time").diff() > gap).fill_null(True).cum_sum().over("user")
    of_sessions = events.with_columns(pl.format("{}-{}", "user", session).alias("user"), pl.col("item").cast(pl.String))
    views = of_sessions.filter("view").select("user", "item", "time")
    log, notes = _sequences(views)
    note = (
        f"{len(views):,} views of {len(events):,} events; a user is a session of a visitor, which ends after more than "
        f"{gap // 60_000_000} minutes without an event."
    )
    return log, [note, *notes]
