"""Histories are the same from every kind of source; what cannot be read is refused in one line."""

import gzip
import json

import numpy as np
import pandas as pd
import polars as pl
import pytest

from negsample.data.log import read
from negsample.errors import InputError
from negsample.serving.histories import Histories, read_histories

AT = 1_700_000_000_000_000
IDS = pl.Series(["A", "B", "C", "12"])
NUMBERS = pl.Series([5, 12, 7])
EVENTS = [
    ("ann", "B", 1_600_000_300),
    ("bob", "12", 1_600_000_200),
    ("ann", "A", 1_600_000_100),
    ("cy", "Z", 1_600_000_000),
    ("bob", "Z", 1_600_000_100),
    ("ann", "C", 1_600_000_300),
]
LONG = pl.DataFrame(EVENTS, schema=["user", "item", "time"], orient="row")
WIDE = LONG.group_by("user", maintain_order=True).agg(items="item", times="time")


@pytest.fixture(autouse=True)
def without_a_process_of_its_own(monkeypatch):
    """In which a Parquet file is tried first: starting it takes longer than the rest of a test."""
    monkeypatch.setattr(read, "try_to_read", lambda path, files, reading: None)


def people(found: Histories) -> dict[object, list[tuple[int, int]]]:
    pairs = list(zip(found.items.tolist(), found.times.tolist(), strict=True))
    spans = zip(found.keys, found.offsets, found.offsets[1:], strict=False)
    return {key: pairs[start:end] for key, start, end in spans}


def lines(rows) -> str:
    return "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows)


def deeper(row) -> dict[str, object]:
    return {"user": {"id": row["user"]}, "item": {"id": row["item"]}, "time": row["time"]}


def put(folder, name, content) -> str:
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return str(folder / name)


def parts(folder) -> str:
    (folder / "parts").mkdir()
    for number in range(2):
        LONG[3 * number : 3 * number + 3].write_csv(folder / "parts" / f"{number}.csv")
    return str(folder / "parts")


def parquet(folder) -> str:
    LONG.write_parquet(folder / "log.parquet")
    return str(folder / "log.parquet")


