"""Prepared arrays against a slow, obvious version; filters, cold items, folders."""

import json
import math
import random
from fractions import Fraction

import numpy as np
import polars as pl
import pytest

import negsample.data.prepare.pipeline as prepare_module
from negsample.data.dataset import open_dataset
from negsample.data.log.read import Log
from negsample.data.prepare.pipeline import prepare
from negsample.errors import InputError
from negsample.settings import PrepareSettings

ARRAYS = ("items", "times", "offsets", "train_ends", "valid_ends", "train_counts")


def log_of(rows, name="log"):
    ids = pl.String if isinstance(rows[0][0], str) else pl.Int64
    frame = pl.LazyFrame(rows, {"user": ids, "item": ids, "time": pl.Int64}, orient="row")
    return Log(frame, name, ["Read by hand."], f"{name}.csv")


def random_rows(seed, n=300, users=12, items=25, times=60, text=False):
    """Ties within users, across users and across the cuts; items that first come late, so some are cold."""
    rng = random.Random(seed)
    rows = []
    for _ in range(n):
        time = rng.randrange(times)
        item = rng.randrange(items) + (items if time > 0.9 * times and rng.random() < 0.5 else 0)
        user, item = rng.randrange(users) * 3 - 5, item * 7 - 20
        rows.append((f"u{user}", f"i{item}", time) if text else (user, item, time))
    return rows


def slow_prepare(rows, rule="timestamp", valid=0.05, test=0.05, min_user=1, min_item=1, cold="keep"):
    """What the arrays must be, written down from the definitions with lists and dicts."""
    by_user = [row[0] for row in rows]
    by_item = [row[1] for row in rows]
    rows = [r for r in rows if by_user.count(r[0]) >= min_user and by_item.count(r[1]) >= min_item]
    n = len(rows)
    n_test, n_valid = (math.ceil(Fraction(str(f)) * n) for f in (test, valid))
    order = sorted(range(n), key=lambda i: (rows[i][2], i))
    if rule == "paper":
        tests, valids = set(order[n - n_test :]), set(order[n - n_test - n_valid : n - n_test])
    else:
        cut = rows[order[n - n_test]][2]
        tests = {i for i in order if rows[i][2] >= cut}
        before = [i for i in order if rows[i][2] < cut]
        valid_cut = rows[before[-n_valid]][2]
        valids = {i for i in before if rows[i][2] >= valid_cut}
    events = [(*row, 2 if i in tests else 1 if i in valids else 0) for i, row in enumerate(rows)]
    if cold == "drop":
        warm = {item for _, item, _, part in events if part == 0}
        events = [event for event in events if event[1] in warm]
    user_ids, item_ids = sorted({e[0] for e in events}), sorted({e[1] for e in events})
    items, times, offsets, train_ends, valid_ends = [], [], [0], [], []
    counts = [0] * (len(item_ids) + 1)
    for user in user_ids:
        own = sorted((e for e in events if e[0] == user), key=lambda e: e[2])
        parts = [part for *_, part in own]
        assert parts == sorted(parts)
        for _, item, time, part in own:
            items.append(item_ids.index(item) + 1)
            times.append(time)
            counts[items[-1]] += part == 0
        train_ends.append(offsets[-1] + parts.count(0))
        valid_ends.append(train_ends[-1] + parts.count(1))
        offsets.append(offsets[-1] + len(own))
    arrays = dict(zip(ARRAYS, (items, times, offsets, train_ends, valid_ends, counts), strict=True))
    return arrays, user_ids, item_ids, events


def settings_of(**values):
    names = {"rule": "split", "valid": "valid_fraction", "test": "test_fraction"}
    names |= {"min_user": "min_user_events", "min_item": "min_item_events"}
    return PrepareSettings(**{names.get(key, key): value for key, value in values.items()})


