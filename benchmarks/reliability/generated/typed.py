"""Logs in formats that have types: JSON, Arrow and Feather, Parquet, Excel, SQLite, DataFrames."""

from __future__ import annotations

import io
import json
import random
import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import polars as pl

from benchmarks.reliability.generated.case import Case, case_of, recipe_of
from benchmarks.reliability.generated.forms import ISO, NUMBERS, Form
from benchmarks.reliability.generated.logs import Log, some_log, with_condition
from benchmarks.reliability.generated.text import PACK
from benchmarks.reliability.generated.workbook import workbook

_WHOLE = re.compile(r"(0|-?[1-9]\d*)$")


def value(text: str, kind: str) -> Any:
    """A cell of text as a value of its kind, where it is one."""
    if text == "":
        return None
    if kind in ("int", "number") and _WHOLE.match(text) and abs(int(text)) < 2**63:
        return int(text)
    if kind == "number" and re.match(r"-?\d+\.\d+$", text):
        return float(text)
    return text


def any_log(chance: random.Random, form: Form | None = None) -> Log:
    """A log for such a format, sometimes with a condition, or without times."""
    log = some_log(chance, form=form, timed=form is not None or chance.random() > 0.08)
    return with_condition(log, chance) if chance.random() < 0.1 else log


def records(log: Log) -> list[dict[str, Any]]:
    """Its rows as objects."""
    return [
        {name: value(cell, kind) for name, cell, kind in zip(log.names, row, log.kinds, strict=True) if name}
        for row in log.rows
    ]


def dumped(record: Any, chance: random.Random | None = None) -> str:
    """JSON that keeps the digits of whole numbers."""
    return json.dumps(record, ensure_ascii=bool(chance and chance.random() < 0.3))


def json_lines(log: Log, chance: random.Random) -> Case:
    """An object a line; fields without a value may be left out."""
    packing = chance.choice(["", "", "", "gz", "bz2", "xz", "zst"])
    name = chance.choice(["log.jsonl", "log.ndjson", "log.json", "log"]) + (f".{packing}" if packing else "")
    rows = records(log)
    if chance.random() < 0.2:
        rows = [{name: each for name, each in row.items() if each is not None} for row in rows]
    text = "".join(dumped(row, chance) + "\n" for row in rows)
    if chance.random() < 0.1:
        text = text.replace("\n", chance.choice(["\r\n", "\n\n"]))
    return case_of(log, {name: PACK[packing](text.encode())}, name, recipe_of(log, "json", packing=packing))


def json_list(log: Log, chance: random.Random) -> Case:
    """A list of objects, on one line or many."""
    text = json.dumps(records(log), indent=chance.choice([None, None, 2]), ensure_ascii=chance.random() < 0.5)
    name = chance.choice(["log.json", "log"])
    return case_of(log, {name: text.encode()}, name, recipe_of(log, "json"))


def _grouped(log: Log) -> tuple[Log, dict[str, list[dict[str, Any]]]]:
    """The log in the order of its users, and their records."""
    groups: dict[str, list[int]] = {}
    for number, row in enumerate(log.rows):
        groups.setdefault(row[log.places["user"]], []).append(number)
    order = [number for group in groups.values() for number in group]
    rows, moments = [log.rows[each] for each in order], [log.moments[each] for each in order]
    made = records(log)
    return replace(log, rows=rows, moments=moments), {
        user: [made[each] for each in group] for user, group in groups.items()
    }


def sessions(chance: random.Random) -> Case:
    """A line for each user, with their events in it."""
    log, groups = _grouped(any_log(chance))
    user = log.names[log.places["user"]]
    inner = chance.choice(["events", "clicks", "history"])
    lines = []
    for group in groups.values():
        events = [{name: each for name, each in record.items() if name != user} for record in group]
        lines.append({user: group[0][user], inner: events})
    listed = chance.random() < 0.3
    text = json.dumps(lines) if listed else "".join(dumped(line) + "\n" for line in lines)
    return case_of(log, {"log.jsonl": text.encode()}, "log.jsonl", recipe_of(log, "json", inside=inner))


