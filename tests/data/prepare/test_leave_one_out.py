"""Each user's last event is test: against a slow version, whatever the block, with times and without."""

import random
from itertools import pairwise

import polars as pl
import pytest

from negsample.data import blocks
from negsample.data.load import load_dataset
from negsample.data.log.read import Log
from negsample.data.prepare.pipeline import prepare, prepare_folds
from negsample.errors import InputError
from negsample.settings import PrepareSettings, checked

SENTENCE = "Each user's last event is test; other users' later events were trained on, so figures say nothing about "
SENTENCE += "the future."


def log_of(rows, has_times=True):
    frame = pl.LazyFrame(rows, {"user": pl.String, "item": pl.Int64, "time": pl.Int64}, orient="row")
    return Log(frame, "log", ["Read by hand."], has_times=has_times)


def rows_of(rng, users=14, has_times=True):
    """Users of one event to many, in any order, with ties."""
    rows = [(f"u{user}", rng.randrange(12), rng.randrange(9)) for user in range(users) for _ in range(user)]
    rng.shuffle(rows)
    if not has_times:
        counts = dict.fromkeys((row[0] for row in rows), 0)
        for at, (user, item, _) in enumerate(rows):
            rows[at] = user, item, counts[user]
            counts[user] += 1
    return rows


def slow(rows, cold):
    """Of each user the items of train, validation and test."""
    found = {}
    for user in sorted({row[0] for row in rows}):
        own = [item for _, item, _ in sorted((row for row in rows if row[0] == user), key=lambda row: row[2])]
        found[user] = (own[:-2], own[-2:-1], own[-1:]) if len(own) >= 3 else (own, [], [])
    if cold == "drop":
        warm = {item for train, _, _ in found.values() for item in train}
        found = {user: tuple([i for i in part if i in warm] for part in parts) for user, parts in found.items()}
    return found


def parts_of(data):
    ids = data.item_ids().to_list()
    items = [ids[item - 1] for item in data.items]
    bounds = zip(data.offsets[:-1], data.train_ends, data.valid_ends, data.offsets[1:], strict=True)
    return {
        user: tuple(items[begin:end] for begin, end in pairwise(at))
        for user, at in zip(data.user_ids().to_list(), bounds, strict=True)
    }


@pytest.mark.parametrize("has_times", [True, False])
@pytest.mark.parametrize("block", [1, 5, 32, 1 << 22])
def test_against_the_slow_version(tmp_path, monkeypatch, block, has_times):
    monkeypatch.setattr(blocks, "BLOCK", block)
    for seed, cold in enumerate(("keep", "drop")):
        rows = rows_of(random.Random(seed), has_times=has_times)
        settings = PrepareSettings(split="leave-one-out", cold=cold)
        data = prepare(log_of(rows, has_times), settings, tmp_path / f"{seed}")
        assert parts_of(data) == slow(rows, cold)
        train = [item for train, *_ in slow(rows, cold).values() for item in train]
        assert data.train_counts[1:].tolist() == [train.count(item) for item in data.item_ids().to_list()]
        assert (data.in_time, data.has_times) == (False, has_times)


def test_what_it_cannot_tell_is_said_first(tmp_path):
    rows = rows_of(random.Random(0))
    about = prepare(log_of(rows), PrepareSettings(split="leave-one-out"), tmp_path / "a").manifest
    assert about.notes[:2] == [SENTENCE, "Read by hand."]
    assert (about.valid_start, about.test_start, about.not_in_time) == (None, None, SENTENCE)
    assert about.first_time == "1970-01-01T00:00:00"
    places = rows_of(random.Random(0), has_times=False)
    about = prepare(log_of(places, has_times=False), PrepareSettings(split="leave-one-out"), tmp_path / "b").manifest
    assert (about.first_time, about.last_time) == (None, None)


def test_filters_come_before_the_split(tmp_path):
    """A user's last event goes with its rare item; the one before it is then the last."""
    rows = [(f"u{user}", item, 10 * item + user) for user in range(6) for item in range(5)] + [("u0", 99, 1000)]
    data = prepare(log_of(rows), PrepareSettings(split="leave-one-out", k_core=2), tmp_path / "a")
    assert parts_of(data)["u0"] == ([0, 1, 2], [3], [4])


@pytest.mark.parametrize("split", ["timestamp", "paper"])
def test_a_log_without_times_is_split_in_no_other_way(tmp_path, split):
    log = log_of(rows_of(random.Random(0), has_times=False), has_times=False)
    with pytest.raises(InputError, match=r"has no times, and split=.* cuts in time; .*--split leave-one-out"):
        prepare(log, PrepareSettings(split=split), tmp_path / "a")
    with pytest.raises(InputError, match="has no times, and split=timestamp cuts"):
        prepare_folds(log, PrepareSettings(), [tmp_path / "a", tmp_path / "b"])
    with pytest.raises(InputError, match="no event of it is an exact duplicate"):
        prepare(log, PrepareSettings(split="leave-one-out", drop_duplicates=True), tmp_path / "a")


def test_settings_that_would_do_nothing(tmp_path):
    with pytest.raises(InputError, match="test_fraction would have no effect with split=leave-one-out"):
        checked(PrepareSettings, {"split": "leave-one-out", "test_fraction": 0.1})
    frame = log_of(rows_of(random.Random(0))).frame.collect()
    with pytest.raises(InputError, match="valid_fraction would have no effect"):
        load_dataset(frame, PrepareSettings(valid_fraction=0.1), split="leave-one-out")
    with pytest.raises(InputError, match="folds need split=timestamp, got leave-one-out"):
        prepare_folds(log_of([]), PrepareSettings(split="leave-one-out"), [tmp_path / "a"])


@pytest.mark.parametrize(
    ("events", "words"),
    [
        (2, "nothing to train on: none of the 9 users has two events in train; use a longer log$"),
        (3, "nothing to train on: none of the 9 users has two events in train; use a longer log$"),
    ],
)
def test_users_with_few_events(tmp_path, events, words):
    rows = [(f"u{user}", at, at) for user in range(9) for at in range(events)]
    if events == 2:
        rows = [row for row in rows if row[2] or row[0] == "u0"] + [("u0", 5, 5)]
    with pytest.raises(InputError, match=words):
        prepare(log_of(rows), PrepareSettings(split="leave-one-out"), tmp_path / "a")