@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"rule": "paper"},
        {"valid": 0.1, "test": 0.2},
        {"rule": "paper", "valid": 0.2, "test": 0.1, "cold": "drop"},
        {"cold": "drop", "test": 0.1},
        {"min_user": 22, "min_item": 9},
        {"min_user": 20, "min_item": 5, "cold": "drop", "rule": "paper"},
    ],
)
def test_against_the_slow_version(tmp_path, options, text):
    for seed in range(4):
        rows = random_rows(seed, text=text)
        dataset = prepare(log_of(rows), settings_of(**options), tmp_path / f"{seed}")
        arrays, user_ids, item_ids, _ = slow_prepare(rows, **options)
        for name in ARRAYS:
            assert getattr(dataset, name).tolist() == arrays[name], name
        assert dataset.user_ids().to_list() == user_ids
        assert dataset.item_ids().to_list() == item_ids
        assert (dataset.users, dataset.catalogue_size) == (len(user_ids), len(item_ids))


@pytest.mark.parametrize("options", [{"rule": "paper", "test": 0.1}, {"cold": "drop", "test": 0.1}])
def test_manifest_counts(tmp_path, options):
    rows = random_rows(5, n=390, users=60)
    rows += rows[:10]
    dataset = prepare(log_of(rows), settings_of(**options), tmp_path / "d")
    _, user_ids, item_ids, events = slow_prepare(rows, **options)
    about = dataset.manifest
    parts = [part for *_, part in events]
    warm = {item for _, item, _, part in events if part == 0}
    part_counts = [parts.count(part) for part in (0, 1, 2)]
    assert [getattr(about, f"{part}_events") for part in ("train", "valid", "test")] == part_counts
    assert (about.users, about.items, about.events) == (len(user_ids), len(item_ids), len(events))
    assert about.cold_items == len(item_ids) - len(warm)
    assert about.cold_test_events == sum(part == 2 and item not in warm for _, item, _, part in events)
    assert about.cold_valid_events == sum(part == 1 and item not in warm for _, item, _, part in events)
    assert about.dropped_cold_events == (400 - len(events))
    firsts = {user: min(part for other, *_, part in events if other == user) for user in user_ids}
    assert about.test_events_without_history == sum(p == 2 and firsts[u] == 2 for u, *_, p in events)
    assert about.valid_events_without_history == sum(p == 1 and firsts[u] >= 1 for u, *_, p in events)
    trained = sum(sum(o == user and p == 0 for o, *_, p in events) >= 2 for user in user_ids)
    assert about.trained_users == trained
    moments = [(user, time) for user, _, time, _ in events]
    assert about.tie_share == pytest.approx(sum(moments.count(m) > 1 for m in moments) / len(moments))
    triples = [event[:3] for event in events]
    assert about.duplicate_events == len(triples) - len(set(triples)) > 0
    own = {user: sorted((e for e in events if e[0] == user), key=lambda e: e[2]) for user in user_ids}
    frozen = sum(e[1] in {o[1] for o in own[e[0]] if o[3] < 2} for e in events if e[3] == 2)
    measured = [(e, mine[:n]) for mine in own.values() for n, e in enumerate(mine) if e[3] == 2 and mine[0][3] < 2]
    rolling = sum(e[1] in {o[1] for o in before if o[2] < e[2]} for e, before in measured)
    basket = sum(e[1] in {o[1] for o in before} for e, before in measured)
    assert about.repeat_test_events == {"frozen": frozen, "rolling": rolling, "rolling-basket": basket}
    assert 0 < frozen < rolling <= basket
    cohorts = about.cohorts
    assert sum(cohorts[name].items for name in cohorts) == len(item_ids)
    assert sum(cohorts[name].item_share for name in cohorts) == pytest.approx(1)
    assert sum(cohorts[name].train_events for name in cohorts) == part_counts[0]
    assert sum(cohorts[name].test_events for name in cohorts) == part_counts[2]
    assert dataset.cohorts[0] == -1
    assert [(dataset.cohorts == i).sum() for i in range(3)] == [cohorts[name].items for name in cohorts]


