"""A split that the log says: in a column or in the names of its files; whether it is one in time is found out."""

import random
from itertools import pairwise

import polars as pl
import pytest

from negsample.data import blocks
from negsample.data.load import load_dataset
from negsample.data.log.read import Log, read_log
from negsample.data.prepare.pipeline import prepare
from negsample.errors import InputError
from negsample.settings import PrepareSettings, checked

START = 1_600_000_000
GIVEN = PrepareSettings(split="given", split_column="set")
NAMES = (["train", "Training", "0"], ["valid", "validation", "VAL", "dev", "1"], ["test", " Test ", "2"])


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NEGSAMPLE_CACHE", str(tmp_path / "cache"))


def rows_of(rng, users=12):
    """Users whose parts follow each other, with ties within and across parts, in any order."""
    rows = []
    for user in range(users):
        times = sorted(rng.randrange(12) for _ in range(3 + user))
        parts = sorted([0, 1, 2, *(rng.choice([0, 0, 0, 1, 2]) for _ in range(user))])
        rows += [(f"u{user}", rng.randrange(9), START + time, part) for time, part in zip(times, parts, strict=True)]
    rng.shuffle(rows)
    return rows


def log_of(rows):
    schema = {"user": pl.String, "item": pl.Int64, "time": pl.Int64, "part": pl.Int8}
    return Log(pl.LazyFrame(rows, schema, orient="row"), "log", [])


def slow(rows):
    """Of each user the items of each part: by time, at one time by part, at one part by row."""
    found = {}
    for user in sorted({row[0] for row in rows}):
        own = sorted((row for row in rows if row[0] == user), key=lambda row: (row[2], row[3]))
        found[user] = tuple([item for _, item, _, of in own if of == part] for part in range(3))
    return found


def parts_of(data):
    ids = data.item_ids().to_list()
    items = [ids[item - 1] for item in data.items]
    bounds = zip(data.offsets[:-1], data.train_ends, data.valid_ends, data.offsets[1:], strict=True)
    return {
        user: tuple(items[begin:end] for begin, end in pairwise(at))
        for user, at in zip(data.user_ids().to_list(), bounds, strict=True)
    }


@pytest.mark.parametrize("block", [1, 5, 32, 1 << 22])
def test_against_the_slow_version(tmp_path, monkeypatch, block):
    monkeypatch.setattr(blocks, "BLOCK", block)
    for seed in range(2):
        rows = rows_of(random.Random(seed))
        data = prepare(log_of(rows), PrepareSettings(split="given"), tmp_path / f"{seed}")
        assert parts_of(data) == slow(rows)
        train = [item for train, *_ in slow(rows).values() for item in train]
        assert data.train_counts[1:].tolist() == [train.count(item) for item in data.item_ids().to_list()]


def test_a_split_that_is_not_in_time_says_how_much_is_later(tmp_path):
    rows = rows_of(random.Random(0))
    first = min(time for *_, time, part in rows if part == 2)
    earlier = [time for *_, time, part in rows if part < 2]
    about = prepare(log_of(rows), PrepareSettings(split="given"), tmp_path / "a").manifest
    assert (
        about.notes[0]
        == about.not_in_time
        == (
            f"{sum(time > first for time in earlier)} of {len(earlier)} train and validation events are later than the "
            "first test event; other users' later events were trained on, so figures say nothing about the future."
        )
    )
    assert (about.valid_start, about.test_start) == (None, None)


def test_a_validation_part_that_is_not_in_time(tmp_path):
    """Each user's last event before the test is validation, and the test is in time."""
    rows = [("a", 1, 1, 0), ("a", 2, 2, 1), ("a", 1, 90, 2)]
    rows += [("b", 1, 5, 0), ("b", 2, 6, 0), ("b", 1, 7, 1), ("b", 1, 91, 2)]
    data = prepare(log_of(rows), PrepareSettings(split="given"), tmp_path / "a")
    assert not data.in_time
    assert data.manifest.notes[0] == (
        "2 of 3 train events are later than the first validation event, so that what is chosen on validation is not "
        "chosen for the future; the test events are later than all that is trained on."
    )


def frame_of(rows, words=False):
    frame = pl.DataFrame(rows, {"user": pl.String, "item": pl.Int64, "time": pl.Int64, "set": pl.Int64}, orient="row")
    named = [NAMES[part][at % len(NAMES[part])] for at, part in enumerate(frame["set"])]
    return frame.with_columns(set=pl.Series(named)) if words else frame


