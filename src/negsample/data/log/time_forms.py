"""Which form the times of a text column have, where they are neither numbers since 1970 nor ISO text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import product
from pathlib import Path

import polars as pl

from negsample.data.log.table import Column, Table
from negsample.data.log.times import TimeForm, from_text, is_plausible
from negsample.errors import InputError

_SAMPLE = 1000
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", " %H", "T%H:%M", "T%H:%M:%S")
_DAYS = (
    ("%Y/%m/%d", None),
    ("%d.%m.%Y", None),
    ("%d.%m.%y", None),
    ("%m/%d/%Y", "%d/%m/%Y"),
    ("%m/%d/%y", "%d/%m/%y"),
    ("%m-%d-%Y", "%d-%m-%Y"),
    ("%b %d, %Y", None),
    ("%B %d, %Y", None),
    ("%m %d, %Y", None),
    ("%d %b %Y", None),
    ("%d %B %Y", None),
    ("%d-%b-%Y", None),
    ("%Y.%m.%d", None),
)
"""Days, and the same with day and month in the other order, where the text could be either."""
_WHOLE = (
    ("%a %b %d %H:%M:%S %z %Y", "Twitter's"),
    ("%a, %d %b %Y %H:%M:%S %z", "as in mails"),
    ("%a %b %d %H:%M:%S %Y", "as C writes it"),
    ("%d/%b/%Y:%H:%M:%S %z", "as web servers write it"),
    ("%Y-%m-%d %H", "dates with hours"),
    ("%Y-%m-%dT%H", "dates with hours"),
    ("%Y-%m", "months"),
)
_DIGITS = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}


def form_of(tables: Sequence[Table], columns: Sequence[Column], asked: str | None, path: Path) -> TimeForm | None:
    """The form of the times, which are in one column of each of the ``tables``; None: numbers since 1970, ISO text or
    a type of calendar. A day and a month that could be each other are refused.

    ``asked``: the form that a person named, as of strptime.
    """
    if asked is not None:
        return _asked(asked, columns[0], path)
    if not (columns[0].is_text or columns[0].dtype.is_integer()):
        return None
    text = columns[0].expr.cast(pl.String).str.strip_chars()
    sample = tables[0].frame.select(time=text).filter(pl.col("time") != "").head(_SAMPLE).collect()["time"].to_list()
    if not sample:
        return None
    lengths = {len(each) for each in sample}
    if all(each.isdecimal() for each in sample):
        pattern = _DIGITS.get(lengths.pop()) if len(lengths) == 1 else None
        told = f"{pattern} in digits"
        return TimeForm(pattern, told) if pattern and _fits(pattern, sample) else None
    for pattern, told in _WHOLE:
        if _fits(pattern, sample):
            return TimeForm(pattern, f"{told} ({pattern})")
    for (day, other), clock in product(_DAYS, _CLOCKS):
        if other is not None and (_fits(day + clock, sample) or _fits(other + clock, sample)):
            return _which(tables, columns, day + clock, other + clock, path)
        if other is None and _fits(day + clock, sample):
            return TimeForm(day + clock, day + clock)
    return None


def _asked(pattern: str, column: Column, path: Path) -> TimeForm:
    if not column.is_text and not column.dtype.is_integer():
        raise InputError(f"--time-format is for text, and column '{column.name}' of {path} is of type {column.dtype}")
    if not all(
        any(mark in pattern for mark in marks) for marks in (("%Y", "%y", "%s"), ("%m", "%b", "%B", "%j", "%s"))
    ):
        raise InputError(
            f"--time-format '{pattern}' has no year (%Y) or no month (%m), so that it names no moment; "
            f"such a column needs another one beside it, as in --time year+day"
        )
    try:
        pl.Series(["x"]).str.to_datetime(pattern, strict=False)
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        if "both hour and minute" not in reason:
            raise InputError(f"--time-format '{pattern}' cannot be used ({reason}); such as '%d.%m.%Y %H:%M'") from None
    return TimeForm(pattern, pattern, asked=True)


def _fits(pattern: str, sample: Sequence[str]) -> bool:
    """Whether all of the sample are times of this pattern, between 1980 and now."""
    if _parsed(pattern, sample[0]) is None:
        return False
    column = Column("time", pl.col("time"), pl.String())
    moments = pl.DataFrame({"time": sample}).select(time=from_text(column, TimeForm(pattern, "")))
    return bool(moments.select(is_plausible(pl.col("time")).fill_null(False).all()).item())


def _parsed(pattern: str, text: str) -> datetime | None:
    try:
        return datetime.strptime(text, pattern)
    except ValueError:
        return None


def _which(tables: Sequence[Table], columns: Sequence[Column], first: str, second: str, path: Path) -> TimeForm:
    """Of two patterns the one that all rows have: a number above 12 is a day."""
    counts = dict.fromkeys((first, second), 0)
    rows = 0
    for table, column in zip(tables, columns, strict=True):
        found = table.frame.select(
            rows=(column.text != "").sum(),
            **{pattern: from_text(column, TimeForm(pattern, "")).count() for pattern in counts},
        )
        number, *of_patterns = found.collect(engine="streaming").row(0)
        rows += number
        for pattern, count in zip(counts, of_patterns, strict=True):
            counts[pattern] += count
    if counts[first] == counts[second]:
        cell = tables[0].frame.select(columns[0].text.first()).collect().item()
        raise InputError(
            f"times of {path} such as '{cell}' can be read with the month or with the day first, and no row tells "
            f"which; say it with --time-format '{first}' or --time-format '{second}'"
        )
    best = max(counts, key=lambda pattern: counts[pattern])
    order = "the month" if best == first else "the day"
    return TimeForm(best, f"{best}, with {order} first")


def looks_like_a_clock(text: str) -> bool:
    """Whether it is a time of day alone."""
    return re.match(r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?$", text.strip()) is not None


def dates_among(names: Sequence[str]) -> Iterator[str]:
    """The columns whose names say that they hold dates."""
    return (name for name in names if "date" in name.lower() or name.lower() == "day")
