"""Logs of several files: parts in a folder, folders as Hive names them, patterns, archives."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from benchmarks.reliability.generated.case import Case, case_of, recipe_of
from benchmarks.reliability.generated.forms import ISO
from benchmarks.reliability.generated.logs import Log, some_log
from benchmarks.reliability.generated.slow import Recipe
from benchmarks.reliability.generated.text import PACK, any_text, written, zipped
from benchmarks.reliability.generated.typed import arrow, json_lines, parquet

Writer = Callable[[Log, random.Random], Case]


def text_part(log: Log, chance: random.Random) -> Case:
    """A part of text with a header, all parts alike."""
    mark = chance.choice(",,\t;|")
    packing = chance.choice(["", "", "gz", "bz2"])
    ending = chance.choice([".csv", ".csv", ".txt", ""])
    name = f"part{ending}.{packing}" if packing else f"part{ending}"
    content = PACK[packing](written([log.names, *log.rows], mark, chance).encode())
    return case_of(log, {name: content}, name, recipe_of(log, "text", delimiter=mark, packing=packing))


def pieces(log: Log, chance: random.Random) -> list[Log]:
    """The log cut into two to five, each with more rows than may be without ids."""
    ends = range(8, len(log.rows) - 7, 8)
    cuts = sorted(chance.sample(ends, min(len(ends), chance.randint(1, 4))))
    bounds = list(zip([0, *cuts], [*cuts, len(log.rows)], strict=True))
    return [replace(log, rows=log.rows[a:b], moments=log.moments[a:b]) for a, b in bounds]


def in_parts(log: Log, writer: Writer, chance: random.Random) -> tuple[dict[str, bytes], Recipe | None]:
    """Each part by its name, in order, and how they are written; the columns of later ones may be in another order."""
    files, seed, recipe = {}, chance.random(), None
    for number, piece in enumerate(pieces(log, chance)):
        if number and chance.random() < 0.1:
            order = chance.sample(range(len(log.names)), len(log.names))
            piece = replace(
                piece,
                names=[piece.names[at] for at in order],
                kinds=[piece.kinds[at] for at in order],
                rows=[[row[at] for at in order] for row in piece.rows],
                places={role: order.index(place) for role, place in piece.places.items()},
            )
        made = writer(piece, random.Random(seed))
        ((name, content),) = made.files.items()
        recipe = recipe or made.recipe
        files[f"part-{number:05}{name[name.index('.') :] if '.' in name else ''}"] = content
    return files, recipe


def _writer(chance: random.Random) -> Writer:
    return chance.choice([text_part, text_part, json_lines, parquet, arrow])


def _log(chance: random.Random, writer: Writer) -> Log:
    log = some_log(chance, timed=chance.random() > 0.05)
    if writer not in (parquet, arrow):
        return log
    options = {name: value for name, value in log.options.items() if name != "time_format"}
    return replace(log.untyped(), options=options, answers=log.answers | log.options)


def folder(chance: random.Random) -> Case:
    """Parts in a folder, beside files that are none."""
    writer = _writer(chance)
    log = _log(chance, writer)
    parts, recipe = in_parts(log, writer, chance)
    files = {f"clicks/{name}": content for name, content in parts.items()}
    if chance.random() < 0.4:
        files |= {"clicks/_SUCCESS": b"", "clicks/.part-0.crc": b"x", "clicks/README.md": b"about"}
    return case_of(log, files, "clicks", recipe)


def pattern(chance: random.Random) -> Case:
    """A pattern that some files of a folder have, or these files one by one."""
    log = _log(chance, text_part)
    parts, recipe = in_parts(log, text_part, chance)
    files = {f"clicks/{name}": content for name, content in parts.items()}
    made = case_of(log, files | {"clicks/other.csv": b"a,b\n1,2\n"}, "clicks/part-*", recipe)
    return replace(made, several=tuple(files)) if chance.random() < 0.3 else made


def hive(chance: random.Random) -> Case:
    """Folders whose names are values of a column: a country, or the day itself."""
    if chance.random() < 0.5:
        writer = _writer(chance)
        log = _log(chance, writer)
        parts, recipe = in_parts(log, writer, chance)
        named = enumerate(parts.items())
        files = {f"clicks/country={number // 2:02}/{name}": content for number, (name, content) in named}
        return case_of(log, files, "clicks", recipe)
    log = some_log(chance, form=ISO[0])
    place, name = log.places["time"], log.names[log.places["time"]]
    days: dict[str, list[int]] = {}
    for number, row in enumerate(log.rows):
        days.setdefault(row[place], []).append(number)
    order = [number for day in sorted(days) for number in days[day]]
    log = replace(log, rows=[log.rows[each] for each in order], moments=[log.moments[each] for each in order])
    files = {}
    for day in sorted(days):
        rows = [row[:place] + row[place + 1 :] for row in log.rows if row[place] == day]
        text = written([log.names[:place] + log.names[place + 1 :], *rows], ",", chance)
        files[f"clicks/{name}={day}/part-0.csv"] = text.encode()
    return case_of(log, files, "clicks")


def archive(chance: random.Random) -> Case:
    """An archive with a log in it, beside other files or other logs."""
    inner = any_text(chance)
    while inner.recipe is None or inner.recipe.packing == "zip":
        inner = any_text(chance)
    ((name, content),) = inner.files.items()
    members = {f"data/{name}": content}
    if chance.random() < 0.5:
        members |= {"README.md": b"about", "__MACOSX/._log.csv": b"\0\5\26\7"}
    several = chance.random() < 0.4 and "." in name
    if several:
        members["data/items.csv"] = b"item,title\n1,a\n"
    bare = "." not in name
    address = f"log.zip::data/{name}"
    at_once = bare or chance.random() < 0.2
    files = {"log.zip": zipped(members)}
    given = address if at_once else "log.zip"
    return replace(
        inner, files=files, log=given, address=address, ask=inner.ask or (several and not at_once), recipe=None
    )
