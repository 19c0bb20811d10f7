"""A column of user or item ids, as 64-bit integers or text, never as floats.

Text ids are read without the white space around them, so that every reader of a file finds the same ones. Text that
says "missing" is no id.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import polars as pl

from negsample.data.log.table import Column, Table
from negsample.errors import InputError

_LARGEST = 2**63 - 1  # of Int64
_WORDS = ("NA", "N/A", "#N/A", "<NA>", "NULL", "<null>", "(null)", "NaN", "NaT", "None", "nil", "undefined", "\\N", "-")
MISSING = sorted({form for word in _WORDS for form in (word, word.lower(), word.upper(), word.title())})
"""What tables and programs write where there is no value."""
_CONTROL = r"[\p{Cc}\x{2028}\x{2029}\x{feff}]"
_ROUNDED = r"^[+-]?\d(?:\.\d+)?[eE]\+\d+$"  # as spreadsheets write long numbers


def check_type(column: Column, table: Table) -> None:
    """Refuses a column that holds no ids."""
    if not (column.dtype.is_integer() or column.dtype.is_float() or column.is_text):
        raise InputError(
            f"column '{column.name}' of {table.path} is of type {column.dtype}; "
            f"an id is an integer or text, so cast it to one of them"
        )


def is_empty(column: Column) -> pl.Expr:
    """Where there is no id: null, NaN, or nothing but white space."""
    if column.is_text:
        return column.expr.is_null() | (column.text == "")
    return column.expr.is_null() | column.expr.is_nan() if column.dtype.is_float() else column.expr.is_null()


def says_missing(column: Column) -> pl.Expr:
    """Where text says that there is no id."""
    return column.text.is_in(MISSING).fill_null(False) if column.is_text else pl.lit(False)


def _inexact(column: Column) -> pl.Expr:
    most = column.exact_up_to
    if most is None:
        return pl.lit(False)
    value = column.expr.cast(pl.Float64)
    return value.is_infinite() | (value != value.round()) | (value.abs() > most)


def _too_large(column: Column) -> pl.Expr:
    if not isinstance(column.dtype, pl.UInt64 | pl.Int128 | pl.UInt128):
        return pl.lit(False)
    beyond = column.expr > _LARGEST
    return beyond | (column.expr < -_LARGEST) if isinstance(column.dtype, pl.Int128) else beyond


def _trimmed(column: Column) -> pl.Expr:
    return (column.expr.cast(pl.String) != column.text).fill_null(False) if column.is_text else pl.lit(False)


def _text_like(pattern: str) -> Callable[[Column], pl.Expr]:
    return lambda column: column.text.str.contains(pattern).fill_null(False) if column.is_text else pl.lit(False)


FAULTS: dict[str, Callable[[Column], pl.Expr]] = {
    "inexact": _inexact,
    "garbled": _text_like(f"{_CONTROL}|{_ROUNDED}"),
}
"""Where an id is wrong: a float that is no whole number, or so large that its neighbours are the same float; text with
a control character inside, or a number that a spreadsheet rounded (``1.2E+12``)."""
FORMS: dict[str, Callable[[Column], pl.Expr]] = {
    "too_large": _too_large,
    "trimmed": _trimmed,
    "whole": _text_like(r"^-?\d+$"),
    "pointed": _text_like(r"^-?\d+\.0+$"),
}
"""Where an id is beyond Int64, or is text that has white space around it, or is a whole number as ``12`` or as ``12.0``
(which went through a column of floats)."""


def become_text(columns: Sequence[Column], any_too_large: bool) -> bool:
    """Whether the ids of these columns, one a part, become text: they are, or Int64 is too narrow."""
    return any_too_large or not columns[0].dtype.is_numeric()


def id_of(column: Column, as_text: bool) -> pl.Expr:
    """The ids as Int64 or String, where there is one."""
    if column.is_text:
        return column.text
    if not as_text:
        return column.expr.cast(pl.Int64)
    return (column.expr.cast(pl.Int64) if column.dtype.is_float() else column.expr).cast(pl.String)