def _listed(chance: random.Random) -> tuple[Log, list[dict[str, Any]]]:
    """A row for each user, with lists of items and times; or one for each of their moments, with its items."""
    log, groups = _grouped(some_log(chance, form=chance.choice(NUMBERS + ISO[:4]), timed=chance.random() > 0.2))
    user, item, *time = (log.names[log.places[role]] for role in ("user", "item", "time") if role in log.places)
    rows = []
    baskets = bool(time) and chance.random() < 0.3
    for group in groups.values():
        if not baskets:
            rows.append({user: group[0][user]} | {name: [each[name] for each in group] for name in (item, *time)})
            continue
        while group:
            alike = [each[time[0]] == group[0][time[0]] for each in group]
            size = alike.index(False) if False in alike else len(alike)
            basket, group = group[:size], group[size:]
            rows.append({user: basket[0][user], item: [each[item] for each in basket], time[0]: basket[0][time[0]]})
    return log, rows


def json_of_lists(chance: random.Random) -> Case:
    """A line for each user, with lists of items and times."""
    log, rows = _listed(chance)
    text = "".join(dumped(row) + "\n" for row in rows)
    return case_of(log, {"log.jsonl": text.encode()}, "log.jsonl", recipe_of(log, "json", inside="lists"))


def frame_of_lists(chance: random.Random) -> Case:
    """Columns of lists, in Parquet, Arrow or a frame."""
    log, rows = _listed(chance)
    places = list(rows[0])
    kinds = {name: {type(each) for row in rows for each in _flat(row[name])} for name in places}
    for row in rows:
        for name in places:
            if len(kinds[name] - {type(None)}) > 1:
                cells = [each if each is None else str(each) for each in _flat(row[name])]
                row[name] = cells if isinstance(row[name], list) else cells[0]
    return _framed(log, pl.DataFrame(rows, strict=False, infer_schema_length=None), chance)


