"""Files, folders and types that hold no log, or none that can be read in one way."""

from __future__ import annotations

import io
import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from benchmarks.reliability.generated import folders, text, typed
from benchmarks.reliability.generated.case import Case, case_of
from benchmarks.reliability.generated.forms import NUMBERS
from benchmarks.reliability.generated.logs import Log, some_log
from benchmarks.reliability.generated.somewhere import OBJECTS, TABLES, TEXTS
from benchmarks.reliability.generated.text import zipped
from benchmarks.reliability.generated.workbook import workbook
from benchmarks.reliability.made_logs import BASE

Maker = Callable[[random.Random], Case]


def _usual(chance: random.Random, form: Any = None) -> Log:
    """A log that is read without a word from anyone."""
    log = some_log(chance, form=form or NUMBERS[0])
    while log.options or set(log.answers) != {"user", "item", "time"} or "clock" in log.places:
        log = some_log(chance, form=form or NUMBERS[0])
    return log.named()


def _csv(log: Log, chance: random.Random) -> bytes:
    return text.written([log.names, *log.rows], ",", chance).encode()


def parts_in_units(chance: random.Random) -> Case:
    """Parts in different units of time, or in different forms."""
    first, second = folders.pieces(_usual(chance), chance)[:2]
    place, other = first.places["time"], chance.choice([NUMBERS[6], NUMBERS[8]])
    rows = [list(row) for row in second.rows]
    for row, moment in zip(rows, second.moments, strict=True):
        row[place] = other.write(datetime.fromtimestamp((moment or 0) / 10**6, UTC), chance)
    files = {"clicks/part-0.csv": _csv(first, chance), "clicks/part-1.csv": _csv(replace(second, rows=rows), chance)}
    return case_of(replace(first, refuse="two units"), files, "clicks")


def odd_part(chance: random.Random) -> Case:
    """A part without rows, which is left out; or without a header, damaged, in another format, or of other columns."""
    log = _usual(chance)
    first, second = folders.pieces(log, chance)[:2]
    good, name = _csv(first, chance), "part-1.csv"
    headless = text.written(second.rows, ",", chance).encode()
    renamed = replace(
        second, names=["x" if at == second.places["item"] else each for at, each in enumerate(second.names)]
    )
    head = text.written([second.names], ",", chance).encode()
    kinds = {
        "empty": b"", "no header": headless, "columns": _csv(renamed, chance), "a header alone": head,
        "zeros": b"\0" * 50, "bits": b"\xff\xfe" + headless,
    }  # fmt: skip
    kind = chance.choice([*kinds, "json", "parquet"])
    content = kinds.get(kind, b"")
    if kind in ("json", "parquet"):
        made = (typed.json_lines if kind == "json" else typed.parquet)(second, random.Random(1))
        content, name = next(iter(made.files.values())), "part-1.jsonl" if kind == "json" else "part-1.parquet"
    files = {"clicks/part-0.csv": good, f"clicks/{name}": content}
    return case_of(first if kind in ("empty", "a header alone") else replace(log, refuse=kind), files, "clicks")


def other_marks(chance: random.Random) -> Case:
    """A part with another delimiter, which is read."""
    log = _usual(chance)
    first, *rest = folders.pieces(log, chance)
    files = {"clicks/part-0.csv": _csv(first, chance)}
    for number, piece in enumerate(rest, 1):
        content = text.written([piece.names, *piece.rows], chance.choice(";\t|"), chance).encode()
        files[f"clicks/part-{number}.csv"] = content
    return case_of(log, files, "clicks")


def other_ending(chance: random.Random) -> Case:
    """A file whose name says another format."""
    log = _usual(chance)
    writer = chance.choice([*TEXTS[:1], *OBJECTS, *TABLES])
    made = writer(log, chance)
    while made.frame is not None or (made.recipe and made.recipe.packing) or "encoding" in made.answers:
        made = writer(log, chance) if writer is not typed.data_frame else typed.parquet(log, chance)
    (content,) = made.files.values()
    ending = chance.choice(
        ["csv", "txt", "parquet", "json", "arrow", "xlsx", "db", "zip", "log", "backup", "csv.gz", "csv.zst"]
    )
    inside = made.log.partition("::")[2]
    given = f"log.{ending}::{inside}" if inside else f"log.{ending}"
    address = f"log.{ending}::{made.address.partition('::')[2]}" if made.address else ""
    return replace(made, files={f"log.{ending}": content}, log=given, address=address, must_read=False, recipe=None)