SOURCES = {
    "CSV": lambda folder: put(folder, "log.csv", LONG.write_csv()),
    "TSV": lambda folder: put(folder, "log.tsv", LONG.write_csv(separator="\t")),
    "gzip": lambda folder: put(folder, "log.csv.gz", gzip.compress(LONG.write_csv().encode())),
    "a folder of parts": parts,
    "Parquet": parquet,
    "JSON lines of people": lambda folder: put(folder, "people.jsonl", lines(WIDE.to_dicts())),
    "JSON lines of events": lambda folder: put(folder, "log.ndjson", lines(LONG.to_dicts())),
    "JSON lines with objects inside": lambda folder: put(folder, "log.jsonl", lines(map(deeper, LONG.to_dicts()))),
    "CR LF and blank lines": lambda folder: put(
        folder, "a.jsonl", "\ufeff" + lines(LONG.to_dicts()).replace("\n", "\r\n\r\n")
    ),
    "Polars, events": lambda _: LONG,
    "Polars, lists": lambda _: WIDE,
    "lazy, lists": lambda _: WIDE.lazy(),
    "pandas, events": lambda _: LONG.to_pandas(),
    "pandas, lists": lambda _: pd.DataFrame(WIDE.to_dict(as_series=False)),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_every_source_gives_the_same_histories(tmp_path, kind):
    found = read_histories(SOURCES[kind](tmp_path), IDS, at=AT)
    assert people(found) == {
        "ann": [(1, 1_600_000_100_000_000), (2, 1_600_000_300_000_000), (3, 1_600_000_300_000_000)],
        "bob": [(4, 1_600_000_200_000_000)],
        "cy": [],
    }
    assert found.unknown == 2
    assert "2 of 6 items left out: the model has none such as 'Z'; its items are such as 'A'." in found.notes
    assert all(each.dtype == np.int64 for each in (found.items, found.times, found.offsets))


WITHOUT_TIMES = {
    "CSV": lambda folder: put(folder, "log.csv", "user,item\nann,B\nbob,Z\nann,A\ncy,12\n"),
    "JSON lines of people": lambda folder: put(
        folder, "people.jsonl", lines({"user": user, "items": had} for user, had in LISTS.items())
    ),
    "JSON lines of events": lambda folder: put(
        folder, "log.jsonl", lines({"user": user, "item": item} for user, had in LISTS.items() for item in had)
    ),
    "a mapping": lambda _: LISTS,
    "arrays": lambda _: {user: np.array([str(each) for each in had]) for user, had in LISTS.items()},
    "Polars, lists": lambda _: pl.DataFrame({"user": [*LISTS], "items": [["B", "A"], ["Z"], ["12"]]}),
    "Polars, arrays": lambda _: pl.DataFrame(
        {"user": [*LISTS], "items": pl.Series([["B", "A"], ["Z", "Z"], ["Z", "12"]], dtype=pl.Array(pl.String, 2))}
    ),
}
LISTS = {"ann": ["B", "A"], "bob": ["Z"], "cy": [12]}


@pytest.mark.parametrize("kind", WITHOUT_TIMES)
def test_without_times_the_order_is_that_of_the_rows(tmp_path, kind):
    found = read_histories(WITHOUT_TIMES[kind](tmp_path), IDS, at=AT)
    assert people(found) == {"ann": [(2, AT - 1), (1, AT - 1)], "bob": [], "cy": [(4, AT - 1)]}
    assert found.notes[-1] == (
        "No times: each person's items are in order, and all are taken to be just before 2023-11-14T22:13:20."
    )


def test_people_without_a_name_are_called_by_their_number(tmp_path):
    for source in (
        [["A"], [], ("B",)],
        put(tmp_path, "a.jsonl", '{"items": ["A"]}\n{"items": []}\n{"items": ["B"]}'),
        pl.DataFrame({"items": [["A"], [], ["B"]]}),
    ):
        found = read_histories(source, IDS, at=AT)
        assert people(found) == {1: [(1, AT - 1)], 2: [], 3: [(2, AT - 1)]}
    blank = put(tmp_path, "b.jsonl", '\n{"items": ["A"]}\n\n{"user": "x", "items": []}\n')
    assert read_histories(blank, IDS, at=AT).keys.to_list() == ["2", "x"]


def test_ids_match_where_their_text_is_the_same():
    def had(items, ids):
        return read_histories([items], ids, at=AT).items.tolist()

    assert had([5, "12", " 7 "], NUMBERS) == had(["5", "12", "7"], NUMBERS) == had([5, 12, 7], NUMBERS) == [1, 2, 3]
    assert had(["012", "+5", "7.0", 2**70], NUMBERS) == []
    assert had([np.int64(12), np.str_("A")], IDS) == [4, 1]
    assert had([12, 7], pl.Series(["012", "12", "7 "])) == [2]
    floats = pl.DataFrame({"user": [1.0], "item": [12.0]})
    assert read_histories(floats, NUMBERS, at=AT).items.tolist() == [2]
    assert read_histories(floats, IDS, at=AT).items.tolist() == [4]


def test_columns_are_named_or_guessed(tmp_path):
    path = put(tmp_path, "a.jsonl", '{"who": "ann", "had": ["A", "B"], "on": ["2020-01-02", "2020-01-01T00:00:00Z"]}')
    found = read_histories(path, IDS, user="who", item="had", time="on", at=AT)
    assert people(found) == {"ann": [(2, 1_577_836_800_000_000), (1, 1_577_923_200_000_000)]}
    frame = pl.DataFrame({"customer": [3], "sku": ["A"], "sold_at": [1_600_000_000]})
    assert people(read_histories(frame, IDS, time="sold_at", at=AT)) == {3: [(1, 1_600_000_000_000_000)]}
    assert read_histories(frame, IDS, at=AT).notes[0].startswith("Guessed from the names: user from column 'customer'")


def test_nobody_has_an_item():
    for source in ({"ann": [], "bob": []}, pl.DataFrame({"user": ["ann", "bob"], "items": [[], []]})):
        found = read_histories(source, IDS, at=AT)
        assert people(found) == {"ann": [], "bob": []}
        assert found.notes == []
    assert people(read_histories({"ann": ["Z"]}, IDS, at=AT)) == {"ann": []}


def test_some_of_the_people():
    found = read_histories({"ann": ["A"], "bob": ["B", "C"], "cy": ["A"]}, IDS, at=AT)
    assert people(found.take(1, 3)) == {"bob": [(2, AT - 1), (3, AT - 1)], "cy": [(1, AT - 1)]}


BAD_LINES = {
    '{"user": "ann", "items": ["A"]}\n{"user": "ann", "items": ["B"]}': ["line 2: 'ann' is the user of", "line 1 too"],
    '{"user": 1, "items": ["A"]}\n{"user": "1", "items": ["B"]}': ["line 2: '1' is the user of"],
    '{"items": ["A", null]}': ["line 1: item in 'items' is None; an id is text or a whole number"],
    '{"items": ["A", 1.5]}': ["item in 'items' is 1.5"],
    '{"items": ["A", NaN]}': ["item in 'items' is nan"],
    '{"items": [true]}': ["item in 'items' is True"],
    '{"items": [["A"]]}': ["item in 'items' is a list"],
    '{"items": [{"id": "A"}]}': ["item in 'items' is a dict"],
    '{"items": ["A"]}\n\n{"items": ["A", " "]}': ["line 3: an item in 'items' is empty"],
    '{"items": ["A\\u0000"]}': ["line 1: item in column 'items' is 'A\\x00'; an id holds no"],
    '{"items": ["\\ud800"]}': ["line 1: item in 'items' is '\\ud800'"],
    '{"user": null, "items": []}': ["user in 'user' is None"],
    '{"user": {"id": 1}, "items": []}': ["user in 'user' is a dict"],
    '{"user": "", "items": []}': ["user in 'user' is ''"],
    '{"items": ["A"]}\n{"items": "B"}': ["line 2: 'items' is 'B'; it must be a list"],
    '{"items": ["A"]}\n{"item": "B"}': ["line 2 has a field 'item'", "'user', 'items', 'times'"],
    '{"items": ["A"]}\n{"user": "B"}': ["line 2: 'items' is None; it must be a list"],
    '{"items": ["A"], "times": 5}': ["line 1: 'times' is 5; it must be a list"],
    '{"items": ["A", "B"], "times": [1600000000]}': ["line 1 has 2 in 'items' and 1 in 'times'; give a time for each"],
    '{"items": ["A"], "times": [1600000000]}\n{"items": ["B"]}': ["line 2: time in column 'times' is empty"],
    '{"items": ["A"], "times": [null]}': ["line 1: time in column 'times' is empty"],
    '{"items": ["A"], "times": [false]}': ["line 1: time in 'times' is False; a time is a number of seconds"],
    '{"items": ["A"], "times": ["soon"]}': ["line 1: time in column 'times' is 'soon'"],
    '{"items": ["A", "B"], "times": [1600000000, NaN]}': ["line 1: time in column 'times' is 'nan'"],
    '{"items": ["A", "B"], "times": [1600000000, 5]}': ["line 1: time in column 'times' is 5", "before 1980"],
    '{"items": ["A"], "times": [4000000000]}': ["2096-10-02", "in the future"],
    '{"user": "ann", "item": "A"}\n{"item": "B"}': ["line 2: user in 'user' is None"],
    '{"user": "ann", "item": "A", "time": 1600000000}\n{"user": "bob", "item": "B"}': ["line 2: time in", "is empty"],
    '{"user": "ann", "had": ["A"]}': ["no column that looks like the item", "its columns are: user, had", "--item COL"],
    '[["A"]]': ["line 1 cannot be read (it is no object)", '"items": ["A", "B"]'],
    '{"items": ["A"]}\n{"items": ["B"': ["line 2 cannot be read (Expecting"],
    '{"items": ["A"]} {"items": ["B"]}': ["line 1 cannot be read (Extra data)"],
    "[" * 100_000: ["line 1 cannot be read (maximum recursion depth"],
    '{"items": [' + "1" * 5000 + "]}": ["line 1 cannot be read (Exceeds the limit (4300 digits)"],
    '{"user": "' + "a" * 10**6 + '", "items": [null]}': ["item in 'items' is None"],
    '{"items": ["' + "a" * 10**6 + '", 0.5]}': ["item in 'items' is 0.5"],
    '{"items": [], "x": ' + "9" * 10**6 + "}": ["line 1 cannot be read"],
    '{"items": ["A"]}\n{"user": "x", "items": ["A"], "timestamps": ["2020-01-01"]}': [
        "line 2 has a field 'timestamps'",
        "'user', 'items', 'times'; rename it or leave it out",
    ],
    "": ["is empty", '"items": ["A", "B"]'],
    "\n \r\n": ["is empty"],
}


def refusal(source, **options) -> str:
    with pytest.raises(InputError) as caught:
        read_histories(source, IDS, at=AT, **options)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 700
    return str(caught.value)


@pytest.mark.parametrize("text", BAD_LINES, ids=lambda text: repr(text[:60]))
def test_bad_lines_of_json(tmp_path, text):
    message = refusal(put(tmp_path, "people.jsonl", text))
    assert str(tmp_path / "people.jsonl") in message
    assert all(words in message for words in BAD_LINES[text])


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.jsonl", b'{"items": ["A"]}\n{"items": ["\xff"]}\n', "is not UTF-8 text (see line 2)"),
        ("a.jsonl", '{"items": ["A"]}\n'.encode("utf-16"), "is not UTF-8 text"),
        ("a.json", "{}", "its objects have no fields with plain values"),
        ("a.csv", "", "is empty; a log needs a first line"),
        ("a.csv", "user,item\n", "has a header but no rows"),
        ("a.csv", "user,thing\nann,A\n", "has no column that looks like the item"),
        ("a.csv", "user,item,time\nann,A,soon\n", "row 1 (line 2): time in column 'time' is 'soon'"),
        ("a.csv", f"user,item,time\nann,A,{'9' * 10**6}\n", "row 1 (line 2): time in column 'time' is '9999"),
        ("a.csv", "user,item\n,A\nann,\n", "no row has a user (column 'user') and an item ('item')"),
        ("a.csv", b"user,item\nann,\xff\n", "is not UTF-8 text (see line 2)"),
        ("a.parquet", "user,item\nann,A\n", "cannot be read"),
    ],
)
def test_bad_files(tmp_path, name, content, words):
    assert words in refusal(put(tmp_path, name, content))


