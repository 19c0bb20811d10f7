"""A file of a log, or a DataFrame, as a lazy frame with numbered rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from warnings import catch_warnings

import polars as pl

from negsample.data.log.columns import columns_in
from negsample.data.log.delimited import Layout, line_of
from negsample.data.log.files import COMPLETE, NoRowsError, readable
from negsample.data.log.quotes import QUOTES
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
    ``lines``: of each row, the line (from 1) of the file it is from, where one line holds several. ``objects``: rows
    are lines, each with an object of JSON, and these are they. ``from_file``: False for a frame. ``notes``: on how it
    was opened.
    """

    path: Path
    frame: pl.LazyFrame
    columns: list[str]
    dtypes: Sequence[pl.DataType]
    layout: Layout | None
    lines: pl.Series | None = None
    objects: pl.LazyFrame | None = None
    from_file: bool = True
    notes: Sequence[str] = ()

    def column(self, name: str) -> Column:
        """The column ``name``: by its position, as Polars renames a name that is there twice; of ``date+time`` the
        text of both."""
        if name not in self.columns:
            parts = [self.column(each) for each in columns_in(name, self.columns)]
            text = pl.concat_str([part.expr.cast(pl.String).str.strip_chars() for part in parts], separator=" ")
            return Column(name, text, pl.String())
        position = self.columns.index(name)
        return Column(name, pl.nth(1 + position), self.dtypes[position])  # after ROW

    def where(self, row: int) -> str:
        """File and row for a message; ``row`` from 0 as in column ``ROW``, shown from 1."""
        if self.lines is not None:
            return line_at(self.path, self.lines[row])
        if self.objects is not None:
            return line_at(self.path, row + 1)
        line = f" (line {line_of(self.layout, row + 1)})" if self.layout else ""
        return f"{self.path}, row {row + 1}{line}"

    @property
    def way_out(self) -> str:
        """What to do where it cannot be read."""
        if self.layout is None:
            return COMPLETE if self.from_file else QUERY
        return f"see the quote on line {self.layout.unpaired}: {QUOTES}" if self.layout.unpaired else QUOTES

    def with_columns(self, **more: str) -> Table:
        """The same with more columns of text, one value each."""
        frame = self.frame.with_columns(**{name: pl.lit(value, pl.String()) for name, value in more.items()})
        return self._replace(
            frame=frame, columns=[*self.columns, *more], dtypes=[*self.dtypes, *([pl.String()] * len(more))]
        )


def line_at(path: Path, line: int) -> str:
    """A line of a file, or a row of a frame, both from 1, for a message."""
    return f"{path}, {'line' if path.suffix else 'row'} {line}"


def open_frame(frame: Frame) -> Table:
    """A frame of Polars, of pandas or of another library with Arrow's C interface, which has rows and can be read."""
    name = Path(type(frame).__name__)
    known = frame if isinstance(frame, pl.DataFrame | pl.LazyFrame) else _converted(frame, name)
    try:
        with readable(name, QUERY):
            return table_of(name, known.lazy().with_row_index(ROW))._replace(from_file=False)
    except NoRowsError as empty:
        raise InputError(str(empty)) from None


def _converted(frame: PandasFrame, name: Path) -> pl.DataFrame:
    if not hasattr(frame, "__arrow_c_stream__"):
        raise InputError(f"a log is a file, a folder of files, or a DataFrame of Polars or pandas; got a {name}")
    try:
        with catch_warnings(action="ignore"):  # one library warns of another
            return pl.DataFrame(_with_index(frame))
    except ImportError as error:
        raise InputError(f"the {name} cannot be read ({error}); pip install pyarrow, or give a Polars frame") from None
    except Exception as error:  # each library has errors of its own
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        odd = _odd_column(frame)
        if odd is None:
            raise InputError(
                f"the {name} cannot be read ({reason}); give user, item and time as plain columns"
            ) from None
        raise InputError(
            f"column {odd!r} of the {name} cannot be read ({reason}); give it one type, as by "
            f"frame[{odd!r}].astype(str), or leave it out"
        ) from None


def _with_index(frame: Any) -> Any:
    """The levels of the index of pandas that have a name are columns too."""
    names = [each for each in getattr(getattr(frame, "index", None), "names", ()) if each is not None]
    more = [each for each in names if each not in frame.columns]
    return frame.reset_index(level=more) if more else frame


def _odd_column(frame: Any) -> Any:
    """The first column of a pandas frame that cannot be read; None: there is none."""
    columns = getattr(frame, "columns", None)
    for name in columns if columns is not None and columns.is_unique else ():
        try:
            pl.DataFrame(frame[[name]])
        except Exception:
            return name
    return None


def table_of(path: Path, frame: pl.LazyFrame) -> Table:
    """A frame whose rows are numbered in ``ROW``.

    Raises:
        NoRowsError: it has none.
    """
    schema = frame.collect_schema()
    if not frame.select(pl.len()).collect().item():
        raise NoRowsError(f"{path} has no rows; a log needs one row for each event")
    return Table(path, frame, schema.names()[1:], schema.dtypes()[1:], None)
