"""A column of user or item ids, as 64-bit integers or text, never as floats.

Text ids are read without the white space around them, so that every reader of a file finds the same ones. Text that
says "missing" is no id.
"""

from __future__ import annotations

import polars as pl

from negsample.data.log.table import Column

FORMS = "an id is an integer or text, so cast it to one of them"
RULES = ("odd", "empty", "missing", "inexact", "garbled", "too_large", "trimmed", "whole", "pointed", "nested")
_LARGEST = 2**63 - 1  # of Int64
_WORDS = ("NA", "N/A", "#N/A", "<NA>", "NULL", "<null>", "(null)", "NaN", "NaT", "None", "nil", "undefined", "\\N", "-")
MISSING = sorted({form for word in _WORDS for form in (word, word.lower(), word.upper(), word.title())})
"""What tables and programs write where there is no value."""
_CONTROL = r"[\p{Cc}\x{2028}\x{2029}\x{feff}]"
_PLAIN = r"^[!-*,\-/-~]*$"  # ASCII without white space, dots and pluses: an id as it is
ROUNDED = r"^[+-]?\d(?:\.\d+)?[eE]\+\d+$"  # as spreadsheets write long numbers


def can_be(column: Column) -> bool:
    """Whether a column of this type can hold ids."""
    return column.is_text or column.dtype.is_integer() or column.dtype.is_float()


def rules(column: Column, plain: bool = False) -> dict[str, pl.Expr]:
    """Where each of ``RULES`` holds; ``plain``: of text that is plain alone, ``odd`` where other text is.

    ``odd``: of the plain ones alone. ``empty``: null, NaN, or nothing but white space. ``missing``: text that says so.
    ``inexact``: a float that is no whole number, or so large that its neighbours are the same float. ``garbled``: text
    with a control character inside, or a number that a spreadsheet rounded (``1.2E+12``). ``too_large``: beyond Int64.
    ``trimmed``: text with white space around it. ``whole``, ``pointed``: a whole number in text, as ``12`` or as
    ``12.0`` (which went through a column of floats). ``nested``: like a list or an object of JSON, or true or false.
    """
    expr, text = column.expr, column.text
    found = dict.fromkeys(RULES, pl.lit(False)) | {"empty": expr.is_null()}
    if column.is_text:
        found["empty"] |= text == ""
        found["missing"] = text.is_in(MISSING)
        found["whole"] = text.str.contains(r"^-?\d+$")
        found["nested"] = text.str.contains(r"^(?:[\[{]|true$|false$)")
        if plain:
            return found | {"odd": ~expr.cast(pl.String).str.contains(_PLAIN)}
        found["garbled"] = text.str.contains(f"{_CONTROL}|{ROUNDED}")
        found["trimmed"] = expr.cast(pl.String) != text
        found["pointed"] = text.str.contains(r"^-?\d+\.0+$")
    elif column.exact_up_to is not None:
        value = expr.cast(pl.Float64)
        found["empty"] |= expr.is_nan()
        found["inexact"] = value.is_infinite() | (value != value.round()) | (value.abs() > column.exact_up_to)
    elif column.dtype == pl.Int128:
        found["too_large"] = (expr > _LARGEST) | (expr < -_LARGEST)
    elif isinstance(column.dtype, pl.UInt64 | pl.UInt128):
        found["too_large"] = expr > _LARGEST
    return found


def is_missing(column: Column) -> pl.Expr:
    """Where there is no value: null, NaN, nothing but white space, or text that says so."""
    if column.is_text:
        return (column.text == "").fill_null(True) | column.text.is_in(MISSING).fill_null(False)
    return column.expr.is_null() | (column.expr.is_nan().fill_null(False) if column.dtype.is_float() else pl.lit(False))


def id_of(column: Column, as_text: bool) -> pl.Expr:
    """The ids as Int64 or String, where there is one."""
    if column.is_text:
        return column.text
    if not as_text:
        return column.expr.cast(pl.Int64)
    return (column.expr.cast(pl.Int64) if column.dtype.is_float() else column.expr).cast(pl.String)