def _flat(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def series(name: str, cells: list[Any], chance: random.Random) -> pl.Series:
    """A column of one type, as those who write such files choose it."""
    kinds = {type(each) for each in cells} - {type(None)}
    if kinds == {int}:
        small = all(abs(each or 0) < 2**24 for each in cells)
        types: list[Any] = [pl.Int64, pl.Int64, *([pl.Int32, pl.Float64, pl.Float32] if small else [])]
        types += [pl.UInt64] if all((each or 0) >= 0 for each in cells) else []
        made = pl.Series(name, cells, dtype=chance.choice(types))
        return made.fill_null(float("nan")) if made.dtype.is_float() and chance.random() < 0.5 else made
    if kinds and kinds <= {int, float}:
        return pl.Series(name, cells, dtype=pl.Float64)
    texts = [None if each is None else str(each) for each in cells]
    return pl.Series(name, texts, dtype=chance.choice([pl.String, pl.String, pl.Categorical]))


def frame(log: Log, chance: random.Random) -> tuple[Log, pl.DataFrame]:
    """As a DataFrame; the times may be of a type of calendar."""
    log = log.named()
    columns: dict[str, pl.Series] = {}
    for place, (name, kind) in enumerate(zip(log.names, log.kinds, strict=True)):
        columns[name] = series(name, [value(row[place], kind) for row in log.rows], chance)
    if log.timed and "clock" not in log.places and chance.random() < 0.4 and not log.faulty:
        name = log.names[log.places["time"]]
        moments = [(moment or 0) for moment in log.moments]
        unit = chance.choice(["us", "ns", "ms"] if all(each % 1000 == 0 for each in moments) else ["us", "ns"])
        zone = chance.choice([None, None, "UTC", "Europe/Kyiv"])
        typed = pl.Series(name, moments).cast(pl.Datetime("us")).dt.replace_time_zone("UTC" if zone else None)
        dated = all(each % (86_400 * 10**6) == 0 for each in moments) and chance.random() < 0.5
        columns[name] = typed.cast(pl.Date) if dated else typed.cast(pl.Datetime(unit, zone))  # type: ignore[arg-type]
        given = {name: value for name, value in log.options.items() if name != "time_format"}
        log = replace(log, options=given)
    made = pl.DataFrame(list(columns.values()))
    if "clock" in log.places and chance.random() < 0.5:
        day, clock = (pl.col(log.names[log.places[role]]).cast(pl.String) for role in ("time", "clock"))
        if log.form.name == "%Y-%m-%d|%H:%M:%S":
            made = made.with_columns(day.str.to_date(), clock.str.to_time())
    return log, made


def _framed(log: Log, made: pl.DataFrame, chance: random.Random) -> Case:
    kind = chance.choice(["parquet", "arrow", "frame"])
    if kind == "frame":
        return case_of(log, {}, frame=made if chance.random() < 0.5 else made.lazy())
    return _saved(log, made, kind, chance)


def _saved(log: Log, made: pl.DataFrame, kind: str, chance: random.Random) -> Case:
    out = io.BytesIO()
    if kind == "parquet":
        made.write_parquet(out, compression=chance.choice(["zstd", "snappy", "uncompressed"]))
        name = chance.choice(["log.parquet", "log.pq", "log"])
    else:
        made.write_ipc(out, compression=chance.choice(["uncompressed", "lz4", "zstd"]))
        name = chance.choice(["log.arrow", "log.feather", "log.ipc", "log"])
    return case_of(log, {name: out.getvalue()}, name)


def parquet(log: Log, chance: random.Random) -> Case:
    """Parquet of any types."""
    return _saved(*frame(log, chance), "parquet", chance)


def arrow(log: Log, chance: random.Random) -> Case:
    """Arrow and Feather of any types."""
    return _saved(*frame(log, chance), "arrow", chance)


def data_frame(log: Log, chance: random.Random) -> Case:
    """A frame of Polars, which is no file."""
    log, made = frame(log, chance)
    return case_of(log, {}, frame=made if chance.random() < 0.5 else made.lazy())


def sqlite(log: Log, chance: random.Random) -> Case:
    """A table of a database, beside others or not."""
    log = log.named()
    names = log.names
    table = chance.choice(["events", "my log", "t"])
    with closing(sqlite3.connect(":memory:")) as database:
        typed = {"int": "INTEGER", "number": "NUMERIC", "text": "TEXT", "time": "TEXT"}
        columns = ", ".join(
            f'"{name}" {typed[kind] if chance.random() < 0.7 else ""}'
            for name, kind in zip(names, log.kinds, strict=True)
        )
        database.execute(f'CREATE TABLE "{table}" ({columns})')
        rows = [[value(cell, kind) for cell, kind in zip(row, log.kinds, strict=True)] for row in log.rows]
        database.executemany(f'INSERT INTO "{table}" VALUES ({", ".join("?" * len(names))})', rows)
        alone = chance.random() < 0.6
        if not alone:
            database.execute("CREATE TABLE other (a INTEGER)")
        database.commit()
        content = database.serialize()
    name = chance.choice(["log.db", "log.sqlite", "log.sqlite3", "log"])
    at_once = chance.random() < 0.3
    given = f"{name}::{table}" if at_once else name
    recipe = recipe_of(log, "sqlite", inside=table)
    return case_of(
        log, {name: content}, given, recipe, address=f"{name}::{table}", ask=log.ask or not (alone or at_once)
    )


def excel(log: Log, chance: random.Random) -> Case:
    """A workbook, with numbers, text and dates as a spreadsheet has them."""
    as_dates = log.timed and "clock" not in log.places and chance.random() < 0.4 and not log.faulty
    if as_dates:
        log = replace(log, moments=[(each or 0) // 10**6 * 10**6 for each in log.moments])
        log = Log(
            **{**log.__dict__, "options": {name: each for name, each in log.options.items() if name != "time_format"}}
        )
    rows: list[list[Any]] = [list(log.names)]
    for row, moment in zip(log.rows, log.moments, strict=True):
        cells = [value(cell, kind) for cell, kind in zip(row, log.kinds, strict=True)]
        cells = [str(each) if isinstance(each, int) and abs(each) >= 10**15 else each for each in cells]
        if as_dates:
            cells[log.places["time"]] = datetime.fromtimestamp((moment or 0) // 10**6, UTC)
        rows.append(cells)
    sheets = {"Sheet1": rows}
    if chance.random() < 0.15:
        sheets["Sheet2"] = []
    recipe = recipe_of(log, "xlsx")
    return case_of(log, {"log.xlsx": workbook(sheets)}, "log.xlsx", recipe, address="log.xlsx::Sheet1")
