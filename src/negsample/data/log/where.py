"""Which rows a condition of SQL asks for."""

from __future__ import annotations

import re
import shlex

import polars as pl

from negsample.data.log.files import readable
from negsample.data.log.table import Table
from negsample.errors import InputError

_SEVERAL_ROWS = re.compile(
    r"\.(over|sum|mean|min|max|count|std|var|median|first|last|implode|n_unique|quantile|corr|cov|subplan)\(|\blen\(\)"
)


_NAMES = "a name that is a word of SQL, or has spaces or dots, is in double quotes: '\"user\" = 5'"


def option(name: str, sign: str, value: str, is_number: bool) -> str:
    """``--where`` as it is typed, for the rows whose column ``name`` compares so with ``value``."""
    column = name if _is_plain(name) else '"' + name.replace('"', '""') + '"'
    text = f"{column} {sign} " + (value if is_number else "'" + value.replace("'", "''") + "'")
    return f'--where "{text}"' if not set(text) & set('"$`\\!') else f"--where {shlex.quote(text)}"


def _is_plain(name: str) -> bool:
    """Whether SQL takes it for the name of a column without quotes."""
    try:
        return pl.sql_expr(f"{name} = 1").meta.root_names() == [name]
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return False


def wanted(table: Table, where: str | None) -> pl.Expr | None:
    """Where the condition holds; None: there is none. Columns of text that hold numbers alone are numbers in it.

    Raises:
        InputError: it is no condition, or names no column.
    """
    if where is None:
        return None
    listed = ", ".join(table.columns)
    try:
        condition = pl.sql_expr(where)
        if not isinstance(condition, pl.Expr):
            raise InputError(f"--where takes one condition, got '{where}'")
        names = condition.meta.root_names()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise InputError(
            f"--where '{where}' is no condition of SQL ({_reason(error)}), such as \"stars >= 4\"; {_NAMES}"
        ) from None
    if _SEVERAL_ROWS.search(re.sub('"[^"]*"', "", str(condition))):
        raise InputError(f"--where '{where}' asks of several rows at once; ask of the columns of each row alone")
    if not names:
        raise InputError(f"--where '{where}' asks of no column; the columns of {table.path} are: {listed}")
    if unknown := [name for name in names if name not in table.columns]:
        raise InputError(
            f"--where '{where}' names no column of {table.path}: '{unknown[0]}'; its columns are: {listed}"
        )
    columns = {name: table.column(name) for name in names}
    numbers = {name: column.text.cast(pl.Float64, strict=False) for name, column in columns.items() if column.is_text}
    with readable(table.path, table.way_out):
        odd = table.frame.select(
            **{name: (value.is_null() & (columns[name].text != "")).any() for name, value in numbers.items()}
        ).collect(engine="streaming")
    numeric = {name for name in numbers if not odd[name].item()}
    inputs = [(numbers[name] if name in numeric else column.expr).alias(name) for name, column in columns.items()]
    found = pl.struct(inputs).map_batches(
        lambda rows: rows.struct.unnest().lazy().select(kept=condition).collect()["kept"], return_dtype=pl.Boolean
    )
    try:
        table.frame.head(1).select(found).collect()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, KeyError) as error:
        kinds = ", ".join(
            f"{name} is {'a number' if name in numeric else 'text' if columns[name].is_text else columns[name].dtype}"
            for name in names
        )
        raise InputError(
            f"--where '{where}' cannot be asked of {table.path} ({_reason(error)}); {kinds}; text is "
            f"in single quotes, and a number in none"
        ) from None
    return found


def _reason(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