def test_no_files(tmp_path):
    for name in ("none.jsonl", "none.csv", "none", "\0.jsonl"):
        assert "does not exist" in refusal(tmp_path / name)
    assert "name too long" in refusal("/" + "a" * 300 + ".jsonl")
    assert "name of the log is empty" in refusal("")
    (tmp_path / "folder.jsonl").mkdir()
    assert "holds no log file" in refusal(tmp_path / "folder.jsonl")


@pytest.mark.parametrize("kind", [pl.DataFrame, pl.LazyFrame, pd.DataFrame])
@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"items": [["A", None], ["B"]]}, "row 1: an item in 'items' is empty"),
        ({"items": [["A"], None]}, "row 2: 'items' is None; it must be a list"),
        ({"items": [[1.0], [2.5]]}, "row 2: item in column 'items' is 2.5; an id is text or a whole number"),
        ({"items": [[1.0], [float("nan")]]}, "row 2: an item in 'items' is empty"),
        ({"items": [[["A"]], [["B"]]]}, "column 'items' of"),
        ({"user": [1, 1], "items": [["A"], ["B"]]}, "row 2: 1 is the user of"),
        ({"user": [1.5, 2.5], "items": [["A"], ["B"]]}, "row 1: user in 'user' is 1.5"),
        ({"user": ["ann", None], "items": [["A"], ["B"]]}, "row 2: user in 'user' is None"),
        ({"user": [[1], [2]], "items": [["A"], ["B"]]}, "column 'user' of"),
        ({"items": [["A"], ["B"]], "times": [1, 2]}, "column 'times' of"),
        ({"items": [["A"], ["B"]], "times": [[1_600_000_000], []]}, "row 2 has 1 in 'items' and 0 in 'times'"),
        ({"items": [["A"], ["B"]], "times": [[1_600_000_000], [5]]}, "row 2: time in column 'times' is 5"),
        ({"had": [["A"], ["B"]]}, "no column that looks like the item"),
        ({"user": [], "items": []}, "has no rows"),
    ],
)
def test_bad_frames(kind, columns, words):
    message = refusal(kind(columns))
    assert words in message
    assert kind.__name__ in message


