"""Forms: how the rows of a file are read, strictly; what is no row is found by its number.

A scan has a row's number in column ``ROW`` (from 0), ``user`` and ``item`` as text, ``time`` in Int64 microseconds
since 1970, and what else the shape needs. ``time`` is null where the file has something that is no row.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import polars as pl

from negsample.data.log.table import ROW
from negsample.data.log.times import UNITS
from negsample.errors import InputError

_SHOWN = 80  # characters of a faulty line
_FAULTS = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RecursionError,
    SyntaxError,
    TypeError,
    ValueError,
)
Event = tuple[Any, ...]
"""User, item, microseconds since 1970, and what else a record says."""


class Form(Protocol):
    """How the rows of a file are read."""

    @property
    def row(self) -> str:
        """A row, for people."""

    def scan(self, path: Path) -> pl.LazyFrame:
        """The rows; see above."""

    def fault(self, path: Path, number: int, given: str) -> tuple[str, str]:
        """Where row ``number`` of ``path`` stands, and what it is instead; ``given``: what `--from` was given."""


class Lines(NamedTuple):
    """A row a line, by a pattern.

    ``pattern``: a whole line, with groups ``user``, ``item`` and ``time`` (whole numbers since 1970 in ``unit``) and
    others that the shape needs. ``headers``: lines that name the columns, as they are published; they are no rows,
    wherever they stand; neither are blank lines. ``other``: the pattern of a line of a file that looks like this one
    and means something else, and a description of that file, with FILE for its name.
    """

    pattern: str
    row: str
    headers: tuple[str, ...] = ()
    unit: str = "seconds"
    other: tuple[str, str] | None = None

    def scan(self, path: Path) -> pl.LazyFrame:
        """The groups of the pattern; null where the line is no row."""
        line = pl.col("line")
        rows = _lines(path).filter(~line.is_in(list(self.headers)))
        fields = rows.with_columns(fields=line.str.extract_groups(self.pattern)).unnest("fields")
        time = pl.col("time").cast(pl.Int64) * (10**6 // UNITS[self.unit])
        if self.other:
            time = pl.when(~line.str.contains(self.other[0])).then(time)
        return fields.with_columns(time=time).drop("line")

    def fault(self, path: Path, number: int, given: str) -> tuple[str, str]:
        """The line."""
        line = _line(path, number)
        if self.other and pl.select(pl.lit(line).str.contains(self.other[0])).item():
            return _where(line, number), f"is a row of {self.other[1].replace('FILE', shlex.quote(given))}"
        return _where(line, number), "is no row"


class Records(NamedTuple):
    """A record a line, with an event or several.

    ``load``: from a line to its record, such as ``json.loads``. ``events``: the events of a record. Both raise what
    Python raises of such, where it is none. ``others``: the names of what an event has beside user, item and time.
    """

    load: Callable[[str], Any]
    events: Callable[[Any], Iterable[Event]]
    row: str
    others: tuple[str, ...] = ()

    def scan(self, path: Path) -> pl.LazyFrame:
        """The events, in the order of the lines."""
        schema = {ROW: pl.UInt32, "user": pl.String, "item": pl.String, "time": pl.Int64}
        schema |= dict.fromkeys(self.others, pl.String)

        def events(lines: pl.DataFrame) -> pl.DataFrame:
            found = [(number, *event) for number, line in lines.rows() for event in self._events(line)]
            return pl.DataFrame(found, schema, orient="row")

        return _lines(path).map_batches(
            events,
            schema=schema,
            streamable=True,
            predicate_pushdown=False,
            projection_pushdown=False,
            slice_pushdown=False,
        )

    def fault(self, path: Path, number: int, given: str) -> tuple[str, str]:
        """The line."""
        return _where(_line(path, number), number), "is no row"

    def _events(self, line: str) -> Iterable[Event]:
        try:
            return list(self.events(self.load(line)))
        except _FAULTS:
            return [(None,) * (3 + len(self.others))]


class Columns(NamedTuple):
    """A row of a Parquet file.

    ``user``, ``item``: columns of whole numbers. ``others``: columns of numbers that time or shape need. ``time``: from
    the path to the time, by those columns or the row's number.
    """

    user: str
    item: str
    time: Callable[[Path], pl.Expr]
    row: str
    others: tuple[str, ...] = ()

    def scan(self, path: Path) -> pl.LazyFrame:
        """The rows; refused where a column is missing or holds something else."""
        frame = pl.scan_parquet(path, row_index_name=ROW, glob=False, hive_partitioning=False)
        schema = frame.collect_schema()
        for name in (self.user, self.item, *self.others):
            if name not in schema:
                raise InputError(f"there is no column '{name}'; a row is {self.row}")
            if not (schema[name].is_numeric() if name in self.others else schema[name].is_integer()):
                raise InputError(f"column '{name}' is no number but {schema[name]}; a row is {self.row}")
        ids = {"user": pl.col(self.user).cast(pl.String), "item": pl.col(self.item).cast(pl.String)}
        whole = pl.all_horizontal([pl.col(name).is_not_null() for name in (self.user, self.item, *self.others)])
        return frame.select(ROW, *self.others, **ids, time=pl.when(whole).then(self.time(path)))

    def fault(self, path: Path, number: int, given: str) -> tuple[str, str]:
        """The row."""
        row = pl.scan_parquet(path, glob=False).slice(number, 1).collect().row(0, named=True)
        return f"row {number + 1}: {row}", "has no value somewhere"


def _lines(path: Path) -> pl.LazyFrame:
    """The lines that are not blank, without the white space around them, and their numbers."""
    line = pl.col("line").str.strip_prefix("\ufeff").str.strip_chars(" \r")
    return pl.scan_lines(path, row_index_name=ROW, glob=False).with_columns(line).filter(line != "")


def _line(path: Path, number: int) -> str:
    line: str = _lines(path).filter(pl.col(ROW) == number).head(1).collect(engine="streaming")["line"].item()
    return line


def _where(line: str, number: int) -> str:
    text = line if len(line) <= _SHOWN else f"{line[:_SHOWN]}..."
    return f"line {number + 1}: {text!r}"
