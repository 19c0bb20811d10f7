"""The histories of the people to recommend to, in a model's item numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from negsample.batches.windows import Ints
from negsample.data.log.files import readable
from negsample.data.log.read import Log, read_columns, read_files, read_tables
from negsample.data.log.reading import Reading
from negsample.data.log.table import open_frame
from negsample.data.log.times import iso
from negsample.data.prepare.order import stable_order
from negsample.errors import InputError, guarded, shown, whole
from negsample.serving.lists import Asked, Lists, has_lists, of_table
from negsample.serving.records import of_python, read_json

JSON = (".jsonl", ".ndjson")


class Histories(NamedTuple):
    """What Q people had, N events in all, of items that the model knows.

    ``keys``: (Q,) what the caller calls each person. ``items``: (N,) int64 numbers 1..V. ``times``: (N,) int64
    microseconds since 1970. ``offsets``: (Q + 1,) int64; person q has ``[offsets[q], offsets[q + 1])``, in the order of
    time. ``unknown``: events left out, as the model has no such item. ``notes``: a sentence each on how they were read.
    """

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

    def before(self, time: int | Ints) -> Histories:
        """The same without the events at or after ``time``, of all or of each person."""
        lengths = np.diff(self.offsets)
        kept = self.times < np.repeat(np.broadcast_to(time, len(lengths)), lengths)
        if kept.all():
            return self
        sums = np.append(0, np.cumsum(kept))
        return self._replace(items=self.items[kept], times=self.times[kept], offsets=sums[self.offsets])


@guarded
def read_histories(
    source: Any,
    item_ids: pl.Series,
    *,
    user: str | None = None,
    item: str | None = None,
    time: str | None = None,
    at: int,
) -> Histories:
    """The histories in a file, a frame, or lists of Python.

    Args:
        source: a log as of :func:`negsample.data.log.read.read_log`; a file of JSON lines, or a frame, with a list of
            items for each person, or with a row for each event; ``{"ann": ["A", "B"]}``; or ``[["A", "B"], ["C"]]``,
            whose people are called 1, 2, .... Without times a person's items are in order.
        item_ids: (V,) the id of item i at i - 1, Int64 or String. Ids match where their text is the same: 12 and "12".
        user: column of the user; None: guessed from the usual names. Likewise ``item`` (of lists: ``items``) and
            ``time`` (``times``).
        item: column of the item.
        time: column of the time.
        at: microseconds since 1970; items without times were had just before it.

    Returns:
        People in the order in which they come first. Who had only unknown items, or none, has an empty history.

    Raises:
        InputError: file, line and value of what is wrong, and what would be right.
    """
    at = whole("at", at, 1, 2**63 - 1)
    log, keys = _read(source, {"user": user, "item": item, "time": time})
    with readable(Path(log.source)):
        numbers = _numbers(item_ids, log.frame.collect_schema()["item"]).lazy()
        rows = log.frame.join(numbers, on="item", how="left", maintain_order="left")
        events = rows.select("user", "number", "time").collect(engine="streaming")
        unknown = events["number"].null_count()
        strange = (
            log.frame.join(numbers, on="item", how="anti", maintain_order="left")
            .select("item")
            .head(unknown and 1)
            .collect()["item"]
        )
    notes = list(log.notes)
    for each in strange:
        notes.append(
            f"{unknown:,} of {len(events):,} items left out: the model has none such as {shown(each)}; its items are "
            f"such as {shown(item_ids[0])}."
        )
    if len(events) and events["time"].null_count():
        notes.append(f"No times: each person's items are in order, and all are taken to be just before {iso(at)}.")
    if keys is None:
        keys = events["user"].unique(maintain_order=True)
        events = events.with_columns(user=events["user"].replace_strict(keys, pl.int_range(len(keys), eager=True)))
    known = events.filter(pl.col("number").is_not_null())
    times, people = known["time"].fill_null(at - 1).to_numpy(), known["user"].to_numpy()
    order = np.arange(len(known))
    if len(known):
        order = stable_order(times)
        order = order[stable_order(people[order])]
    offsets = np.append(0, np.bincount(people, minlength=len(keys)).cumsum())
    return Histories(keys, known["number"].to_numpy()[order], times[order], offsets, unknown, notes)


def _read(source: Any, asked: Asked) -> tuple[Log, pl.Series | None]:
    """The events in ``source``; and what the people are called where users of the log are their numbers from 0."""
    if isinstance(source, str | Path):
        path = Path(source)
        with readable(path):
            is_file = path.exists() and not path.is_dir()
        if is_file and path.suffix.lower() in JSON:
            return _as_log(read_json(path, asked))
        return read_files(source, _reading(asked)), None
    if isinstance(source, pl.LazyFrame) or hasattr(source, "__arrow_c_stream__"):
        table = open_frame(source)
        if has_lists(table, asked["item"]):
            return _as_log(of_table(table, asked))
        return read_tables([table], table.path, _reading(asked)), None
    if isinstance(source, Mapping | Sequence) and not isinstance(source, bytes):
        return _as_log(of_python(source))
    raise InputError(
        f"histories are a file, a frame of Polars or pandas, or lists of items as {{'ann': ['A', 'B']}} or "
        f"[['A', 'B']], got {shown(source)}"
    )


def _reading(asked: Asked) -> Reading:
    return Reading(asked.get("user"), asked.get("item"), asked.get("time"), keep_missing_ids=True, needs_time=False)


def _as_log(lists: Lists) -> tuple[Log, pl.Series | None]:
    if lists.table is None:
        return Log(pl.LazyFrame(schema=dict.fromkeys(("user", "item", "time"), pl.Int64)), "", []), lists.keys
    return read_columns([lists.table], lists.table.path, lists.columns, _reading({})), lists.keys


def _numbers(item_ids: pl.Series, dtype: pl.DataType) -> pl.DataFrame:
    """The ``number`` of each ``item``, as ids of that type; those that are written in another way are none."""
    ids = item_ids.cast(dtype, strict=False)
    numbers = pl.DataFrame({"item": ids, "number": pl.int_range(1, len(ids) + 1, eager=True)})
    return numbers.filter(ids.cast(item_ids.dtype) == item_ids)
