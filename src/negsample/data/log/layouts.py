"""What delimits fields of text; of files without a header, which known layout one has, and what its columns may be."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

DELIMITERS = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "pipes", "::": "::", " ": "spaces"}
Rows = Sequence[Sequence[str]]
_INTEGER = re.compile(r"\d{1,18}$")
_WHOLE = re.compile(r"-?\d+$")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?$")
_RATING = re.compile(r"([0-9]|10)(\.\d)?$")
_SECONDS = re.compile(r"\d{9,10}$")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?$")
_CLOCK = re.compile(r"\d{1,2}:\d\d(:\d\d)?$")
_DATE = re.compile(
    r"\d{4}([-./年])\d{1,2}([-./月]|$)|\d{1,2}([-./])\d{1,2}[-./]\d{2,4}(\D|$)|\d{1,2}[-/ ][A-Z][a-z]{2,8}[-/ ]\d{2,4}|"
    r"[A-Z][a-z]{2,8},? ([A-Z][a-z]{2,8} )?\d{1,2},? "
)
_AMAZON_USER, _AMAZON_ITEM = re.compile(r"A[0-9A-Z]{8,}$"), re.compile(r"[0-9B][0-9A-Z]{9}$")


class Known(NamedTuple):
    """A published layout without a header: whose it is, and its columns."""

    of: str
    columns: list[str]


_RATINGS = ["user", "item", "rating", "timestamp"]
_LAYOUTS: tuple[tuple[Known, str, tuple[re.Pattern[str], ...]], ...] = (
    (Known("MovieLens' u.data", _RATINGS), "\t", (_INTEGER, _INTEGER, _RATING, _SECONDS)),
    (Known("MovieLens' ratings.dat", _RATINGS), "::", (_INTEGER, _INTEGER, _RATING, _SECONDS)),
    (Known("Amazon's ratings of 2014", _RATINGS), ",", (_AMAZON_USER, _AMAZON_ITEM, _RATING, _SECONDS)),
    (
        Known("Gowalla's check-ins", ["user", "time", "latitude", "longitude", "item"]),
        "\t",
        (_INTEGER, _MOMENT, _NUMBER, _NUMBER, _INTEGER),
    ),
)


def known_layout(delimiter: str, rows: Rows) -> Known | None:
    """The published layout that all ``rows`` have, if there is one."""
    for known, mark, patterns in _LAYOUTS:
        if mark == delimiter and all(len(row) == len(patterns) and all(map(_matches, patterns, row)) for row in rows):
            return known
    return None


def _matches(pattern: re.Pattern[str], field: str) -> bool:
    return pattern.match(field.strip()) is not None


def sequences_in(rows: Rows) -> bool:
    """Whether the ``rows`` may each be a user and the items in their order: whole numbers, not as many in each."""
    return len({len(row) for row in rows}) > 1 and all(_WHOLE.match(field) for row in rows for field in row)


def roles_in(rows: Rows) -> dict[str, str]:
    """The column, from 1, that may be the user, the item and the time of rows without names; those that can be told. A
    time may be a date and a time of day, as ``4+5``."""
    columns = [[field.strip() for field in column] for column in zip(*rows, strict=False)]
    times = [at for at, column in enumerate(columns) if _all(_is_time, column)]
    clocks = [at for at, column in enumerate(columns) if _all(_CLOCK.match, column)]
    counters = [at for at, column in enumerate(columns) if _is_counter(column)]
    measures = [at for at, column in enumerate(columns) if _all(_is_measure, column)]
    measures = [at for at in measures if at > 0 or any("." in field for field in columns[at])]  # users come first
    for no_ids in ([*times, *clocks, *measures, *counters], [*times, *clocks, *measures], times):
        ids = [at for at in range(len(columns)) if at not in no_ids]
        if len(ids) > 1:
            break
    found: dict[str, int] = {}
    if ids:
        swapped = (
            len(ids) > 1 and _all(_AMAZON_ITEM.match, columns[ids[0]]) and _all(_AMAZON_USER.match, columns[ids[1]])
        )
        found["user"] = ids[1 if swapped else 0]
        rest = [at for at in ids if at != found["user"]]
        if rest:
            found["item"] = max(rest, key=lambda at: (_is_code(columns[at]), len(set(columns[at])), -at))
    if times:
        found["time"] = times[-1]
    told = {role: str(at + 1) for role, at in found.items()}
    if times and clocks and not any(":" in field for field in columns[times[-1]]):
        told["time"] += f"+{clocks[0] + 1}"
    return told


def _is_counter(column: Sequence[str]) -> bool:
    """Whether it counts the rows."""
    numbers = [int(field) for field in column if _INTEGER.match(field)]
    return len(column) > 2 and numbers == list(range(numbers[0] if numbers else 0, len(column) + (numbers or [0])[0]))


def _all(rule: Callable[[str], object], column: Sequence[str]) -> bool:
    return all(rule(field) for field in column if field) and any(column)


def _is_time(field: str) -> bool:
    digits = field.partition(".")[0]
    number = digits.isdecimal() and (
        any(315_532_800 <= int(digits) // unit < 1_900_000_000 for unit in (1, 10**3, 10**6, 10**9))
        or (digits[:2] in ("19", "20") and len(digits) in (8, 14))
    )
    return bool(number) or _DATE.match(field) is not None


def _is_measure(field: str) -> bool:
    """A rating, a share, a coordinate."""
    return _RATING.match(field) is not None or ("." in field and _NUMBER.match(field) is not None)


def _is_code(column: Sequence[str]) -> bool:
    """Ids have no white space and no quotes."""
    return not any(set(field) & set(" \"'") for field in column)
