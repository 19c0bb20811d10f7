"""Logs with a known truth, their mutations, and a slow reader of text that shares no code with the product."""

from __future__ import annotations

import csv
import gzip
import io
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import polars as pl

Event = tuple[str, str, int]
Rows = list[list[str]]
BASE = 1_396_310_400
HEADER = ["user", "item", "time", "title"]
MISSING = ["NA", "N/A", "NULL", "null", "nan", "NaN", "None", "\\N", "-", "<NA>"]
TITLES = ["plain", "a, b", 'the "x"', "two\nlines", "", "5; 6", "tab\there", "Zoë 商品"]


@dataclass(frozen=True)
class Made:
    """A log: its text as rows, how it is written, and what must be read.

    ``expect``: the events a reader may find (microseconds); None: only a refusal is right. ``unchanged``: others that
    are right, too. ``must_read``: a refusal
    is wrong. ``note``: words that must be said beside the events. ``files``: by name, what is written.
    """

    rows: Rows
    delimiter: str
    expect: list[Event] | None
    unchanged: list[Event] | None = None
    must_read: bool = True
    note: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    header: tuple[str, ...] = tuple(HEADER)

    def text(self, *, end: str = "\n", header: bool = True) -> str:
        """As a CSV writer has it."""
        out = io.StringIO(newline="")
        writer = csv.writer(out, delimiter=self.delimiter, lineterminator=end)
        writer.writerows([list(self.header), *self.rows] if header else self.rows)
        return out.getvalue()

    def written(self, name: str = "log.csv", content: str | bytes | None = None) -> Made:
        """With its one file."""
        text = self.text() if content is None else content
        return replace(self, files={name: text if isinstance(text, bytes) else text.encode()})

    def refused(self) -> Made:
        """Of which only a refusal is right."""
        return replace(self, expect=None, must_read=False)

    def as_it_stands(self, name: str, content: bytes) -> Made:
        """After a change that nobody may know of: what the slow reader finds, or what was there, or a refusal."""
        found = slow_read(content, self.delimiter)
        return replace(self, files={name: content}, expect=found, unchanged=self.expect, must_read=False)


def valid_log(chance: random.Random) -> Made:
    """A log of 30 to 80 events, in one of the ways that people write them."""
    styles: list[Callable[[int], str]] = [str, "{:06}".format, "u{}é".format, "B00{:07X}".format, lambda n: str(-n)]
    ids = chance.choice(styles)
    scale = chance.choice([1, 10**3, 10**6, 10**9])
    iso = chance.random() < 0.3
    rows, events = [], []
    for _ in range(chance.randint(30, 80)):
        user, item, second = ids(chance.randint(1, 9)), ids(chance.randint(1, 12)), BASE + chance.randint(0, 10**7)
        moment = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        rows.append([user, item, moment if iso else str(second * scale), chance.choice(TITLES)])
        events.append((user, item, second * 10**6))
    return Made(rows, chance.choice([",", ";", "\t", "|"]), events)


def slow_read(content: bytes, delimiter: str) -> list[Event] | None:
    """The events that the bytes of a text file hold by the words of RFC 4180; None: they hold none."""
    try:
        text = re.sub("\r(?!\n)", " ", content.decode().removeprefix("\ufeff"))  # a bare CR is white space
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        header, *rows = list(reader)
        places = [header.index(name) for name in HEADER[:3]]
        events = []
        for row in rows:
            if not row or (len(row) == 1 and not row[0].strip(" ")):
                continue
            if len(row) != len(header):
                return None
            user, item, time = (row[place].strip() for place in places)
            if not {user, item} & {"", *MISSING}:
                events.append((user, item, slow_time(time)))
    except (UnicodeDecodeError, csv.Error, ValueError, OverflowError):
        return None
    return events


def slow_time(text: str) -> int:
    """Microseconds since 1970 of a moment or a number in whatever unit puts it between 1980 and 2030."""
    if re.fullmatch(r"\d{4}-.*", text):
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
        return (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(
            microseconds=1
        )
    number = int(text)
    for scale in (1, 10**3, 10**6, 10**9):
        if 315_532_800 * scale <= number < 1_900_000_000 * scale:
            return number * 10**6 // scale
    raise ValueError(f"no time: {text}")


def as_parquet(made: Made, **changes: pl.Series) -> bytes:
    """The log as a Parquet file, some columns in the place of its own."""
    columns = {
        name: pl.Series(name, values) for name, values in zip(made.header, zip(*made.rows, strict=True), strict=True)
    }
    out = io.BytesIO()
    pl.DataFrame(columns | changes).write_parquet(out)
    return out.getvalue()


def gzipped(text: str) -> bytes:
    """The same bytes on every day."""
    return gzip.compress(text.encode(), mtime=0)


Mutation = Callable[[Made, random.Random], Made]
