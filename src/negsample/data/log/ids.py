"""A column of user or item ids, as 64-bit integers or text, never as floats.

Text ids are read without the white space around them, so that every reader of a file finds the same ones. Text that
says "missing" is no id.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from negsample.data.log.parts import Column
from negsample.errors import InputError

_LARGEST = 2**63 - 1  # of Int64
_EXACT_BITS = {"Float16": 11, "Float32": 24, "Float64": 53}
_WORDS = ("NA", "N/A", "#N/A", "<NA>", "NULL", "<null>", "(null)", "NaN", "NaT", "None", "nil", "undefined", "\\N", "-")
MISSING = sorted({form for word in _WORDS for form in (word, word.lower(), word.upper(), word.title())})
"""What tables and programs write where there is no value."""
_CONTROL = r"[\p{Cc}\x{2028}\x{2029}\x{feff}]"
_ROUNDED = r"^[+-]?\d(?:\.\d+)?[eE]\+\d+$"  # as spreadsheets write long numbers


def check_type(column: Column, path: Path) -> None:
    """Refuses a column that holds no ids.

    Raises:
        InputError: with the type found and those that are right.
    """
    dtype = column.dtype
    if not (dtype.is_integer() or dtype.is_float() or is_text(column)):
        raise InputError(
            f"column '{column.name}' of {path} is of type {dtype}; "
            f"an id is an integer or text, so cast it to one of them"
        )


def is_text(column: Column) -> bool:
    """Whether its values are text, in a text file or not."""
    return isinstance(column.dtype, pl.String | pl.Categorical | pl.Enum)


def exact_to(column: Column) -> int | None:
    """The largest whole number to which all are told apart; None: a column of no floats."""
    return 2 ** _EXACT_BITS[str(column.dtype)] if column.dtype.is_float() else None


def missing(column: Column) -> pl.Expr:
    """Where there is no id: null, NaN, or nothing but white space."""
    if is_text(column):
        return column.expr.is_null() | (_text(column) == "")
    return column.expr.is_null() | column.expr.is_nan() if column.dtype.is_float() else column.expr.is_null()


def says_missing(column: Column) -> pl.Expr:
    """Where text says that there is no id."""
    return _text(column).is_in(MISSING).fill_null(False) if is_text(column) else pl.lit(False)


def odd(column: Column) -> pl.Expr:
    """Where a float is no whole number, or so large that its neighbours are the same float."""
    most = exact_to(column)
    if most is None:
        return pl.lit(False)
    value = column.expr.cast(pl.Float64)
    return value.is_infinite() | (value != value.round()) | (value.abs() > most)


def garbled(column: Column) -> pl.Expr:
    """Where text has a control character inside, or is a number that a spreadsheet rounded (``1.2E+12``)."""
    if not is_text(column):
        return pl.lit(False)
    return _text(column).str.contains(f"{_CONTROL}|{_ROUNDED}").fill_null(False)


def too_large(column: Column) -> pl.Expr:
    """Where an integer goes beyond Int64."""
    if not isinstance(column.dtype, pl.UInt64 | pl.Int128 | pl.UInt128):
        return pl.lit(False)
    beyond = column.expr > _LARGEST
    return beyond | (column.expr < -_LARGEST) if isinstance(column.dtype, pl.Int128) else beyond


def trimmed(column: Column) -> pl.Expr:
    """Where white space stands around an id."""
    return (column.expr.cast(pl.String) != _text(column)).fill_null(False) if is_text(column) else pl.lit(False)


def whole(column: Column) -> pl.Expr:
    """Where text is a whole number as ``12``."""
    return _text(column).str.contains(r"^-?\d+$").fill_null(False) if is_text(column) else pl.lit(False)


def pointed(column: Column) -> pl.Expr:
    """Where text is a whole number as ``12.0``: it went through a column of floats."""
    return _text(column).str.contains(r"^-?\d+\.0+$").fill_null(False) if is_text(column) else pl.lit(False)


def as_text(columns: Sequence[Column], any_too_large: bool) -> bool:
    """Whether these columns, one a part, become text: where they are, or where Int64 is too narrow."""
    return any_too_large or not columns[0].dtype.is_numeric()


def external(column: Column, text: bool) -> pl.Expr:
    """The ids as Int64 or String, where there is one."""
    if is_text(column):
        return _text(column)
    if not text:
        return column.expr.cast(pl.Int64)
    return (column.expr.cast(pl.Int64) if column.dtype.is_float() else column.expr).cast(pl.String)


def _text(column: Column) -> pl.Expr:
    return column.expr.cast(pl.String).str.strip_chars()
