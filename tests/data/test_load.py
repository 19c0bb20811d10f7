"""What a person may name as a dataset, and the cache behind it."""

import os
from importlib.resources import files
from pathlib import Path

import polars as pl
import pytest

import negsample.data.load as catalogue
from negsample.data.bundled import BUNDLED
from negsample.data.description import describe
from negsample.data.load import load_dataset
from negsample.data.prepare.pipeline import prepare
from negsample.errors import InputError
from negsample.files.folders import cache_folder
from negsample.settings import PrepareSettings

DAY = 999_993_600  # 2001-09-09


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NEGSAMPLE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "datasets"


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "log.csv"
    pl.DataFrame({"user": [0, 1] * 50, "item": [0, 1, 2, 3] * 25, "time": range(DAY, DAY + 100)}).write_csv(path)
    return path


def test_bundled_dataset():
    dataset = load_dataset("online-retail")
    assert dataset.name == "online-retail"
    assert dataset.manifest.source == "online-retail.parquet"
    assert (dataset.manifest.events, dataset.users, dataset.catalogue_size) == (397_924, 4_339, 3_665)
    assert dataset.item_ids().dtype == pl.String
    assert dataset.manifest.first_time == "2010-12-01T08:26:00"
    assert dataset.manifest.last_time == "2011-12-09T12:50:00"


def test_every_bundled_dataset_is_there_with_its_terms():
    for name, facts in BUNDLED.items():
        folder = files("negsample.data") / "bundled"
        assert (folder / facts.file).is_file()
        assert "creativecommons.org" in (folder / f"{name}.md").read_text()


def test_a_log_is_prepared_once(log, cache, monkeypatch):
    first = load_dataset(str(log))
    assert first.folder.parent == cache
    assert first.name == "log"
    monkeypatch.setattr(catalogue, "read_log", None)
    assert load_dataset(log, PrepareSettings()).folder == first.folder


