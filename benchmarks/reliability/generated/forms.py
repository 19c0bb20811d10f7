"""Forms of time that people write, each with its own reader made of the standard library."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST, LAST = 315_532_800, 1_700_000_000  # seconds: 1980, 2023
UNITS = (Decimal(10**6), Decimal(10**3), Decimal(1), Decimal("0.001"))
"""Microseconds in a second, a millisecond, a microsecond and a nanosecond."""
_ISO = re.compile(r"\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d(:\d\d([.,]\d+)?)?)?( ?(Z|z|UTC|[+-]\d\d(:?\d\d)?))?$")
_ROUNDED = re.compile(r"[+-]?\d(?:\.(\d+))?[eE]\+?(\d+)$")


class Form(NamedTuple):
    """How a moment is written, and read again: in microseconds, None where it is none of this form.

    ``pattern``: what a person would say of it, as of strptime; None: nothing needs to be said. ``other``: the pattern
    with day, month or year in another order.
    """

    name: str
    write: Callable[[datetime, random.Random], str]
    read: Callable[[str], int | None]
    pattern: str | None = None
    other: str | None = None


def micros(moment: datetime) -> int:
    """Microseconds since 1970, UTC where there is no zone."""
    return (moment.replace(tzinfo=moment.tzinfo or UTC) - EPOCH) // timedelta(microseconds=1)


def plausible(moment: int | None) -> bool:
    """Whether it lies between 1980 and tomorrow."""
    now = datetime.now(UTC) + timedelta(days=1)
    return moment is not None and FIRST * 10**6 <= moment <= micros(now)


def unit_of(text: str) -> int | None:
    """The place in ``UNITS`` of the unit that puts a number between 1980 and now."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    rounded = _ROUNDED.match(text)
    if not number.is_finite() or (rounded and len(rounded[1] or "") < int(rounded[2])):
        return None
    return next((place for place, unit in enumerate(UNITS) if plausible(int(number * unit))), None)


