"""Rows that make a log unreadable, or readable in two ways: each refused in one line, before anything is made of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from negsample.data.log import ids, times
from negsample.data.log.scan import IDS, Found, kept
from negsample.data.manifest import iso
from negsample.errors import InputError

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_FEW = 20  # distinct values that are rather ratings than times
_WAY_OUT = (
    "mend them (a date is written as 2014-05-16) or leave them out; a number that only tells an order becomes a time "
    "with 1,000,000,000 added"
)


def refuse_no_rows(found: Sequence[Found], path: Any) -> None:
    """Refuses a log of which no row has a user and an item.

    Raises:
        InputError: what stands there instead.
    """
    if any(each.facts["kept"] for each in found):
        return
    first = found[0]
    user, item = (first.columns[role].name for role in IDS)
    for each in found:
        for role in IDS:
            row = each.facts[f"says_{role}"]
            if row is not None:
                says = sum(part.facts["says"] for part in found)
                raise InputError(
                    f"{path}: no row has a user and an item: {says:,} rows say that it is missing, as "
                    f"{each.part.where(row)}, where {each.cell(role, row)}; name another column with --{role} COL "
                    f"(its columns are: {', '.join(first.part.columns)}), or take these for ids with --keep-missing-ids"
                )
    raise InputError(f"{path}: no row has a user (column '{user}') and an item ('{item}')")


def refuse_bad_ids(found: Found) -> None:
    """Refuses ids that are no ids.

    Raises:
        InputError: the first row of them.
    """
    for role in IDS:
        most = ids.exact_to(found.columns[role])
        row = found.facts[f"{role}_odd"]
        if row is not None and most is not None:
            raise InputError(
                f"{found.part.where(row)}: {role} in {found.cell(role, row)}; an id is text or a whole number, and a "
                f"{found.columns[role].dtype} tells whole numbers apart up to {most:,} (2^{most.bit_length() - 1}); "
                f"store the ids as integers or text where the log is made"
            )
        row = found.facts[f"{role}_garbled"]
        if row is not None:
            raise InputError(
                f"{found.part.where(row)}: {role} in {found.cell(role, row)}; an id holds no line break or other "
                f"control character (look for a quote astray before it), and no number that a spreadsheet rounded"
            )


def unit_of(found: Sequence[Found], keep_missing: bool) -> str | None:
    """The unit that the numbers of all parts have; None: calendar dates.

    Raises:
        InputError: a row holds no time, or one that is not of this unit.
    """
    total = {key: sum(each.facts[key] for each in found) for key in ("numbers", "moments", *times.UNITS)}
    numeric = total["numbers"] >= total["moments"]
    for each in found:
        _refuse_no_time(each, numeric, total["numbers"])
    if numeric:
        _refuse_two_units(found, total)
    for each in found:
        _refuse_inexact(each)
        _refuse_out_of_span(each, numeric, keep_missing)
    return max(times.UNITS, key=lambda unit: total[unit]) if numeric else None


def _refuse_no_time(found: Found, numeric: bool, numbers: int) -> None:
    row = found.facts["no_number" if numeric else "no_moment"]
    if row is not None:
        most = "calendar dates" if not numeric else "numbers" if numbers else None
        beside = f", other rows hold {most}" if most else ""
        raise InputError(f"{found.part.where(row)}: time in {found.cell('time', row)}{beside}; a time is {times.FORMS}")


def _refuse_two_units(found: Sequence[Found], total: dict[str, int]) -> None:
    common, *others = sorted((unit for unit in times.UNITS if total[unit]), key=lambda unit: -total[unit]) or [""]
    for each in found:
        for unit in others:
            row = each.facts[f"{unit}_row"]
            if row is None:
                continue
            cell = each.cell("time", row)
            if each.facts[unit] == each.facts["kept"]:
                other = next(part for part in found if part.facts[common])
                raise InputError(
                    f"parts in different units: times of {each.part.path} are {unit} since 1970 (row {row + 1}: "
                    f"{cell}), those of {other.part.path.name} {common}; write all parts in one unit"
                )
            raise InputError(
                f"two units of time in one column: the row {each.part.where(row)}, where {cell}, holds {unit} since "
                f"1970 as do {total[unit]:,} in all, {total[common]:,} rows hold {common}; write all in one unit"
            )


def _refuse_inexact(found: Found) -> None:
    row = found.facts["inexact"]
    if row is not None:
        dtype, most = found.columns["time"].dtype, ids.exact_to(found.columns["time"])
        raise InputError(
            f"{found.part.where(row)}: time in {found.cell('time', row)}; a {dtype} tells whole numbers apart up to "
            f"{most:,}, so that times and their order are lost; store the times as integers where the log is made"
        )


def _refuse_out_of_span(found: Found, numeric: bool, keep_missing: bool) -> None:
    """Times before 1980 or in the future: another unit, another column, or what stands where there is no time."""
    count, row = (found.facts[key] for key in (("stray", "stray_row") if numeric else ("astray", "astray_row")))
    if not count:
        return
    start = f"{found.part.where(row)}: time in {found.cell('time', row)}"
    many = f"{count:,} of {found.facts['kept']:,} times are before 1980 or in the future"
    if not numeric:
        raise InputError(f"{start}; {many}; {_WAY_OUT}")
    low, high, distinct, first = _span(found, keep_missing)
    if distinct <= _FEW and count == found.facts["kept"] > distinct:
        number = _NUMBERS[distinct] if distinct < len(_NUMBERS) else str(distinct)
        what = f"{number} distinct values between {low:g} and {high:g} are no times"
        raise InputError(f"{start}; {what}; name the column of the time with --time COL")
    unit = next((unit for unit, a_second in times.UNITS.items() if abs(first) < 1e11 * a_second), "nanoseconds")
    moment = iso(int(first / times.UNITS[unit] * 10**6))
    raise InputError(f"{start}, as {unit} since 1970 {moment}; {many}{_in_1970(low, high)}; {_WAY_OUT}")


def _span(found: Found, keep_missing: bool) -> tuple[float, float, int, float]:
    """The least and the greatest number that is no time, how many distinct there are, and the first."""
    value = pl.col("value")
    numbers = found.part.frame.filter(kept(found.columns, keep_missing)).select(
        value=times.number(found.columns["time"])
    )
    stray = numbers.filter(~pl.any_horizontal([times.within_as(value, unit) for unit in times.UNITS]))
    least = stray.select(low=value.min(), high=value.max(), distinct=value.n_unique(), first=value.first())
    low, high, distinct, first = least.collect(engine="streaming").row(0)
    return low, high, distinct, first


def _in_1970(low: float, high: float) -> str:
    if low < 0 or high >= 366 * 86_400:
        return ""
    return f": times in {'January ' if high < 31 * 86_400 else ''}1970: no seconds"
