"""What makes a log unreadable, or readable in two ways: it is refused in one line, before anything is made of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import polars as pl

from negsample.data.log import ids, times, weight
from negsample.data.log.columns import columns_in, first_line_is_data, guesses_of
from negsample.data.log.json_lines import check_plain
from negsample.data.log.scan import ROLES, Scan, total
from negsample.data.log.table import ROW, Column, Table
from negsample.data.log.time_forms import dates_among, looks_like_a_clock
from negsample.data.log.times import TimeForm
from negsample.errors import InputError

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_FEW = 20  # distinct values that are rather ratings than times
_WAY_OUT = "correct them (a date is written as 2014-05-16) or leave them out (--where)"
_OF_SPREADSHEETS = (29_221, 55_000)  # days since 1900: from 1980 on


def columns_of(table: Table, chosen: dict[str, str], first: Table) -> dict[str, Column]:
    """The column of each role; one of another type than in the first part, or than the role needs, is refused."""
    odd_ones = set(table.columns) ^ set(first.columns)
    if table.objects is not None:  # which leave out what has no value
        odd_ones &= {each for name in chosen.values() for each in columns_in(name, first.columns)}
    if odd_ones:
        odd = ", ".join(sorted(odd_ones))
        raise InputError(
            f"{table.path} has other columns than {first.path.name} (not in both: {odd}); "
            f"parts of one folder need the same columns"
        )
    columns = {role: table.column(name) for role, name in chosen.items()}
    for role, column in columns.items():
        needs = {"time": times, "weight": weight}.get(role, ids)
        if column.dtype == pl.Time and role == "time" and (both := _two_columns(table, column)):
            raise InputError(f"column '{column.name}' of {table.path}: {both}")
        if not needs.can_be(column):
            raise InputError(f"column '{column.name}' of {table.path} is of type {column.dtype}; {needs.FORMS}")
        expected = first.column(column.name).dtype
        if any(getattr(column.dtype, kind)() != getattr(expected, kind)() for kind in ("is_numeric", "is_temporal")):
            raise InputError(
                f"column '{column.name}' of {table.path} is of type {column.dtype}, in {first.path.name} of "
                f"type {expected}; parts of one folder need the same types"
            )
    return columns


def check_header(table: Table, time: str, form: TimeForm | None, path: Path, has_order: bool) -> None:
    """Refuses a first line that names the column of the time by a time: it is a row."""
    if table.layout and table.layout.header and times.is_time(" ".join(columns_in(time, table.columns)), form):
        raise InputError(first_line_is_data(table.layout, path, has_order))


def check_has_events(scans: Sequence[Scan], path: Path) -> None:
    """Refuses a log of which no row has a user and an item."""
    if total(scans, "events"):
        return
    if unwanted := total(scans, "unwanted"):
        raise InputError(f"{path}: no row is left; {unwanted:,} of {total(scans, 'rows'):,} are not as --where asks")
    if untimed := total(scans, "untimed"):
        raise InputError(f"{path}: no row is left; {untimed:,} of {total(scans, 'rows'):,} have no time")
    first = scans[0]
    for each, role in product(scans, ROLES):
        if each.facts[f"{role}_missing"]:
            row = each.facts[f"{role}_missing_row"]
            others = guesses_of(role, first.table.columns)
            other = next((name for name in others if name != first.columns[role].name), "COL")
            raise InputError(
                f"{path}: no row has a user and an item: {total(scans, 'missing'):,} rows say that it is missing, as "
                f"{each.table.where(row)}, where {each.cell(role, row)}; name another column with --{role} {other} "
                f"(its columns are: {', '.join(first.table.columns)}), or read these as ids with --keep-missing-ids"
            )
    user, item = (first.columns[role].name for role in ROLES)
    raise InputError(f"{path}: no row has a user (column '{user}') and an item ('{item}')")


def check_ids(scans: Sequence[Scan]) -> None:
    """Refuses values that are no ids."""
    for each, role in product(scans, ROLES):
        dtype, most = each.columns[role].dtype, each.columns[role].exact_up_to or 0
        _refuse_first(
            each,
            role,
            f"{role}_inexact",
            f"an id is text or a whole number, and a {dtype} holds whole numbers exactly only up to {most:,} "
            f"(2^{most.bit_length() - 1}); store the ids as integers or text in the log",
        )
        _refuse_first(
            each,
            role,
            f"{role}_garbled",
            "an id holds no line break or other control character (look for a misplaced quote before it), and no "
            "number that a spreadsheet rounded",
        )
        if each.table.objects is not None and each.facts[f"{role}_nested"]:
            check_plain(each.table, [each.columns[role].name])


def unit_of(scans: Sequence[Scan]) -> str | None:
    """The unit of the numbers of all parts; None: calendar dates. A row without such a time is refused."""
    numbers, units = total(scans, "number"), {unit: total(scans, unit) for unit in times.UNITS}
    numeric = numbers >= total(scans, "moment") and all(each.form is None for each in scans)
    kind, others = ("number", "numbers") if numeric else ("moment", "calendar dates")
    for each in scans:
        row = each.facts[f"no_{kind}_row"]
        if row is not None:
            rest = f", other rows hold {others}" if total(scans, kind) else ""
            raise InputError(f"{each.at('time', row)}{rest}; {_way_to_time(each, row)}")
    if numeric:
        _check_one_unit(scans, units)
    for each in scans:
        column = each.columns["time"]
        _refuse_first(
            each,
            "time",
            "inexact",
            f"a {column.dtype} holds whole numbers exactly only up to {column.exact_up_to or 0:,}, so that times and "
            "their order are lost; store the times as integers where the log is made",
        )
        if each.facts[f"odd_{kind}"]:
            raise InputError(_why_odd(each, kind))
    return max(units, key=lambda unit: units[unit]) if numeric else None


def _way_to_time(scan: Scan, row: int) -> str:
    """What may be done about a row without a time."""
    column, table = scan.columns["time"], scan.table
    at_row = table.frame.filter(pl.col(ROW) == row)
    cell, empty = at_row.select(column.expr.cast(pl.String).head(1), ids.is_missing(column).alias("")).collect().row(0)
    leave_out = "; --drop-untimed leaves rows without a time out" if empty else ""
    if scan.form is not None:
        other = ", as --time-format says" if scan.form.asked else "; --time-format names another form"
        zones = "; of the names of zones (%Z) UTC and GMT are read" if "%Z" in scan.form.pattern else ""
        return f"times are read as {scan.form.told}{other}{zones}{leave_out}"
    if column.is_text and re.match(ids.ROUNDED, (cell or "").strip()):
        return "a spreadsheet rounded it, and its digits are lost; write the times in full where the log is made"
    both = _two_columns(table, column) if looks_like_a_clock(cell or "") else ""
    return both or f"{times.FORMS}{leave_out}"


def _two_columns(table: Table, clock: Column) -> str:
    """How a date and a time of day are read; empty: there is no date."""
    date = next(dates_among(table.columns), None)
    if date is None:
        return ""
    return f"it is a time of day, and the days seem to be in column '{date}': --time {date}+{clock.name} reads both"


def _refuse_first(scan: Scan, role: str, fault: str, rule: str) -> None:
    row = scan.facts[f"{fault}_row"]
    if row is not None:
        raise InputError(f"{scan.at(role, row)}; {rule}")


def _check_one_unit(scans: Sequence[Scan], rows: dict[str, int]) -> None:
    common, *others = sorted((unit for unit in times.UNITS if rows[unit]), key=lambda unit: -rows[unit]) or [""]
    for each, unit in product(scans, others):
        row = each.facts[f"{unit}_row"]
        if row is None:
            continue
        cell = each.cell("time", row)
        if each.facts[unit] == each.facts["events"]:
            other = next(part for part in scans if part.facts[common])
            raise InputError(
                f"parts in different units: times of {each.table.path} are {unit} since 1970 (row {row + 1}: "
                f"{cell}), those of {other.table.path.name} {common}; write all parts in one unit"
            )
        raise InputError(
            f"two units of time in one column: the row {each.table.where(row)}, where {cell}, holds {unit} since "
            f"1970 as do {rows[unit]:,} in all, {rows[common]:,} rows hold {common}; write all in one unit"
        )


def _why_odd(scan: Scan, kind: str) -> str:
    """The message on times before 1980 or in the future: another unit, another column, or a filler."""
    count, events = scan.facts[f"odd_{kind}"], scan.facts["events"]
    start = scan.at("time", scan.facts[f"odd_{kind}_row"])
    many = f"{count:,} of {events:,} times {'is' if count == 1 else 'are'} before 1980 or in the future"
    if kind == "moment":
        return f"{start}; {many}; {_WAY_OUT}"
    rows = scan.table.frame.filter(scan.event).select(**times.values(scan.columns["time"]))
    odd, number = rows.filter(times.rules()["odd_number"]), pl.col("number")
    span = odd.select(number.min(), high=number.max(), distinct=number.n_unique(), first=number.first())
    low, high, distinct, first = span.collect(engine="streaming").row(0)
    if distinct <= _FEW and count == events > distinct:
        words = _NUMBERS[distinct] if distinct < len(_NUMBERS) else str(distinct)
        return (
            f"{start}; {words} distinct values between {low:g} and {high:g} are no times; "
            f"name the column of the time with --time COL, or say with --time-format how they are dates"
        )
    unit = next((unit for unit, a_second in times.UNITS.items() if abs(first) < 1e11 * a_second), "nanoseconds")
    moment = times.iso(int(first / times.UNITS[unit] * 10**6))
    if low >= 0 and high < 366 * 86_400:
        if _OF_SPREADSHEETS[0] <= low and high <= _OF_SPREADSHEETS[1]:
            many += ": days since 1900, as spreadsheets have them? Write them as dates where the log is made"
        else:
            many += f": times in {'January ' if high < 31 * 86_400 else ''}1970: no seconds"
        many += "; --time-format says how dates are written"
    return (
        f"{start}, as {unit} since 1970 {moment}; {many}; {_WAY_OUT}; a number that only "
        f"gives an order becomes a time with 1,000,000,000 added"
    )