def read_number(text: str) -> int | None:
    """A number of whatever unit, rounded down from nanoseconds."""
    unit = unit_of(text)
    return None if unit is None else int(Decimal(text) * UNITS[unit] // 1)


def read_iso(text: str) -> int | None:
    """ISO text, UTC where no zone is given."""
    if not _ISO.match(text):
        return None
    try:
        return micros(datetime.fromisoformat(text.replace(" UTC", "Z").replace("UTC", "Z").replace("z", "Z")))
    except ValueError:
        return None


def read_pattern(pattern: str) -> Callable[[str], int | None]:
    """A reader of text of a pattern."""

    def read(text: str) -> int | None:
        try:
            return micros(datetime.strptime(text, pattern))
        except ValueError:
            return None

    return read


def _number(name: str, write: Callable[[int], str]) -> Form:
    return Form(name, lambda moment, chance: write(micros(moment)), read_number)


def _iso(pattern: str, zone: str = "") -> Form:
    def write(moment: datetime, chance: random.Random) -> str:
        hours = chance.choice([0, 2, -5, 9]) if zone.startswith("+") else 0
        local = moment.astimezone(timezone(timedelta(hours=hours)))
        sign = "-" if hours < 0 else "+"
        shown = {
            "+00:00": f"{sign}{abs(hours):02}:00",
            "+0000": f"{sign}{abs(hours):02}00",
            "+00": f"{sign}{abs(hours):02}",
        }
        return local.strftime(pattern).replace("MILLI", f"{moment.microsecond // 1000:03}") + shown.get(zone, zone)

    return Form(f"ISO {pattern}{zone}", write, read_iso)


def _dated(written: str, pattern: str, other: str | None = None) -> Form:
    """As strftime writes it, and strptime reads it."""

    def write(moment: datetime, chance: random.Random) -> str:
        return moment.strftime(written).replace("MILLI", f"{moment.microsecond // 1000:03}")

    return Form(written, write, read_pattern(pattern), pattern, other)


NUMBERS = [
    _number("seconds", lambda moment: str(moment // 10**6)),
    _number("seconds with a fraction", lambda moment: f"{moment // 10**6}.{moment % 10**6:06}"),
    _number("seconds with milliseconds", lambda moment: f"{moment // 10**6}.{moment // 1000 % 1000:03}"),
    _number("seconds as floats", lambda moment: f"{moment // 10**6}.0"),
    _number("seconds with an exponent", lambda moment: f"{Decimal(moment // 10**6):.9e}"),
    _number("seconds among spaces", lambda moment: f" {moment // 10**6} "),
    _number("milliseconds", lambda moment: str(moment // 10**3)),
    _number("milliseconds with a fraction", lambda moment: f"{moment // 10**3}.{moment % 1000:03}"),
    _number("microseconds", str),
    _number("nanoseconds", lambda moment: f"{moment}123"),
]
ISO = [
    _iso(pattern, zone)
    for pattern in (
        "%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S.%f",
        "%Y-%m-%d %H:%M:%S.MILLI", "%Y-%m-%dT%H:%M:%S,%f", "%Y-%m-%d %H:%M:%S.%f000",
    )
    for zone in ("", "Z", " UTC", "+00:00", "+0000", "+00")
    if not zone or "%H" in pattern
]  # fmt: skip
_CLOCKS = [
    ("", ""), (" %H:%M", " %H:%M"), (" %H:%M:%S", " %H:%M:%S"), (" %-H:%M", " %H:%M"), (" %I:%M %p", " %I:%M %p"),
    (" %-I:%M:%S %p", " %I:%M:%S %p"), (" %I:%M%p", " %I:%M%p"), (" %H:%M:%S.%f", " %H:%M:%S.%f"),
    (" %H:%M:%S.MILLI", " %H:%M:%S.%f"), (", %H:%M", ", %H:%M"), ("T%H:%M:%S", "T%H:%M:%S"), (" %H", " %H"),
]  # fmt: skip
_DAYS = [
    ("%Y/%m/%d", "%Y/%m/%d", None), ("%d.%m.%Y", "%d.%m.%Y", None), ("%-d.%-m.%Y", "%d.%m.%Y", None),
    ("%d.%m.%y", "%d.%m.%y", "%y.%m.%d"), ("%m/%d/%Y", "%m/%d/%Y", "%d/%m/%Y"), ("%-m/%-d/%Y", "%m/%d/%Y", "%d/%m/%Y"),
    ("%d/%m/%Y", "%d/%m/%Y", "%m/%d/%Y"), ("%-d/%-m/%Y", "%d/%m/%Y", "%m/%d/%Y"), ("%m/%d/%y", "%m/%d/%y", "%d/%m/%y"),
    ("%d/%m/%y", "%d/%m/%y", "%m/%d/%y"), ("%y/%m/%d", "%y/%m/%d", "%d/%m/%y"), ("%m-%d-%Y", "%m-%d-%Y", "%d-%m-%Y"),
    ("%d-%m-%Y", "%d-%m-%Y", "%m-%d-%Y"), ("%d-%m-%y", "%d-%m-%y", "%y-%m-%d"), ("%y-%m-%d", "%y-%m-%d", "%d-%m-%y"),
    ("%b %d, %Y", "%b %d, %Y", None), ("%B %-d, %Y", "%B %d, %Y", None), ("%b %d %Y", "%b %d %Y", None),
    ("%m %d, %Y", "%m %d, %Y", None), ("%d %b %Y", "%d %b %Y", None), ("%-d %B %Y", "%d %B %Y", None),
    ("%d-%b-%Y", "%d-%b-%Y", None), ("%d-%b-%y", "%d-%b-%y", "%y-%b-%d"), ("%d/%b/%Y", "%d/%b/%Y", None),
    ("%Y.%m.%d", "%Y.%m.%d", None), ("%Y %b %d", "%Y %b %d", None), ("%A, %B %d, %Y", "%A, %B %d, %Y", None),
    ("%a %d %b %Y", "%a %d %b %Y", None), ("%Y年%m月%d日", "%Y年%m月%d日", None),
    ("%-m/%-d/%y", "%m/%d/%y", "%d/%m/%y"),
]  # fmt: skip
DATED = [
    _dated(day + clock, pattern + of_clock, other and other + of_clock)
    for day, pattern, other in _DAYS
    for clock, of_clock in _CLOCKS
]
WHOLE = [
    _dated("%a %b %d %H:%M:%S +0000 %Y", "%a %b %d %H:%M:%S %z %Y"),
    _dated("%a, %d %b %Y %H:%M:%S +0200", "%a, %d %b %Y %H:%M:%S %z"),
    _dated("%d/%b/%Y:%H:%M:%S -0500", "%d/%b/%Y:%H:%M:%S %z"),
    _dated("%a %b %e %H:%M:%S UTC %Y", "%a %b %d %H:%M:%S UTC %Y"),
    *(
        _dated(pattern, pattern)
        for pattern in (
            "%a, %d %b %Y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y", "%Y-%m-%d %H", "%Y-%m-%dT%H", "%Y-%m", "%Y-%j",
            "%Y%m%d", "%Y%m%d%H%M", "%Y%m%d%H%M%S", "%y%m%d", "%Y%m%dT%H%M%SZ", "%Y%m%d %H:%M:%S", "%Y-%m-%d_%H-%M-%S",
            "%Y-%m-%d %I:%M:%S %p", "%H:%M:%S %d/%m/%Y", "%H:%M %Y-%m-%d", "%Y-%m-%d %H.%M.%S",
        )
    ),
]  # fmt: skip
CLOCKS = ["%H:%M:%S", "%H:%M", "%-H:%M:%S"]
DAYS_ALONE = ["%Y-%m-%d", "%d.%m.%Y", "%Y/%m/%d", "%Y%m%d"]


def some_form(chance: random.Random) -> Form:
    """Each family as often as its use, each of its members alike."""
    return chance.choice(chance.choices([NUMBERS, ISO, DATED, WHOLE], [4, 3, 3, 1])[0])


def two_columns(chance: random.Random) -> Form:
    """A date and a time of day, which are two columns: written with a mark between them where they are cut."""
    day, clock = chance.choice(DAYS_ALONE), chance.choice(CLOCKS)
    pattern = f"{day} {clock}".replace("-H", "H")
    return Form(
        f"{day}|{clock}", lambda moment, _: moment.strftime(f"{day}\x1f{clock}"), read_pattern(pattern), pattern
    )
