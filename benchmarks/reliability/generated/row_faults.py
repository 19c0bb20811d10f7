"""Rows that say what no row of a log may say, whatever the format: each fault knows what must come of it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from benchmarks.reliability.generated import ids, typed
from benchmarks.reliability.generated.case import Case
from benchmarks.reliability.generated.forms import DATED, ISO, NUMBERS, Form, some_form
from benchmarks.reliability.generated.logs import Log, some_log
from benchmarks.reliability.generated.somewhere import OBJECTS, TABLES, TEXTS, written
from benchmarks.reliability.made_logs import MISSING

_NO_TIMES = ["never", "12:30", "2014-13-01", "2014-02-30", "31.04.2014", "0", "-1", "5", "1e30", "99999999999999999999"]
_NO_TIMES += [
    "1970-01-01",
    "2608-01-01",
    "0001-01-01",
    "4000000000",
    "1.39631E+09",
    "2014",
    "inf",
    "true",
    "00/00/0000",
]
_WHOLE = [NUMBERS[0], NUMBERS[6], NUMBERS[8]]


def _some(log: Log, chance: random.Random, most: int = 3) -> list[int]:
    """Rows that are events."""
    user, item = log.places["user"], log.places["item"]
    good = [at for at, row in enumerate(log.rows) if not ids.is_missing(row[user]) and not ids.is_missing(row[item])]
    return chance.sample(good, min(len(good), chance.randint(1, most)))


def _one_column(chance: random.Random, form: Form | None = None) -> Log:
    log = some_log(chance, form=form)
    while "clock" in log.places or log.options.get("keep_missing_ids"):
        log = some_log(chance, form=form)
    return log


def other_unit(chance: random.Random) -> Case:
    """Rows in another unit of time."""
    form, other = chance.sample(_WHOLE, 2)
    log = _one_column(chance, form)
    for row in _some(log, chance, len(log.rows) // 2):
        log = log.cell(row, "time", other.write(datetime.fromtimestamp((log.moments[row] or 0) / 10**6, UTC), chance))
    return written(replace(log, refuse="two units"), chance)


def no_time(chance: random.Random) -> Case:
    """A cell that is no time of the form of the others."""
    log = _one_column(chance)
    bad = chance.choice([each for each in _NO_TIMES if log.form.read(each) is None])
    log = log.cell(_some(log, chance, 1)[0], "time", bad)
    return written(replace(log, refuse="a date that is none"), chance)


def untimed(chance: random.Random) -> Case:
    """Rows without a time, which are left out if one says so."""
    log = _one_column(chance)
    moments = list(log.moments)
    for row in _some(log, chance):
        log = log.cell(row, "time", chance.choice(["", "", " ", *MISSING]))
        moments[row] = None
    told = {"drop_untimed": True}
    at_once = chance.random() < 0.3
    log = replace(log, moments=moments, answers=log.answers | told, ask=not at_once)
    return written(replace(log, options=log.options | told) if at_once else log, chance)


def other_order(chance: random.Random) -> Case:
    """Dates with day and month in another order in some rows."""
    form = chance.choice([each for each in DATED if each.other and "%b" not in each.name])
    log = _one_column(chance, form)
    for row in _some(log, chance):
        moment = datetime.fromtimestamp((log.moments[row] or 0) / 10**6, UTC)
        log = log.cell(row, "time", moment.strftime(form.other or "").replace("000000", "000"))
    read = [form.read(row[log.places["time"]]) for row in log.rows]
    log = replace(log, moments=read, refuse="two orders" if None in read else "")
    return replace(written(log, chance), must_read=False)


def other_form(chance: random.Random) -> Case:
    """Times in another form in some rows."""
    log = _one_column(chance)
    other = some_form(chance)
    rows = _some(log, chance)
    for row in rows:
        moment = datetime.fromtimestamp((log.moments[row] or 0) / 10**6, UTC)
        log = log.cell(row, "time", other.write(moment, chance))
    read = [log.form.read(row[log.places["time"]].strip()) for row in log.rows]
    return replace(
        written(replace(log, moments=read, refuse="two forms" if None in read else ""), chance), must_read=False
    )


def far_times(chance: random.Random) -> Case:
    """Times before 1980 or in the future, in some rows or all."""
    form = chance.choice([*_WHOLE, *ISO[:4], DATED[0]])
    log = _one_column(chance, form)
    year = chance.choice([1970, 1979, 2040, 2100])
    rows = _some(log, chance) if chance.random() < 0.5 else range(len(log.rows))
    for row in rows:
        moment = datetime(year, chance.randint(1, 12), chance.randint(1, 28), 12, 30, tzinfo=UTC)
        log = log.cell(row, "time", form.write(moment, chance))
    return written(replace(log, refuse="before 1980 or in the future"), chance)


def rounded(chance: random.Random) -> Case:
    """Ids that a spreadsheet rounded."""
    log = _one_column(chance)
    value = chance.choice(["1.23457E+12", "9E+15", "-1.5E+20", "1.2e+15"])
    log = log.cell(_some(log, chance, 1)[0], chance.choice(["user", "item"]), value)
    writers = [each for each in [*TEXTS, *OBJECTS, *TABLES] if each is not typed.sqlite]  # which makes them numbers
    return written(replace(log, refuse="a rounded id"), chance, writers)


def control(chance: random.Random) -> Case:
    """A control character in an id."""
    log = _one_column(chance)
    value = chance.choice(["a\x07b", "a\x1bb", "a\u2028b", "a\nb", "\x7fa", "a\tb\x01"])
    log = log.cell(_some(log, chance, 1)[0], chance.choice(["user", "item"]), value)
    return written(replace(log, refuse="a control character"), chance, [*TEXTS, *OBJECTS, *TABLES[:-1]])


def all_missing(chance: random.Random) -> Case:
    """A column of ids that all say "missing"."""
    log = _one_column(chance)
    role, word = chance.choice(["user", "item"]), ids.missing(chance)
    for row in range(len(log.rows)):
        log = log.cell(row, role, word)
    return written(replace(log, refuse="no ids"), chance)


def pointed(chance: random.Random) -> Case:
    """Ids 12 and 12.0 in one column, which are two, and told."""
    log = _one_column(chance)
    role = chance.choice(["user", "item"])
    for row in range(len(log.rows)):
        log = log.cell(row, role, f"{row % 5}{'.0' if row % 3 == 0 else ''}")
    return written(replace(log.untyped(), note="12 and 12.0"), chance)


def twice(chance: random.Random) -> Case:
    """All rows twice: all of them are read."""
    log = some_log(chance)
    return written(replace(log, rows=log.rows * 2, moments=log.moments * 2), chance)


def header_again(chance: random.Random) -> Case:
    """The header among the rows."""
    log = some_log(chance, timed=chance.random() < 0.8).named()
    at = chance.randrange(1, len(log.rows))
    rows, moments = list(log.rows), list(log.moments)
    rows.insert(at, list(log.names))
    moments.insert(at, None)
    if chance.random() < 0.3:  # two files, one behind the other
        rows, moments = rows + log.rows, moments + log.moments
    return written(replace(log, rows=rows, moments=moments, refuse="a header among rows"), chance, [TEXTS[0]])


def name_twice(chance: random.Random) -> Case:
    """Two columns of one name."""
    log = some_log(chance).named()
    role = chance.choice([role for role in log.places if role != "clock"])
    names = [*log.names, log.names[log.places[role]]]
    rows = [[*row, "x"] for row in log.rows]
    log = replace(log, names=names, kinds=[*log.kinds, "text"], rows=rows, refuse="a name twice")
    return written(log, chance, [TEXTS[0]])


def wrong_column(chance: random.Random) -> Case:
    """A column that is not there, or holds something else, or is that of another role."""
    log = _one_column(chance, NUMBERS[0])
    extra = [name for name in log.names if name in ("rating", "stars", "event", "action", "title", "note")]
    user = log.names[log.places["user"]]
    wrong = [{"user": "nope"}, {"item": "0"}, {"time": "99"}, {"item": user, "user": user}, {"time": f"{user}+nope"}]
    wrong += [{"time": name} for name in extra]
    options = {"no_header": False} | chance.choice(wrong)
    log = replace(log, options=log.options | options, answers={}, refuse="no such column")
    return written(log, chance, [TEXTS[0], *OBJECTS])


def wrong_condition(chance: random.Random) -> Case:
    """A condition that is none, or that no row meets."""
    log = _one_column(chance)
    name = log.names[log.places["item"]]
    wrong = [
        "nope >= 3",
        "rating >=",
        "SELECT 1",
        "1",
        "",
        ";",
        f'"{name}"',
        f'sum("{name}") > 3',
        f"\"{name}\" = 'not there'",
    ]
    wrong += [
        f'"{name}" IS NULL AND "{name}" IS NOT NULL',
        "x" * 5000,
        f'"{name}" ==',
        "a AND",
        "*",
        f'"{name}" LIKE 5',
    ]
    options = log.options | {"where": chance.choice(wrong) or " "}
    return written(
        replace(log, options=options, answers={}, refuse="no condition"), chance, [TEXTS[0], *OBJECTS, *TABLES]
    )


def wrong_form(chance: random.Random) -> Case:
    """A form of time that is none, or not that of the rows."""
    log = _one_column(chance, chance.choice([*ISO[1:3], NUMBERS[0], NUMBERS[6]]))
    wrong = [
        "%d.%m.%Y",
        "%H:%M",
        "abc",
        "%Q %Y %m",
        "%",
        "%Y-%m-%d %",
        "%Y%m",
        " ",
        "%Y-%m-%dT%H:%M:%S extra",
        "%f %Y %m",
    ]
    options = log.options | {"time_format": chance.choice(wrong)}
    return written(replace(log, options=options, answers={}, refuse="another form"), chance, [TEXTS[0], *OBJECTS])


def long_numbers(chance: random.Random) -> Case:
    """Whole numbers beyond 64 bits, or of more digits than a float has."""
    log = _one_column(chance)
    role = chance.choice(["user", "item"])
    for row in range(len(log.rows)):
        log = log.cell(row, role, str(chance.choice([2**53, 2**63, 10**19, 2**64, 10**25]) + row % 7))
    return written(log.untyped(), chance)


ROW_FAULTS: dict[str, Callable[[random.Random], Case]] = {
    "rows in another unit of time": other_unit,
    "a cell that is no time": no_time,
    "rows without a time": untimed,
    "day and month in another order in some rows": other_order,
    "times of another form in some rows": other_form,
    "times before 1980 or in the future": far_times,
    "ids that a spreadsheet rounded": rounded,
    "control characters in an id": control,
    "no ids at all": all_missing,
    "ids 12 and 12.0": pointed,
    "all rows twice": twice,
    "a header among the rows": header_again,
    "a column name twice": name_twice,
    "a column that is not there, or another": wrong_column,
    "a condition that is none": wrong_condition,
    "a form of time that is none": wrong_form,
    "ids of very many digits": long_numbers,
}
