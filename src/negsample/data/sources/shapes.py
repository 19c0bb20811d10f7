"""Shapes: from the rows of an official file to the log, and a sentence on each step.

The rules of :func:`sequences` and :func:`view_sessions` are those of Hidasi and Czapp (2023), *Widespread Flaws in
Offline Evaluation of Recommender Systems*, and of the scripts published with it and with their study of third-party
implementations.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from negsample.data.log.times import iso
from negsample.errors import InputError

Shape = Callable[[pl.LazyFrame], tuple[pl.LazyFrame, list[str]]]
LEAST_LENGTH, LEAST_COUNT = 2, 5  # events of a sequence, of an item
GAP = 3_600_000_000  # microseconds between sessions
CUTS = (1_628_643_414_042_000, 1_658_002_729_837_000)  # of Amazon Reviews 2023, in microseconds


def all_rows(rows: pl.LazyFrame) -> tuple[pl.LazyFrame, list[str]]:
    """All rows, in the order of the file."""
    return rows.select("user", "item", "time"), []


def known(rows: pl.LazyFrame) -> tuple[pl.LazyFrame, list[str]]:
    """All rows with a user and an item, in the order of the file."""
    there = (pl.col("user") != "") & (pl.col("item") != "")
    total, kept = rows.select(rows=pl.len(), kept=there.sum()).collect(engine="streaming").row(0)
    log = rows.filter(there).select("user", "item", "time")
    return log, [f"{total - kept:,} of {total:,} rows left out: no user or no item."] if kept < total else []


def only(rule: pl.Expr, what: str, *notes: str, cuts: tuple[int, int] | None = None) -> Shape:
    """The rows of which ``rule`` holds, which ``what`` says for people, with further ``notes``.

    ``cuts``: where validation and test begin by their publisher.
    """

    def shape(rows: pl.LazyFrame) -> tuple[pl.LazyFrame, list[str]]:
        total, kept = rows.select(rows=pl.len(), kept=rule.sum()).collect(engine="streaming").row(0)
        if not kept:
            raise InputError(f"none of its {total:,} rows is an event ({what}); bring a larger file")
        log, more = rows.filter(rule).select("user", "item", "time"), list(notes)
        if cuts:
            log, split = with_parts(log, *cuts)
            more.append(split)
        return log, [f"{kept:,} of {total:,} rows are events: {what}.", *more]

    return shape


def first_reviews(rows: pl.LazyFrame) -> tuple[pl.LazyFrame, list[str]]:
    """Each user's first review of an item, in the order of the file, split at ``CUTS``.

    Rows that have a variant of the item (``asin``) are reviews, of which only each user's first of an item is kept, as
    its publishers did; other rows were made so already. The distinct pairs of user and item are in memory.
    """
    log, notes = known(rows)
    if "asin" in rows.collect_schema():
        total = log.select(pl.len()).collect(engine="streaming").item()
        log = log.group_by("user", "item", maintain_order=True).agg(pl.col("time").min())
        kept = log.select(pl.len()).collect(engine="streaming").item()
        notes.append(f"{total - kept:,} of {total:,} reviews left out: not the user's first of the item.")
    log, split = with_parts(log, *CUTS)
    return log, [*notes, split]


def with_parts(log: pl.LazyFrame, valid: int, test: int) -> tuple[pl.LazyFrame, str]:
    """``log`` with the column ``part``: 1 (validation) from microsecond ``valid`` on, 2 (test) from ``test`` on, or 0.

    And a sentence on it.
    """
    part = sum((pl.col("time") >= cut).cast(pl.Int8) for cut in (valid, test))
    split = f"Its publisher's split (--split given): validation from {iso(valid)}, test from {iso(test)}."
    return log.with_columns(part=part), split


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
