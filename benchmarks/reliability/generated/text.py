"""Logs as text: any delimiter, with a header or none, quotes, line ends, blank lines, compressions, encodings."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from benchmarks.reliability.generated.case import Case, case_of, recipe_of
from benchmarks.reliability.generated.logs import Log, some_log, with_condition
from benchmarks.reliability.generated.slow import framed

PACK: dict[str, Callable[[bytes], bytes]] = {
    "": lambda content: content,
    "gz": lambda content: gzip.compress(content, mtime=0),
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": framed,
}
_MARKS = [",", ",", ",", "\t", "\t", ";", "|"]
_ENDINGS = {
    ",": ["csv", "csv", "txt", "data", ""],
    "\t": ["tsv", "txt", "tab", "csv", ""],
    ";": ["csv", "txt"],
    "|": ["csv", "dat"],
}
_TYPES = {"int": "token", "text": "token", "number": "float", "time": "float"}


def written(rows: list[list[str]], delimiter: str, chance: random.Random) -> str:
    """The rows as a writer of CSV has them, with quotes where there must be, or everywhere."""
    out = io.StringIO(newline="")
    everywhere = chance.random() < 0.15
    if (
        delimiter == "\t"
        and chance.random() < 0.4
        and not any(set(cell) & set("\t\r\n") or cell.startswith('"') for row in rows for cell in row)
    ):
        return "".join("\t".join(row) + "\n" for row in rows)  # quotes are text
    quoting: Literal[0, 1] = csv.QUOTE_ALL if everywhere else csv.QUOTE_MINIMAL
    csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator="\n").writerows(rows)
    return out.getvalue()


def dressed(text: str, chance: random.Random, header: bool = True) -> str:
    """Line ends, blank lines and marks that mean nothing."""
    quoted = '"' in text
    if chance.random() < 0.15 and not quoted:
        text = text.replace("\n", "\r\n")
    if chance.random() < 0.1:
        text = "\ufeff" + text
    if chance.random() < 0.1:
        text += "\n" * chance.randint(1, 3)
    elif chance.random() < 0.1:
        text = text.removesuffix("\n").removesuffix("\r")
    if chance.random() < 0.07 and not quoted:
        lines = text.split("\n")
        lines.insert(chance.randint(2, len(lines) - 1), chance.choice(["", "", "  "]))
        text = "\n".join(lines)
    return text


def with_header(log: Log, chance: random.Random) -> Case:
    """Delimited text whose first line names the columns."""
    delimiter = chance.choice(_MARKS)
    text = dressed(written([log.names, *log.rows], delimiter, chance), chance)
    if chance.random() < 0.08 and not log.refuse:
        log = _by_number(log)
    return filed(log, text, chance, delimiter=delimiter)


def _by_number(log: Log) -> Log:
    """With its columns named by their numbers."""
    roles = [role for role in ("user", "item", "time") if role in log.places and "clock" not in log.places]
    return replace(log, options=log.options | {role: str(log.places[role] + 1) for role in roles})


def without_header(log: Log, chance: random.Random) -> Case:
    """Delimited text whose first line is a row."""
    log = replace(
        log,
        options={name: value for name, value in log.options.items() if name not in ("user", "item", "time", "where")},
    )
    log = replace(log, where=None)
    numbers = {role: str(place + 1) for role, place in log.places.items() if role != "clock"}
    if "clock" in log.places:
        numbers["time"] += f"+{log.places['clock'] + 1}"
    told = {"no_header": True, **numbers}
    if chance.random() < 0.3:
        log = replace(log, options=log.options | told)
    log = replace(log, answers=log.answers | told)
    delimiter = chance.choice(_MARKS)
    text = dressed(written(log.rows, delimiter, chance), chance, header=False)
    return filed(log, text, chance, by_place=True, delimiter=delimiter, header=False)


def filed(log: Log, text: str, chance: random.Random, form: str = "text", by_place: bool = False, **how: Any) -> Case:
    """In a file, perhaps packed or in another encoding."""
    encoding, packing = "utf-8", ""
    if chance.random() < 0.1:
        log, encoding = _encoded(log, text, chance)
    if chance.random() < 0.2:
        packing = chance.choice(["gz", "bz2", "xz", "zst", "zip"])
        packing = "gz" if packing == "zst" and encoding != "utf-8" else packing
    stem = chance.choice(["log", "log", "my clicks (1)", "Ünï", "events.2014-05", "a+b"])
    ending = "inter" if form == "inter" else chance.choice(_ENDINGS.get(how.get("delimiter", ","), ["txt", "dat"]))
    name = f"{stem}.{ending}" if ending else "log"
    content = text.encode(encoding)
    if packing == "zip":
        recipe = recipe_of(log, form, by_place, packing="zip", encoding=encoding, inside=name, **how)
        return case_of(log, {f"{stem}.zip": zipped({name: content})}, f"{stem}.zip", recipe)
    if packing and ending:
        name += f".{packing}"
    recipe = recipe_of(log, form, by_place, packing=packing, encoding=encoding, **how)
    return case_of(log, {name: PACK[packing](content)}, name, recipe)


def _encoded(log: Log, text: str, chance: random.Random) -> tuple[Log, str]:
    for encoding in chance.sample(["latin-1", "cp1252", "utf-16", "gbk"], 4):
        try:
            if text.encode(encoding).decode(encoding) == text and (encoding == "utf-16" or not text.isascii()):
                told = {"encoding": encoding}
                at_once = chance.random() < 0.4
                log = replace(log, answers=log.answers | told, options=log.options | (told if at_once else {}))
                return log, encoding
        except UnicodeError:
            continue
    return log, "utf-8"


def zipped(members: dict[str, bytes]) -> bytes:
    """A zip archive, the same bytes on every day."""
    out = io.BytesIO()
    with ZipFile(out, "w", ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(ZipInfo(name), content, ZIP_DEFLATED)
    return out.getvalue()


def separated(chance: random.Random) -> Case:
    """Fields separated by ``::`` or by spaces, with a header or none."""
    delimiter = chance.choice(["::", " "])
    log = some_log(chance, plain=True)
    log = replace(log, rows=[[cell.replace("::", "-") for cell in row] for row in log.rows])
    header = chance.random() < 0.5 and not any(" " in name or not name for name in log.names)
    rows = [log.names, *log.rows] if header else log.rows
    if not header:
        told = {"no_header": True} | {role: str(place + 1) for role, place in log.places.items()}
        at_once = chance.random() < 0.5
        log = replace(log, answers=log.answers | log.options | told, options=told if at_once else {})
    between = "   " if delimiter == " " and chance.random() < 0.2 else delimiter
    text = dressed("".join(between.join(row) + "\n" for row in rows), chance, header)
    return filed(log, text, chance, by_place=not header, delimiter=delimiter, header=header)


def inter(chance: random.Random) -> Case:
    """RecBole's atomic file: tabs, and the type behind each name."""
    log = some_log(chance, plain=chance.random() < 0.5).named()
    log = replace(log, rows=[[" ".join(cell.split()).replace('"', "'") for cell in row] for row in log.rows])
    head = [f"{name}:{_TYPES[kind]}" for name, kind in zip(log.names, log.kinds, strict=True)]
    text = "".join("\t".join(row) + "\n" for row in [head, *log.rows])
    return filed(log, text, chance, form="inter", delimiter="\t")


