"""A study that moves with its datasets, and a run whose dataset is elsewhere."""

from __future__ import annotations

import errno
import os
import shutil

import numpy as np
import polars as pl
import pytest

from negsample import compare, export, final, load_dataset, load_model
from negsample.errors import InputError
from negsample.runs.folder import read_run
from negsample.runs.kept import dataset_of
from negsample.runs.remeasure import remeasure
from negsample.settings import PrepareSettings
from negsample.studies.verify import verify

SMALL = {"epochs": 2, "dim": 4, "max_length": 4, "blocks": 1, "batch_size": 16, "fit_terms": False}
ASKED = {"methods": ["random"], "repeats": 1, "settings": SMALL, "progress": False}
RARE = PrepareSettings(min_item_events=2, test_fraction=0.1)
HISTORIES = {"ann": ["i3", "i4"]}


@pytest.fixture(scope="module")
def log():
    draws = np.random.default_rng(0)
    times = 1_600_000_000 + np.sort(draws.integers(0, 10**6, 300))
    return pl.DataFrame(
        {
            "user": [f"u{user}" for user in draws.integers(0, 30, 300)],
            "item": [f"i{item}" for item in draws.integers(0, 25, 300)],
            "time": times,
        }
    )


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr("negsample.comparison.write_report", lambda *_, **__: None)
    monkeypatch.setenv("NEGSAMPLE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def moved(log, cache, tmp_path):
    """A study that was made elsewhere, whose cache and folder are gone."""
    compare(log, tmp_path / "made", prepare=RARE, **ASKED)
    shutil.copytree(tmp_path / "made", tmp_path / "moved")
    shutil.rmtree(tmp_path / "made")
    shutil.rmtree(cache)
    return tmp_path / "moved"


def run_in(study):
    return next((study / "runs").glob("*--random--*"))


def test_a_moved_study_does_all_without_its_log(moved, tmp_path):
    run = run_in(moved)
    measured = read_run(run).metrics["test"]
    remeasure(run)
    assert read_run(run).metrics["test"] == measured
    model = load_model(run)
    assert len(model.recommend(HISTORIES, k=3)) == 3
    export(model, "vectors", tmp_path / "vectors")
    assert final(moved, tmp_path / "M", method="random").about.events == 300
    before = {path: path.stat().st_mtime_ns for path in (moved / "runs").rglob("*")}
    compare(moved / "data" / "log", moved, **ASKED)  # resumed: nothing is left to do
    assert before == {path: path.stat().st_mtime_ns for path in (moved / "runs").rglob("*")}
    assert {found.kind for found in verify(moved)} == {"study", "run", "dataset"}


def test_a_run_alone_asks_for_its_log(moved, log, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(run_in(moved), run)
    with pytest.raises(InputError, match=r"neither in .* give its log as --data LOG, or move a study as a whole"):
        load_model(run)
    assert read_run(run).config["prepare"] == {"min_item_events": 2, "test_fraction": 0.1}
    with pytest.raises(InputError, match="is another dataset"):
        load_model(run, load_dataset(log))
    found = load_model(run, load_dataset(log, RARE)).recommend(HISTORIES)
    assert found.equals(load_model(run_in(moved)).recommend(HISTORIES))


def test_a_damaged_dataset_is_refused(moved):
    path = moved / "data" / "log" / "items.npy"
    content = path.read_bytes()
    path.write_bytes(content[:-4] + bytes([content[-4] ^ 1]) + content[-3:])
    with pytest.raises(InputError, match=r"items.npy is damaged"):
        load_model(run_in(moved))
    assert sum(len(found.damaged) for found in verify(moved)) == 1


def test_files_are_linked_and_made_again_where_one_is_gone(log, cache, tmp_path):
    study = tmp_path / "study"
    compare(log, study, **ASKED)
    (made,) = (cache / "datasets").iterdir()
    assert {path.name for path in (study / "data" / "log").iterdir()} == {path.name for path in made.iterdir()}
    assert all(path.samefile(made / path.name) for path in (study / "data" / "log").iterdir())
    (study / "data" / "log" / "items.npy").unlink()
    compare(log, study, **ASKED)
    assert (study / "data" / "log" / "items.npy").samefile(made / "items.npy")
    assert (made / "items.npy").stat().st_nlink == 2


def test_without_hard_links_it_is_said(log, cache, tmp_path, monkeypatch):
    def forbidden(*_):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", forbidden)
    said = []
    compare(log, tmp_path / "study", on_line=said.append, **ASKED)
    assert [line for line in said if "--data LOG" in line and "prepared data of log cannot be kept" in line]
    assert not (tmp_path / "study" / "data").exists()
    assert len(load_model(run_in(tmp_path / "study")).recommend(HISTORIES)) == 10


def test_a_folder_that_may_not_be_looked_into_is_passed_over(moved):
    run = read_run(run_in(moved))
    far = run._replace(config=run.config | {"dataset_folder": "/x" * 3000})  # too long a name: an OSError
    assert dataset_of(far).name == "log"


def test_the_items_of_a_run_are_those_of_its_weights(moved):
    model, run = load_model(run_in(moved)), run_in(moved)
    items = pl.read_parquet(run / "items.parquet")
    data = load_dataset(moved / "data" / "log").with_validation()
    assert items["item"].equals(model.item_ids)
    assert items["events"].to_list() == data.train_counts[1:].tolist()
    assert items["targets"].to_list() == model.target_counts[1:].tolist()
    assert not (next((moved / "runs").glob("*--PopRec--*")) / "items.parquet").exists()
    with (run / "items.parquet").open("ab") as file:
        file.write(b"x")
    assert "items.parquet" in next(found for found in verify(run)).damaged[0]