def test_bad_lists():
    assert refusal({}).startswith("no person in the dict; give items by person")
    assert refusal([]).startswith("no person in the list")
    assert "list, row 1: 'items' is 'A'; it must be a list" in refusal(["A", "B"])
    assert "dict, row 2: 'items' is 'AB'" in refusal({"ann": [], "bob": "AB"})
    assert "dict, row 1: 'items' is a set" in refusal({"ann": {"A"}})
    assert "dict, row 2: '1' is the user of dict, row 1 too" in refusal({1: ["A"], "1": ["B"]})
    assert "dict, row 1: user in 'user' is a tuple" in refusal({(1, 2): ["A"]})
    circle: list[object] = []
    circle.append(circle)
    assert "item in 'items' is a list" in refusal([circle])
    for source in (5, None, b"A", {"A"}, (each for each in [["A"]])):
        assert refusal(source).startswith("histories are a file, a frame of Polars or pandas, or lists of items as")
    with pytest.raises(InputError, match="at must be a whole number from 1"):
        read_histories([["A"]], IDS, at=0)


def slow(events, ids, at) -> tuple[dict[str, list[tuple[int, int]]], int]:
    """Histories of (user, item, microseconds or None), one event after another."""
    numbers = {str(each): number for number, each in enumerate(ids, 1)}
    found: dict[str, list[tuple[int, int]]] = {}
    unknown = 0
    for user, item, time in events:
        of_user = found.setdefault(str(user).strip(), [])
        number = numbers.get(str(item).strip())
        unknown += number is None
        of_user += [] if number is None else [(number, at - 1 if time is None else time)]
    return {user: sorted(had, key=lambda event: event[1]) for user, had in found.items()}, unknown


