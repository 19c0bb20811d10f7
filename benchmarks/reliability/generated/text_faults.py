"""Text and JSON that were changed after they were written: the slow reader says what they hold now."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from benchmarks.reliability.generated import text, typed
from benchmarks.reliability.generated.case import Case, case_of, recipe_of
from benchmarks.reliability.generated.forms import ISO, NUMBERS
from benchmarks.reliability.generated.logs import Log, some_log
from benchmarks.reliability.generated.text import PACK, zipped

Maker = Callable[[random.Random], Case]


def _plain(chance: random.Random, makers: list[Maker], like: Callable[[Case], bool] = lambda case: True) -> Case:
    """A case of text that is not packed, and that the slow reader reads."""
    while True:
        made = chance.choice(makers)(chance)
        if made.recipe and not made.recipe.packing and len(made.files) == 1 and made.must_read and like(made):
            return made


def _log(chance: random.Random) -> Log:
    return some_log(chance, timed=chance.random() > 0.08)


_TEXTS: list[Maker] = [text.any_text, text.any_text, text.any_without_header, text.separated, text.inter]
_OBJECTS: list[Maker] = [
    lambda chance: typed.json_lines(_log(chance), chance),
    lambda chance: typed.json_list(_log(chance), chance),
    typed.sessions,
    typed.json_of_lists,
]


def _changed(case: Case, change: Callable[[bytes], bytes]) -> Case:
    ((name, content),) = case.files.items()
    return case.damaged({name: change(content)})


def _at_random(content: bytes, chance: random.Random) -> bytes:
    changed = bytearray(content)
    kind = chance.randrange(4)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(changed))
        if kind == 0:
            changed[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del changed[at]
        elif kind == 2:
            changed.insert(at, chance.choice(b'",;\t\r\n\0 0a\xff-.{}[]:'))
        else:
            changed[at:at] = changed[at : at + chance.randint(1, 40)]
    return bytes(changed)


def bytes_of_text(chance: random.Random) -> Case:
    """Bits and bytes of text changed, deleted, inserted or repeated."""
    return _changed(_plain(chance, _TEXTS), lambda content: _at_random(content, chance))


def bytes_of_json(chance: random.Random) -> Case:
    """The same of JSON."""
    return _changed(_plain(chance, _OBJECTS), lambda content: _at_random(content, chance))


def text_cut(chance: random.Random) -> Case:
    """Text that ends too soon."""
    return _changed(_plain(chance, _TEXTS), lambda content: content[: chance.randrange(len(content))])


def json_cut(chance: random.Random) -> Case:
    """JSON that ends too soon."""
    return _changed(_plain(chance, _OBJECTS), lambda content: content[: chance.randrange(len(content))])


def packed(chance: random.Random) -> Case:
    """A packed file that ends too soon, or of which a bit is flipped."""
    made = _plain(chance, [*_TEXTS, *_OBJECTS])
    ((name, content),) = made.files.items()
    ending = chance.choice(["gz", "bz2", "xz", "zst", "zip"])
    ready = zipped({name: content}) if ending == "zip" else PACK[ending](content)
    assert made.recipe is not None
    made = replace(
        made, log=f"log.{ending}", recipe=replace(made.recipe, packing=ending, inside=made.recipe.inside or name)
    )
    if ending == "zip":
        made = replace(made, recipe=None)
    if chance.random() < 0.5 or ending == "zst":
        return made.damaged({made.log: ready[: chance.randrange(len(ready))]}).refused()
    changed = bytearray(ready)
    changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return made.damaged({made.log: bytes(changed)})


def _lines_of(case: Case) -> list[str]:
    ((_, content),) = case.files.items()
    return content.decode().splitlines(keepends=True)


def _with_lines(case: Case, lines: list[str]) -> Case:
    ((name, _),) = case.files.items()
    return case.damaged({name: "".join(lines).encode()})


def _utf8(case: Case) -> bool:
    return bool(case.recipe and case.recipe.encoding == "utf-8" and case.recipe.form == "text")


def ragged(chance: random.Random) -> Case:
    """A row with too many fields, or too few, or another delimiter in it."""
    made = _plain(chance, _TEXTS, _utf8)
    lines = _lines_of(made)
    at = chance.randrange(1, len(lines))
    mark = made.recipe.delimiter if made.recipe else ","
    fields = lines[at].rstrip("\r\n").split(mark)
    kind = chance.randrange(3)
    if kind == 0:
        fields.append("more")
    elif kind == 1 and len(fields) > 1:
        del fields[chance.randrange(len(fields))]
    else:
        mark = chance.choice([each for each in [",", ";", "\t", "|"] if each != mark])
    lines[at] = mark.join(fields) + "\n"
    return _with_lines(made, lines)


def ends_in_cr(chance: random.Random) -> Case:
    """Lines that end in CR alone."""
    made = _plain(chance, _TEXTS, _utf8)
    return _with_lines(made, [line.rstrip("\r\n") + "\r" for line in _lines_of(made)]).refused()


def before_the_header(chance: random.Random) -> Case:
    """Lines before the header that are no part of the table."""
    made = _plain(chance, [text.any_text], _utf8)
    lines = chance.choice([["# made by hand\n"], ["sep=,\n"], ["Report of May\n", "\n"], ["\n"], ["--\n", "--\n"]])
    return _with_lines(made, [*lines, *_lines_of(made)]).refused()


def nothing(chance: random.Random) -> Case:
    """No rows: an empty file, white space, a header alone, zeros."""
    made = _plain(chance, [*_TEXTS, *_OBJECTS])
    ((name, _),) = made.files.items()
    content = chance.choice(
        [b"", b"\n", b"  \n \n", b"user,item,time\n", b"\0" * 100, b"[]", b"{}", b"\xef\xbb\xbf", b"[", b"x"]
    )
    return replace(made, files={name: content}).refused()


def other_quotes(chance: random.Random) -> Case:
    """Quotes as no CSV has them: with backslashes, or misplaced."""
    made = _plain(chance, [text.any_text, text.any_without_header], _utf8)
    lines, known = _lines_of(made), _lines_of(made)
    assert made.recipe is not None
    mark = made.recipe.delimiter
    header = next(csv.reader([lines[0].removeprefix("\ufeff"), *lines[1:]], delimiter=mark))
    places = [place if isinstance(place, int) else header.index(place) for place in made.recipe.columns.values()]
    for _ in range(chance.choice([1, 2, len(lines)])):
        at = chance.randrange(1, len(lines))
        fields = lines[at].rstrip("\r\n").split(mark)
        place = chance.randrange(len(fields))
        odd = ['"open', '"', 'in"side', '"x" y', r'"a \"b\" c"', r'"a\""', "'a'"]
        fields[place] = chance.choice(odd)
        lines[at] = mark.join(fields) + "\n"
    for at, (before, after) in enumerate(zip(known, lines, strict=True)):
        old, new = (next(csv.reader([line], delimiter=mark)) for line in (before, after))
        if not max(places) < len(old) == len(new) or [*map(old.__getitem__, places)] != [*map(new.__getitem__, places)]:
            known[at] = after
    in_columns_that_count = _with_lines(made, known).slow()
    return replace(_with_lines(made, lines), also=in_columns_that_count)


def other_delimiter(chance: random.Random) -> Case:
    """A delimiter that is none of those that are known."""
    log = some_log(chance, plain=True)
    mark = chance.choice(["\x01", "~", "^", "#", "\x1f", "/"])
    content = "".join(mark.join(row) + "\n" for row in [log.names, *log.rows]).encode()
    return case_of(replace(log, refuse="delimiter"), {"log.csv": content}, "log.csv")


def other_encoding(chance: random.Random) -> Case:
    """An encoding that is none, or not that of the file."""
    made = _plain(chance, _TEXTS, _utf8)
    wrong = chance.choice(["nope", "utf-16", "utf-32", "latin-1", "ascii", "gbk", "rot13", "utf-8", "base64", "idna"])
    options = made.options | {"encoding": wrong}
    assert made.recipe is not None
    made = replace(
        made, options=options, must_read=False, also=made.expect, recipe=replace(made.recipe, encoding=wrong)
    )
    try:
        return replace(made, expect=made.slow())
    except LookupError:
        return made.refused()


def other_records(chance: random.Random) -> Case:
    """A record of JSON that is no object, or whose user, item or time is no text and no number."""
    log = some_log(chance)
    rows: list[Any] = [record for record in typed.records(log) if None not in record.values()]
    if len(rows) < 3:
        return other_records(chance)
    at = chance.randrange(len(rows))
    role = log.names[log.places[chance.choice(["user", "item", "time"])]]
    odd: list[Any] = [["a"], {"a": 1}, [1, 2], [], {}]
    if chance.random() < 0.6:
        value = chance.choice([*odd, True, False] if role != "time" else odd)
        rows[at] = {**rows[at], role: value}
    else:
        rows[at] = chance.choice([1, "a", None, ["a", 2], [], True, [rows[at]]])
    listed = chance.random() < 0.3
    content = json.dumps(rows) if listed else "".join(json.dumps(row) + "\n" for row in rows)
    made = case_of(log, {"log.json": content.encode()}, "log.json", recipe_of(log, "json"))
    return made.damaged(made.files)


def broken_records(chance: random.Random) -> Case:
    """A line of JSON that is broken."""
    made = _plain(chance, _OBJECTS[:1], lambda case: b"\n\n" not in next(iter(case.files.values())))
    lines = _lines_of(made)
    at = chance.randrange(len(lines))
    line = lines[at].rstrip("\r\n")
    broken = [
        line[:-1],
        line[1:],
        line[:-1] + ",}",
        line.replace('"', "'"),
        f"{line}{line}",
        f"{line},",
        line[: len(line) // 2],
    ]
    broken += [line.replace(":", "=", 1), f"{line} // why", "undefined", f"[{line}]", line.replace("}", ', "x": NaN}')]
    lines[at] = chance.choice(broken) + "\n"
    return _with_lines(made, lines)


def odd_sessions(chance: random.Random) -> Case:
    """Sessions and lists of which one is of another kind, or longer than its times."""
    if chance.random() < 0.5:
        log = some_log(chance, form=chance.choice([NUMBERS[0], ISO[2]]))
        user, item, time = (log.names[log.places[role]] for role in ("user", "item", "time"))
        rows: list[Any] = [{user: "u", item: ["a", "b"], time: [log.rows[0][log.places["time"]]] * 2} for _ in range(9)]
        odd = [["a"], ["a", "b", "c"], "a", {"a": 1}, ["a", ["b"]], ["a", {"b": 1}], []]
        rows[chance.randrange(9)][item] = chance.choice(odd)
        content = "".join(json.dumps(row) + "\n" for row in rows)
        made = case_of(log, {"log.jsonl": content.encode()}, "log.jsonl", recipe_of(log, "json", inside="lists"))
        return made.damaged(made.files)
    made = _plain(chance, [typed.sessions], lambda case: b"[{" not in next(iter(case.files.values()))[:2])
    lines = _lines_of(made)
    at = chance.randrange(len(lines))
    record = json.loads(lines[at])
    inner = made.recipe.inside if made.recipe else ""
    odd_events: list[Any] = ["a", 5, {"a": 1}, [5], [record[inner]], [{**record[inner][0], "x": [1]}, [1]], True]
    record[inner] = chance.choice(odd_events)
    lines[at] = json.dumps(record) + "\n"
    return _with_lines(made, lines)


TEXT_FAULTS: dict[str, Maker] = {
    "bytes of text changed": bytes_of_text,
    "bytes of JSON changed": bytes_of_json,
    "text that ends too soon": text_cut,
    "JSON that ends too soon": json_cut,
    "a packed file that ends too soon, or a bit of it flipped": packed,
    "a row too long, too short, or with another delimiter": ragged,
    "lines that end in CR": ends_in_cr,
    "lines before the header": before_the_header,
    "no rows": nothing,
    "misplaced quotes": other_quotes,
    "an unknown delimiter": other_delimiter,
    "a wrong encoding": other_encoding,
    "a record of JSON of another type": other_records,
    "a line of JSON that is broken": broken_records,
    "a session or a list of another kind": odd_sessions,
}
