"""Folds of a log: windows that follow each other, and nothing in one of what came later."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from negsample.data.dataset import Dataset, open_dataset
from negsample.data.load import load_dataset, load_folds
from negsample.data.log.read import read_log
from negsample.data.prepare import selection
from negsample.data.prepare.pipeline import prepare_folds
from negsample.data.split import Window, find_windows
from negsample.errors import InputError
from negsample.settings import PrepareSettings

ARRAYS = ("items", "times", "offsets", "train_ends", "valid_ends", "train_counts")
SETTINGS = PrepareSettings(valid_fraction=0.1, test_fraction=0.1)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEGSAMPLE_CACHE", str(tmp_path / "cache"))


def _log(rows: int = 600, users: int = 25, items: int = 40) -> pl.DataFrame:
    """Ids are text, so that their order is not that of their first event; new items come along, and times tie."""
    rng = np.random.default_rng(5)
    days = np.sort(rng.integers(0, rows // 3, rows))
    newest = 5 + days * (items - 5) // days.max()
    frame = {
        "user": [f"u{each:02}" for each in rng.integers(0, users, rows)],
        "item": [f"i{each % items:02}" for each in 37 * rng.integers(0, newest + 1)],
        "time": 1_500_000_000 + 86_400 * days,
    }
    return pl.DataFrame(frame).sample(fraction=1.0, shuffle=True, seed=1)


def _starts(times: np.ndarray, valid: int, test: int, folds: int) -> list[tuple[int, int, int]]:
    """(validation, test, end) of each fold, found slowly: by sorting, and one row at a time."""
    ordered, found, end = sorted(times.tolist()), [], len(times)
    for _ in range(folds):
        first = ordered.index(ordered[end - test])
        before = ordered.index(ordered[first - valid])
        found.append((ordered[before], ordered[first], ordered[end] if end < len(ordered) else 2**62))
        end = first
    return found[::-1]


def _events(data: Dataset) -> list[tuple[str, str, int, str]]:
    """(user, item, time in s, part) of every event, by the log's ids."""
    users, items = data.user_ids().to_list(), data.item_ids().to_list()
    found = []
    for user in range(data.users):
        for at in range(data.offsets[user], data.offsets[user + 1]):
            part = "train" if at < data.train_ends[user] else "valid" if at < data.valid_ends[user] else "test"
            found.append((users[user], items[data.items[at] - 1], int(data.times[at]) // 10**6, part))
    return found


def test_each_fold_has_the_events_before_its_end_split_at_its_moments() -> None:
    log = _log()
    folds = load_folds(log, 3, SETTINGS, name="made")
    slow = _starts(log["time"].to_numpy(), 60, 60, 3)
    assert [data.name for data in folds] == [f"made.fold-{number}-of-3" for number in (1, 2, 3)]
    for data, (valid, test, end) in zip(folds, slow, strict=True):
        expected = [
            (user, item, time, "train" if time < valid else "valid" if time < test else "test")
            for user, item, time in log.rows()
            if time < end
        ]
        assert sorted(_events(data)) == sorted(expected)
        assert (data.log, data.tuned_as) == ("made", "made.fold-1-of-3")
        assert data.item_ids().to_list() == sorted({item for _, item, _, _ in expected})  # of later ones none is in it
    tests = [{each[:3] for each in _events(data) if each[3] == "test"} for data in folds]
    assert not tests[0] & tests[1]
    assert not tests[1] & tests[2]
    assert folds[0].catalogue_size < folds[2].catalogue_size


def test_the_last_fold_is_the_dataset_without_folds() -> None:
    last, whole = load_folds(_log(), 3, SETTINGS, name="made")[-1], load_dataset(_log(), SETTINGS, name="made")
    assert last.fingerprint == whole.fingerprint
    assert "fold" not in whole.manifest.model_dump()
    assert last.manifest.model_dump(exclude={"name", "fold"}) == whole.manifest.model_dump(exclude={"name"})


@pytest.mark.parametrize("more", [{}, {"min_item_events": 8, "min_user_events": 5}, {"cold": "drop"}])
def test_later_events_change_no_bit_of_an_earlier_fold(
    more: dict[str, object], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without them, and with others in their place: only where windows lie is found in the whole log, so it is kept."""
    settings = PrepareSettings(**{**SETTINGS.model_dump(), **more})
    log, windows = _log(), list[list[Window]]()

    def kept(*given: Any) -> list[Window]:
        windows.append(windows[0] if windows else find_windows(*given))
        return windows[-1]

    def made(of: pl.DataFrame, name: str) -> list[Path]:
        folders = [tmp_path / name / str(number) for number in range(3)]
        with suppress(InputError):  # of a fold whose events are all gone; those before it are there
            prepare_folds(read_log(of, name="made"), settings, folders)
        return folders

    monkeypatch.setattr(selection, "find_windows", kept)
    whole = [open_dataset(folder) for folder in made(log, "whole")]
    for number, end in enumerate(window.end for window in windows[0][:-1]):
        later = pl.col("time") * 10**6 >= (end or 0)
        others = log.with_columns(item=pl.when(later).then(pl.lit("a new one")).otherwise("item"))
        for name, other in (("less", log.filter(~later)), ("others", others)):
            again = open_dataset(made(other, f"{name} {number}")[number])
            for array in ARRAYS:
                assert getattr(again, array).tobytes() == getattr(whole[number], array).tobytes()
            assert again.fingerprint == whole[number].fingerprint
            assert again.manifest == whole[number].manifest


def test_folds_are_prepared_once_and_a_missing_one_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first = load_folds(_log(), 2, SETTINGS, name="made")
    with monkeypatch.context() as patch:
        patch.setattr("negsample.data.load.prepare_folds", lambda *given: pytest.fail("prepared again"))
        assert [data.folder for data in load_folds(_log(), 2, SETTINGS, name="made")] == [data.folder for data in first]
    assert {path.name for path in (tmp_path / "cache" / "datasets").iterdir()} == {data.folder.name for data in first}
    first[0].folder.rename(tmp_path / "elsewhere")
    assert [data.fingerprint for data in load_folds(_log(), 2, SETTINGS, name="made")] == [
        data.fingerprint for data in first
    ]


def test_a_long_name_keeps_the_number_of_its_fold() -> None:
    first, second = load_folds(_log(), 2, SETTINGS, name="x" * 150)
    assert (first.name, second.name) == ("x" * 88 + ".fold-1-of-2", "x" * 88 + ".fold-2-of-2")


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=re.escape("too few events for 9 folds: of 600 events 9 windows of 0.1")):
        load_folds(_log(), 9, SETTINGS)
    with pytest.raises(InputError, match="folds need split=timestamp, got paper"):
        load_folds(_log(), 2, SETTINGS, split="paper")
    with pytest.raises(InputError, match="is prepared already, and folds are made of a log; give the log itself"):
        load_folds(load_dataset(_log(), SETTINGS).folder, 2)
    with pytest.raises(InputError, match="folds"):
        load_folds(_log(), 1, SETTINGS)