def test_the_cache_sees_settings_and_content_and_no_more(log, cache, tmp_path):
    folders = {load_dataset(log).folder, load_dataset(log, PrepareSettings(split="paper")).folder}
    before = log.stat()
    os.utime(log, ns=(1, 1))
    copy = tmp_path / "elsewhere" / log.name
    copy.parent.mkdir()
    copy.write_bytes(log.read_bytes())
    assert {load_dataset(log).folder, load_dataset(copy).folder} <= folders
    log.write_text(log.read_text().replace(f"1,1,{DAY + 1}\n", f"1,2,{DAY + 1}\n"))
    os.utime(log, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (log.stat().st_size, log.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    folders.add(load_dataset(log).folder)
    assert len(folders) == 3
    assert set(cache.iterdir()) == folders


def test_the_same_log_by_another_way_to_it(log, monkeypatch):
    monkeypatch.chdir(log.parent)
    assert load_dataset("log.csv").folder == load_dataset(log).folder


def test_a_folder_of_parts(tmp_path, cache):
    parts = tmp_path / "clicks"
    parts.mkdir()
    for part in range(4):
        frame = pl.DataFrame(
            {"user": [0, 1] * 50, "item": [0, 1] * 50, "time": range(DAY + part * 100, DAY + part * 100 + 100)}
        )
        frame.write_parquet(parts / f"{part}.parquet")
    dataset = load_dataset(parts)
    assert (dataset.name, dataset.manifest.events) == ("clicks", 400)


def test_a_prepared_folder_is_opened_as_it_is(log, tmp_path):
    folder = load_dataset(log).folder.rename(tmp_path / "mine")
    assert load_dataset(str(folder)).name == "log"
    assert load_dataset(folder, PrepareSettings()).name == "log"
    with pytest.raises(InputError, match=r"is prepared already, so split, cold would have no effect; leave them out"):
        load_dataset(folder, PrepareSettings(split="paper", cold="drop"))


def test_unknown_names(log, tmp_path):
    with pytest.raises(
        InputError, match=r"no dataset 'online-retial': .*are: online-retail, mov.*mean online-retail\?"
    ):
        load_dataset("online-retial")
    with pytest.raises(InputError, match=r"Did you mean .*log\.csv\?"):
        load_dataset(tmp_path / "lgo.csv")
    with pytest.raises(InputError, match=r"no dataset 'zzzz'.*or a log file\.$"):
        load_dataset("zzzz")


def test_where_the_cache_is(monkeypatch):
    monkeypatch.delenv("NEGSAMPLE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert cache_folder() == Path("/elsewhere/negsample")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "negsample"


def test_description(log):
    """20 times 5 rows of 100: 90 train, 5 validation, 5 test; items 0..3 in turn, users by parity."""
    description = describe(load_dataset(log))
    assert description.facts == [
        ("users", "2"),
        ("items", "4"),
        ("events", "100"),
        ("time", "2001-09-09 to 2001-09-09"),
        ("train events", "90 before 2001-09-09 00:01:30"),
        ("validation events", "5 from 2001-09-09 00:01:30"),
        ("test events", "5 from 2001-09-09 00:01:35"),
        ("train events used in training", "90 (100.0 %) at max_length 50"),
        ("users used in training", "2 with two train events or more"),
        ("test events of users without history", "0 (0 %)"),
        ("cold items", "0 (0 %) in no train event"),
        ("test events on cold items", "0 (0 %), whose vectors are not trained without a refit"),
        ("repeats in test", "5 (100.0 %) of the events of users with history: the user had the item before"),
        ("events at the same time as another of the user", "0 (0 %)"),
    ]
    assert description.cohorts == [
        ("head", "2", "50.0", "50.0", "40.0"),
        ("mid", "1", "25.0", "50.0", "20.0"),
        ("tail", "1", "25.0", "50.0", "40.0"),
    ]


def test_description_of_dropped_events_and_empty_cohorts(tmp_path):
    path = tmp_path / "log.csv"
    items = [0] * 95 + [0, 0, 0, 0, 9]
    pl.DataFrame({"user": [0, 1] * 50, "item": items, "time": range(DAY, DAY + 100)}).write_csv(path)
    description = describe(load_dataset(path, PrepareSettings(cold="drop")))
    assert description.facts[-1] == ("cold events dropped", "1 on 1 items")
    assert [row[3] for row in description.cohorts] == ["100.0", "none", "none"]


FRAMES = {
    "Polars": lambda path: pl.read_csv(path),
    "lazy": lambda path: pl.scan_csv(path),
    "pandas": lambda path: pl.read_csv(path).to_pandas(),
}


@pytest.mark.parametrize("kind", FRAMES)
def test_a_frame_is_a_dataset_prepared_once(log, cache, kind, monkeypatch):
    frame = FRAMES[kind](log)
    first, file = load_dataset(frame), load_dataset(log)
    assert (first.name, first.folder.parent) == ("log", cache)
    assert all((getattr(first, name) == getattr(file, name)).all() for name in ("items", "times", "offsets"))
    assert load_dataset(frame, name="shop").name == "shop"
    monkeypatch.setattr(catalogue, "prepare", None)
    assert load_dataset(FRAMES[kind](log)).folder == first.folder
    with pytest.raises(TypeError, match="not callable"):
        load_dataset(frame, split="paper")


def test_another_row_or_another_type_is_another_dataset(log):
    frame = pl.read_csv(log)
    moved = frame.with_columns(item=pl.when(pl.col("time") == DAY).then(3).otherwise("item"))
    frames = [frame, moved, frame.reverse(), frame.with_columns(pl.col("user").cast(pl.String))]
    assert len({load_dataset(each).folder for each in frames}) == 4
    assert load_dataset(frame.with_columns(more=1)).folder == load_dataset(frame).folder


def test_a_frame_may_be_prepared_at_once(log, tmp_path):
    data = prepare(pl.read_csv(log), PrepareSettings(user="item", item="user"), tmp_path / "frame")
    assert (data.users, data.catalogue_size, data.manifest.source) == (4, 2, "DataFrame")
    assert prepare(str(log), PrepareSettings(), str(tmp_path / "file")).users == 2


def test_a_name_is_for_a_frame(log):
    with pytest.raises(InputError, match=r"name is for a DataFrame; .*log.csv has a name, so leave name='x' out"):
        load_dataset(log, name="x")


def test_a_dataset_is_shown_in_a_line_and_as_a_table(log):
    data = load_dataset(pl.read_csv(log), name="a<b")
    assert repr(data) == (
        "Dataset(name: a<b, users: 2, items: 4, events: 100, from: 2001-09-09 00:00:00, "
        "validation from: 2001-09-09 00:01:30, test from: 2001-09-09 00:01:35, to: 2001-09-09 00:01:39, "
        "split: timestamp)"
    )
    assert data._repr_html_().startswith("<table><tr><th>name</th><td>a&lt;b</td></tr><tr><th>users</th><td>2</td>")
