"""From events to the sequences that session-based recommenders are measured on.

The rules are those of Hidasi and Czapp (2023), *Widespread Flaws in Offline Evaluation of Recommender Systems*, and
of the scripts published with it and with their study of third-party implementations.
"""

from __future__ import annotations

import polars as pl

from negsample.errors import InputError

LEAST_LENGTH, LEAST_COUNT = 2, 5  # events of a sequence, of an item


def by_sessions(events: pl.DataFrame, gap: int) -> pl.DataFrame:
    """``events`` with the sessions ``USER-1``, ``USER-2``, ... in place of the user; by user (a number), time and item.

    Args:
        events: columns ``user`` and ``item`` (Int64), ``time`` (microseconds since 1970), and others.
        gap: a session ends where the user's next event is more microseconds away.
    """
    starts = (pl.col("time").diff() > gap).fill_null(True)
    session = starts.cum_sum().over("user")
    ordered = events.sort("user", "time", "item", maintain_order=True)
    return ordered.with_columns(user=pl.format("{}-{}", "user", session))


def without_repeats(events: pl.DataFrame) -> pl.DataFrame:
    """``events``, in order of user and time, without those on the same item as the user's previous event."""
    return events.filter((pl.col("item") != pl.col("item").shift().over("user")).fill_null(True))


def frequent(events: pl.DataFrame) -> pl.DataFrame:
    """Users with one event and items with fewer than five left out in turn, until none is left."""
    before = -1
    while len(events) != before:
        before = len(events)
        events = events.filter(pl.len().over("user") >= LEAST_LENGTH)
        events = events.filter(pl.len().over("item") >= LEAST_COUNT)
    return events


def sequences(rows: pl.LazyFrame) -> tuple[pl.LazyFrame, list[str]]:
    """A shape: each user's events without repeats, of frequent users and items; see above.

    Raises:
        InputError: nothing is left.
    """
    return _sequences(rows.select("user", "item", "time").collect().sort("user", "time", maintain_order=True))


def _sequences(events: pl.DataFrame) -> tuple[pl.LazyFrame, list[str]]:
    single = without_repeats(events)
    kept = frequent(single)
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


def view_sessions(rows: pl.LazyFrame, gap: int) -> tuple[pl.LazyFrame, list[str]]:
    """The views (``event`` is ``view``) of a shop's visitors by session, then as :func:`sequences`.

    Sessions are cut over all events; the views among them are the log.

    Args:
        rows: columns ``user`` and ``item`` (text of whole numbers), ``time`` (microseconds since 1970), ``event``.
        gap: see :func:`by_sessions`.

    Raises:
        InputError: nothing is left.
    """
    numbers = rows.with_columns(pl.col("user", "item").cast(pl.Int64), view=pl.col("event") == "view")
    events = by_sessions(numbers.select("user", "item", "time", "view").collect(), gap)
    views = events.filter("view").select("user", pl.col("item").cast(pl.String), "time")
    log, notes = _sequences(views)
    note = (
        f"{len(views):,} views of {len(events):,} events; a user is a session of a visitor, which ends after more than "
        f"{gap // 60_000_000} minutes without an event."
    )
    return log, [note, *notes]
