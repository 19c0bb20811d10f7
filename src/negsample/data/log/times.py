"""A column of times, in any form, as microseconds since 1970.

Events lie between 1980 and now. A number that lies in that span in one unit lies outside of it in every other unit, so
each number determines its unit, or is no time.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import polars as pl

from negsample.data.log.table import Column

FORMS = (
    "a time is a number of seconds, milliseconds, microseconds or nanoseconds since 1970, or ISO text such as "
    "2011-12-09T12:50:00, 2011-12-09 12:50+02:00 or 2011-12-09, the same for all rows; --time-format names another "
    "form, such as '%d.%m.%Y %H:%M'"
)
UNITS = {"seconds": 10**0, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
"""How many of each are a second."""
NONE = Column("", pl.lit(None, pl.Datetime("us")), pl.Datetime("us"))
"""The column of a log without times."""
_FIRST = 315_532_800  # 1980-01-01, in seconds
_AHEAD = 86_400  # seconds that a time may be ahead of this machine's clock: it may lie in another zone
_LARGEST = 9.2e18  # of Int64
_ROUNDED = r"^[+-]?\d(?:\.(\d+))?[eE]\+?(\d{1,2})$"
_ISO = (
    r"^(\d{4}-\d{2}-\d{2})(?:[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,6})\d*)?)?)?"
    r" ?(?:[Zz]|UTC|([+-])(\d{2}):?(\d{2})?)?$"
)
_COMMON = {10: "%Y-%m-%d", 19: "%Y-%m-%dT%H:%M:%S"}
"""The two forms of ISO text, by their length, that Polars reads by itself, in a fraction of the time."""


Usual = Literal["whole numbers", "dates"]


class TimeForm(NamedTuple):
    """How text is a time: ``pattern``, as of strptime. ``told``: in words; ``asked``: by a person."""

    pattern: str
    told: str
    asked: bool = False


def is_time(text: str, form: TimeForm | None) -> bool:
    """Whether the text is a time between 1980 and now."""
    if not any(map(str.isdecimal, text)):
        return False
    found = pl.select(pl.lit(0)).with_columns(**values(Column("", pl.lit(text), pl.String()), form))
    return bool(found.select((~rules()["odd_number"] & rules()["number"]) | is_plausible(pl.col("moment"))).item())


def can_be(column: Column) -> bool:
    """Whether a column of this type can hold times."""
    return column.is_text or column.dtype.is_numeric() or _is_calendar(column)


def usual(sample: Sequence[str]) -> Usual | None:
    """Of what kind all text of the sample is, where one of the two that are read in a fraction of the time."""
    if all(each.isascii() and each.isdecimal() for each in sample):
        return "whole numbers"
    return "dates" if all(len(each) in _COMMON and each[4:5] == "-" for each in sample) else None


def values(column: Column, form: TimeForm | None = None, kind: Usual | None = None) -> dict[str, pl.Expr]:
    """Of each row: the time as ``number`` and as ``moment`` (microseconds since 1970), null where it is none, and
    whether it is ``inexact`` (a float so large that its neighbours are the same) or ``zoned`` (a date with a zone).

    ``kind``: text of that kind alone is read, other text is neither.
    """
    most, never = column.exact_up_to, pl.lit(False)
    if kind is not None and column.is_text:
        number = column.text.cast(pl.Int64, strict=False).cast(pl.Float64)
        moment = from_calendar(column, "dates")
        none = {"number": pl.lit(None, pl.Float64), "moment": pl.lit(None, pl.Int64)}
        only = {"number": number} if kind == "whole numbers" else {"moment": moment}
        return none | only | {"inexact": never, "zoned": never}
    zone = r":\d{2}(?:[.,]\d+)? ?(?:[Zz]|UTC|[+-]\d{2}(?::?\d{2})?)$"
    if form is not None:
        zoned = pl.lit("%z" in form.pattern)
        moment = from_text(column, form)
        return {"number": pl.lit(None, pl.Float64), "moment": moment, "inexact": never, "zoned": zoned}
    return {
        "number": _number(column),
        "moment": from_calendar(column),
        "inexact": never if most is None else column.expr.abs().cast(pl.Float64) > most,
        "zoned": _value(column).str.contains(zone) if column.is_text else never,
    }


def rules() -> dict[str, pl.Expr]:
    """By name, where :func:`values` are of a unit, are there, are not, or lie outside of 1980 to now (``odd``)."""
    number, moment = pl.col("number"), pl.col("moment")
    units = {unit: is_plausible(number, unit).fill_null(False) for unit in UNITS}
    return units | {
        "number": number.is_not_null(),
        "moment": moment.is_not_null(),
        "no_number": number.is_null(),
        "no_moment": moment.is_null(),
        "odd_number": number.is_not_null() & ~pl.any_horizontal(units.values()),
        "odd_moment": ~is_plausible(moment),
        "inexact": pl.col("inexact"),
        "zoned": pl.col("zoned"),
    }


def is_plausible(number: pl.Expr, unit: str = "microseconds") -> pl.Expr:
    """Whether it lies between 1980 and now, as ``unit`` since 1970."""
    return number.is_between(_FIRST * UNITS[unit], latest() * UNITS[unit] // 10**6)


def latest() -> int:
    """Microseconds since 1970: no event is later."""
    return int((time.time() + _AHEAD) * 10**6)


def _number(column: Column) -> pl.Expr:
    """As Float64; null where it is no finite number that Int64 could hold, or one that lost digits in ``1.3E+09``."""
    if _is_calendar(column):
        return pl.lit(None, dtype=pl.Float64)
    value = _value(column).cast(pl.Float64, strict=False)
    fits = value.is_finite() & (value.abs() < _LARGEST)
    if column.is_text:
        parts = _groups(_value(column), _ROUNDED, "[eE]").struct
        fits &= (parts.field("1").fill_null("").str.len_chars() >= parts.field("2").cast(pl.Int64)).fill_null(True)
    return pl.when(fits).then(value)


def _groups(text: pl.Expr, pattern: str, needs: str) -> pl.Expr:
    """``text.str.extract_groups(pattern)``, which is slow, only where the text has what the pattern ``needs``."""
    return pl.when(text.str.contains(needs)).then(text).str.extract_groups(pattern)


def from_number(column: Column, unit: str, kind: Usual | None = None) -> pl.Expr:
    """Numbers of ``unit`` as Int64 microseconds: exact for integers, rounded down from nanoseconds; ``kind``: as of
    :func:`values`."""
    a_second = UNITS[unit]
    whole = _value(column).cast(pl.Int64, strict=False)
    exact = whole // 1000 if a_second > 10**6 else whole * (10**6 // a_second)
    if kind == "whole numbers":
        return exact
    rounded = (_number(column) * (10**6 / a_second)).round().cast(pl.Int64, strict=False)
    return pl.coalesce(exact, rounded) if column.dtype.is_integer() or column.is_text else rounded


def from_text(column: Column, form: TimeForm) -> pl.Expr:
    """Text of this form as Int64 microseconds; null where it is of none. A fraction, and its mark, may be absent."""
    text, pattern = column.text, form.pattern
    if ",%f" in pattern:
        text, pattern = text.str.replace(r"(\d),(\d{1,9})", "$1.$2"), pattern.replace(",%f", ".%f")
    pattern = pattern.replace(".%f", "%.f")
    if "%Z" in pattern:  # Polars skips any name
        text, pattern = text.str.replace(r"\b(?:UTC|GMT)\b", "UTC"), pattern.replace("%Z", "UTC")
    if "%H" in pattern and "%M" not in pattern:  # Polars reads hours with minutes alone
        text, pattern = text + ":00", f"{pattern}:%M"
    return text.str.to_datetime(pattern, strict=False, time_unit="us", ambiguous="null").dt.epoch("us")


def from_calendar(column: Column, kind: Usual | None = None) -> pl.Expr:
    """Dates as Int64 microseconds, UTC where no zone is given; null where it is no ISO date or time. ``kind``: as of
    :func:`values`."""
    if _is_calendar(column):
        return column.expr.cast(pl.Datetime("us", getattr(column.dtype, "time_zone", None))).dt.epoch("us")
    if not column.is_text:
        return pl.lit(None, dtype=pl.Int64)
    text = _value(column)
    common = pl.coalesce(*(_common(text, length) for length in _COMMON))
    if kind == "dates":
        return common
    return pl.coalesce(common, _any_iso(pl.when(common.is_null()).then(text)))


def _common(text: pl.Expr, length: int) -> pl.Expr:
    of_length = pl.when(text.str.len_bytes() == length).then(text)
    if length == 19:  # a leap second is none
        of_length = pl.when(of_length.str.tail(2) < "60").then(of_length.str.replace(" ", "T", literal=True))
    return of_length.str.to_datetime(_COMMON[length], strict=False, time_unit="us").dt.epoch("us")


def _any_iso(text: pl.Expr) -> pl.Expr:
    fields = _groups(text, _ISO, "-")

    def field(group: int, highest: int) -> pl.Expr:
        value = fields.struct.field(str(group)).cast(pl.Int64)
        return pl.when(value.is_null()).then(0).when(value <= highest).then(value)

    midnight = fields.struct.field("1").str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us"))
    second = field(2, 23) * 3600 + field(3, 59) * 60 + field(4, 59)
    fraction = fields.struct.field("5").str.pad_end(6, "0").cast(pl.Int64).fill_null(0)
    east = pl.when(fields.struct.field("6") == "-").then(-1).otherwise(1)
    offset = east * (field(7, 23) * 3600 + field(8, 59) * 60)
    return midnight.dt.epoch("us") + (second - offset) * 10**6 + fraction


def iso(microseconds: int) -> str:
    """The moment as ISO text, UTC, to the second."""
    return str(np.datetime64(microseconds, "us").astype("datetime64[s]"))


def _is_calendar(column: Column) -> bool:
    return isinstance(column.dtype, pl.Date | pl.Datetime)


def _value(column: Column) -> pl.Expr:
    return column.text if column.is_text else column.expr
