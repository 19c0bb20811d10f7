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
_CLOCKS = (
    "", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", " %H", "T%H:%M", "T%H:%M:%S",
    "T%H:%M:%S.%f",
)  # fmt: skip
_DAYS = (
    ("%Y/%m/%d",),
    ("%d.%m.%Y",),
    ("%d.%m.%y", "%y.%m.%d"),
    ("%m/%d/%Y", "%d/%m/%Y"),
    ("%m/%d/%y", "%d/%m/%y", "%y/%m/%d"),
    ("%m-%d-%Y", "%d-%m-%Y"),
    ("%d-%m-%y", "%m-%d-%y", "%y-%m-%d"),
    ("%b %d, %Y",),
    ("%B %d, %Y",),
    ("%m %d, %Y",),
    ("%d %b %Y",),
    ("%d %B %Y",),
    ("%d-%b-%Y",),
    ("%Y.%m.%d",),
)
"""Days, each with the orders of day, month and year that its text could be in."""
_WHOLE = (
    ("%a %b %d %H:%M:%S %z %Y", "dates of Twitter"),
    ("%a, %d %b %Y %H:%M:%S %z", "dates of mails"),
    ("%a %b %d %H:%M:%S %Y", "dates of C"),
    ("%d/%b/%Y:%H:%M:%S %z", "dates of web servers"),
    ("%Y-%m-%d %H", "dates with hours"),
    ("%Y-%m-%dT%H", "dates with hours"),
    ("%Y-%m", "months"),
)
_SHORT = {"%F": "%Y-%m-%d", "%T": "%H:%M:%S", "%R": "%H:%M", "%D": "%m/%d/%y"}
_FIRSTS = {"%m": "month", "%d": "day", "%y": "year"}
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
    for days, clock in product(_DAYS, _CLOCKS):
        patterns = [day + clock for day in days]
        if any(_fits(each, sample) for each in patterns):
            return _which(tables, columns, patterns, path) if len(patterns) > 1 else TimeForm(patterns[0], patterns[0])
    return None


def _asked(pattern: str, column: Column, path: Path) -> TimeForm:
    for short, long in _SHORT.items():
        pattern = pattern.replace(short, long)
    if not column.is_text and not column.dtype.is_integer():
        raise InputError(f"--time-format is for text, and column '{column.name}' of {path} is of type {column.dtype}")
    if not all(
        any(mark in pattern for mark in marks) for marks in (("%Y", "%y", "%s"), ("%m", "%b", "%B", "%j", "%s"))
    ):
        raise InputError(
            f"--time-format '{pattern}' has no year (%Y) or no month (%m), so that it names no moment; "
            f"such a column needs another one beside it, as in --time year+day"
        )
    if re.search(r"(?<![.,])%f", pattern):
        raise InputError(f"--time-format '{pattern}': a fraction (%f) comes after a full stop or a comma")
    try:
        pl.select(time=from_text(Column("time", pl.lit("x"), pl.String()), TimeForm(pattern, "")))
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
    for each in (pattern, pattern.replace(".%f", "")):
        try:
            return datetime.strptime(text, each)
        except ValueError:
            continue
    return None


def _which(tables: Sequence[Table], columns: Sequence[Column], patterns: Sequence[str], path: Path) -> TimeForm:
    """Of several patterns the one that most rows have, where it is one: a number above 12 is no month."""
    counts = dict.fromkeys(patterns, 0)
    for table, column in zip(tables, columns, strict=True):
        moments = {pattern: from_text(column, TimeForm(pattern, "")) for pattern in patterns}
        found = table.frame.select(**{pattern: is_plausible(moment).sum() for pattern, moment in moments.items()})
        for pattern, count in found.collect(engine="streaming").row(0, named=True).items():
            counts[pattern] += count
    best = [pattern for pattern in patterns if counts[pattern] == max(counts.values())]
    if len(best) > 1:
        cell = tables[0].frame.select(columns[0].text.first()).collect().item()
        options = " or ".join(f"--time-format '{each}'" for each in best)
        raise InputError(
            f"times of {path} such as '{cell}' can be read with day, month or year first, and no row tells which; say "
            f"it with {options}"
        )
    first = next(word for mark, word in _FIRSTS.items() if best[0].startswith(mark))
    return TimeForm(best[0], f"{best[0]}, with the {first} first")


def looks_like_a_clock(text: str) -> bool:
    """Whether it is a time of day alone."""
    return re.match(r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?$", text.strip()) is not None


def dates_among(names: Sequence[str]) -> Iterator[str]:
    """The columns whose names say that they hold dates."""
    return (name for name in names if "date" in name.lower() or name.lower() == "day")
