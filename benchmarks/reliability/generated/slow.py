"""A slow reader of logs made of the standard library: what the bytes of a log hold, by the words of its format.

It is told how the log is written, and shares no code with the product.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import re
import sqlite3
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree
from zipfile import BadZipFile, ZipFile

from benchmarks.reliability.generated import ids
from benchmarks.reliability.generated.forms import Form, plausible, read_iso, read_number, unit_of
from benchmarks.reliability.generated.logs import Rule
from benchmarks.reliability.made_logs import Event

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]|^[+-]?\\d(\\.\\d+)?[eE]\\+\\d+$")
_UNPACK: dict[str, Callable[[bytes], bytes]] = {"gz": gzip.decompress, "bz2": bz2.decompress, "xz": lzma.decompress}
Records = list[dict[Any, Any]]


@dataclass(frozen=True)
class Recipe:
    """How a log is written: ``form`` of its file, columns by role, and what is asked of it.

    ``columns``: the name of each role's column, or its place where there is no header.
    """

    form: str
    columns: Mapping[str, str | int]
    time: Form
    delimiter: str = ","
    header: bool = True
    packing: str = ""
    encoding: str = "utf-8"
    inside: str = ""
    keep: bool = False
    drop_untimed: bool = False
    where: Rule | None = None


class NoLogError(ValueError):
    """It holds no log that can be read in one way."""


def slow_read(files: Sequence[bytes], recipe: Recipe) -> list[Event] | None:
    """The events in the parts of a log; None: they hold none, or could be read in two ways."""
    try:
        records = [record for each in files for record in _records(_plain(each, recipe), recipe)]
        return _events(records, recipe)
    except (
        ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError, OverflowError, OSError, EOFError,
        zlib.error, lzma.LZMAError, BadZipFile, sqlite3.Error, ElementTree.ParseError, csv.Error,
    ):  # fmt: skip
        return None


def _plain(content: bytes, recipe: Recipe) -> bytes:
    if recipe.packing == "zip":
        with ZipFile(io.BytesIO(content)) as archive:
            return archive.read(recipe.inside)
    if recipe.packing == "zst":
        return unframed(content)
    return _UNPACK[recipe.packing](content) if recipe.packing else content


def framed(content: bytes) -> bytes:
    """As a frame of Zstandard with blocks that are not compressed."""
    blocks = [content[at : at + 65_536] for at in range(0, len(content), 65_536)]
    out = b"\x28\xb5\x2f\xfd\xa0" + len(content).to_bytes(4, "little")
    for number, block in enumerate(blocks):
        out += (int(number == len(blocks) - 1) | len(block) << 3).to_bytes(3, "little") + block
    return out


def unframed(content: bytes) -> bytes:
    """What :func:`framed` was given."""
    if content[:5] != b"\x28\xb5\x2f\xfd\xa0":
        raise NoLogError
    size, at, out = int.from_bytes(content[5:9], "little"), 9, b""
    while True:
        if at + 3 > len(content):
            raise NoLogError
        head = int.from_bytes(content[at : at + 3], "little")
        out += content[at + 3 : at + 3 + (head >> 3)]
        at += 3 + (head >> 3)
        if head & 1:
            break
    if head & 6 or len(out) != size or at != len(content):
        raise NoLogError
    return out


def _records(content: bytes, recipe: Recipe) -> Records:
    if recipe.form == "sqlite":
        return _of_sqlite(content, recipe)
    if recipe.form == "xlsx":
        return _of_xlsx(content)
    text = content.decode(recipe.encoding).removeprefix("\ufeff")
    if recipe.form == "json":
        return _of_json(text, recipe)
    return _of_sequences(text, recipe) if recipe.form == "sequences" else _of_text(text, recipe)


def _of_text(text: str, recipe: Recipe) -> Records:
    rows = [row for row in _rows(text, recipe.delimiter) if row and (len(row) > 1 or row[0].strip(" "))]
    names: list[Any] = list(range(len(rows[0])))
    if recipe.header:
        names = [field.partition(":")[0] if recipe.form == "inter" else field for field in rows.pop(0)]
        names = list(map(str.strip, names)) if recipe.delimiter == " " else names
    used = [name for name in names if name in recipe.columns.values()]
    if len(used) != len(set(used)) or any(row == names for row in rows):
        raise NoLogError
    if any(len(row) != len(names) for row in rows):
        raise NoLogError
    return [dict(zip(names, row, strict=True)) for row in rows]


def _rows(text: str, delimiter: str) -> list[list[str]]:
    lines = re.sub("\r(?!\n)", " ", text).replace("\r\n", "\n").removesuffix("\n").split("\n")
    if delimiter == " ":
        return [line.split() for line in lines]
    if delimiter == "::":
        return [line.split("::") if line.strip(" ") else [] for line in lines]
    literal = [line.split(delimiter) if line else [] for line in lines]
    try:
        rows = list(
            csv.reader(io.StringIO(re.sub("\r(?!\n)", " ", text), newline=""), delimiter=delimiter, strict=True)
        )
    except csv.Error:
        if delimiter != "\t":
            raise
        return literal
    ragged = len({len(row) for row in rows if row and (len(row) > 1 or row[0].strip(" "))}) > 1
    return literal if ragged and delimiter == "\t" else rows


def _of_sequences(text: str, recipe: Recipe) -> Records:
    found: Records = []
    for line in text.split("\n"):
        user, *items = re.split(rf"[\s{re.escape(recipe.delimiter)}]+", line.strip()) or [""]
        found += [{"user": user.removesuffix(":"), "item": item} for item in items]
    return found


def _of_json(text: str, recipe: Recipe) -> Records:
    def loads(text: str) -> Any:
        return json.loads(text, parse_int=str, parse_float=lambda digits: repr(float(digits)), parse_constant=str)

    if text.lstrip()[:1] == "[":
        values = loads(text)
    else:
        values = [loads(line) for line in re.split("\r?\n", text) if line.strip()]
    found: Records = []
    for value in values:
        if not isinstance(value, dict):
            raise NoLogError
        inner = [name for name, each in value.items() if isinstance(each, list) and name == recipe.inside]
        if recipe.inside == "lists":
            lists = {name: each for name, each in value.items() if isinstance(each, list)}
            if len({len(each) for each in lists.values()}) > 1:
                raise NoLogError
            plain = {name: each for name, each in value.items() if name not in lists}
            found += [plain | dict(zip(lists, each, strict=True)) for each in zip(*lists.values(), strict=True)]
        elif recipe.inside:
            outer = {name: each for name, each in value.items() if name != recipe.inside}
            found += [outer | each for name in inner for each in value[name]]
        else:
            found.append(value)
    return found


def _of_sqlite(content: bytes, recipe: Recipe) -> Records:
    with closing(sqlite3.connect(":memory:")) as database:
        database.deserialize(content)
        cursor = database.execute(f'SELECT * FROM "{recipe.inside}"')
        names = [name for name, *_ in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]


def _of_xlsx(content: bytes) -> Records:
    space = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    with ZipFile(io.BytesIO(content)) as archive:
        sheet = ElementTree.fromstring(archive.read("xl/worksheets/sheet1.xml"))
    rows: list[dict[str, Any]] = []
    for row in sheet.iter(f"{space}row"):
        cells = {}
        for cell in row.iter(f"{space}c"):
            texts = [each.text or "" for tag in ("v", "t") for each in cell.iter(space + tag)]
            value: Any = texts[0] if texts else None
            if cell.get("s") == "1" and value is not None:
                days = float(value)
                value = Serial(days)
            cells[re.sub(r"\d", "", cell.get("r", ""))] = value
        rows.append(cells)
    head = rows.pop(0)
    return [{str(name): row.get(column) for column, name in head.items()} for row in rows]


class Serial(float):
    """Days since 1899-12-30, as a spreadsheet counts."""


def _events(records: Records, recipe: Recipe) -> list[Event] | None:
    found: list[Event] = []
    units: set[int | None] = set()
    had: dict[str, int] = {}
    for record in records:
        user, item = (_text(record.get(recipe.columns[role])) for role in ("user", "item"))
        if ids.is_missing(user, recipe.keep) or ids.is_missing(item, recipe.keep):
            continue
        if recipe.where and not recipe.where({name: _text(value) for name, value in record.items()}):
            continue
        if any(isinstance(record.get(name), list | dict | bool) for name in recipe.columns.values()):
            return None
        moment: int | None = had.get(user, 0)
        if "time" in recipe.columns:
            value = record.get(recipe.columns["time"])
            text = _text(value)
            if "clock" in recipe.columns:
                text = f"{text} {_text(record.get(recipe.columns['clock']))}"
            if recipe.drop_untimed and ids.is_missing(text):
                continue
            if isinstance(value, Serial):
                moment = round((value - 25569) * 86_400) * 10**6
            elif recipe.time.read is read_number:
                units.add(unit_of(text))
                moment = read_number(text)
            else:
                moment = recipe.time.read(text)
                moment = read_iso(text) if moment is None and recipe.time.read is read_iso else moment
            if not plausible(moment):
                return None
        if _CONTROL.search(user) or _CONTROL.search(item) or moment is None or len(units) > 1:
            return None
        found.append((user, item, moment))
        had[user] = had.get(user, 0) + 1
    return found or None


def _text(value: Any) -> str:
    if value is None:
        return ""
    return (str(int(value)) if isinstance(value, float) and value == int(value) else str(value)).strip()
