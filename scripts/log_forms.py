"""The forms of logs that are read, each with a small file of it, the command that reads it, and its events.

The tests read every one (tests/data/log/test_any_log.py); ``python -m scripts.logs_page`` writes docs/logs.md of them.
"""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import shlex
import sqlite3
import zipfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import polars as pl

Event = tuple[str, str, int]
BASE = 1_396_310_400  # 2014-04-01
ROWS = [(str(1 + n * 7 % 5), str(10 + n * 3 % 8), BASE + n * 86_400 + n * 3_671) for n in range(24)]
SECONDS = [(user, item, time * 10**6) for user, item, time in ROWS]


class LogForm(NamedTuple):
    """``what``: the form, in words. ``name``: of the file or folder. ``write``: makes it at a path. ``options``: what
    must be said beside its name. ``events``: those in it, times in microseconds, or places in a history where there are
    none. ``asks``: without the options it is refused, and the message names them."""

    group: str
    what: str
    name: str
    write: Callable[[Path], None]
    options: Mapping[str, str | bool] = {}
    events: list[Event] = SECONDS
    asks: bool = False

    @property
    def command(self) -> str:
        """How it is read, as on a command line."""
        words = [f"negsample inspect {shlex.quote(self.name)}"]
        for name, value in self.options.items():
            option = "--split leave-one-out" if name == "ordered" else f"--{name.replace('_', '-')}"
            shown = f'"{value}"' if isinstance(value, str) and set(value) & set(" %='") else value
            words.append(option if value is True else f"{option} {shown}")
        return " ".join(words)


