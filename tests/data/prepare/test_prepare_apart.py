"""A log in files, prepared in pieces: the folder of one that is prepared at once, to the last byte.

Each function and what it takes goes through pickle, as to another process, and is called twice, as when a worker is
lost whose work was done.
"""

from __future__ import annotations

import bz2
import pickle
import random

import numpy as np
import polars as pl
import pytest

from negsample.data import blocks
from negsample.data.each import here
from negsample.data.log import apart
from negsample.data.log.apart import files_apart
from negsample.data.log.read import read_log
from negsample.data.log.reading import Reading
from negsample.data.prepare.exchange import pieces_of
from negsample.data.prepare.merging import cuts
from negsample.data.prepare.pipeline import prepare, prepare_apart
from negsample.errors import InputError
from negsample.settings import PrepareSettings


@pytest.fixture(autouse=True)
def without_a_process_of_its_own(monkeypatch):
    monkeypatch.setattr(apart, "try_to_read", lambda path, files, reading: None)


def elsewhere(function, arguments):
    for argument in list(arguments):
        function_there, argument_there = pickle.loads(pickle.dumps((function, argument)))
        pickle.dumps(function_there(argument_there))
        yield pickle.loads(pickle.dumps(function_there(argument_there)))


def random_frame(rng, text):
    """Ties, duplicates, users of very different length and one with a third of the events."""
    n, users, items, moments = rng.randrange(60, 400), rng.randrange(3, 40), rng.randrange(2, 50), rng.randrange(8, 200)
    rows = {name: [] for name in ("user", "item", "time", "units", "stars", "part")}
    for _ in range(n):
        who = 0 if rng.random() < 0.3 else int(users * rng.random() ** 2)
        what, when = int(items * rng.random() ** 2), 1_600_000_000 + 3600 * rng.randrange(moments)
        rows["user"].append(f"é{who * 977}" if text else who * 977 - 4_000)
        rows["item"].append(f"{what * 31 % 101:+d}" if text else what * 31 % 101 - 50)
        rows["time"].append(when)
        rows["units"].append(rng.randrange(1, 9))
        rows["stars"].append(rng.randrange(1, 6))
        rows["part"].append("train" if when < 1_600_000_000 + 2400 * moments else rng.choice(["valid", "test"]))
    return pl.DataFrame(rows)


def random_settings(rng):
    split = rng.choice(["timestamp", "paper", "paper", "leave-one-out", "given"])
    shares = {"valid_fraction": rng.choice([0.05, 0.2]), "test_fraction": rng.choice([0.05, 0.1, 0.3])}
    return PrepareSettings(
        split=split,
        cold=rng.choice(["keep", "drop"]),
        min_user_events=rng.choice([1, 1, 2, 5]),
        min_item_events=rng.choice([1, 1, 2, 4]),
        k_core=rng.choice([1, 1, 2, 3]),
        drop_duplicates=rng.random() < 0.3,
        drop_repeats=rng.choice([None, None, "consecutive", "all"]),
        weight=rng.choice([None, "units"]),
        where=rng.choice([None, None, "stars >= 2"]),
        split_column="part" if split == "given" else None,
        **(shares if split in ("timestamp", "paper") else {}),
    )


def write_parts(frame, rng, folder):
    """In files of very different sizes, in one of the formats that are read by part."""
    folder.mkdir()
    cuts = sorted(rng.sample(range(1, len(frame)), rng.randrange(5)))
    ending = rng.choice(["parquet", "csv", "jsonl", "arrow"])
    for number, (begin, end) in enumerate(zip([0, *cuts], [*cuts, len(frame)], strict=True)):
        part, path = frame[begin:end], folder / f"{number}.{ending}"
        {
            "parquet": part.write_parquet,
            "csv": part.write_csv,
            "jsonl": part.write_ndjson,
            "arrow": part.write_ipc,
        }[ending](path)
    return folder


def prepared_apart(log, settings, folder, most=10**6):
    prepare_apart(*files_apart(log, Reading(**settings.reading())), settings, folder, elsewhere, most)


def outcome(make, folder):
    """What is in the folder, or what was said against it."""
    try:
        make()
    except InputError as error:
        assert not folder.exists()
        return str(error).replace(str(folder), "OUT")
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("seed", range(16))
def test_the_same_bytes(tmp_path, monkeypatch, seed):
    rng = random.Random(seed)
    log, settings = write_parts(random_frame(rng, seed % 2), rng, tmp_path / "log"), random_settings(rng)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    expected = outcome(lambda: prepare(read_log(log, **settings.reading()), settings, whole), whole)
    most = rng.choice([25, 50, 50, 10**6])
    monkeypatch.setattr(blocks, "BLOCK", rng.choice([10, 50, 1 << 22]))
    assert outcome(lambda: prepared_apart(log, settings, parts, most), parts) == expected
    assert {each.name for each in tmp_path.iterdir()} <= {"log", "whole", "parts"}


def rows(n=60, /, **more):
    """Events of a few users, one after another."""
    made = {
        "user": [f"u{number % 7}" for number in range(n)],
        "item": [number * 3 % 11 for number in range(n)],
        "time": [1_600_000_000 + 60 * number for number in range(n)],
    }
    return pl.DataFrame(
        made | {name: value if isinstance(value, list) else [value] * n for name, value in more.items()}
    )


