"""A file of a log, or a DataFrame, as a lazy frame with numbered rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from warnings import catch_warnings

import polars as pl

from negsample.data.log.delimited import QUOTES, Layout, line_of, read_layout
from negsample.data.log.files import COMPLETE, PARQUET, file_format, readable
from negsample.errors import InputError

QUERY = "check the query that makes the frame"
ROW = "row in its file"  # from 0; the name of the column that holds the row numbers


class PandasFrame(Protocol):
    """A pandas DataFrame, or another table that has Arrow's C interface."""

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any: ...


Frame = pl.DataFrame | pl.LazyFrame | PandasFrame


class Column(NamedTuple):
    """A column of a table: ``expr`` selects it from the table's frame."""

    name: str
    expr: pl.Expr
    dtype: pl.DataType

    @property
    def is_text(self) -> bool:
        """Whether its values are text."""
        return isinstance(self.dtype, pl.String | pl.Categorical | pl.Enum)

    @property
    def text(self) -> pl.Expr:
        """Its values as text, without white space around it."""
        return self.expr.cast(pl.String).str.strip_chars()

    @property
    def exact_up_to(self) -> int | None:
        """Floats: the largest number up to which all whole numbers are distinct. None: these are no floats."""
        bits = {"Float16": 11, "Float32": 24, "Float64": 53}.get(str(self.dtype))
        return bits and 2**bits


class Table(NamedTuple):
    """A file or a frame: ``frame`` has its row numbers in column ``ROW``, then its ``columns``.

    ``path``: of the file; a frame has the name of its type there. ``layout``: None where it is no text file.
    ``lines``: of each row, the line (from 1) of the file it is from, where one line holds several.
    """

    path: Path
    frame: pl.LazyFrame
    columns: list[str]
    dtypes: Sequence[pl.DataType]
    layout: Layout | None
    lines: pl.Series | None = None

    def column(self, name: str) -> Column:
        """The column ``name``: by its position, as Polars renames a name that is there twice."""
        position = self.columns.index(name)
        return Column(name, pl.nth(1 + position), self.dtypes[position])  # after ROW

    def where(self, row: int) -> str:
        """File and row for a message; ``row`` from 0 as in column ``ROW``, shown from 1."""
        if self.lines is not None:
            return line_at(self.path, self.lines[row])
        line = f" (line {line_of(self.path, self.layout, row + 1)})" if self.layout else ""
        return f"{self.path}, row {row + 1}{line}"

    @property
    def way_out(self) -> str:
        """What to do where it cannot be read."""
        if self.layout is None:
            return COMPLETE if self.path.suffix else QUERY
        return f"see the quote on line {self.layout.unpaired}: {QUOTES}" if self.layout.unpaired else QUOTES


def line_at(path: Path, line: int) -> str:
    """A line of a file, or a row of a frame, both from 1, for a message."""
    return f"{path}, {'line' if path.suffix else 'row'} {line}"


def open_file(path: Path) -> Table:
    """The file at ``path``, lazily; text stays text. One that is empty, damaged, or has ragged rows is refused."""
    with readable(path):
        if file_format(path) == PARQUET:
            return _table(path, pl.scan_parquet(path, row_index_name=ROW, glob=False, hive_partitioning=False))
        layout = read_layout(path)
        frame = pl.scan_csv(path, separator=layout.delimiter, infer_schema=False, row_index_name=ROW, glob=False)
        return Table(path, frame, layout.columns, [pl.String()] * len(layout.columns), layout)


def open_frame(frame: Frame) -> Table:
    """A frame of Polars, of pandas or of another library with Arrow's C interface, which has rows and can be read."""
    name = Path(type(frame).__name__)
    known = frame if isinstance(frame, pl.DataFrame | pl.LazyFrame) else _converted(frame, name)
    with readable(name, QUERY):
        return _table(name, known.lazy().with_row_index(ROW))


def _converted(frame: PandasFrame, name: Path) -> pl.DataFrame:
    if not hasattr(frame, "__arrow_c_stream__"):
        raise InputError(f"a log is a file, a folder of files, or a DataFrame of Polars or pandas; got a {name}")
    try:
        with catch_warnings(action="ignore"):  # one library warns of another
            return pl.DataFrame(frame)
    except ImportError as error:
        raise InputError(f"the {name} cannot be read ({error}); pip install pyarrow, or give a Polars frame") from None
    except Exception as error:  # each library has errors of its own
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"the {name} cannot be read ({reason}); give user, item and time as plain columns") from None


def _table(path: Path, frame: pl.LazyFrame) -> Table:
    schema = frame.collect_schema()
    if not frame.select(pl.len()).collect().item():
        raise InputError(f"{path} has no rows; a log needs one row for each event")
    return Table(path, frame, schema.names()[1:], schema.dtypes()[1:], None)
