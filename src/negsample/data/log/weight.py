"""How much each event counts, where a column of the log says it."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from negsample.data.log.columns import named
from negsample.data.log.files import readable
from negsample.data.log.scan import Scan
from negsample.data.log.table import ROW, Column, Table
from negsample.data.log.where import option
from negsample.errors import InputError

LARGEST = 2**31 - 1
FORMS = "a weight is a whole number, so cast it to an integer or to text"
_WHOLE = r"^\+?0*([0-9]{1,10})(?:\.0*)?$"


def weight_column(table: Table, asked: str, chosen: Mapping[str, str]) -> tuple[str, str]:
    """The column of ``table`` that was ``asked`` for, by its name or number, and a note on it.

    Raises:
        InputError: there is none, there are several, or it is the column of another role.
    """
    name, columns = named(table.columns, asked) or asked, table.columns
    if columns.count(name) != 1:
        many = "no column" if name not in columns else f"{columns.count(name)} columns"
        raise InputError(
            f"{table.path} has {many} '{name}' for the weight (--weight); its columns are: {', '.join(columns)}"
        )
    if other := next((role for role, column in chosen.items() if column == name), None):
        raise InputError(f"column '{name}' of {table.path} would be both the {other} and the weight; name another one")
    return name, f"As named: how much an event counts from column '{name}'."


def can_be(column: Column) -> bool:
    """Whether a column of this type can hold weights."""
    return column.is_text or column.dtype.is_numeric()


def weight_of(column: Column) -> pl.Expr:
    """The weight as Int32; null where the column holds none."""
    whole = column.text.str.extract(_WHOLE).cast(pl.Int64)
    return pl.when(whole.is_between(1, LARGEST)).then(whole).cast(pl.Int32)


def check_weights(found: Scan) -> None:
    """Refuses a row of an event whose weight is none."""
    column = found.columns["weight"]
    wrong = found.table.frame.filter(found.event).filter(weight_of(column).is_null())
    with readable(found.table.path, found.table.way_out):
        rows = wrong.select(ROW).head(1).collect(engine="streaming")
    if len(rows):
        raise InputError(
            f"{found.at('weight', rows.item())}; a weight is a whole number from 1 to {LARGEST:,}; leave other rows "
            f"out ({option(column.name, '>=', '1', True)}), or write fractions as whole numbers of a smaller unit "
            f"where the log is made"
        )
