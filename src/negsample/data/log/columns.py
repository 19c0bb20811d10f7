"""Which columns of a log hold user, item and time."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from negsample.data.log.layouts import DELIMITERS, roles_in
from negsample.errors import InputError, shown

if TYPE_CHECKING:
    from negsample.data.log.delimited import Layout

# Earlier names win; compared in lower case without "_", "-", "." and spaces.
USUAL_NAMES: dict[str, tuple[str, ...]] = {
    "user": (
        "user", "userid", "uid", "visitorid", "customerid", "customer", "reviewerid", "memberid", "accountid",
        "clientid", "buyerid", "username", "userkey", "useridx", "userpseudoid", "sessionid", "session",
    ),
    "item": (
        "item", "itemid", "iid", "movieid", "productid", "asin", "parentasin", "stockcode",
        "articleid", "clickarticleid", "trackid", "songid", "artistid", "bookid", "isbn", "businessid",
        "newsid", "videoid", "gameid", "venueid", "locationid", "placeid", "poiid", "postid", "photoid", "appid", "aid",
        "sku", "adid", "itemkey", "itemidx", "product", "movie", "article", "track", "song",
    ),
    "time": (
        "timestamp", "time", "ts", "datetime", "date", "unixreviewtime", "unixtime", "eventtime",
        "eventtimestamp", "createdat", "created", "invoicedate", "clicktimestamp", "orderdate",
        "purchasedate", "eventdate", "tdat", "utctimestamp", "utctime", "localtime", "timems", "timestampms",
        "playedat", "reviewtime", "eventts", "eventdatetime", "occurredat",
    ),
}  # fmt: skip

_VALUE = re.compile(r"\s*[+-]?\d[\d\s.,:/TZ+-]*$")  # a number, a date or a time


def plain(name: str) -> str:
    """``name`` as names are compared: lower case, without ``_ - .`` and spaces."""
    return "".join(letter for letter in name.lower() if letter not in "_-. ")


def is_data(fields: Sequence[str], named: Collection[str] = ()) -> bool:
    """Whether a first line is a row: it holds a value where a name would be, and no usual name, or one of ``named`` is
    such a value."""
    known = {name for names in USUAL_NAMES.values() for name in names}
    values = {field for field in fields if _VALUE.match(field)}
    return bool(values) and (bool(values & set(named)) or not any(plain(field) in known for field in fields))


def choose_columns(
    columns: Sequence[str],
    asked: Mapping[str, str | None],
    path: Path,
    layout: Layout | None = None,
    optional: Collection[str] = (),
) -> tuple[dict[str, str], list[str]]:
    """The column of each role, and a sentence on those that were guessed.

    Args:
        columns: the column names of the file, in its order.
        asked: for each role (user, item, time) the column that was named, or its number from 1, or None; a time may be
            of two columns, a date and a time of day, as ``date+time``.
        path: named in errors.
        layout: of a text file; a header that is a row is refused.
        optional: roles that may have no column.
    """
    asked = {role: named(columns, name) for role, name in asked.items()}
    if layout is not None and layout.header and is_data(columns, {name for name in asked.values() if name}):
        raise InputError(first_line_is_data(layout, path, "time" in optional))
    no_header = "; if its first line is a row, add --no-header" if layout is not None and layout.header else ""
    chosen = _chosen(columns, asked, path, optional, no_header, text=layout is not None)
    for role, column in chosen.items():
        for each in columns_in(column, columns):
            if list(columns).count(each) > 1:
                raise InputError(f"{path} has {list(columns).count(each)} columns '{each}'; rename all but one")
        other = next(each for each in chosen if chosen[each] == column)
        if other != role:
            raise InputError(
                f"column '{column}' of {path} would be both the {other} and the {role}; "
                f"its columns are: {listed(columns)}; name one for each with --{other} COL and --{role} COL"
            )
    notes = []
    for how, was_named in (("Guessed from the names", False), ("As named", True)):
        roles = [f"{role} from column '{chosen[role]}'" for role in chosen if bool(asked.get(role)) == was_named]
        notes += [f"{how}: {', '.join(roles)}."] if roles and not (layout and layout.known and not was_named) else []
    return chosen, notes


def columns_in(name: str, columns: Sequence[str]) -> list[str]:
    """The columns that are meant: ``name``, or the two of ``date+time``."""
    return [name] if name in columns else [named(columns, each) or each for each in name.split("+")]


def guesses_of(role: str, columns: Sequence[str]) -> list[str]:
    """The columns whose names are usual for ``role``, the most usual first."""
    by_plain_name = {plain(column): column for column in reversed(columns)}  # the first of each name
    return [by_plain_name[name] for name in USUAL_NAMES[role] if name in by_plain_name]


def named(columns: Sequence[str], name: str | None) -> str | None:
    """``name``, or that of the column with this number, from 1."""
    if name is None or name in columns or not name.isdecimal() or not 1 <= int(name) <= len(columns):
        return name
    return columns[int(name) - 1]


def first_line_is_data(layout: Layout, path: Path, has_order: bool) -> str:
    """That the first line is a row, what is in its columns, and how it is read."""
    fields = layout.sample[0]
    found = roles_in([row for row in layout.sample if len(row) == len(fields)])
    shown = ", ".join(f"{number} '{field[:20]}'" for number, field in enumerate(fields[:12], 1))
    more = ", ..." if len(fields) > 12 else ""
    roles = " ".join(f"--{role} {found.get(role, 'N')}" for role in USUAL_NAMES if role in found or role != "time")
    without_time = "" if "time" in found else " --split leave-one-out"
    told = "no column looks like a time, so that the order of the rows is the order; " if without_time else ""
    return (
        f"the first line of {path} is data and no header; its columns are: {shown}{more}; {told}if these are the "
        f"roles, read it with --no-header {roles}{without_time if not has_order else ''}"
    )


def _chosen(
    columns: Sequence[str],
    asked: Mapping[str, str | None],
    path: Path,
    optional: Collection[str],
    no_header: str,
    text: bool,
) -> dict[str, str]:
    """The column of each role, as named or guessed; all roles without one are named at once. ``text``: the fields were
    told by their delimiter."""
    chosen, faults = dict[str, str](), list[str]()
    for role, usual in USUAL_NAMES.items():
        named = asked.get(role)
        guesses = guesses_of(role, columns)
        if named and any(each not in columns for each in (columns_in(named, columns) if role == "time" else [named])):
            faults.append(f"no column '{named}' for the {role}")
        elif named or guesses:
            chosen[role] = named or guesses[0]
        elif role not in optional:
            faults.append(f"no column that looks like the {role} (usual names: {', '.join(usual[:8])}, ...)")
    if faults and text and len(columns) == 1:
        raise InputError(
            f"{path}: its first line has one field, {shown(columns[0])}; fields are separated by "
            f"{', '.join(DELIMITERS.values())}, so write them with one of these"
        )
    if faults:
        options = [
            f"--{role} COL" for role in USUAL_NAMES if role not in chosen and (asked.get(role) or role not in optional)
        ]
        one = "one of them" if len(options) == 1 else "one of them for each"
        order = "; if it has an order and no time, add --split leave-one-out" if options == ["--time COL"] else ""
        raise InputError(
            f"{path} has {'; '.join(faults)}; its columns are: {listed(columns)}; name {one} with {' '.join(options)}"
            f"{order}{'' if chosen else no_header}"
        )
    return chosen


def listed(columns: Sequence[str], most: int = 20) -> str:
    """Their names for a message, where they are many or long in part."""
    shown = ", ".join(column if len(column) <= 40 else f"{column[:37]}..." for column in columns[:most])
    return shown + (f" and {len(columns) - most} more" if len(columns) > most else "")