def _text(text: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(text.encode())

    return write


def _bytes(content: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(content)

    return write


def _at(form: str, unit: int = 1) -> tuple[Callable[[str], str], list[Event]]:
    """Lines with times of this form, and the events with times down to ``unit`` seconds."""
    events = [(user, item, time // unit * unit * 10**6) for user, item, time in ROWS]

    def lines(row: str) -> str:
        moments = (datetime.fromtimestamp(time, UTC).strftime(form) for _, _, time in ROWS)
        return "".join(row.format(u=u, i=i, t=t) + "\n" for (u, i, _), t in zip(ROWS, moments, strict=True))

    return lines, events


def _timed(
    group: str, what: str, name: str, header: str, row: str, form: str, unit: int = 1, **options: str
) -> LogForm:
    lines, events = _at(form, unit)
    return LogForm(group, what, name, _text(header + lines(row)), options, events, bool(options))


def _lines(row: str, rows: list[tuple[str, str, int]] | None = None) -> str:
    return "".join(row.format(u=u, i=i, t=t, r=1 + int(i) % 5) + "\n" for u, i, t in rows or ROWS)


CSV = "user_id,item_id,timestamp\n" + _lines("{u},{i},{t}")


def _frame() -> pl.DataFrame:
    return pl.DataFrame({"user": [r[0] for r in ROWS], "item": [r[1] for r in ROWS], "time": [r[2] for r in ROWS]})


def _parquet(path: Path) -> None:
    _frame().write_parquet(path)


def _feather(path: Path) -> None:
    _frame().write_ipc(path)


def _lists(path: Path) -> None:
    _frame().group_by("user", maintain_order=True).agg("item", "time").write_parquet(path)


def _sqlite(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE events (user, item, time)")
        database.executemany("INSERT INTO events VALUES (?, ?, ?)", ROWS)
        database.execute("CREATE TABLE films (item, title)")
    database.close()


def _excel(path: Path) -> None:
    """The smallest workbook: one sheet, with text in place."""
    cells = [("user", "item", "time"), *ROWS]
    rows = "".join(
        "<row>" + "".join(f'<c t="inlineStr"><is><t>{cell}</t></is></c>' for cell in row) + "</row>" for row in cells
    )
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    package = "http://schemas.openxmlformats.org/package/2006"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    types = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{package}/content-types"><Default Extension="rels" ContentType="application/vnd.'
            f'openxmlformats-package.relationships+xml"/><Override PartName="/xl/workbook.xml" ContentType="{types}.'
            f'sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="{types}.worksheet+xml"/>'
            "</Types>",
        )
        file.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{office}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>',
        )
        file.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets><sheet name="log" sheetId="1" r:id="r1"/></sheets>'
            "</workbook>",
        )
        file.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{office}/worksheet" '
            'Target="worksheets/sheet1.xml"/></Relationships>',
        )
        file.writestr(
            "xl/worksheets/sheet1.xml", f'<worksheet xmlns="{main}"><sheetData>{rows}</sheetData></worksheet>'
        )


def _zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data/log.csv", CSV)
        archive.writestr("data/README.md", "what it is")


def _folder(**files: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        for name, text in files.items():
            place = path / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)

    return write


def _halves(first: str, second: str) -> dict[str, str]:
    head = "user_id,item_id,timestamp\n"
    return {first: head + _lines("{u},{i},{t}", ROWS[:12]), second: head + _lines("{u},{i},{t}", ROWS[12:])}


def _sessions() -> str:
    users: dict[str, list[dict[str, object]]] = {}
    for user, item, time in ROWS:
        users.setdefault(user, []).append({"aid": int(item), "ts": time * 1000, "type": "clicks"})
    return "".join(json.dumps({"session": int(user), "events": events}) + "\n" for user, events in users.items())


def _sequences() -> tuple[str, list[Event]]:
    users: dict[str, list[str]] = {}
    for user, item, _ in ROWS:
        users.setdefault(user, []).append(item)
    text = "".join(f"{user} {' '.join(items)}\n" for user, items in users.items())
    return text, [(user, item, place) for user, items in users.items() for place, item in enumerate(items)]


def _objects() -> list[dict[str, object]]:
    return [{"user_id": user, "item_id": item, "timestamp": time, "text": 'a, "b"\nc'} for user, item, time in ROWS]


_SEQUENCES, PLACES = _sequences()
_ORDERED = sorted(ROWS, key=lambda row: row[0])
_JSON = "".join(json.dumps(each) + "\n" for each in _objects())
_TEXT, _JSONS, _TABLES, _PACKED = "Text", "JSON", "Tables", "Packed, and in parts"
_TIMES, _ORDER, _BARE = "Times", "Order without times", "Text without a header"
_HEAD = "user_id,item_id,"
_ROW = "{u},{i},{t}"
FORMS = [
    LogForm(_TEXT, "CSV, with commas", "log.csv", _text(CSV)),
    LogForm(_TEXT, "tabs, semicolons or pipes", "log.txt", _text(CSV.replace(",", ";"))),
    LogForm(_TEXT, "`::` between fields", "log.dat", _text(CSV.replace(",", "::"))),
    LogForm(
        _TEXT,
        "RecBole's atomic files",
        "ml.inter",
        _text("user_id:token\titem_id:token\trating:float\ttimestamp:float\n" + _lines("{u}\t{i}\t{r}.0\t{t}.0")),
    ),
    LogForm(
        _TEXT,
        "columns with names of your own",
        "shop.csv",
        _text("who,what,at,price\n" + _lines("{u},{i},{t},9.5")),
        {"user": "who", "item": "what", "time": "at"},
    ),
    LogForm(
        _TEXT,
        "another encoding than UTF-8",
        "latin.csv",
        _bytes((_HEAD + "timestamp\n" + _lines("{u},caf\xe9 {i},{t}")).encode("latin-1")),
        {"encoding": "latin-1"},
        [(user, f"caf\xe9 {item}", time) for user, item, time in SECONDS],
        True,
    ),
    LogForm(
        _TEXT,
        "some rows alone",
        "ratings.csv",
        _text("user,item,rating,time\n" + _lines("{u},{i},{r},{t}")),
        {"where": "rating >= 4"},
        [each for each in SECONDS if 1 + int(each[1]) % 5 >= 4],
    ),
    LogForm(_BARE, "MovieLens' `u.data`", "u.data", _text(_lines("{u}\t{i}\t{r}\t{t}"))),
    LogForm(_BARE, "MovieLens' `ratings.dat`", "ratings.dat", _text(_lines("{u}::{i}::{r}::{t}"))),
    LogForm(
        _BARE,
        "Amazon's ratings of 2014",
        "ratings_Beauty.csv",
        _text(_lines("A00000000{u},00000000{i},{r}.0,{t}")),
        {},
        [(f"A00000000{user}", f"00000000{item}", time) for user, item, time in SECONDS],
    ),
    _timed(
        _BARE,
        "Gowalla's check-ins",
        "Gowalla_totalCheckins.txt",
        "",
        "{u}\t{t}\t30.2\t-97.7\t{i}",
        "%Y-%m-%dT%H:%M:%SZ",
    ),
    LogForm(
        _BARE,
        "any other, by the numbers of its columns",
        "UserBehavior.csv",
        _text(_lines("{u},22680{i},2520377,pv,{t}")),
        {"no_header": True, "user": "1", "item": "2", "time": "5"},
        [(user, f"22680{item}", time) for user, item, time in SECONDS],
        True,
    ),
    LogForm(_JSONS, "an object a line", "reviews.json", _text(_JSON)),
    LogForm(_JSONS, "the same, packed", "reviews.json.gz", _bytes(gzip.compress(_JSON.encode()))),
    LogForm(_JSONS, "a list of objects", "list.json", _text(json.dumps(_objects(), indent=1))),
    LogForm(
        _JSONS,
        "a session a line, its events in it (OTTO)",
        "otto.jsonl",
        _text(_sessions()),
        {},
        sorted(SECONDS, key=lambda each: [r[0] for r in ROWS].index(each[0])),
    ),
    LogForm(_TABLES, "Parquet", "log.parquet", _parquet),
    LogForm(
        _TABLES,
        "Parquet with lists of items and times",
        "lists.parquet",
        _lists,
        {},
        sorted(SECONDS, key=lambda each: [r[0] for r in ROWS].index(each[0])),
    ),
    LogForm(_TABLES, "Arrow, Feather", "log.feather", _feather),
    LogForm(_TABLES, "Excel, the first sheet or `FILE::SHEET`", "log.xlsx", _excel),
    LogForm(_TABLES, "a table of an SQLite database", "shop.db::events", _sqlite),
    LogForm(_PACKED, "zip, with one log in it or as `FILE::MEMBER`", "zipped.zip", _zip),
    LogForm(_PACKED, "gzip, zstd", "log.csv.gz", _bytes(gzip.compress(CSV.encode()))),
    LogForm(_PACKED, "bzip2", "log.csv.bz2", _bytes(bz2.compress(CSV.encode()))),
    LogForm(_PACKED, "xz", "log.csv.xz", _bytes(lzma.compress(CSV.encode()))),
    LogForm(
        _PACKED, "a folder of parts", "parts", _folder(**_halves("a.csv", "b.csv"), **{"README.txt": "what it is"})
    ),
    LogForm(
        _PACKED, "parts without an ending (Hadoop, Spark)", "hadoop", _folder(**_halves("part-00000", "part-00001"))
    ),
    LogForm(
        _PACKED,
        "folders as Hive partitions them",
        "hive",
        _folder(**_halves("date=2014-04-01/part-0.csv", "date=2014-04-13/part-0.csv")),
    ),
    LogForm(
        _PACKED,
        "files by a pattern",
        "days-*.csv",
        lambda path: _folder(**_halves("days-1.csv", "days-2.csv"))(path.parent),
    ),
    _timed(_TIMES, "ISO text, with a zone or without", "iso.csv", _HEAD + "time\n", _ROW, "%Y-%m-%dT%H:%M:%S"),
    LogForm(
        _TIMES,
        "seconds, milliseconds, microseconds, nanoseconds since 1970",
        "ms.csv",
        _text(_HEAD + "ts\n" + _lines("{u},{i},{t}000")),
    ),
    _timed(
        _TIMES,
        "month first or day first, told by the rows",
        "retail.csv",
        "CustomerID,StockCode,InvoiceDate\n",
        _ROW,
        "%m/%d/%Y %H:%M",
        60,
    ),
    _timed(_TIMES, "days with dots", "dotted.csv", "user;item;time\n", "{u};{i};{t}", "%d.%m.%Y %H:%M", 60),
    _timed(_TIMES, "Twitter's", "tweets.csv", "userId,venueId,utcTimestamp\n", _ROW, "%a %b %d %H:%M:%S +0000 %Y"),
    _timed(_TIMES, "dates with hours", "hours.csv", _HEAD + "time\n", _ROW, "%Y-%m-%d %H", 3600),
    _timed(_TIMES, "`yyyymmdd`, `yyyymmddhhmmss`", "days.csv", _HEAD + "date\n", _ROW, "%Y%m%d", 86_400),
    _timed(
        _TIMES,
        "date and time of day in two columns",
        "two.csv",
        _HEAD + "date,time\n",
        _ROW,
        "%Y-%m-%d,%H:%M:%S",
        time="date+time",
    ),
    _timed(
        _TIMES, "any other form", "odd.csv", _HEAD + "time\n", _ROW, "%Hh%M %d/%m-%Y", 60, time_format="%Hh%M %d/%m-%Y"
    ),
    LogForm(
        _ORDER,
        "user and item a line, in order",
        "sasrec.txt",
        _text(_lines("{u} {i}", _ORDERED)),
        {"no_header": True, "user": "1", "item": "2", "ordered": True},
        [
            (user, item, [r for r in _ORDERED if r[0] == user].index((user, item, time)))
            for user, item, time in _ORDERED
        ],
        True,
    ),
    LogForm(
        _ORDER,
        "a user and the items a line",
        "s3rec.txt",
        _text(_SEQUENCES),
        {"sequences": True, "ordered": True},
        PLACES,
        True,
    ),
]
"""One of each, in the order of the page."""
