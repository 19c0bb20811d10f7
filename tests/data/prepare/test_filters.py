"""Duplicates, repeats and the k-core against slow, obvious versions, whatever the block; users who have much."""

import random

import polars as pl
import pytest

from negsample.data import blocks
from negsample.data.log.read import Log
from negsample.data.prepare.pipeline import prepare
from negsample.errors import InputError
from negsample.settings import PrepareSettings


def log_of(rows):
    frame = pl.LazyFrame(rows, {"user": pl.String, "item": pl.Int64, "time": pl.Int64}, orient="row")
    return Log(frame, "log", [])


def without_duplicates(rows):
    return [row for at, row in enumerate(rows) if row not in rows[:at]]


def without_repeats(rows, which):
    """In the order of time, and of rows at one time."""
    had, left = {}, []
    for row in sorted(rows, key=lambda row: row[2]):
        mine = had.setdefault(row[0], [])
        if row[1] not in (mine[-1:] if which == "consecutive" else mine):
            left.append(row)
        mine.append(row[1])
    return left


def frequent(rows, user, item):
    users, items = [row[0] for row in rows], [row[1] for row in rows]
    return [row for row in rows if users.count(row[0]) >= user and items.count(row[1]) >= item]


def core(rows, k):
    while (less := frequent(rows, k, k)) != rows:
        rows = less
    return rows


def slow(rows, settings):
    """What is left, and how many rows each step left out."""
    counts = []
    for asked, step in (
        (settings.drop_duplicates, without_duplicates),
        (settings.drop_repeats, lambda rows: without_repeats(rows, settings.drop_repeats)),
        (True, lambda rows: frequent(rows, settings.min_user_events, settings.min_item_events)),
        (True, lambda rows: core(rows, settings.k_core)),
    ):
        before, rows = rows, step(rows) if asked else rows
        counts.append(len(before) - len(rows))
    return rows, counts


def settings_of(rng):
    return PrepareSettings(
        drop_duplicates=rng.random() < 0.5,
        drop_repeats=rng.choice([None, "consecutive", "all"]),
        min_user_events=rng.choice([1, 1, 6]),
        min_item_events=rng.choice([1, 1, 6]),
        k_core=rng.choice([1, 2, 4, 6]),
        split=rng.choice(["timestamp", "paper"]),
        valid_fraction=0.1,
        test_fraction=0.2,
    )


@pytest.mark.parametrize(("block", "seeds"), [(3, range(3)), (16, range(8)), (1 << 22, range(8, 16))])
def test_as_if_the_rows_had_been_left_out_of_the_log(tmp_path, monkeypatch, block, seeds):
    monkeypatch.setattr(blocks, "BLOCK", block)
    made = 0
    for seed in seeds:
        rng = random.Random(seed)
        rows = [
            (f"u{int(15 * rng.random() ** 2)}", int(25 * rng.random() ** 2), rng.randrange(60))
            for _ in range(rng.randrange(100, 200))
        ]
        rows += rng.choices(rows, k=20)
        settings = settings_of(rng)
        left, counts = slow(rows, settings)
        plain = settings.model_copy(update=dict.fromkeys(("min_user_events", "min_item_events", "k_core"), 1))
        plain = plain.model_copy(update={"drop_duplicates": False, "drop_repeats": None})
        try:
            expected = prepare(log_of(left), plain, tmp_path / f"{seed} left") if left else None
        except InputError:
            expected = None
        if expected is None:
            with pytest.raises(InputError):
                prepare(log_of(rows), settings, tmp_path / f"{seed}")
            continue
        made += 1
        data = prepare(log_of(rows), settings, tmp_path / f"{seed}")
        assert data.fingerprint == expected.fingerprint
        said = [int(note.split()[0]) for note in data.manifest.notes if "left out" in note]
        assert said == [count for count in counts if count], data.manifest.notes
    assert made > len(seeds) / 4


def test_each_step_has_its_note(tmp_path):
    rows = [(f"u{user}", item, 10 * item) for user in range(10) for item in range(12)]
    rows += [("u0", 3, 30), ("u1", 11, 115), ("u2", 5, 117), ("u3", 99, 40), ("rare", 0, 0)]
    settings = PrepareSettings(drop_duplicates=True, drop_repeats="consecutive", min_user_events=2, k_core=2)
    assert prepare(log_of(rows), settings, tmp_path / "a").manifest.notes == [
        "1 of 125 events left out: exact duplicates of another (user, item, time).",
        "1 of 124 events left out: on the item of their user's event before.",
        "1 of 123 events left out: of users with fewer than 2 events or items with fewer than 1, both counted once "
        "over the whole log.",
        "1 of 122 events left out: of users or items with fewer than 2 events, counted again until none was left.",
    ]
    (note,) = prepare(log_of(rows), PrepareSettings(drop_repeats="all"), tmp_path / "b").manifest.notes
    assert note == "3 of 125 events left out: on an item that their user had before."
    (note,) = prepare(log_of(rows), PrepareSettings(), tmp_path / "c").manifest.notes
    assert note.startswith("1 of 125 events (0.8 %) are exact duplicates of another (user, item, time)")
    assert note.endswith("--drop-duplicates leaves them out.")


def test_a_core_that_is_empty(tmp_path):
    """A user with one item fewer than the next, and so on: each count leaves out one more."""
    rows = [(f"u{user}", item, item) for user in range(40) for item in range(user, user + 2)]
    with pytest.raises(InputError, match=r"no set of users and items of its 80 events has at least 3 .*\(k_core\)"):
        prepare(log_of(rows), PrepareSettings(k_core=3), tmp_path / "a")


def test_users_who_have_much_of_the_log_or_of_the_test_are_named(tmp_path):
    """Of 50 users one has a tenth of all events, long before the test, and another a sixth of those of the test."""
    rows = [(f"u{user}", user % 7, 100 * day + user) for day in range(20) for user in range(50)]
    crawler = [("crawler", 3, 900 + at % 50) for at in range(120)]
    late = [("late", at % 5, 1900 + at) for at in range(10)] + [("late", 1, 100)]
    even = prepare(log_of(rows), PrepareSettings(drop_duplicates=True), tmp_path / "a").manifest.notes
    assert even == []
    notes = prepare(log_of(rows + crawler + late), PrepareSettings(), tmp_path / "b").manifest.notes[-2:]
    assert notes == [
        "Users with much of all events: 'crawler' (11 %); if an id stands for users who are not known, or for a "
        "machine, leave its rows out (--where).",
        "Users with much of the test events, and of every figure over events: 'late' (16 %).",
    ]
    few = [row for row in rows if int(row[0][1:]) < 18]
    assert prepare(log_of(few), PrepareSettings(), tmp_path / "c").manifest.notes == []
