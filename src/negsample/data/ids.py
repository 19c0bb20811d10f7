"""A column of user or item ids, as 64-bit integers or text, never as floats."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from negsample.config import InputError
from negsample.data.parts import Column

_EXACT = float(2**53)  # whole floats are exact up to here
_LARGEST = 2**63 - 1  # of Int64


def check_type(column: Column, path: Path) -> None:
    """Refuses a column that holds no ids.

    Raises:
        InputError: with the type found and those that are right.
    """
    dtype = column.dtype
    if not (dtype.is_integer() or dtype.is_float() or isinstance(dtype, pl.String | pl.Categorical | pl.Enum)):
        raise InputError(
            f"column '{column.name}' of {path} is of type {dtype}; "
            f"an id is an integer or text, so cast it to one of them"
        )


def missing(column: Column) -> pl.Expr:
    """Where there is no id: null, NaN, and in text files nothing between the delimiters."""
    if column.of_text:
        return column.expr.is_null() | (column.expr == "")
    return column.expr.is_null() | column.expr.is_nan() if column.dtype.is_float() else column.expr.is_null()


def odd(column: Column) -> pl.Expr:
    """Where a float is no whole number, or too large for its last digit to be true."""
    if not column.dtype.is_float():
        return pl.lit(False)
    value = column.expr.cast(pl.Float64)
    return value.is_infinite() | (value != value.round()) | (value.abs() > _EXACT)


def too_large(column: Column) -> pl.Expr:
    """Where an integer goes beyond Int64."""
    if not isinstance(column.dtype, pl.UInt64 | pl.Int128 | pl.UInt128):
        return pl.lit(False)
    beyond = column.expr > _LARGEST
    return beyond | (column.expr < -_LARGEST) if isinstance(column.dtype, pl.Int128) else beyond


def as_text(columns: Sequence[Column], any_too_large: bool) -> bool:
    """Whether these columns, one a part, become text: where they are, or where Int64 is too narrow."""
    return any_too_large or not columns[0].dtype.is_numeric()


def external(column: Column, text: bool) -> pl.Expr:
    """The ids as Int64 or String, where there is one."""
    return column.expr.cast(pl.String) if text else column.expr.cast(pl.Int64)