def nowhere(chance: random.Random) -> Case:
    """A name of nothing: no file, an empty folder, a folder without a log, a pattern that nothing has."""
    log = _usual(chance)
    files, name = chance.choice(
        [
            ({"x/log.csv": b"a"}, "log.csv"),
            ({"x/_SUCCESS": b""}, "x"),
            ({"x/a.png": b"\x89PNG", "x/README.md": b"about"}, "x"),
            ({"x/log.csv": b"a"}, "x/*.parquet"),
            ({"log.csv": _csv(log, chance)}, "log.csv::events"),
            ({"x/log.csv": _csv(log, chance)}, "x::log.csv"),
            ({"x/a.csv": b"", "x/b.csv": b""}, "x"),
            ({"x.exe": b"MZ\x90\0\3\0"}, "x.exe"),
            ({"x.pdf": b"%PDF-1.4\n\x93\x8c"}, "x.pdf"),
        ]
    )
    return case_of(replace(log, refuse="nothing there"), files, name)


def odd_archive(chance: random.Random) -> Case:
    """An archive without a log, with a damaged one, or a member that is not there."""
    log = _usual(chance)
    good = _csv(log, chance)
    members, name = chance.choice(
        [
            ({}, "log.zip"),
            ({"a.png": b"\x89PNG"}, "log.zip"),
            ({"log.csv": b""}, "log.zip"),
            ({"log.csv": good}, "log.zip::other.csv"),
            ({"log.zip": zipped({"log.csv": good})}, "log.zip"),
            ({"log.parquet": b"PAR1"}, "log.zip"),
            ({"log.csv.gz": b"\x1f\x8b\0"}, "log.zip"),
            ({"README.md": b"about", "__MACOSX/._log.csv": b"\0"}, "log.zip"),
        ]
    )
    return case_of(replace(log, refuse="no log"), {"log.zip": zipped(members)}, name)


def odd_database(chance: random.Random) -> Case:
    """A database without that table, without rows, with blobs for ids, or that ends too soon."""
    log = _usual(chance)
    kind = chance.choice(["table", "rows", "blobs", "cut", "tables"])
    name = "log.db::nope" if kind == "table" else "log.db"
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute("CREATE TABLE events (user, item, time)")
        if kind not in ("rows", "tables"):
            rows = [(b"u" if kind == "blobs" else f"u{n % 7}", n, BASE + n) for n in range(900)]
            database.executemany("INSERT INTO events VALUES (?, ?, ?)", rows)
        if kind == "tables":
            database.execute("DROP TABLE events")
        database.commit()
        content = database.serialize()
    cut = content[: chance.randrange(16, len(content) - 4096)] if kind == "cut" else content
    return case_of(replace(log, refuse=kind), {"log.db": cut}, name)


def odd_workbook(chance: random.Random) -> Case:
    """A workbook without that sheet, without rows, with numbers that lost digits, or that ends too soon."""
    log = _usual(chance)
    user, item, time = (log.names[log.places[role]] for role in ("user", "item", "time"))
    kind = chance.choice(["sheet", "empty", "header", "digits", "cut", "title"])
    number = 123_456_789_012_345_678 if kind == "digits" else 5
    rows: list[list[Any]] = [[user, item, time], *([number + n, "a", BASE + n] for n in range(20))]
    rows = {"empty": [], "header": rows[:1], "title": [["Report of May"], *rows]}.get(kind, rows)
    content = workbook({"Sheet1": rows})
    if kind == "cut":
        content = content[: chance.randrange(len(content))]
    return case_of(
        replace(log, refuse=kind), {"log.xlsx": content}, "log.xlsx::nope" if kind == "sheet" else "log.xlsx"
    )


def two_sheets(chance: random.Random) -> Case:
    """A workbook of two sheets, of which the first is read, and told."""
    log = _usual(chance)
    rows = [[typed.value(cell, kind) for cell, kind in zip(row, log.kinds, strict=True)] for row in log.rows]
    rows = [[str(each) if isinstance(each, int) and abs(each) >= 10**15 else each for each in row] for row in rows]
    table: list[list[Any]] = [list(log.names), *rows]
    content = workbook({"2009": table, "2010": table, "empty": []})
    return case_of(replace(log, note="not read: 2010"), {"log.xlsx": content}, "log.xlsx")


def _odd_series(chance: random.Random, count: int) -> tuple[str, pl.Series]:
    ints = range(count)
    options = [
        ("user", pl.Series([2**24 + 2 * n for n in ints]).cast(pl.Float32)),
        ("item", pl.Series([2.0**53 + 2 * n + 2 for n in ints])),
        ("time", pl.Series([BASE + n for n in ints]).cast(pl.Float32)),
        ("time", pl.Series([(BASE + n) * 10**9 for n in ints]).cast(pl.Float64)),
        ("user", pl.Series([n + 0.5 for n in ints])),
        ("item", pl.Series([float("inf")] * count)),
        ("user", pl.Series([True] * count)),
        ("user", pl.Series([b"u"] * count)),
        ("user", pl.Series([Decimal("1.50")] * count)),
        ("item", pl.Series([[[n]] for n in ints])),
        ("item", pl.Series([{"a": n} for n in ints])),
        ("item", pl.Series([datetime(2014, 5, 16)] * count)),
        ("time", pl.Series([True] * count)),
        ("time", pl.Series([timedelta(seconds=n) for n in ints])),
        ("time", pl.Series([datetime(2014, 5, 16, 12, 30).time()] * count)),
        ("time", pl.Series([None] * count, dtype=pl.Datetime("us"))),
        ("time", pl.Series([datetime(1970, 1, 1)] * count)),
        ("time", pl.Series([float("nan")] * count)),
        ("time", pl.Series([n % 5 + 1 for n in ints])),
        ("time", pl.Series([float("inf")] * count)),
    ]
    return chance.choice(options)


