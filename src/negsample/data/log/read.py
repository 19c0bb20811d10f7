"""A log: rows of (user, item, time) in file order, from any file or DataFrame."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard, cast

import polars as pl

from negsample.data.each import Each, here
from negsample.data.log import ids, times
from negsample.data.log.checks import check_has_events, check_header, check_ids, columns_of, unit_of
from negsample.data.log.columns import choose_columns
from negsample.data.log.files import PARQUET, Part, log_name, other_files, parts_of, readable
from negsample.data.log.lists import has_lists, with_a_row_each
from negsample.data.log.notes import file_notes, row_notes, time_notes
from negsample.data.log.open import check_fields, open_part
from negsample.data.log.part import check_parts, part_of, with_part
from negsample.data.log.reading import Reading
from negsample.data.log.scan import ROLES, Scan, scan, total
from negsample.data.log.separate_process import try_to_read
from negsample.data.log.table import Frame, Table, open_frame
from negsample.data.log.time_forms import form_of
from negsample.data.log.unpack import STANDARD_INPUT, brought, is_address
from negsample.data.log.weight import check_weights, weight_column, weight_of
from negsample.data.names import printable, safe_name
from negsample.errors import InputError, guarded


class Log(NamedTuple):
    """Which user had which item, and when.

    ``frame``: columns ``user`` and ``item`` (Int64 or String, never null) and ``time`` (Int64 microseconds
    since 1970), in file order. ``name``: the file's stem or the folder's name, made safe. ``notes``: one
    sentence each on how it was read. ``source``: the file's name, without its folder. ``has_times``: where False the
    column ``time`` holds each event's place in its user's history, from 0. Where the log was read with the parts that
    it says, the frame has a column ``part`` too (Int8: 0 train, 1 validation, 2 test). ``weight``: the name of the
    column that says how much an event counts, where one was asked for; the frame then has it as ``weight`` (Int32).
    ``frames``: the same rows file by file.
    """

    frame: pl.LazyFrame
    name: str
    notes: list[str]
    source: str = ""
    has_times: bool = True
    weight: str | None = None
    frames: Sequence[pl.LazyFrame] = ()


@guarded
def read_log(
    log: str | Path | Sequence[str | Path] | Frame,
    *,
    user: str | None = None,
    item: str | None = None,
    time: str | None = None,
    time_format: str | None = None,
    no_header: bool = False,
    sequences: bool = False,
    encoding: str | None = None,
    where: str | None = None,
    drop_untimed: bool = False,
    keep_missing_ids: bool = False,
    ordered: bool = False,
    split_column: str | None = None,
    given: bool = False,
    weight: str | None = None,
    name: str | None = None,
) -> Log:
    """The log in a file of any usual format, in a folder of parts, or in a DataFrame; see docs/logs.md.

    One pass over the rows checks them; they are not held in memory. Ids of text files stay text as it is written
    (``00123``), without white space around it; rows without user or item are left out.

    Args:
        log: the file, several that are its parts, a folder of parts, a pattern with ``*``, ``FILE::NAME`` for a table
            of a database, a sheet of a workbook or a file of an archive, an address such as ``s3://...``, ``-`` for the
            standard input, or a DataFrame of Polars or pandas, or a LazyFrame.
        user: column of the user, or its number from 1; None: guessed from the usual names. Likewise ``item``, ``time``.
        item: column of the item.
        time: column of the time: numbers since 1970, whose size determines their unit, or dates in one of many forms;
            all between 1980 and now. ``date+time``: two columns.
        time_format: form of the times, as of strptime.
        no_header: the first line of text is a row; its columns have numbers.
        sequences: a line of text is a user and the items in their order.
        encoding: of text that is no UTF-8.
        where: only rows for which this condition of SQL holds.
        drop_untimed: rows without a time are left out.
        keep_missing_ids: text that says "missing" (``NA``, ``null``, ``\\N``, ...) is an id.
        ordered: a log without times has its events in their order.
        split_column: with ``given`` the column of the part; None: the names of the files say it.
        given: the log says which part each event is of; a log without times is then in the order of the parts.
        weight: column of how much an event counts, whole numbers from 1; None: all count 1.
        name: what reports call it; None: the name of the file or folder, or "log".

    Raises:
        InputError: file, row and value of what is wrong, and what would be right.
    """
    reading = Reading(
        user, item, time, time_format, no_header, sequences, encoding, where, drop_untimed, keep_missing_ids, ordered,
        split_column, given, weight,
    )  # fmt: skip
    if are_files(log):
        found = read_files(log, reading)
    else:
        _check_is_for_frames(reading)
        table = open_frame(cast(Frame, log))
        found = read_tables([table], table.path, reading)._replace(name="log")
    return found if name is None else found._replace(name=safe_name(name))


def _check_is_for_frames(reading: Reading) -> None:
    of_files = {"no_header": reading.no_header, "sequences": reading.sequences, "encoding": reading.encoding}
    for name, value in of_files.items():
        if value:
            raise InputError(f"{name} is for files, and the log is a frame; leave it out")


def are_files(log: Any) -> TypeGuard[str | Path | Sequence[str | Path]]:
    """Whether ``log`` names a file, or several."""
    one = isinstance(log, str | Path)
    return one or (isinstance(log, list | tuple) and bool(log) and all(isinstance(each, str | Path) for each in log))


def parts_of_log(log: str | Path | Sequence[str | Path]) -> tuple[Path, list[Part]]:
    """Where a log is, and its files; of several the log is called as the first.

    Raises:
        InputError: there is none, or a file is of no known format.
    """
    if not isinstance(log, str | Path):
        found = [parts_of_log(each) for each in log]
        return found[0][0], [part for _, parts in found for part in parts]
    text = str(log)
    if not text:
        raise InputError("the name of the log is empty; give a file, or a folder of parts")
    if text == STANDARD_INPUT or is_address(text):
        part = brought(text)
        return part.path, [part]
    if "*" in text and not Path(text).exists():
        paths = [Path(each) for each in sorted(glob.glob(text, recursive=True))]
        if not paths:
            raise InputError(f"no file is there for {text}")
        root = Path(text.partition("*")[0].rpartition("/")[0] or ("/" if text.startswith("/") else "."))
        parts = [part for each in paths for part in parts_of(each, root)]
        return Path(text), parts
    return Path(log), parts_of(Path(log))


def columns_of_log(log: str | Path | Sequence[str | Path], options: dict[str, Any]) -> list[str]:
    """The names of the columns of a log of files, in their order."""
    tables = (open_part(part, Reading(**options)) for part in parts_of_log(log)[1])
    return next(table.columns for table in tables if isinstance(table, Table))


def read_files(log: str | Path | Sequence[str | Path], reading: Reading) -> Log:
    """:func:`read_log` of files; those of Parquet are tried in a process of their own first."""
    path, parts = parts_of_log(log)
    if any(each.form == PARQUET for each in parts):
        try_to_read(path, [each.file for each in parts], reading)
    return read_here(path, parts, reading)


def read_here(path: Path, parts: Sequence[Part], reading: Reading, each: Each = here) -> Log:
    """:func:`read_files` in this process, which damage in a Parquet file may end; or where ``each`` opens a file, and
    looks at all of it."""
    found = list(each(partial(open_part, reading=reading), parts))
    tables = [table for table in found if isinstance(table, Table)]
    if isinstance(found[0], str) and not tables:
        raise InputError(found[0])
    log = read_tables(tables, path, reading, each)
    empty = [part.path.name for part, table in zip(parts, found, strict=True) if isinstance(table, str)]
    others = other_files(path) if path.is_dir() else []
    notes = [printable(note) for note in file_notes(tables, path, empty, others)] + log.notes
    name = "log" if str(path) != path.name and is_address(str(path)) else log_name(path)
    return log._replace(name=safe_name(name), notes=notes, source=path.resolve().name)


def read_tables(tables: list[Table], path: Path, reading: Reading, each: Each = here) -> Log:
    """Rows and notes of ``tables``, once their columns are chosen."""
    optional = () if reading.needs_time and not reading.ordered else ("time",)
    first = tables[0]
    chosen, notes = choose_columns(first.columns, reading.asked, first.path, first.layout, optional)
    if reading.weight is not None:
        chosen["weight"], note = weight_column(first, reading.weight, chosen)
        notes.append(note)
    if reading.given:
        tables, chosen["part"], note = with_part(tables, reading.split_column, path)
        notes.append(note)
    lists = has_lists(tables[0], chosen)
    list(each(partial(check_fields, chosen=chosen, lists=lists), tables))
    if lists:
        tables = list(each(partial(with_a_row_each, chosen=chosen), tables))
    log = read_columns(tables, path, chosen, reading, each)
    return log._replace(notes=[printable(note) for note in notes] + log.notes)


def read_columns(tables: list[Table], path: Path, chosen: dict[str, str], reading: Reading, each: Each = here) -> Log:
    """Rows and notes of ``tables``, once they are checked; times are null where no column is chosen for them, or the
    places in each user's history where rows are in order."""
    columns = [{"time": times.NONE} | columns_of(table, chosen, tables[0]) for table in tables]
    timed = "time" in chosen
    has_times = timed or not reading.ordered
    if not has_times and each is not here:
        raise InputError(
            f"{path} has no times, and the order of its rows is that of the whole log: leave out --on ray, and it is "
            f"read in one process; or give it a column of times"
        )
    with readable(path, tables[0].way_out):
        form = form_of(tables, [of["time"] for of in columns], reading.time_format, path) if timed else None
    if timed:
        check_header(tables[0], chosen["time"], form, path, reading.ordered)
    reading = reading if timed else reading._replace(drop_untimed=False)
    scans = list(each(partial(scan, reading=reading, form=form), list(zip(tables, columns, strict=True))))
    check_has_events(scans, path)
    unit = unit_of(scans) if timed else None
    check_ids(scans)
    if "part" in chosen:
        list(each(check_parts, scans))
    if "weight" in chosen:
        list(each(check_weights, scans))
    as_text = {role: not columns[0][role].dtype.is_numeric() or total(scans, f"{role}_too_large") > 0 for role in ROLES}
    frames = [_events(found, as_text, unit) for found in scans]
    frame = pl.concat(frames)
    if not has_times:
        frame = frame.sort("part", maintain_order=True) if "part" in chosen else frame
        place = pl.int_range(pl.len(), dtype=pl.Int64).over("user")
        frame = frame.with_columns(time=place).collect(engine="streaming").lazy()
        frames = [frame]
    notes = (time_notes(scans, unit, form) if timed else []) + row_notes(scans)
    weight = printable(chosen["weight"]) if "weight" in chosen else None
    return Log(frame, path.name, list(map(printable, notes)), path.name, has_times, weight, frames)


def _events(found: Scan, as_text: dict[str, bool], unit: str | None) -> pl.LazyFrame:
    time = found.columns["time"]
    moment = times.from_text(time, found.form) if found.form else times.from_calendar(time, found.kind)
    return found.table.frame.filter(found.event).select(
        **{role: ids.id_of(found.columns[role], as_text[role]) for role in ROLES},
        time=moment if unit is None else times.from_number(time, unit, found.kind),
        **({"part": part_of(found.columns["part"])} if "part" in found.columns else {}),
        **({"weight": weight_of(found.columns["weight"])} if "weight" in found.columns else {}),
    )
