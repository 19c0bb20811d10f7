"""How much an event counts, by a column of the log: read, prepared and counted as a slow, obvious version does."""

import random
from collections import Counter

import numpy as np
import polars as pl
import pytest

from negsample.data import blocks
from negsample.data.dataset import open_dataset
from negsample.data.log.read import Log, read_log
from negsample.data.prepare.pipeline import prepare, prepare_folds
from negsample.data.until import known_until
from negsample.errors import InputError
from negsample.evaluation.figures import popularity_percentiles
from negsample.settings import PrepareSettings, checked

START = 1_600_000_000
SCHEMA = ["user", "item", "time", "qty"]
WEIGHTED = PrepareSettings(weight="qty")


def rows_of(seed=0, count=120):
    """Each event has a weight of its own, so that a weight at another event shows."""
    rng = random.Random(seed)
    weights = [*rng.sample(range(1, 500), count - 1), 2**31 - 1]
    return [(rng.randrange(12), rng.randrange(9), START + rng.randrange(50), weight) for weight in weights]


def frame_of(rows):
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def made(rows, folder, weight="qty", **settings):
    settings = checked(PrepareSettings, settings | {"weight": weight})
    return prepare(frame_of(rows), settings, folder)


def events_of(data, part=None):
    """(user, item, seconds, weight) of the log, of all events or of train."""
    users = np.repeat(data.user_ids().to_numpy(), np.diff(data.offsets))
    items = data.item_ids().to_numpy()[data.items - 1]
    every = zip(users.tolist(), items.tolist(), (data.times // 10**6).tolist(), data.weights.tolist(), strict=True)
    train = np.concatenate(
        [np.arange(*data.offsets[user : user + 2]) < data.train_ends[user] for user in range(data.users)]
    )
    return [event for event, is_train in zip(every, train, strict=True) if part is None or is_train]


def counts_of(data):
    return {item: int(count) for item, count in zip(data.item_ids(), data.train_counts[1:], strict=True) if count}


def weighed(events):
    counts = Counter()
    for _, item, _, weight in events:
        counts[item] += weight
    return dict(counts)


@pytest.mark.parametrize("block", [7, 1 << 22])
@pytest.mark.parametrize(
    "more", [{}, {"min_user_events": 9, "cold": "drop"}, {"drop_repeats": "consecutive"}, {"split": "leave-one-out"}]
)
def test_each_event_keeps_its_weight_and_counts_are_sums(tmp_path, monkeypatch, block, more):
    monkeypatch.setattr(blocks, "BLOCK", block)
    rows = rows_of()
    data, without = made(rows, tmp_path / "a", **more), made(rows, tmp_path / "b", None, **more)
    for array in ("items", "times", "offsets", "train_ends", "valid_ends"):
        assert getattr(data, array).tolist() == getattr(without, array).tolist()
    assert without.weights is None
    assert data.fingerprint != without.fingerprint
    assert set(events_of(data)) <= set(rows)
    assert counts_of(data) == weighed(events_of(data, "train"))
    known = data.with_validation()
    until = int(data.offsets[-1]) if more.get("split") else int((data.times // 10**6).max())
    if not more.get("split"):
        test = int(np.datetime64(data.manifest.test_start, "s").astype(int))
        assert counts_of(known) == weighed([event for event in events_of(data) if event[2] < test])
        early = known_until(data, until * 10**6)
        assert set(events_of(early)) == {event for event in events_of(data) if event[2] < until}
        assert counts_of(early) == weighed(events_of(early))
        assert early.known.counts(np.arange(1, 4), until * 10**6).tolist() == [
            (early.items == item).sum() for item in (1, 2, 3)
        ]  # as of a time events count 1
    again = open_dataset(data.folder)
    assert again.weights.tolist() == data.weights.tolist()
    facts = data.manifest.cohorts
    assert sum(each.train_events for each in facts.values()) == data.train_events == data.manifest.train_events


def test_weights_of_one_change_no_count(tmp_path):
    rows = [(*row[:3], 1) for row in rows_of()]
    data, without = made(rows, tmp_path / "a"), made(rows, tmp_path / "b", None)
    assert data.train_counts.tolist() == without.train_counts.tolist()
    assert data.cohorts.tolist() == without.cohorts.tolist()
    assert data.cut_cohorts.tolist() == without.cut_cohorts.tolist()


def test_without_weights_the_folder_is_as_ever(tmp_path):
    data = made(rows_of(), tmp_path / "a", None)
    assert not (data.folder / "weights.npy").exists()
    assert "weight" not in data.manifest.model_dump(exclude={"settings"})


def test_folds_keep_them(tmp_path):
    rows = rows_of()
    log = read_log(frame_of(rows), weight="qty")
    for data in prepare_folds(log, WEIGHTED, [tmp_path / "1", tmp_path / "2"]):
        assert set(events_of(data)) <= set(rows)
        assert counts_of(data) == weighed(events_of(data, "train"))


def test_cohorts_follow_the_weights(tmp_path):
    rows = [(at % 5, item, START + at, 1000 if item == 3 else 1) for at in range(40) for item in range(4)]
    data = made(rows, tmp_path / "a")
    assert data.item_ids()[int(np.flatnonzero(data.cohorts == 0)[0]) - 1] == 3
    assert (data.cohorts == 0).sum() == 1


@pytest.mark.parametrize(
    "values", [["2", "03", " 4 ", "5.0"], [2, 3, 4, 5], [2.0, 3.0, 4.0, 5.0], pl.Series([2, 3, 4, 5], dtype=pl.UInt64)]
)
def test_numbers_as_logs_write_them(values):
    log = read_log(
        pl.DataFrame({"u": [1] * 4, "item": [1] * 4, "time": [START] * 4, "q": values}), user="u", weight="4"
    )
    assert log.frame.collect()["weight"].to_list() == [2, 3, 4, 5]
    assert log.weight == "q"
    assert any("counts from column 'q'" in note for note in log.notes)


@pytest.mark.parametrize("value", ["0", "-1", "2.5", str(2**31), "1e3", "x", "", None, "nan", "9" * 30, "١"])
def test_what_is_no_weight_is_refused_by_its_row(tmp_path, value):
    frame = pl.DataFrame({"user": [1, 2, 3], "item": [1, 2, 3], "time": [START] * 3, "qty": ["1", value, "0"]})
    with pytest.raises(
        InputError, match=r"row 2.*: weight in column 'qty' is .*; a weight is a whole number from 1 to"
    ):
        read_log(frame, weight="qty")
    assert len(read_log(frame, weight="qty", where="item = 1").frame.collect()) == 1
    if value in ("0", "-1", "", None):  # as the message says
        assert len(read_log(frame, weight="qty", where="qty >= 1").frame.collect()) == 1
    frame.write_csv(tmp_path / "log.csv")
    with pytest.raises(InputError, match=r"log.csv, row 2 .*2,147,483,647; .*--where \"qty >= 1\""):
        read_log(tmp_path / "log.csv", weight="qty")


def test_a_row_without_a_user_needs_no_weight():
    frame = pl.DataFrame({"user": [1, None], "item": [1, 1], "time": [START] * 2, "qty": [3, None]})
    assert read_log(frame, weight="qty").frame.collect()["weight"].to_list() == [3]


def test_lists_of_weights_beside_lists_of_items():
    rows = {"user": [1, 2], "item": [[5, 6], [7]], "time": [[START, START], [START]]}
    log = read_log(pl.DataFrame(rows | {"qty": [[2, 3], [4]]}), weight="qty")
    assert log.frame.collect()["weight"].to_list() == [2, 3, 4]
    assert read_log(pl.DataFrame(rows | {"qty": [8, 9]}), weight="qty").frame.collect()["weight"].to_list() == [8, 8, 9]
    with pytest.raises(InputError, match=r"lists of different lengths; each item needs its weight"):
        read_log(pl.DataFrame(rows | {"qty": [[2, 3], [4, 5]]}), weight="qty")
    with pytest.raises(InputError, match=r"weight in column 'qty' is empty"):
        read_log(pl.DataFrame(rows | {"qty": [[2, None], [4]]}), weight="qty")


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("none", r"no column 'none' for the weight \(--weight\); its columns are: user, item, time, qty"),
        ("9", "no column '9' for the weight"),
        ("item", "column 'item' of DataFrame would be both the item and the weight"),
        ("on", "column 'on' of DataFrame is of type Date; a weight is a whole number"),
    ],
)
def test_a_column_that_holds_none_is_refused(asked, words):
    frame = frame_of(rows_of())
    frame = frame if asked != "on" else frame.with_columns(on=pl.date(2020, 1, 1))
    with pytest.raises(InputError, match=words):
        read_log(frame, weight=asked)


def test_a_log_of_ones_own_is_checked(tmp_path):
    frame = frame_of(rows_of()).select("user", "item", pl.col("time") * 10**6, weight=pl.col("qty").cast(pl.Int32))
    with pytest.raises(InputError, match=r"log was read without weights; give weight='qty' to read_log"):
        prepare(Log(frame.lazy(), "log", []), WEIGHTED, tmp_path / "a")
    with pytest.raises(InputError, match=r"a weight is at least 1, got 0"):
        prepare(
            Log(frame.with_columns(weight=pl.lit(0, pl.Int32)).lazy(), "log", [], weight="w"), WEIGHTED, tmp_path / "a"
        )
    with pytest.raises(InputError, match=r"weight must be Int32 without nulls, got Int64"):
        prepare(Log(frame.cast({"weight": pl.Int64}).lazy(), "log", [], weight="w"), WEIGHTED, tmp_path / "a")


def test_percentiles_of_counts_of_any_size():
    """Half the ties, among the other items; counts of weights are too large to make a table of."""
    counts = np.array([0, 10**15, 3, 3, 0])
    assert popularity_percentiles(counts)[1:].tolist() == [1, 1.5 / 3, 1.5 / 3, 0]
