"""A catalogue that one process may not hold is trained by two: in training, measuring, checkpoints and files."""

from __future__ import annotations

import sys

import numpy as np
import polars as pl
import pytest
from launching import GLOO, run
from safetensors import safe_open

from negsample.data.log.read import Log
from negsample.data.prepare.pipeline import prepare
from negsample.files.claims import place_of
from negsample.settings import PrepareSettings
from negsample.studies.verify import verify

pytestmark = [GLOO, pytest.mark.skipif(sys.platform != "linux", reason="Linux limits what a process may allocate")]
ITEMS, DIM, EVENTS = 400_000, 64, 60
MEGABYTES = 300
"""Less than the table and the state of its optimizer, 309 of them; two processes have half of that each."""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Each item is an event of one user."""
    chance = np.random.default_rng(0)
    columns = {
        "user": np.arange(ITEMS) // EVENTS,
        "item": chance.permutation(ITEMS),
        "time": chance.permutation(ITEMS),
    }
    settings = PrepareSettings(valid_fraction=0.0005, test_fraction=0.0005)
    return prepare(Log(pl.LazyFrame(columns), "large", []), settings, tmp_path_factory.mktemp("large") / "large")


@pytest.fixture(autouse=True)
def return_memory(monkeypatch):
    """What is let go of is the system's again, and does not count."""
    monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", "1000000")


def test_one_process_may_not_and_two_do(data, tmp_path):
    assert (ITEMS + 1) * (12 * DIM + 4) > 1e6 * MEGABYTES
    (alone,) = run(1, "within", data.folder, tmp_path / "alone", MEGABYTES, 0, fails=True)
    assert alone.code == 2
    assert "not enough memory" in alone.said
    assert not (tmp_path / "alone").exists()

    folder = tmp_path / "run"
    lost, killed = run(2, "within", data.folder, folder, MEGABYTES, 2, fails=True)
    assert killed.code == -9
    assert "another process has ended" in lost.said
    assert any(place_of(folder).glob("rows-*"))
    run(2, "within", data.folder, folder, MEGABYTES, 0)
    assert not [sentence for found in verify(folder) for sentence in found.damaged]
    with safe_open(folder / "model.safetensors", "pt") as file:
        assert file.get_slice("table.weight").get_shape() == [ITEMS + 1, DIM]
