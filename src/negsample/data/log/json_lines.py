"""Logs in JSON: a line for each event, a list of events, or a line for each session with its events in it.

A field of an object inside of a line is a column too, ``user.id``. Values are picked from each line as text, so that
ids are read as they are written, whatever the other lines hold.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import reduce
from pathlib import Path
from typing import Any

import polars as pl

from negsample.data.log.delimited import utf8
from negsample.data.log.files import NoRowsError, readable
from negsample.data.log.table import ROW, Table
from negsample.errors import InputError, shown
from negsample.files.folders import finite

_SAMPLE = 1000  # lines that say which fields there are
_DEEP = 8  # objects inside of one another
_MOST = 1000  # fields; objects with ever other ones hold data under them
_LINE = pl.col("line")
_NUMBER = r"(-?\d[\d.eE+-]*)"


def open_json(path: Path, file: Path) -> Table:
    """The log in the JSON ``file``, shown as ``path``, as a table of text with its line numbers."""
    with readable(path), utf8(path, file):
        lines = pl.scan_lines(file, row_index_name=ROW, glob=False)
        if is_list(file):
            lines = _of_list(path, file)
        lines = lines.filter(_text() != "")
        bad = ~_LINE.str.contains(r"^[\ufeff\s]*\{") | _LINE.str.json_path_match("$").is_null()
        facts = lines.select(rows=pl.len(), bad=pl.col(ROW).filter(bad).first()).collect(engine="streaming")
    rows, first_bad = facts.row(0)
    if not rows:
        raise NoRowsError(f"{path} is empty; a log needs an object for each event")
    if first_bad is not None:
        raise InputError(
            f"{path}, line {first_bad + 1}: no JSON object on one line; a log in JSON is an object a line, such as "
            '{"user": 1, "item": "a", "time": 1396310400}, or a list of such objects'
        )
    sample = [json.loads(line) for line in lines.head(_SAMPLE).collect()["line"].str.strip_chars("\ufeff \t\r")]
    flat, lists, nested = _fields(sample)
    if nested is not None:
        return _of_sessions(path, lines, sample, flat, nested)
    columns = {name: _value(name) for name in flat} | {name: _list(name) for name in lists}
    return _table(path, lines.select(ROW, **columns), flat, lists)._replace(objects=lines)


def is_list(file: Path) -> bool:
    """Whether it holds one list of objects, and no object a line."""
    lines = pl.scan_lines(file, glob=False).filter(_text() != "")
    return lines.select(_text().str.head(1)).head(1).collect()["line"].to_list() == ["["]


def _text() -> pl.Expr:
    return _LINE.str.strip_chars("\ufeff \t\r")


def _value(name: str) -> pl.Expr:
    """The value of a field as text; ``user.id``: of a field of that name, or of a field of an object inside."""
    inside = "".join(f"['{each}']" for each in name.split("."))
    found = [_LINE.str.json_path_match(f"${path}") for path in dict.fromkeys((f"['{name}']", inside))]
    return pl.coalesce(found).alias(name)


def _list(name: str) -> pl.Expr:
    """A list of plain values as text, as they are written."""
    text = _value(name)
    quoted = pl.when(text.str.contains('"', literal=True)).then(text).otherwise(text.str.replace_all(_NUMBER, '"$1"'))
    return quoted.str.json_decode(pl.List(pl.String)).alias(name)


def _fields(sample: list[dict[str, Any]]) -> tuple[list[str], list[str], str | None]:
    """The fields with plain values or none, in their order; those with lists of them; and the one that holds a list of
    objects, if there is one."""
    kinds: dict[str, Any] = {}
    for record in sample:
        for name, value in inner_fields(record):
            if name not in record and name not in kinds and len(kinds) >= _MOST:
                continue
            if name not in kinds or (kinds[name] in (None, []) and value is not None):
                kinds[name] = value
    kinds = {name: value for name, value in kinds.items() if not set(name) & set("'\\")}
    flat = [name for name, value in kinds.items() if not isinstance(value, list)]
    lists = [name for name, value in kinds.items() if isinstance(value, list) and value]
    plain = [name for name in lists if not any(isinstance(each, list | Mapping) for each in kinds[name])]
    nested = [name for name in lists if isinstance(kinds[name][0], Mapping)]
    return flat, plain, nested[0] if len(nested) == 1 else None


def _at(record: Mapping[str, Any], name: str) -> Any:
    """The value of a field, or of a field of an object inside."""
    return record[name] if name in record else reduce(lambda inside, each: inside[each], name.split("."), record)


def inner_fields(record: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """The fields, and of objects inside the fields with plain values, as ``user.id``; not where a name has a dot."""
    for name, value in record.items():
        if not isinstance(value, Mapping):
            if not before or ("." not in name and not isinstance(value, list)):
                yield before + name, value
        elif "." not in name and before.count(".") < _DEEP:
            yield from inner_fields(value, f"{before}{name}.")


def check_plain(table: Table, names: Iterable[str]) -> None:
    """Refuses a row of JSON whose field of the user, the item or the time is an object, a list, true or false."""
    assert table.objects is not None
    for name in names:
        odd = table.objects.filter(_value(name).str.contains(r"^(?:[\[{]|true$|false$)"))
        for row, line in odd.select(ROW, _text()).collect(engine="streaming").iter_rows():
            value = _at(json.loads(line), name)
            if isinstance(value, list | Mapping | bool):
                raise InputError(
                    f"{table.where(row)}: '{name}' is {shown(str(value))}; user, item and time are text or "
                    f"numbers, and no lists, objects, true or false where they are not so in all rows"
                )


def _of_sessions(path: Path, lines: pl.LazyFrame, sample: list[dict[str, Any]], flat: list[str], nested: str) -> Table:
    """A row for each object in the list ``nested``, with the other fields of its line."""
    inner: dict[str, Any] = {}
    for record in sample:
        events = record.get(nested)
        for each in events if isinstance(events, list) else ():
            if isinstance(each, Mapping):
                inner |= {name: value for name, value in each.items() if inner.get(name) is None}
    names = [
        name for name, value in inner.items() if not isinstance(value, list | Mapping) and not set(name) & set("'\\")
    ]
    outer = [name for name in flat if name not in names]
    quoted = _value(nested).str.replace_all(rf'([{{,]"(?:[^"\\]|\\.)*":){_NUMBER}', '$1"$2"')
    objects = quoted.str.json_decode(pl.List(pl.Struct(dict.fromkeys(names, pl.String))))
    rows = lines.select(*map(_value, outer), objects.alias(nested)).explode(nested).drop_nulls(nested).unnest(nested)
    return _table(path, rows.select(*outer, *names).with_row_index(ROW), [*outer, *names], [])


def _table(path: Path, frame: pl.LazyFrame, names: list[str], lists: list[str]) -> Table:
    if not names and not lists:
        raise InputError(f"{path}: its objects have no fields with plain values; a log needs user, item and time")
    with readable(path):
        frame.head(1).collect()
    dtypes = [pl.String()] * len(names) + [pl.List(pl.String())] * len(lists)
    return Table(path, frame, [*names, *lists], dtypes, None)


def _of_list(path: Path, file: Path) -> pl.LazyFrame:
    """A list of objects as lines."""
    text = "\n".join(pl.scan_lines(file, glob=False).collect()["line"])
    try:
        found = json.loads(text.lstrip("\ufeff"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is no JSON list ({error}); check that the file is complete") from None
    if odd := [number for number, each in enumerate(found, 1) if not isinstance(each, Mapping)]:
        raise InputError(f"{path}: element {odd[0]} is {shown(found[odd[0] - 1])}; a log is a list of objects")
    lines = [json.dumps(finite(each), allow_nan=False) for each in found]
    return pl.LazyFrame({"line": lines}, {"line": pl.String}).with_row_index(ROW)