def in_time(rows=600):
    rng = random.Random(1)
    found = [(f"u{rng.randrange(25)}", rng.randrange(30), START + at // 2) for at in range(rows)]
    cuts = START + 0.9 * rows // 2, START + 0.95 * rows // 2
    return [(*row, sum(row[2] >= cut for cut in cuts)) for row in found]


@pytest.mark.parametrize("words", [False, True])
def test_a_cut_in_time_is_the_dataset_of_that_cut(words, tmp_path):
    """Whatever the order of the rows; so everything works as with it."""
    rows = in_time()
    expected = load_dataset(frame_of(rows).drop("set"))
    rows.sort(key=lambda row: row[0])  # at one time a user's rows stay in their order
    found = load_dataset(frame_of(rows, words), GIVEN)
    assert found.fingerprint == expected.fingerprint
    assert found.in_time
    starts = ("valid_start", "test_start", "train_events", "valid_events", "test_events")
    assert [getattr(found.manifest, each) for each in starts] == [getattr(expected.manifest, each) for each in starts]
    assert "As named: the part from column 'set'." in found.manifest.notes


def test_a_folder_whose_files_say_the_parts(tmp_path):
    rows = in_time()
    folder = tmp_path / "shop"
    folder.mkdir()
    for part, name in enumerate(("shop.train.csv", "shop_val.csv", "a-TEST-0.csv")):
        frame_of([row for row in rows if row[3] == part]).drop("set").write_csv(folder / name)
    found = load_dataset(folder, PrepareSettings(split="given"))
    with_text = frame_of(rows).with_columns(pl.col("item").cast(pl.String))  # as ids in text files are
    assert found.fingerprint == load_dataset(with_text, GIVEN).fingerprint
    assert "By their names: train from shop.train.csv; valid from shop_val.csv; test from a-TEST-0.csv." in (
        found.manifest.notes
    )
    (folder / "more.csv").write_text("user,item,time\nu1,1,1600000000\n")
    with pytest.raises(InputError, match=r"more.csv in .*shop says no part; .*--split-column COL \(columns: user"):
        read_log(folder, given=True)
    (folder / "more.csv").rename(folder / "train-and-test.csv")
    with pytest.raises(InputError, match=r"train-and-test.csv in .* says more than one part"):
        read_log(folder, given=True)


def test_without_times_rows_are_in_the_order_of_the_parts(tmp_path):
    rows = [("test", "a", 3), ("train", "a", 1), ("dev", "a", 2), ("train", "a", 9), ("0", "b", 5), ("0", "b", 6)]
    frame = pl.DataFrame(rows, ["set", "user", "item"], orient="row")
    data = load_dataset(frame, GIVEN)
    assert parts_of(data) == {"a": ([1, 9], [2], [3]), "b": ([5, 6], [], [])}
    assert (data.has_times, data.in_time) == (False, False)
    assert data.manifest.notes[0].startswith("The log has no times: test events may be earlier than what was")


@pytest.mark.parametrize(
    ("value", "words"),
    [("holdout", "part in column 'set' is 'holdout'; a part is train, valid"), (None, "'set' is empty"), ("3", "'3'")],
)
def test_other_words_are_refused(value, words):
    frame = frame_of(in_time(), words=True).with_columns(
        set=pl.when(pl.int_range(pl.len()) == 7).then(pl.lit(value)).otherwise("set")
    )
    with pytest.raises(InputError, match=f"row 8: .*{words}"):
        read_log(frame, split_column="set", given=True)
    fewer = frame.with_columns(user=pl.when(pl.int_range(pl.len()) == 7).then(None).otherwise("user"))
    assert len(read_log(fewer, split_column="set", given=True).frame.collect()) == 599  # the row is no event


def test_a_user_whose_parts_do_not_follow_each_other(tmp_path):
    rows = [*rows_of(random.Random(0)), ("u3", 1, START + 99, 0), ("u7", 1, START + 99, 1)]
    with pytest.raises(InputError, match=r"2 of 12 users of log, such as 'u\d', have an event of one part later than"):
        prepare(log_of(rows), PrepareSettings(split="given"), tmp_path / "a")


def test_a_log_that_says_no_parts_or_not_all(tmp_path):
    rows = rows_of(random.Random(0))
    with pytest.raises(InputError, match="no event of log is of the valid part; give it all three"):
        prepare(log_of([row for row in rows if row[3] != 1]), PrepareSettings(split="given"), tmp_path / "a")
    plain = Log(log_of(rows).frame.drop("part"), "log", [])
    with pytest.raises(InputError, match=r"log log does not say which part its events are of; .*--split-column COL"):
        prepare(plain, PrepareSettings(split="given"), tmp_path / "a")
    with pytest.raises(InputError, match="has no column 'sets' for the part"):
        read_log(frame_of(rows), split_column="sets", given=True)
    with pytest.raises(InputError, match="the name of DataFrame in DataFrame says no part; name the column"):
        read_log(frame_of(rows), given=True)
    with pytest.raises(InputError, match="split_column is for split=given, got split=timestamp"):
        checked(PrepareSettings, {"split_column": "set"})


def test_of_duplicates_in_two_parts_that_in_train_stays(tmp_path):
    rows = [(f"u{user}", item, START + item, part) for user in range(9) for item, part in enumerate((0, 0, 0, 1, 2))]
    rows = [("u0", 2, START + 2, 2), *rows]
    settings = PrepareSettings(split="given", drop_duplicates=True)
    data = prepare(log_of(rows), settings, tmp_path / "a")
    assert parts_of(data)["u0"] == ([0, 1, 2], [3], [4])