def odd_types(chance: random.Random) -> Case:
    """Columns of types that hold no ids or no times, or floats that lost digits."""
    log = _usual(chance)
    frame = pl.DataFrame({name: [row[place] for row in log.rows] for place, name in enumerate(log.names)})
    frame = frame.with_columns(pl.col(log.names[log.places["time"]]).cast(pl.Int64))
    role, series = _odd_series(chance, len(log.rows))
    frame = frame.with_columns(series.alias(log.names[log.places[role]]))
    return _framed(replace(log, refuse="type"), frame, chance)


def _framed(log: Log, frame: pl.DataFrame, chance: random.Random) -> Case:
    out = io.BytesIO()
    kind = chance.randrange(3)
    if kind == 0:
        return case_of(log, {}, frame=frame)
    if kind == 1:
        frame.write_parquet(out)
    else:
        frame.write_ipc(out)
    name = "log.parquet" if kind == 1 else "log.arrow"
    return case_of(log, {name: out.getvalue()}, name)


def table_cut(chance: random.Random) -> Case:
    """Parquet and Arrow that end too soon, or are something else."""
    made = chance.choice([typed.parquet, typed.arrow])(_usual(chance).untyped(), chance)
    ((name, content),) = made.files.items()
    name = name if "." in name else f"{name}.parquet"
    content = chance.choice(
        [content[: chance.randrange(len(content))], b"", b"PAR1PAR1", b"ARROW1\0\0", b"user,item\n"]
    )
    return replace(made, files={name: content}, log=name).refused()


def odd_frame(chance: random.Random) -> Case:
    """A frame without rows or columns, or a query that fails."""
    log = replace(_usual(chance), refuse="no rows")
    fails = pl.LazyFrame({"user": ["a"], "item": ["b"], "time": ["c"]})
    frames: list[Any] = [
        pl.DataFrame(),
        pl.DataFrame({"user": [], "item": [], "time": []}),
        fails.with_columns(pl.col("time").cast(pl.Int64)),
        pl.scan_csv("/not/there.csv"),
        pl.scan_parquet("/not/there.parquet"),
        fails.select("nope"),
        fails.filter(pl.col("x") > 1),
    ]
    return case_of(log, {}, frame=chance.choice(frames))


def odd_lists(chance: random.Random) -> Case:
    """Lists of items and of times that differ in length, or hold nothing."""
    log = replace(_usual(chance), refuse="lists")
    items: list[Any] = [["a", "b"] for _ in range(9)]
    moments: list[Any] = [[BASE, BASE + 1] for _ in range(9)]
    kind, at = chance.randrange(4), chance.randrange(9)
    if kind == 0:
        items[at] = ["a", "b", "c"]
    elif kind == 1:
        moments[at] = chance.choice([[], None, [BASE]])
    elif kind == 2:
        moments[at] = [BASE, None]
    else:
        items = [[] for _ in range(9)]
    return _framed(
        log,
        pl.DataFrame({"user": ["u"] * 9, "items": items, "times": moments}).rename(
            {"items": log.names[log.places["item"]], "times": log.names[log.places["time"]]}
        ),
        chance,
    )


def odd_sequences(chance: random.Random) -> Case:
    """Lines of sequences with a header, without items, or none."""
    log = replace(
        some_log(chance, plain=True, timed=False), options={"sequences": True, "ordered": True}, refuse="sequences"
    )
    content = chance.choice(
        [
            b"user items\n1 2 3\n",
            b"1\n2\n3\n",
            b"",
            b"\n\n",
            b"user_id,item_id\n1,2\n",
            b"\xff\xfe\0",
            b"UserID\tx\n1\t2\n",
        ]
    )
    return case_of(log, {"log.txt": content}, "log.txt")


FILE_FAULTS: dict[str, Maker] = {
    "parts in different units of time": parts_in_units,
    "a part that is no part": odd_part,
    "parts with different delimiters": other_marks,
    "another file extension": other_ending,
    "a name of nothing": nowhere,
    "an archive without a log": odd_archive,
    "a database without a log": odd_database,
    "a workbook without a log": odd_workbook,
    "a workbook of two sheets": two_sheets,
    "types that hold no ids or no times": odd_types,
    "Parquet and Arrow that end too soon": table_cut,
    "a DataFrame without a log": odd_frame,
    "lists that do not fit": odd_lists,
    "sequences without a log": odd_sequences,
}
