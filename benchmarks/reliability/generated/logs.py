"""A log before it is written: rows of text, what they say, and how they are to be read."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from benchmarks.reliability.generated import ids
from benchmarks.reliability.generated.forms import DATED, EPOCH, NUMBERS, Form, some_form, two_columns
from benchmarks.reliability.made_logs import Event

USUAL = {
    "user": [
        "user",
        "user_id",
        "userId",
        "USERID",
        "User ID",
        "uid",
        "visitorid",
        "customer_id",
        "CustomerID",
        "session_id",
    ],
    "item": [
        "item",
        "item_id",
        "itemId",
        "Item-ID",
        "ItemID",
        "iid",
        "movieId",
        "product.id",
        "asin",
        "StockCode",
        "sku",
    ],
    "time": ["time", "timestamp", "Timestamp", "ts", "datetime", "created_at", "event_time", "InvoiceDate", "date"],
}
ODD = {
    "user": ["who", "kunde", "a", "x 1"],
    "item": ["what", "artikel", "b", "x-2"],
    "time": ["when", "zeit", "c", "x.3"],
}
DECOYS = {"user": "session", "item": "song", "time": "reviewTime"}
"""Names that are usual too, but less so."""
Rule = Callable[[dict[str, str]], bool]


@dataclass(frozen=True)
class Log:
    """``rows`` of text, in columns of ``names``; ``kinds``: of the values of each, for formats that have types.

    ``places``: the column of each role; ``clock``, where the time is two columns. ``moments``: of each row; None where
    the cell is none. ``options``: how it is to be read, whatever the format; ``answers``: what is said if a message
    asks for it. ``where``: the rows that the options ask for. ``refuse``: why nothing can be read of it. ``ask``: it
    can be read, but only after a question. ``note``: what must be said.
    """

    names: list[str]
    kinds: list[str]
    rows: list[list[str]]
    places: dict[str, int]
    moments: list[int | None]
    form: Form
    options: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, Any] = field(default_factory=dict)
    where: Rule | None = None
    refuse: str = ""
    ask: bool = False
    note: str = ""

    def wanted(self, row: list[str]) -> bool:
        """Whether the options ask for this row."""
        return self.where is None or self.where(dict(zip(self.names, row, strict=False)))

    @property
    def timed(self) -> bool:
        """Whether it has times."""
        return "time" in self.places

    @property
    def faulty(self) -> bool:
        """Whether not all its rows have times as :attr:`moments` say."""
        return bool(self.refuse or self.ask or None in self.moments)

    @property
    def drops_untimed(self) -> bool:
        """Whether rows without a time are left out, at once or after a question."""
        return bool(self.options.get("drop_untimed") or self.answers.get("drop_untimed"))

    def events(self) -> list[Event] | None:
        """What is to be read, in order; None where it is to be refused."""
        if self.refuse:
            return None
        found: list[Event] = []
        had: dict[str, int] = {}
        keep = bool(self.options.get("keep_missing_ids"))
        for row, moment in zip(self.rows, self.moments, strict=True):
            user, item = (row[self.places[role]].strip() for role in ("user", "item"))
            if ids.is_missing(user, keep) or ids.is_missing(item, keep) or not self.wanted(row):
                continue
            if self.timed and moment is None:
                if self.drops_untimed:
                    continue
                return None
            found.append((user, item, had.get(user, 0) if moment is None else moment))
            had[user] = had.get(user, 0) + 1
        return found or None

    def cell(self, row: int, role: str, text: str) -> Log:
        """With another cell."""
        rows = [list(each) for each in self.rows]
        rows[row][self.places[role]] = text
        return replace(self, rows=rows)

    def named(self) -> Log:
        """With a name for the column that has none."""
        return replace(self, names=[name or "Unnamed: 0" for name in self.names])

    def untyped(self) -> Log:
        """With all columns of text."""
        return replace(self, kinds=["text"] * len(self.kinds))


def some_log(chance: random.Random, *, plain: bool = False, form: Form | None = None, timed: bool = True) -> Log:
    """Any log; ``plain``: of cells without white space, quotes and delimiters, none of them empty."""
    two = form is None and timed and not plain and chance.random() < 0.06
    form = form or (two_columns(chance) if two else _plain_form(chance) if plain else some_form(chance))
    count = chance.randint(20, 60)
    (user, user_is_int), (item, item_is_int) = ids.style(chance, plain), ids.style(chance, plain)
    moments = _moments(chance, count)
    cells: dict[str, list[str]] = {
        "user": [user(chance.randint(0, 7)) for _ in range(count)],
        "item": [item(chance.randint(0, 11)) for _ in range(count)],
    }
    kinds = {"user": "int" if user_is_int else "text", "item": "int" if item_is_int else "text"}
    if timed:
        written = [form.write(datetime.fromtimestamp(moment / 10**6, UTC), chance) for moment in moments]
        kinds["time"] = "number" if form in NUMBERS else "time"
        if two:
            cells["time"], cells["clock"] = map(list, zip(*(each.split("\x1f") for each in written), strict=True))
            kinds["time"] = kinds["clock"] = "text"
            moments = [form.read(each.replace("\x1f", " ")) or 0 for each in written]
        else:
            cells["time"] = written
            moments = [form.read(each.strip()) or 0 for each in written]
    log = _assemble(chance, cells, kinds, list(moments) if timed else [None] * count, form, plain)
    if chance.random() < 0.3 and not plain:
        log = _with_missing(log, chance)
    if chance.random() < 0.15 and not plain:
        log = _with_white(log, chance)
    return log if timed else replace(log, options={**log.options, "ordered": True})


def _plain_form(chance: random.Random) -> Form:
    plain = [each for each in NUMBERS if "spaces" not in each.name]
    return chance.choice([*plain, *(each for each in DATED if not set(each.name) & set(" ,"))][: len(plain) * 3])


def _moments(chance: random.Random, count: int) -> list[int]:
    """Microseconds: over a year, some days, decades, or the first days of months; some of them equal."""
    start = chance.randint(1990, 2022)
    first = datetime(start, chance.randint(1, 12), chance.randint(1, 28), tzinfo=UTC)
    length = chance.choice([86_400 * 365, 86_400 * 365, 86_400 * 3, 600, 86_400 * 365 * 8])
    last = datetime(2025, 6, 1, tzinfo=UTC)
    span = min(length, int((last - first).total_seconds()))
    base = int((first - EPOCH).total_seconds())
    found = [(base + chance.randint(0, span)) * 10**6 + chance.randint(0, 999_999) for _ in range(count)]
    if chance.random() < 0.05:
        days = [datetime.fromtimestamp(each / 10**6, UTC) for each in found]
        found = [int(day.replace(day=1 + day.day % 12).timestamp()) * 10**6 for day in days]
    if chance.random() < 0.3:
        found = [chance.choice(found) for _ in found]
    return sorted(found) if chance.random() < 0.5 else found


def _assemble(
    chance: random.Random,
    cells: dict[str, list[str]],
    kinds: dict[str, str],
    moments: list[int | None],
    form: Form,
    plain: bool,
) -> Log:
    """The columns of the roles among others, in any order, with usual names or others."""
    count = len(moments)
    names: dict[str, str] = {}
    options: dict[str, Any] = {}
    answers: dict[str, Any] = {}
    for role in cells:
        odd = chance.random() < 0.12
        names[role] = chance.choice((ODD if odd else USUAL)[role]) if role != "clock" else "time"
        if role == "time" and "clock" in cells:
            names[role] = chance.choice(["date", "day", "Date"])
        elif role != "clock":
            (options if odd and chance.random() < 0.5 else answers)[role] = names[role]
    columns = [(names[role], kinds[role], cells[role], role) for role in cells]
    if "clock" in cells:
        answers["time"] = f"{names['time']}+{names['clock']}"
    decoys = [
        (role, name) for role, name in DECOYS.items() if names.get(role) in USUAL[role] and chance.random() < 0.05
    ]
    for role, name in decoys:
        columns.append((name, "text", chance.sample(cells[role], count), ""))
    for name, kind, values in _others(chance, count, plain):
        if name not in names.values():
            columns.append((name, kind, values, ""))
    if chance.random() < 0.5:
        chance.shuffle(columns)
    if not plain and chance.random() < 0.1:
        columns.insert(0, ("", "int", [str(number) for number in range(count)], ""))
    places = {role: place for place, (_, _, _, role) in enumerate(columns) if role}
    rows = [list(row) for row in zip(*(values for _, _, values, _ in columns), strict=True)]
    if form.pattern:
        (options if form in DATED and chance.random() < 0.15 else answers)["time_format"] = form.pattern
    return Log(
        [name for name, _, _, _ in columns],
        [kind for _, kind, _, _ in columns],
        rows,
        places,
        moments,
        form,
        options,
        answers,
    )


def _others(chance: random.Random, count: int, plain: bool) -> list[tuple[str, str, list[str]]]:
    """Columns of no role."""
    each: list[tuple[str, str, Callable[[], str]]] = [
        (chance.choice(["rating", "stars"]), "number", lambda: str(chance.randint(1, 5))),
        ("price", "number", lambda: f"{chance.randint(1, 9999) / 100:.2f}"),
        (chance.choice(["event", "action"]), "text", lambda: chance.choice(["view", "cart", "purchase"])),
        ("lat", "number", lambda: f"{chance.uniform(-90, 90):.6f}"),
    ]
    if not plain:
        each += [
            ("title", "text", lambda: chance.choice(ids.TITLES)),
            ("genres", "text", lambda: chance.choice(["Drama", "Action|Comedy", "Sci-Fi, Horror"])),
            ("note", "text", lambda: ""),
            ("json", "text", lambda: chance.choice(['{"a": 1}', "[1, 2]", ""])),
            ("score 2", "number", lambda: chance.choice(["1.5", "2.0", "", "4"])),
        ]
    chosen = chance.sample(each, chance.randint(0, min(4, len(each))))
    return [(name, kind, [make() for _ in range(count)]) for name, kind, make in chosen]


def _with_missing(log: Log, chance: random.Random) -> Log:
    """Some rows whose user or item is missing."""
    keeps = chance.random() < 0.2
    for row in chance.sample(range(len(log.rows)), chance.randint(1, 6)):
        log = log.cell(row, chance.choice(["user", "item"]), ids.missing(chance))
    return replace(log, options={**log.options, "keep_missing_ids": True}) if keeps else log


def _with_white(log: Log, chance: random.Random) -> Log:
    """White space around some ids."""
    for row in chance.sample(range(len(log.rows)), 3):
        role = chance.choice(["user", "item"])
        around = chance.choice([" {}", "{} ", "\u00a0{}", "  {}  "])
        log = log.cell(row, role, around.format(log.rows[row][log.places[role]]))
    return log


def with_condition(log: Log, chance: random.Random) -> Log:
    """With a condition of SQL that some of its rows meet."""
    least = chance.randint(2, 4)
    rules: list[tuple[str, Rule]] = []
    for name in log.names:
        if name in ("rating", "stars"):
            rules.append((f"{name} >= {least}", lambda row: float(row.get("rating") or row["stars"]) >= least))
            rules.append((f"{name} BETWEEN 2 AND 3", lambda row: 2 <= float(row.get("rating") or row["stars"]) <= 3))
        elif name in ("event", "action"):
            rules.append((f"{name} = 'view'", lambda row: (row.get("event") or row["action"]) == "view"))
            rules.append((f"NOT {name} = 'cart'", lambda row: (row.get("event") or row["action"]) != "cart"))
            rules.append((f"{name} IN ('cart', 'x')", lambda row: (row.get("event") or row["action"]) == "cart"))
        elif name == "price":
            rules.append(("price < 50", lambda row: float(row["price"]) < 50))
        elif name == "score 2":
            rules.append(('"score 2" >= 2', lambda row: float(row.get("score 2") or 0) >= 2))
    if not rules:
        return log
    condition, rule = chance.choice(rules)
    return replace(log, options={**log.options, "where": condition}, where=rule)
