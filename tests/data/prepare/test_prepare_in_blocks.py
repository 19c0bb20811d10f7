"""A log larger than a block: the same dataset, whatever the block, against a slow, obvious version."""

import math
import random
from fractions import Fraction

import numpy as np
import polars as pl
import pytest

from negsample.data import blocks
from negsample.data.arrays import content_fingerprint
from negsample.data.log.read import Log, read_log
from negsample.data.popularity import median_percent, users_of_items
from negsample.data.prepare.pipeline import prepare
from negsample.data.split import split_by_time
from negsample.errors import InputError
from negsample.settings import PrepareSettings

NAMES = ("items", "times", "offsets", "train_ends", "valid_ends", "train_counts")


def random_log(rng, text):
    """Heavy ties, users of very different length, ids of any sign and length, in three orders."""
    n, users, items, moments = rng.randrange(40, 250), rng.randrange(1, 30), rng.randrange(1, 40), rng.randrange(8, 300)
    start, unit = rng.choice([0, -5, 1_600_000_000_000_000, -(2**62)]), rng.choice([1, 1_000_000, 2**54])
    rows = []
    for _ in range(n):
        user, item = int(users * rng.random() ** 3), int(items * rng.random() ** 2)
        who, what = user * 977 - 4_000, (item * 7_919) % 101 - 50
        rows.append((f"é{who}" if text else who, f"{what:+d}" if text else what, start + unit * rng.randrange(moments)))
    order = rng.choice(["any", "time", "user"])
    if order != "any":
        rows.sort(key=lambda row: (row[2],) if order == "time" else row[:1])
    return rows


def random_settings(rng):
    return PrepareSettings(
        split=rng.choice(["timestamp", "paper"]),
        cold=rng.choice(["keep", "drop"]),
        min_user_events=rng.choice([1, 1, 2, 5]),
        min_item_events=rng.choice([1, 1, 2, 4]),
        valid_fraction=rng.choice([0.05, 0.2]),
        test_fraction=rng.choice([0.05, 0.1, 0.3]),
    )


def share(fraction, n):
    return math.ceil(Fraction(str(fraction)) * n)


def slow_parts(times, settings):
    """Part by row, with sorting and counting; None where there is no split."""
    n = len(times)
    order = sorted(range(n), key=lambda row: (times[row], row))
    tests = share(settings.test_fraction, n)
    if settings.split == "paper":
        if n - tests - share(settings.valid_fraction, n) < 1:
            return None
        test, valid = set(order[n - tests :]), set(order[n - tests - share(settings.valid_fraction, n) :])
    else:
        cut = times[order[n - tests]]
        before = [row for row in order if times[row] < cut]
        valids = share(settings.valid_fraction, n)
        if n - tests - valids < 1 or len(before) <= valids or times[before[-valids]] == times[before[0]]:
            return None
        valid_cut = times[before[-valids]]
        test, valid = {row for row in order if times[row] >= cut}, {row for row in order if times[row] >= valid_cut}
    return [2 if row in test else 1 if row in valid else 0 for row in range(n)]


def slow_prepare(rows, settings):
    """Arrays and ids by lists and dicts; None where the log must be refused."""
    users, items = [row[0] for row in rows], [row[1] for row in rows]
    rows = [
        row
        for row in rows
        if users.count(row[0]) >= settings.min_user_events and items.count(row[1]) >= settings.min_item_events
    ]
    parts = slow_parts([time for *_, time in rows], settings) if rows else None
    if parts is None:
        return None
    events = [(*row, part) for row, part in zip(rows, parts, strict=True)]
    if settings.cold == "drop":
        warm = {item for _, item, _, part in events if part == 0}
        events = [event for event in events if event[1] in warm]
    user_ids, item_ids = sorted({event[0] for event in events}), sorted({event[1] for event in events})
    own = {user: sorted((e for e in events if e[0] == user), key=lambda e: e[2]) for user in user_ids}
    lengths = np.array([[sum(e[3] == part for e in own[user]) for part in (0, 1, 2)] for user in user_ids])
    before, test_before = lengths[:, 0], lengths[:, 0] + lengths[:, 1]
    if before.max() < 2 or not (lengths[:, 1] * before).any() or not (lengths[:, 2] * test_before).any():
        return None
    offsets = np.append(0, np.cumsum(lengths.sum(1)))
    flat = [event for user in user_ids for event in own[user]]
    numbers = [item_ids.index(item) + 1 for _, item, *_ in flat]
    trained = [number for number, event in zip(numbers, flat, strict=True) if event[3] == 0]
    return {
        "items": np.array(numbers, np.int32),
        "times": np.array([time for _, _, time, _ in flat]),
        "offsets": offsets,
        "train_ends": offsets[:-1] + before,
        "valid_ends": offsets[:-1] + test_before,
        "train_counts": np.bincount(trained, minlength=len(item_ids) + 1),
        "user_ids": user_ids,
        "item_ids": item_ids,
        "flat": flat,
    }