LATER = rows().with_columns(pl.col("time") + 10**6)
HOSTILE = {
    "a broken part": (lambda path: path.write_bytes(path.read_bytes()[:-900]), "{}", "cannot be read"),
    "other columns": (rows().rename({"item": "thing"}), "{}", "has other columns than"),
    "another type": (rows().with_columns(time=pl.lit("2020-01-01")), "{}", "is of type String"),
    "another unit of time": (LATER.with_columns(pl.col("time") * 1000), "{}", "parts in different units"),
    "no rows": (rows(0), "{}", None),
    "no time": (LATER.with_columns(time=pl.when(pl.col("item") > 0).then("time")), "{}", "is empty"),
    "no weight": (LATER.with_columns(units=pl.lit(0)), {"weight": "units"}, "a weight is a whole number"),
    "no part": (LATER.with_columns(part=pl.lit("x")), {"split": "given", "split_column": "part"}, "a part is train"),
    "no part at all": (LATER, {"split": "given", "split_column": "part"}, "no event of log is of the valid part"),
    "parts out of order": (
        rows().with_columns(part=pl.Series(["test", "valid"] * 30)),
        {"split": "given", "split_column": "part"},
        "of 7 users of log, such as 'u0', have an event of one part later",
    ),
    "nothing left": (LATER, {"k_core": 99}, "no event of log is left"),
    "too few of each": (LATER, {"min_user_events": 99}, "no event of log is left"),
    "one time": (rows().with_columns(time=pl.lit(1_600_000_000)), {"where": "stars = 2"}, "all have the same one"),
    "no test": (LATER, {"cold": "drop", "where": "stars = 2 OR time < 1600000000"}, None),
    "rows that nobody wants": (LATER, {"where": "stars = 1"}, None),
    "ids that say missing": (LATER.with_columns(user=pl.Series(["NA", "u1", None] * 20)), {}, None),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_logs_come_to_the_same(tmp_path, what):
    """Refused in the same words, or prepared to the same bytes; the odd file is the second of three."""
    odd, settings, words = HOSTILE[what]
    folder, more = tmp_path / "log", {"units": 1, "part": "train"}
    folder.mkdir()
    for number, part in enumerate((rows(stars=1, **more), rows(stars=2, **more), rows(stars=3, **more))):
        part.write_parquet(folder / f"{number}.parquet")
    if callable(odd):
        odd(folder / "1.parquet")
    else:
        missing = {name: pl.lit(value) for name, value in (more | {"stars": 2}).items() if name not in odd.columns}
        odd.with_columns(**missing).write_parquet(folder / "1.parquet")
    chosen = PrepareSettings(**({} if settings == "{}" else settings))
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    expected = outcome(lambda: prepare(read_log(folder, **chosen.reading()), chosen, whole), whole)
    assert outcome(lambda: prepared_apart(folder, chosen, parts, 30), parts) == expected
    assert words in expected if words else "manifest.json" in expected


def test_what_is_read_as_a_whole_is_refused(tmp_path):
    (tmp_path / "list.json").write_text('[{"user": 1, "item": 2, "time": 1600000000}]')
    (tmp_path / "log.csv.bz2").write_bytes(bz2.compress(b"user,item,time\n1,2,1600000000\n"))
    (tmp_path / "log.db").write_bytes(b"SQLite format 3\0")
    rows(60).drop("time").write_csv(tmp_path / "ordered.csv")
    for log, settings, words in (
        ("list.json", {}, "is a JSON list, which is read as a whole; write lines, or leave out --on ray"),
        ("log.csv.bz2", {}, "is compressed by bzip2 or xz, which has to be unpacked first"),
        ("log.db", {}, "is SQLite, which has to be unpacked first"),
        ("ordered.csv", {"sequences": True}, "--sequences is read as a whole; leave out --on ray"),
        ("ordered.csv", {"encoding": "latin-1"}, "--encoding is read as a whole"),
        ("ordered.csv", {"split": "leave-one-out"}, "has no times, and the order of its rows is that of the whole log"),
    ):
        with pytest.raises(InputError, match=words):
            prepared_apart(tmp_path / log, PrepareSettings(**settings), tmp_path / "out")
    for log in ("-", "s3://bucket/log.parquet"):
        with pytest.raises(InputError, match="--on ray reads files that all nodes see, got"):
            prepared_apart(log, PrepareSettings(), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("seed", range(20))
def test_cuts_of_sorted_arrays(seed):
    rng = np.random.default_rng(seed)
    arrays = [np.sort(rng.integers(-3, rng.choice([4, 10**12]), rng.integers(0, 9))) for _ in range(4)]
    every = np.sort(np.concatenate(arrays))
    for before in range(len(every) + 1):
        cut = cuts(arrays, before)
        left = np.concatenate([each[:at] for each, at in zip(arrays, cut, strict=True)])
        assert np.sort(left).tolist() == every[:before].tolist()


def test_pieces_are_as_large_as_they_should_be(tmp_path):
    """But for one user's events, which are never divided: here a tenth of all."""
    rng = np.random.default_rng(0)
    user = np.where(rng.random(40_000) < 0.1, 7, rng.integers(0, 3_000, 40_000))
    frame = pl.DataFrame({"user": user, "item": rng.integers(0, 50, 40_000), "time": np.arange(40_000) + 1_600_000_000})
    for number in range(4):
        frame[number * 10_000 : (number + 1) * 10_000].write_parquet(tmp_path / f"{number}.parquet")
    place = tmp_path / "place"
    place.mkdir()
    pieces, _ = pieces_of(read_log(tmp_path / "*.parquet"), False, place, here, 2_000)
    sizes = [piece.events for piece in pieces]
    assert sum(sizes) == 40_000
    assert sorted(sizes)[-1] < 0.11 * 40_000 + 2_000
    assert sorted(sizes)[-2] < 1.1 * 2_000
    assert [piece.name for piece in place.iterdir() if piece.name == "files"] == []