@pytest.mark.parametrize("seed", range(40))
def test_as_a_slow_reader(tmp_path, seed):
    draws = np.random.default_rng(seed)
    events, users = int(draws.integers(1, 300)), int(draws.integers(1, 40))
    of_model = [f"i{each}" if draws.random() < 0.5 else each for each in draws.permutation(30).tolist()]
    ids = pl.Series(draws.permutation(30)) if draws.random() < 0.5 else pl.Series([*map(str, of_model)])
    given = [each if isinstance(each, str) or draws.random() < 0.5 else f" {each}" for each in [*of_model, 77, "x"]]
    user, item = draws.integers(0, users, events).tolist(), [given[each] for each in draws.integers(0, 32, events)]
    time = (1_600_000_000 + draws.integers(0, 50, events)).tolist()
    timed, kind = draws.random() < 0.7, seed % 5
    rows = [
        {"user": user[each], "item": item[each]} | ({"time": time[each]} if timed else {}) for each in range(events)
    ]
    expected, unknown = slow(
        [(row["user"], row["item"], row["time"] * 10**6 if timed else None) for row in rows], ids, AT
    )
    long = pl.DataFrame(rows, schema_overrides={"item": pl.String}, strict=False)
    wide = long.group_by("user", maintain_order=True).all().rename({"item": "items", "time": "times"}, strict=False)
    source = [
        lambda: put(tmp_path, "a.csv", long.write_csv()),
        lambda: put(tmp_path, "a.jsonl", lines(rows)),
        lambda: put(tmp_path, "b.jsonl", lines(wide.to_dicts())),
        lambda: long.lazy(),
        lambda: wide,
    ][kind]()
    found = read_histories(source, ids, at=AT)
    assert {str(key): had for key, had in people(found).items()} == expected
    assert [str(key) for key in found.keys] == [*expected]
    assert found.unknown == unknown


def test_damaged_lines_are_read_or_refused_in_one_line(tmp_path):
    draws = np.random.default_rng(0)
    whole = lines(WIDE.to_dicts()).encode()
    outcomes = {"read": 0, "refused": 0}
    for _ in range(400):
        text = bytearray(whole)
        for at in draws.integers(0, len(text), draws.integers(1, 4)):
            text[at] = draws.choice([*b'{}[]",:\n\\ 0n', int(draws.integers(256))])
        put(tmp_path, "a.jsonl", bytes(text))
        try:
            read_histories(tmp_path / "a.jsonl", IDS, at=AT)
            outcomes["read"] += 1
        except InputError:
            refusal(tmp_path / "a.jsonl")
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 20