@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize(("block", "seeds"), [(1, range(8)), (3, range(8, 18)), (16, range(24)), (1 << 22, range(24))])
def test_against_the_slow_version(tmp_path, monkeypatch, block, seeds, text):
    monkeypatch.setattr(blocks, "BLOCK", block)
    made = 0
    for seed in seeds:
        rng = random.Random(seed)
        rows, settings = random_log(rng, text), random_settings(rng)
        ids = pl.String if text else pl.Int64
        frame = pl.LazyFrame(rows, {"user": ids, "item": ids, "time": pl.Int64}, orient="row")
        slow = slow_prepare(rows, settings)
        if slow is None:
            with pytest.raises(InputError):
                prepare(Log(frame, "log", []), settings, tmp_path / f"{seed}")
            continue
        made += 1
        data = prepare(Log(frame, "log", []), settings, tmp_path / f"{seed}")
        for name in NAMES:
            assert np.array_equal(getattr(data, name), slow[name]), name
            assert getattr(data, name).dtype == slow[name].dtype
        assert (data.user_ids().to_list(), data.item_ids().to_list()) == (slow["user_ids"], slow["item_ids"])
        arrays = {name: slow[name] for name in NAMES}
        assert data.fingerprint == content_fingerprint(arrays, data.user_ids(), data.item_ids())
        moments = [event[::2] for event in slow["flat"]]
        assert data.manifest.tie_share == sum(moments.count(each) > 1 for each in moments) / len(moments)
        trained = [event for event in slow["flat"] if event[3] == 0]
        users = np.array([slow["user_ids"].index(user) for user, *_ in trained])
        items = np.array([slow["item_ids"].index(item) + 1 for _, item, *_ in trained])
        mpu = median_percent(users_of_items(users, items, len(data.cohorts)), len(set(users)), data.cohorts)
        found = {name: facts.mpu for name, facts in data.manifest.cohorts.items()}
        assert found == mpu
        tested = [item for _, item, _, part in slow["flat"] if part == 2]
        cohort = [data.cohorts[slow["item_ids"].index(item) + 1] for item in tested]
        of_manifest = [facts.test_events for facts in data.manifest.cohorts.values()]
        assert of_manifest == [cohort.count(which) for which in range(3)]
    assert made > len(seeds) / 4
    assert {each.name for each in tmp_path.iterdir()} <= {str(seed) for seed in seeds}


@pytest.mark.parametrize("block", [1, 3, 16, 1 << 22])
@pytest.mark.parametrize("split", ["timestamp", "paper"])
def test_splits_of_times_far_apart(monkeypatch, block, split):
    monkeypatch.setattr(blocks, "BLOCK", block)
    for seed in range(40):
        rng = random.Random(seed)
        bits = rng.choice([2, 8, 33, 63])
        times = [rng.randrange(-(2**bits), 2**bits) for _ in range(rng.randrange(20, 60))]
        times += rng.choices(times, k=20) + rng.choice([[], [-(2**63), 2**63 - 1]])
        settings = PrepareSettings(split=split, valid_fraction=0.1, test_fraction=0.15)
        slow = slow_parts(times, settings)
        if slow is None:
            with pytest.raises(InputError):
                split_by_time(np.array(times), rule=split, valid_fraction=0.1, test_fraction=0.15)
        else:
            assert split_by_time(np.array(times), rule=split, valid_fraction=0.1, test_fraction=0.15).tolist() == slow
            as_floats = np.argsort(np.argsort(times, kind="stable")) if len(set(times)) == len(times) else None
            if as_floats is not None:
                found = split_by_time(as_floats / 2, rule=split, valid_fraction=0.1, test_fraction=0.15)
                assert found.tolist() == slow


@pytest.mark.parametrize("kept", [0.5, 0.9])
def test_a_log_cut_short_while_read_is_refused(tmp_path, kept):
    """Polars reads ahead of what it gives out: rows before the damage must not pass for the whole log."""
    path = tmp_path / "log.parquet"
    rng = np.random.default_rng(0)
    columns = {
        "user": rng.integers(0, 50, 40_000),
        "item": rng.integers(0, 9, 40_000),
        "time": np.arange(10**9, 10**9 + 40_000),
    }
    pl.DataFrame(columns).write_parquet(path, row_group_size=1_000)
    log = read_log(path)
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    with pytest.raises(InputError, match=r"log.parquet cannot be read .*check that the file is complete"):
        prepare(log, PrepareSettings(), tmp_path / "out")
    assert [each.name for each in tmp_path.iterdir()] == ["log.parquet"]


def test_a_full_disk_while_the_log_is_read(tmp_path, monkeypatch):
    """Said of the folder, not of the log."""

    def full(array, dtype):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("negsample.data.prepare.events.np.ascontiguousarray", full)
    frame = pl.LazyFrame({"user": [1] * 50, "item": [1] * 50, "time": list(range(50))})
    with pytest.raises(InputError, match=r"cannot write to .*out: No space left on device; choose another folder"):
        prepare(Log(frame, "log", []), PrepareSettings(), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