def test_manifest_words(tmp_path):
    rows = [(user, item, 86_400_000_000 * day) for day in range(20) for user in (1, 2) for item in (3, 4)]
    about = prepare(log_of(rows, "shop"), PrepareSettings(), tmp_path / "deep" / "er").manifest
    assert about.model_dump(mode="json") == json.loads((tmp_path / "deep" / "er" / "manifest.json").read_text())
    assert (about.format, about.name, about.source) == (4, "shop", "shop.csv")
    assert about.notes == ["Read by hand."]
    assert about.settings == PrepareSettings()
    assert (about.first_time, about.last_time) == ("1970-01-01T00:00:00", "1970-01-20T00:00:00")
    assert (about.valid_start, about.test_start) == ("1970-01-19T00:00:00", "1970-01-20T00:00:00")
    assert about.tie_share == 1
    assert str(tmp_path) not in str(about)


def test_filters_count_once(tmp_path):
    """User 3 has two events and loses one with the rare item 9; a second pass would then drop him too."""
    rows = [(1 + t % 2, 7 + t % 2, t) for t in range(40)] + [(3, 7, 1), (3, 9, 2), (4, 7, 3)]
    dataset = prepare(log_of(rows), settings_of(min_user=2, min_item=2), tmp_path / "d")
    assert dataset.user_ids().to_list() == [1, 2, 3]
    assert dataset.item_ids().to_list() == [7, 8]
    assert np.diff(dataset.offsets).tolist() == [20, 20, 1]
    assert dataset.manifest.notes[-1] == (
        "2 of 43 events left out: of users with fewer than 2 events or items with fewer than 2, "
        "both counted once over the whole log."
    )


def test_row_order_does_not_matter_where_times_differ(tmp_path):
    rows = [(*row[:2], 1_000 * i + row[2]) for i, row in enumerate(random_rows(1))]
    first = prepare(log_of(rows), PrepareSettings(), tmp_path / "a")
    random.Random(0).shuffle(rows)
    second = prepare(log_of(rows, "other"), PrepareSettings(), tmp_path / "b")
    assert all(np.array_equal(getattr(first, name), getattr(second, name)) for name in ARRAYS)
    assert first.fingerprint == second.fingerprint


def test_fingerprint_sees_arrays_and_ids(tmp_path):
    rows = random_rows(1)
    prints = {
        prepare(log_of(rows), PrepareSettings(), tmp_path / "a").fingerprint,
        prepare(log_of(rows[::-1]), PrepareSettings(), tmp_path / "b").fingerprint,
        prepare(log_of([(u, i + 1, t) for u, i, t in rows]), PrepareSettings(), tmp_path / "c").fingerprint,
        prepare(log_of(rows), settings_of(test=0.1), tmp_path / "d").fingerprint,
    }
    assert len(prints) == 4
    assert all(len(each) == 12 and int(each, 16) >= 0 for each in prints)


def test_text_ids_sort_by_bytes(tmp_path):
    ids = ["10", "9", "Z", "a", "é", "007", " x"]
    rows = [(ids[t % 7], ids[(3 * t) % 7], t) for t in range(70)]
    dataset = prepare(log_of(rows), PrepareSettings(), tmp_path / "d")
    assert dataset.item_ids().to_list() == sorted(ids, key=str.encode)


def test_arrays_are_mapped_and_read_only(tmp_path):
    dataset = prepare(log_of(random_rows(1)), PrepareSettings(), tmp_path / "d")
    assert all(isinstance(getattr(dataset, name), np.memmap) for name in ARRAYS)
    assert dataset.items.dtype == np.int32
    assert all(getattr(dataset, name).dtype == np.int64 for name in ARRAYS[1:])
    assert not dataset.items.flags.writeable
    assert dataset.cohorts is dataset.cohorts


def test_failure_half_way_leaves_nothing(tmp_path, monkeypatch):
    saved = np.save

    def failing(path, array):
        if "offsets" in str(path):
            raise RuntimeError("power cut")
        saved(path, array)

    monkeypatch.setattr(prepare_module.np, "save", failing)
    with pytest.raises(RuntimeError, match="power cut"):
        prepare(log_of(random_rows(1)), PrepareSettings(), tmp_path / "d")
    assert list(tmp_path.iterdir()) == []


