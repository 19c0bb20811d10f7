"""What is done to a log that was right: each mutation knows what must be read of it afterwards."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import polars as pl

from benchmarks.reliability.made_logs import BASE, HEADER, MISSING, Made, Mutation, as_parquet, gzipped


def _cell(made: Made, row: int, column: int, value: str) -> Made:
    rows = [list(each) for each in made.rows]
    rows[row][column] = value
    return replace(made, rows=rows)


def _some(made: Made, chance: random.Random) -> int:
    return chance.randrange(len(made.rows))


def _bytes(made: Made, chance: random.Random, change: int) -> bytes:
    content = bytearray(made.text().encode())
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(content))
        if change == 0:
            content[at] ^= 1 << chance.randrange(8)
        elif change == 1:
            del content[at]
        elif change == 2:
            content.insert(at, chance.choice(b'",;\t\r\n\0 0a\xff-.'))
        else:
            content[at:at] = content[at : at + chance.randint(1, 40)]
    return bytes(content)


def _flip(made: Made, chance: random.Random) -> Made:
    return made.as_it_stands("log.csv", _bytes(made, chance, 0))


def _delete(made: Made, chance: random.Random) -> Made:
    return made.as_it_stands("log.csv", _bytes(made, chance, 1))


def _insert(made: Made, chance: random.Random) -> Made:
    return made.as_it_stands("log.csv", _bytes(made, chance, 2))


def _repeat_bytes(made: Made, chance: random.Random) -> Made:
    return made.as_it_stands("log.csv", _bytes(made, chance, 3))


def _cut(made: Made, chance: random.Random) -> Made:
    content = made.text().encode()
    return made.as_it_stands("log.csv", content[: chance.randrange(len(content))])


def _cut_gz(made: Made, chance: random.Random) -> Made:
    content = gzipped(made.text())
    return made.refused().written("log.csv.gz", content[: chance.randrange(len(content))])


def _flip_gz(made: Made, chance: random.Random) -> Made:
    content = bytearray(gzipped(made.text()))
    content[chance.randrange(10, len(content))] ^= 1 << chance.randrange(8)
    return replace(made.written("log.csv.gz", bytes(content)), must_read=False)


def _lines(made: Made, chance: random.Random) -> Made:
    """Line ends, blank lines and marks that mean nothing."""
    text = made.text()
    kind = chance.randrange(5)
    if kind == 0:
        text = made.text(end="\r\n")
    elif kind == 1:
        text = "\ufeff" + text
    elif kind == 2:
        text = text + "\n" * chance.randint(1, 3)
    elif kind == 3:
        text = text.rstrip("\n")
    else:
        first, rest = text.split("\n", 1)
        text = f"{first}\r\n{rest}"
    return made.written("log.csv", text)


def _old_lines(made: Made, chance: random.Random) -> Made:
    made = replace(made, rows=[[*row[:3], "x"] for row in made.rows])
    return made.refused().written("log.csv", made.text(end="\r"))


def _encoding(made: Made, chance: random.Random) -> Made:
    encoding = chance.choice(["utf-16", "latin-1", "utf-32", "cp1252"])
    rows = [[f"é{row[0]}", row[1], row[2], "x"] for row in made.rows]
    return made.refused().written("log.csv", replace(made, rows=rows).text().encode(encoding, errors="replace"))


def _white(made: Made, chance: random.Random) -> Made:
    """White space around an id, a carriage return too, in quotes or not."""
    row, column = _some(made, chance), chance.randrange(2)
    around = chance.choice([" {}", "{} ", "\r{}", "{}\r", "\t{}", "\u00a0{}"])
    value = around.format(made.rows[row][column])
    if made.delimiter == "\t" and "\t" in value:
        value = f" {made.rows[row][column]}"
    # Polars itself leaves out a carriage return at the end of a field that is not in quotes.
    return replace(_cell(made, row, column, value), note="" if "\r" in value else "White space").written()


def _missing(made: Made, chance: random.Random) -> Made:
    word, column = chance.choice([*MISSING, "", " "]), chance.randrange(2)
    rows = set(chance.sample(range(len(made.rows)), chance.randint(1, len(made.rows) - 1)))
    for row in rows:
        made = _cell(made, row, column, word)
    left = [event for row, event in enumerate(made.expect or []) if row not in rows]
    return replace(made, expect=left, note=f"{len(rows)} of {len(made.rows)} rows left out").written()


def _all_missing(made: Made, chance: random.Random) -> Made:
    word, column = chance.choice([*MISSING, "", " "]), chance.randrange(2)
    for row in range(len(made.rows)):
        made = _cell(made, row, column, word)
    return made.refused().written()


def _unit(made: Made, chance: random.Random) -> Made:
    """Rows in another unit, from one to all but one."""
    numbers = replace(made, rows=[[*row[:2], str(BASE + n), row[3]] for n, row in enumerate(made.rows)])
    scale = chance.choice([10**3, 10**6, 10**9])
    for row in chance.sample(range(len(made.rows)), chance.choice([1, 1, 2, len(made.rows) // 2, len(made.rows) - 1])):
        numbers = _cell(numbers, row, 2, str((BASE + row) * scale))
    return numbers.refused().written()


def _no_time(made: Made, chance: random.Random) -> Made:
    bad = ["", "0", "-1", "5", "nan", "never", "20140401", "201404011200", "20140401120000", "4000000000", "1e30"]
    bad += ["1970-01-01", "2608-01-01", "0001-01-01", "2014-13-01", "1.39631E+09", "99999999999999999999", "12:30"]
    return _cell(made, _some(made, chance), 2, chance.choice(bad)).refused().written()


def _spreadsheet(made: Made, chance: random.Random) -> Made:
    value = chance.choice(["1.23457E+12", "9E+15", "-1.5E+20"])
    return _cell(made, _some(made, chance), chance.randrange(2), value).refused().written()


def _control(made: Made, chance: random.Random) -> Made:
    value = chance.choice(["a\x07b", "a\x1bb", "a\u2028b", "a\nb", "\x7fa", "a\x00b"])
    return _cell(made, _some(made, chance), chance.randrange(2), value).refused().written()


def _pointed(made: Made, chance: random.Random) -> Made:
    rows = [[str(n % 7), *row[1:]] for n, row in enumerate(made.rows)]
    rows[0][0] = "3.0"
    events = [(row[0], *event[1:]) for row, event in zip(rows, made.expect or [], strict=True)]
    return replace(made, rows=rows, expect=events, note="12 and 12.0").written()


def _two_quotes(made: Made, chance: random.Random) -> Made:
    """Stray quotes in two rows, in a file where nothing is in quotes."""
    rows = [[*row[:3], "plain"] for row in made.rows]
    first, last = sorted(chance.sample(range(len(rows)), 2))
    lines = [made.delimiter.join(row) for row in [list(made.header), *rows]]
    lines[first + 1] = lines[first + 1].replace("plain", chance.choice(['"open', '"', 'in"side', '"x" y']))
    lines[last + 1] = lines[last + 1].replace("plain", chance.choice(['close"', '"', '"open', 'in"side']))
    return replace(made.written("log.csv", "\n".join(lines) + "\n"), must_read=False)


def _no_header(made: Made, chance: random.Random) -> Made:
    return made.refused().written("log.csv", made.text(header=False))


def _header_again(made: Made, chance: random.Random) -> Made:
    rows = list(made.rows)
    rows.insert(_some(made, chance), list(HEADER))
    return replace(made, rows=rows).refused().written()


def _name_twice(made: Made, chance: random.Random) -> Made:
    return replace(made, header=(*made.header[:3], chance.choice(HEADER[:3]))).refused().written()


def _columns_swapped(made: Made, chance: random.Random) -> Made:
    order = chance.sample(range(4), 4)
    rows = [[row[place] for place in order] for row in made.rows]
    return replace(made, rows=rows, header=tuple(HEADER[place] for place in order)).written()


def _ragged(made: Made, chance: random.Random) -> Made:
    row = _some(made, chance)
    rows = [list(each) for each in made.rows]
    rows[row] = chance.choice([[*rows[row], "more"], rows[row][:3], rows[row][:1]])
    return replace(made, rows=rows).refused().written()


def _other_delimiter(made: Made, chance: random.Random) -> Made:
    lines = replace(made, rows=[[*row[:3], "x"] for row in made.rows]).text().splitlines(keepends=True)
    row = 1 + _some(made, chance)
    lines[row] = lines[row].replace(made.delimiter, chance.choice([each for each in ",;\t|" if each != made.delimiter]))
    return made.refused().written("log.csv", "".join(lines))


def _twice(made: Made, chance: random.Random) -> Made:
    rows = [*made.rows, *made.rows]
    twice = replace(made, rows=rows, expect=[*(made.expect or []), *(made.expect or [])], must_read=False)
    return twice.written()  # to be prepared, which may find too little in it


def _parts(made: Made, chance: random.Random) -> Made:
    """Two parts; the columns of the second in another order, or the part empty, without a header, in another unit."""
    half = len(made.rows) // 2
    first, second = replace(made, rows=made.rows[:half]), replace(made, rows=made.rows[half:])
    kind = chance.randrange(5)
    if kind == 0:
        turned = replace(second, rows=[row[::-1] for row in second.rows], header=second.header[::-1]).text()
        return replace(made, files={"a.csv": first.text().encode(), "b.csv": turned.encode()})
    empty = {1: "", 3: second.text().split("\n", 1)[0] + "\n"}.get(kind)
    if empty is not None:
        left = replace(made, expect=(made.expect or [])[:half], note="Parts without rows: b.csv")
        return replace(left, files={"a.csv": first.text().encode(), "b.csv": empty.encode()})
    bad = second.text(header=False)
    if kind == 4:
        times = [[*row[:2], str((BASE + n) * (1 if n < half else 1000)), "x"] for n, row in enumerate(made.rows)]
        first, second = replace(made, rows=times[:half]), replace(made, rows=times[half:])
        bad = second.text()
    return replace(made.refused(), files={"a.csv": first.text().encode(), "b.csv": bad.encode()})


def _parquet(made: Made, chance: random.Random) -> Made:
    """Whole numbers as floats, categories, dates: the same events."""
    n = len(made.rows)
    ids, seconds = [chance.randint(1, 2**20) for _ in range(n)], [BASE + chance.randint(0, 10**6) for _ in range(n)]
    kinds = [pl.Int32, pl.UInt64, pl.Float64, pl.Float32, pl.Int64]
    times = chance.choice(
        [
            pl.Series(seconds, dtype=pl.Float64),
            pl.Series([s * 10**6 for s in seconds]).cast(pl.Datetime("us")),
            pl.Series([s * 10**3 for s in seconds]).cast(pl.Datetime("ms", "Europe/Kyiv")),
            pl.Series([str(s) for s in seconds]).cast(pl.Categorical),
        ]
    )
    content = as_parquet(made, user=pl.Series(ids, dtype=chance.choice(kinds)), time=times)
    events = [(str(i), row[1], s * 10**6) for i, row, s in zip(ids, made.rows, seconds, strict=True)]
    return replace(made, expect=events).written("log.parquet", content)


def _parquet_types(made: Made, chance: random.Random) -> Made:
    """Columns that hold no ids or no times, or floats that lost digits."""
    n = len(made.rows)
    role, column = chance.choice(
        [
            ("user", pl.Series([2**24 + 2 * i for i in range(n)]).cast(pl.Float32)),
            ("item", pl.Series([2.0**53 + 2 * i + 2 for i in range(n)])),
            ("time", pl.Series([BASE + i for i in range(n)]).cast(pl.Float32)),
            ("time", pl.Series([(BASE + i) * 10**9 for i in range(n)]).cast(pl.Float64)),
            ("user", pl.Series([i + 0.5 for i in range(n)])),
            ("user", pl.Series([True] * n)),
            ("item", pl.Series([[[i]] for i in range(n)])),
            ("time", pl.Series([True] * n)),
            ("time", pl.Series([None] * n, dtype=pl.Datetime("us"))),
            ("time", pl.Series([BASE + 0.5] * (n - 1) + [float("nan")])),
            ("time", pl.Series([i % 5 + 1 for i in range(n)])),
        ]
    )
    return made.refused().written("log.parquet", as_parquet(made, **{role: column}))


def _parquet_damage(made: Made, chance: random.Random) -> Made:
    content = bytearray(as_parquet(made))
    if chance.random() < 0.5:
        return made.refused().written("log.parquet", bytes(content[: chance.randrange(len(content))]))
    for at in np.random.default_rng(chance.randrange(2**31)).integers(0, len(content), chance.randint(1, 30)):
        content[at] ^= 1 << chance.randrange(8)
    return replace(made, must_read=False, note="damage").written("log.parquet", bytes(content))


def _wrong_ending(made: Made, chance: random.Random) -> Made:
    kind = chance.randrange(4)
    if kind == 0:
        return made.written("log.tsv")
    if kind == 1:
        return made.refused().written("log.parquet")
    if kind == 2:
        return made.written("log.csv", as_parquet(made))
    return made.written("log.CSV.gz", gzipped(made.text()))


def _extremes(made: Made, chance: random.Random) -> Made:
    value = chance.choice(["x" * 20_000, "9" * 30, str(2**63), str(-(2**63)), "0", "😀" * 50, "a" * 300 + "é"])
    row, column = _some(made, chance), chance.randrange(2)
    events = list(made.expect or [])
    user, item, time = events[row]
    events[row] = (value, item, time) if column == 0 else (user, value, time)
    return replace(_cell(made, row, column, value), expect=events).written()


MUTATIONS: dict[str, Mutation] = {
    "none": lambda made, chance: made.written(),
    "bits flipped": _flip,
    "bytes deleted": _delete,
    "bytes inserted": _insert,
    "bytes repeated": _repeat_bytes,
    "cut short": _cut,
    "gzip cut short": _cut_gz,
    "gzip with a bit flipped": _flip_gz,
    "line ends, blank lines, a byte order mark": _lines,
    "lines that end in CR": _old_lines,
    "another encoding": _encoding,
    "white space around an id": _white,
    "ids that mean missing": _missing,
    "all ids missing": _all_missing,
    "two units of time": _unit,
    "values that are no times": _no_time,
    "ids that a spreadsheet rounded": _spreadsheet,
    "control characters in an id": _control,
    "ids 12 and 12.0": _pointed,
    "two stray quotes": _two_quotes,
    "no header": _no_header,
    "a repeated header": _header_again,
    "a column name twice": _name_twice,
    "columns in another order": _columns_swapped,
    "a row too long or too short": _ragged,
    "another delimiter in a row": _other_delimiter,
    "all rows twice": _twice,
    "parts that do not match": _parts,
    "Parquet of other types": _parquet,
    "Parquet of wrong types": _parquet_types,
    "Parquet damaged": _parquet_damage,
    "another file extension": _wrong_ending,
    "very long or large ids": _extremes,
}
