"""Histories as objects of Python, which are lines of JSON or were given as such."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path
from types import NoneType
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from negsample.data.log import times
from negsample.data.log.columns import choose_columns
from negsample.data.log.delimited import utf8
from negsample.data.log.files import readable
from negsample.data.log.json_lines import inner_fields
from negsample.data.log.table import line_at
from negsample.errors import InputError, shown
from negsample.serving.lists import ID, Asked, Lists, check_lists, choose, of_frames

_EXAMPLE = '{"user": "ann", "items": ["A", "B"], "times": [1700000000, 1700000060]}'
_AT_ONCE = 1 << 15  # records held
_HALF = re.compile("[\ud800-\udfff]")  # of a character: no UTF-8 text holds one


class _Record(NamedTuple):
    """Items of a user, and their times or None; ``line`` from 1."""

    line: int
    user: Any
    items: Any
    times: Any


def read_json(path: Path, asked: Asked) -> Lists:
    """JSON lines: one for each person, with a list of items, or one for each event."""
    with readable(path), utf8(path):
        lines = pl.scan_lines(path, glob=False).collect()["line"]
    objects = ((line, _parsed(path, line, text)) for line, text in enumerate(lines, 1) if text.strip("\ufeff \t\r"))
    number, first = next(objects, (0, dict[str, Any]()))
    if not number:
        raise InputError(f"{path} is empty; write a line for each person, such as {_EXAMPLE}")
    by_person = isinstance(first.get(asked["item"] or "items"), list)
    if by_person:
        columns = {"user": "user", "time": "times"} | choose([*first], asked, path)
    else:
        names = [name for name, _ in inner_fields(first)]
        columns = {"time": "time"} | choose_columns(names, asked, path, optional=("time",))[0]
    user, item, time = known = tuple(columns[role] for role in ("user", "item", "time"))

    def record(line: int, found: dict[str, Any]) -> _Record:
        if by_person:
            for field in (each for each in found if each not in known):
                raise InputError(
                    f"{line_at(path, line)} has a field {shown(field)}, which is none that is read: "
                    f"{', '.join(map(repr, known))}; rename it or leave it out"
                )
            return _Record(line, found.get(user, line), found.get(item), found.get(time))
        found = dict(inner_fields(found)) | found
        return _Record(line, found.get(user), [found.get(item)], [found[time]] if time in found else None)

    records = (record(*each) for each in chain([(number, first)], objects))
    return _as_lists(records, path, columns, by_person)


def of_python(people: Mapping[Any, Any] | Sequence[Any]) -> Lists:
    """Lists of items by person, or one list after another, whose keys are 1, 2, ..."""
    kind = type(people).__name__
    if not people:
        raise InputError(f'no person in the {kind}; give items by person, as {{"ann": ["A", "B"]}} or [["A", "B"]]')
    pairs = people.items() if isinstance(people, Mapping) else enumerate(people, 1)
    records = (_Record(line, _plain(user), _plain_list(items), None) for line, (user, items) in enumerate(pairs, 1))
    return _as_lists(records, Path(kind), {"user": "user", "item": "items"}, by_person=True)


def _plain(value: Any) -> Any:
    """A value or a column of NumPy, Polars or pandas as one of Python."""
    return np.asarray(value).tolist() if hasattr(value, "__array__") else value


def _plain_list(values: Any) -> Any:
    values = _plain(values)
    return [_plain(each) for each in values] if isinstance(values, list | tuple) else values


def _parsed(path: Path, line: int, text: str) -> dict[str, Any]:
    reason = "it is no object"
    try:
        found = json.loads(text.removeprefix("\ufeff"))
        if isinstance(found, dict):
            return found
    except (ValueError, RecursionError) as error:
        reason = getattr(error, "msg", None) or str(error)
    raise InputError(f"{path}, line {line} cannot be read ({reason}): {shown(text)}; write it as {_EXAMPLE}")


def _as_lists(records: Iterator[_Record], path: Path, columns: dict[str, str], by_person: bool) -> Lists:
    people, events, timed = list[pl.DataFrame](), list[pl.DataFrame](), False
    while some := list(islice(records, _AT_ONCE)):
        for each in some:
            check_lists(path, each.line, columns, each.items, each.times)
        timed |= any(each.times for each in some)
        counts = [len(each.items) for each in some]
        line_Q = np.array([each.line for each in some])
        line_N = np.repeat(line_Q, counts)

        def column(role: str, values: Iterable[Any], lines: Any) -> pl.Series:
            return _column(list(values), role, lambda at: f"{line_at(path, lines[at])}: {role} in '{columns[role]}'")

        user = column("user", (each.user for each in some), line_Q)
        item = column("item", chain.from_iterable(each.items for each in some), line_N)
        moments = chain.from_iterable(each.times or [None] * len(each.items) for each in some)
        people.append(pl.DataFrame({"line": line_Q, "user": user, "count": counts}))
        events.append(pl.DataFrame({"line": line_N, "item": item, "time": column("time", moments, line_N)}))
    known = columns if timed else {role: columns[role] for role in ("user", "item")}
    whole, rows = (pl.concat(each, how="vertical_relaxed") for each in (people, events))
    return of_frames(whole, rows, path, known, by_person)


def _column(values: list[Any], role: str, where: Callable[[int], str]) -> pl.Series:
    """As Int64, Float64 or String, whichever can hold all of them."""
    allowed = {int, float, str, NoneType} if role == "time" else {int, str}
    kinds = set(map(type, values))
    if kinds <= allowed:
        if kinds <= {int, NoneType}:
            with suppress(TypeError, OverflowError):  # beyond Int64
                return pl.Series(values, dtype=pl.Int64)
        if kinds <= {float, NoneType}:
            return pl.Series(values, dtype=pl.Float64)
        with suppress(UnicodeEncodeError):
            return pl.Series([None if each is None else str(each) for each in values], dtype=pl.String)
    at = next(at for at, each in enumerate(values) if type(each) not in allowed or _HALF.search(str(each)))
    raise InputError(f"{where(at)} is {shown(values[at])}; {times.FORMS if role == 'time' else ID}")