def test_full_disk_is_said_in_one_line(tmp_path, monkeypatch):
    def failing(path, array):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(prepare_module.np, "save", failing)
    with pytest.raises(InputError, match=r"cannot write to .*: No space left on device; choose another folder"):
        prepare(log_of(random_rows(1)), PrepareSettings(), tmp_path / "d")


def test_a_strangers_folder_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="exists and is no prepared dataset"):
        prepare(log_of(random_rows(1)), PrepareSettings(), tmp_path)
    with pytest.raises(InputError, match="exists and is no prepared dataset"):
        prepare(log_of(random_rows(1)), PrepareSettings(), tmp_path / "thesis.txt")
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_an_empty_folder_is_used_and_the_same_dataset_again_is_reused(tmp_path):
    first = prepare(log_of(random_rows(1)), PrepareSettings(), tmp_path)
    written = (tmp_path / "manifest.json").stat().st_mtime_ns
    again = prepare(log_of(random_rows(1)), PrepareSettings(user="user"), tmp_path)
    assert again.fingerprint == first.fingerprint
    assert (tmp_path / "manifest.json").stat().st_mtime_ns == written
    with pytest.raises(InputError, match="holds another prepared dataset"):
        prepare(log_of(random_rows(2)), PrepareSettings(), tmp_path)
    assert open_dataset(tmp_path).fingerprint == first.fingerprint


def test_the_second_of_two_at_once_takes_what_the_first_wrote(tmp_path, monkeypatch):
    log, settings = log_of(random_rows(1)), PrepareSettings()
    saved, first = np.save, []

    def overtaken(path, array):
        if not first:
            first.append(None)
            first[0] = prepare(log, settings, tmp_path / "d")
        saved(path, array)

    monkeypatch.setattr(prepare_module.np, "save", overtaken)
    second = prepare(log, settings, tmp_path / "d")
    assert second.fingerprint == first[0].fingerprint
    assert [each.name for each in tmp_path.iterdir()] == ["d"]


@pytest.mark.parametrize(
    ("rows", "options", "words"),
    [
        ([(u, 1, u) for u in range(100)], {}, r"nothing to train on: none of the 100 users has two events"),
        (
            [(0, 1, t) for t in range(90)] + [(t, 1, t) for t in range(90, 100)],
            {},
            r"nothing to select the best epoch by: none of the 5 valid events .* a train event; ",
        ),
        (
            [(0, 1, t) for t in range(95)] + [(t, 1, t) for t in range(95, 100)],
            {},
            r"nothing to measure on: none of the 5 test events .* an earlier event; .* 0.05",
        ),
        (
            [(0, 1, t) for t in range(95)] + [(0, 2, t) for t in range(95, 100)],
            {"cold": "drop"},
            r"nothing to measure on: none of the 0 test events .*after 5 events on cold items were dropped",
        ),
        ([(0, 1, t) for t in range(100)], {"min_user": 101}, r"no event of log is left: .*min_item_events"),
        ([(0, 1, 5)] * 100, {}, r"100 events share their time"),
        ([(0, 1, 5)] * 2, {}, r"too few events to split"),
    ],
)
def test_useless_logs(tmp_path, rows, options, words):
    with pytest.raises(InputError, match=words):
        prepare(log_of(rows), settings_of(**options), tmp_path / "d")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("bad", [{"time": None}, {"user": None}, {"item": 2.5}, {"time": 2.5}])
def test_a_log_by_hand_must_keep_its_promise(tmp_path, bad):
    frame = pl.LazyFrame(
        [{"user": 1, "item": 1, "time": t} | (bad if t == 3 else {}) for t in range(100)], strict=False
    )
    with pytest.raises(InputError, match=r"must be Int64"):
        prepare(Log(frame, "mine", []), PrepareSettings(), tmp_path / "d")
