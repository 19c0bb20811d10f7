"""A damaged prepared folder is refused by name of what is damaged."""

import json

import numpy as np
import polars as pl
import pytest

from negsample.config import InputError, PrepareSettings
from negsample.data.log import Log
from negsample.data.prepare import prepare
from negsample.data.sequences import open_dataset


@pytest.fixture
def folder(tmp_path):
    frame = pl.LazyFrame({"user": [0, 1] * 50, "item": [0, 1, 2, 3] * 25, "time": range(100)})
    prepare(Log(frame, "log", []), PrepareSettings(), tmp_path / "d")
    return tmp_path / "d"


def change_manifest(folder, **values):
    manifest = json.loads((folder / "manifest.json").read_text()) | values
    (folder / "manifest.json").write_text(json.dumps({k: v for k, v in manifest.items() if v is not None}))


def test_whole_folder_opens(folder):
    dataset = open_dataset(str(folder))
    assert dataset.name == "log"
    assert dataset.manifest["events"] == len(dataset.items) == 100
    assert dataset.folder == folder


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda d: (d / "manifest.json").unlink(), "holds no prepared dataset"),
        (lambda d: (d / "manifest.json").write_text("{"), "manifest.json is damaged"),
        (lambda d: (d / "manifest.json").write_text("[]"), "format None, this version reads 1"),
        (lambda d: change_manifest(d, format=2), "format 2, this version reads 1"),
        (lambda d: change_manifest(d, users=None), "lacks users"),
        (lambda d: change_manifest(d, events=99), "items.npy holds 100 values, the manifest says 99"),
        (lambda d: (d / "times.npy").unlink(), "times.npy is missing or damaged"),
        (
            lambda d: (d / "items.npy").write_bytes((d / "items.npy").read_bytes()[:-8]),
            "items.npy is missing or",
        ),
        (lambda d: (d / "offsets.npy").write_bytes(b""), "offsets.npy is missing or damaged"),
        (lambda d: np.save(d / "items.npy", np.zeros(100)), "items.npy holds float64"),
        (lambda d: np.save(d / "offsets.npy", np.array([0, 50, 99])), "does not fit together"),
    ],
)
def test_damage(folder, damage, words):
    damage(folder)
    with pytest.raises(InputError, match=words):
        open_dataset(folder)


def test_damaged_ids(folder):
    dataset = open_dataset(folder)
    pl.DataFrame({"item": [1]}).write_parquet(folder / "item_ids.parquet")
    (folder / "user_ids.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"item_ids.parquet holds 1 ids, the dataset 4; delete the folder"):
        dataset.item_ids()
    with pytest.raises(InputError, match=r"user_ids.parquet is missing or damaged"):
        dataset.user_ids()