def sequences(chance: random.Random) -> Case:
    """A line is a user and the items in their order."""
    log = some_log(chance, plain=True, timed=False)
    delimiter = chance.choice([" ", " ", "\t", ",", ";", "|"])
    user, item = (log.places[role] for role in ("user", "item"))
    lines: dict[str, list[str]] = {}
    for row in log.rows:
        lines.setdefault(row[user], []).append(row[item])
    colon = ":" if delimiter == " " and chance.random() < 0.3 else ""
    text = "".join(f"{who}{colon}{delimiter}{delimiter.join(what)}\n" for who, what in lines.items())
    rows = [[who, each] for who, what in lines.items() for each in what]
    told = {"sequences": True, "ordered": True}
    log = Log(["user", "item"], ["text"] * 2, rows, {"user": 0, "item": 1}, [None] * len(rows), log.form, answers=told)
    if chance.random() < 0.7 or not text.replace(delimiter, "").replace("\n", "").isdecimal():
        log = replace(log, options=told)
    return filed(log, dressed(text, chance), chance, form="sequences", delimiter=delimiter)


def any_text(chance: random.Random) -> Case:
    """Text with a header of any log, sometimes with a condition, or without times."""
    log = some_log(chance, timed=chance.random() > 0.08)
    return with_header(with_condition(log, chance) if chance.random() < 0.15 else log, chance)


def any_without_header(chance: random.Random) -> Case:
    """Text without a header of any log."""
    return without_header(some_log(chance, timed=chance.random() > 0.08), chance)
