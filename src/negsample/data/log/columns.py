"""Which columns of a log hold user, item and time."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from negsample.errors import InputError

# Earlier names win; compared in lower case without "_", "-", "." and spaces.
USUAL_NAMES: dict[str, tuple[str, ...]] = {
    "user": (
        "user", "userid", "uid", "visitorid", "customerid", "customer", "reviewerid", "memberid", "accountid",
        "clientid", "buyerid", "username", "userkey", "useridx", "sessionid", "session",
    ),
    "item": (
        "item", "itemid", "iid", "movieid", "productid", "asin", "parentasin", "stockcode",
        "articleid", "clickarticleid", "trackid", "songid", "artistid", "bookid", "isbn", "businessid",
        "newsid", "videoid", "gameid", "sku", "adid", "itemkey", "itemidx", "product", "movie", "article",
        "track", "song",
    ),
    "time": (
        "timestamp", "time", "ts", "datetime", "date", "unixreviewtime", "unixtime", "eventtime",
        "eventtimestamp", "createdat", "created", "invoicedate", "clicktimestamp", "orderdate",
        "purchasedate", "reviewtime",
    ),
}  # fmt: skip

_VALUE = re.compile(r"\s*[+-]?\d[\d\s.,:/TZ+-]*$")  # a number, a date or a time


def plain(name: str) -> str:
    """``name`` as names are compared: lower case, without ``_ - .`` and spaces."""
    return "".join(letter for letter in name.lower() if letter not in "_-. ")


def choose_columns(
    columns: Sequence[str],
    asked: Mapping[str, str | None],
    path: Path,
    header: bool,
    optional: Collection[str] = (),
) -> tuple[dict[str, str], list[str]]:
    """The column of each role, and a sentence on those that were guessed.

    Args:
        columns: the column names of the file, in its order.
        asked: for each role (user, item, time) the column that was named, or None.
        path: named in errors.
        header: the names come from the first line of a text file, which is refused where it is a row.
        optional: roles that may have no column.
    """
    if header:
        _check_is_header(columns, asked, path)
    chosen = _chosen(columns, asked, path, optional)
    for role, column in chosen.items():
        if list(columns).count(column) > 1:
            raise InputError(f"{path} has {list(columns).count(column)} columns '{column}'; rename all but one")
        other = next(each for each in chosen if chosen[each] == column)
        if other != role:
            raise InputError(
                f"column '{column}' of {path} would be both the {other} and the {role}; "
                f"its columns are: {_listed(columns)}; name one for each with --{other} COL and --{role} COL"
            )
    notes = []
    for how, was_named in (("Guessed from the names", False), ("As named", True)):
        roles = [f"{role} from column '{chosen[role]}'" for role in chosen if bool(asked.get(role)) == was_named]
        notes += [f"{how}: {', '.join(roles)}."] if roles else []
    return chosen, notes


def _check_is_header(columns: Sequence[str], asked: Mapping[str, str | None], path: Path) -> None:
    """Refuses a first line that is a row: taken as names, its values would be lost."""
    named = {column for column in asked.values() if column}
    known = {name for names in USUAL_NAMES.values() for name in names}
    values = [column for column in columns if _VALUE.match(column)]
    if values and (named & set(values) or not any(plain(column) in known for column in columns)):
        shown = ",".join(dict.fromkeys([*asked][: len(columns)]))
        raise InputError(
            f"the first line of {path} is data and no header (it holds '{values[0]}'); its columns are: "
            f"{_listed(columns)}; put a line before it that names all {len(columns)}, such as {shown}"
            f"{',...' if len(columns) > len(asked) else ''}"
        )


def _chosen(
    columns: Sequence[str], asked: Mapping[str, str | None], path: Path, optional: Collection[str]
) -> dict[str, str]:
    """The column of each role, as named or guessed; all roles without one are named at once."""
    by_plain_name = {plain(column): column for column in reversed(columns)}  # the first of each name
    chosen, faults = dict[str, str](), list[str]()
    for role, usual in USUAL_NAMES.items():
        named = asked.get(role)
        guesses = [by_plain_name[name] for name in usual if name in by_plain_name]
        if named and named not in columns:
            faults.append(f"no column '{named}' for the {role}")
        elif named or guesses:
            chosen[role] = named or guesses[0]
        elif role not in optional:
            faults.append(f"no column that looks like the {role} (usual names: {', '.join(usual[:8])}, ...)")
    if faults:
        options = [
            f"--{role} COL" for role in USUAL_NAMES if role not in chosen and (asked.get(role) or role not in optional)
        ]
        one = "one of them" if len(options) == 1 else "one of them for each"
        raise InputError(
            f"{path} has {'; '.join(faults)}; its columns are: {_listed(columns)}; name {one} with {' '.join(options)}"
        )
    return chosen


def _listed(columns: Sequence[str], most: int = 20) -> str:
    shown = ", ".join(column if len(column) <= 40 else f"{column[:37]}..." for column in columns[:most])
    return shown + (f" and {len(columns) - most} more" if len(columns) > most else "")
