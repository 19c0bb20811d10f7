"""What makes a log unreadable, or readable in two ways: it is refused in one line, before anything is made of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from negsample.data.log import ids, times
from negsample.data.log.scan import ROLES, Scan
from negsample.data.log.table import Column, Table
from negsample.errors import InputError

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_FEW = 20  # distinct values that are rather ratings than times
_WAY_OUT = (
    "correct them (a date is written as 2014-05-16) or leave them out; a number that only gives an order becomes a "
    "time with 1,000,000,000 added"
)


def columns_of(table: Table, chosen: dict[str, str], first: Table) -> dict[str, Column]:
    """The column of each role; one of another type than in the first part, or than the role needs, is refused."""
    if set(table.columns) != set(first.columns):
        odd = ", ".join(sorted(set(table.columns) ^ set(first.columns)))
        raise InputError(
            f"{table.path} has other columns than {first.path.name} (not in both: {odd}); "
            f"parts of one folder need the same columns"
        )
    columns = {role: table.column(name) for role, name in chosen.items()}
    for role, column in columns.items():
        (times if role == "time" else ids).check_type(column, table)
        expected = first.column(column.name).dtype
        if any(getattr(column.dtype, kind)() != getattr(expected, kind)() for kind in ("is_numeric", "is_temporal")):
            raise InputError(
                f"column '{column.name}' of {table.path} is of type {column.dtype}, in {first.path.name} of "
                f"type {expected}; parts of one folder need the same types"
            )
    return columns


def check_has_events(scans: Sequence[Scan], path: Path) -> None:
    """Refuses a log of which no row has a user and an item."""
    if any(each.facts["events"] for each in scans):
        return
    first = scans[0]
    for each in scans:
        for role in ROLES:
            row = each.facts[f"missing_{role}_row"]
            if row is not None:
                raise InputError(
                    f"{path}: no row has a user and an item: {sum(part.facts['missing'] for part in scans):,} rows say "
                    f"that it is missing, as {each.table.where(row)}, where {each.cell(role, row)}; name another "
                    f"column with --{role} COL (its columns are: {', '.join(first.table.columns)}), or read these as "
                    f"ids with --keep-missing-ids"
                )
    user, item = (first.columns[role].name for role in ROLES)
    raise InputError(f"{path}: no row has a user (column '{user}') and an item ('{item}')")


def check_ids(scan: Scan) -> None:
    """Refuses values that are no ids."""
    for role in ROLES:
        dtype, most = scan.columns[role].dtype, scan.columns[role].exact_up_to
        row = scan.facts[f"{role}_inexact_row"]
        if row is not None and most is not None:
            raise InputError(
                f"{scan.at(role, row)}; an id is text or a whole number, and a {dtype} holds whole numbers exactly "
                f"only up to {most:,} (2^{most.bit_length() - 1}); store the ids as integers or text in the log"
            )
        row = scan.facts[f"{role}_garbled_row"]
        if row is not None:
            raise InputError(
                f"{scan.at(role, row)}; an id holds no line break or other control character (look for a misplaced "
                f"quote before it), and no number that a spreadsheet rounded"
            )


def unit_of(scans: Sequence[Scan]) -> str | None:
    """The unit of the numbers of all parts; None: calendar dates. A row without such a time is refused."""
    total = {key: sum(each.facts[key] for each in scans) for key in ("numbers", "moments", *times.UNITS)}
    numeric = total["numbers"] >= total["moments"]
    for each in scans:
        _check_is_time(each, numeric, total["numbers"])
    if numeric:
        _check_one_unit(scans, total)
    for each in scans:
        _check_exact(each)
        _check_plausible(each, numeric)
    return max(times.UNITS, key=lambda unit: total[unit]) if numeric else None


def _check_is_time(scan: Scan, numeric: bool, numbers: int) -> None:
    row = scan.facts["no_number_row" if numeric else "no_moment_row"]
    if row is not None:
        most = "calendar dates" if not numeric else "numbers" if numbers else None
        others = f", other rows hold {most}" if most else ""
        raise InputError(f"{scan.at('time', row)}{others}; a time is {times.FORMS}")


def _check_one_unit(scans: Sequence[Scan], total: dict[str, int]) -> None:
    common, *others = sorted((unit for unit in times.UNITS if total[unit]), key=lambda unit: -total[unit]) or [""]
    for each in scans:
        for unit in others:
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
                f"1970 as do {total[unit]:,} in all, {total[common]:,} rows hold {common}; write all in one unit"
            )


def _check_exact(scan: Scan) -> None:
    row = scan.facts["inexact_row"]
    if row is not None:
        dtype, most = scan.columns["time"].dtype, scan.columns["time"].exact_up_to
        raise InputError(
            f"{scan.at('time', row)}; a {dtype} holds whole numbers exactly only up to {most:,}, so that times and "
            f"their order are lost; store the times as integers where the log is made"
        )


def _check_plausible(scan: Scan, numeric: bool) -> None:
    """Refuses times before 1980 or in the future: another unit, another column, or a filler where no time is known."""
    kind = "number" if numeric else "moment"
    count, row = scan.facts[f"odd_{kind}s"], scan.facts[f"odd_{kind}_row"]
    if not count:
        return
    start = scan.at("time", row)
    many = f"{count:,} of {scan.facts['events']:,} times are before 1980 or in the future"
    if not numeric:
        raise InputError(f"{start}; {many}; {_WAY_OUT}")
    low, high, distinct, first = _span(scan)
    if distinct <= _FEW and count == scan.facts["events"] > distinct:
        number = _NUMBERS[distinct] if distinct < len(_NUMBERS) else str(distinct)
        what = f"{number} distinct values between {low:g} and {high:g} are no times"
        raise InputError(f"{start}; {what}; name the column of the time with --time COL")
    unit = next((unit for unit, a_second in times.UNITS.items() if abs(first) < 1e11 * a_second), "nanoseconds")
    moment = times.iso(int(first / times.UNITS[unit] * 10**6))
    raise InputError(f"{start}, as {unit} since 1970 {moment}; {many}{_in_1970(low, high)}; {_WAY_OUT}")


def _span(scan: Scan) -> tuple[float, float, int, float]:
    """The least and the greatest number that is no time, how many distinct there are, and the first."""
    value = pl.col("value")
    numbers = scan.table.frame.filter(scan.event).select(value=times.number(scan.columns["time"]))
    odd = numbers.filter(~pl.any_horizontal([times.is_plausible_in(value, unit) for unit in times.UNITS]))
    span = odd.select(low=value.min(), high=value.max(), distinct=value.n_unique(), first=value.first())
    low, high, distinct, first = span.collect(engine="streaming").row(0)
    return low, high, distinct, first


def _in_1970(low: float, high: float) -> str:
    if low < 0 or high >= 366 * 86_400:
        return ""
    return f": times in {'January ' if high < 31 * 86_400 else ''}1970: no seconds"
