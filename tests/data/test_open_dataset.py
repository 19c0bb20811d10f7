"""A damaged prepared folder is refused by name of what is damaged."""

import json
import pickle

import numpy as np
import polars as pl
import pytest

from negsample.data.arrays import ARRAYS, INDEX
from negsample.data.dataset import open_dataset
from negsample.data.log.read import Log
from negsample.data.prepare.pipeline import prepare
from negsample.errors import InputError
from negsample.files.checksums import LIST, write_list
from negsample.settings import PrepareSettings


@pytest.fixture
def folder(tmp_path):
    frame = pl.LazyFrame({"user": [0, 1] * 50, "item": [0, 1, 2, 3] * 25, "time": range(100)})
    prepare(Log(frame, "log", []), PrepareSettings(), tmp_path / "d")
    return tmp_path / "d"


def listed_anew(folder):
    """As if whoever changed the files had made the list too: what is left are the laws of the content."""
    write_list(folder / LIST, "dataset", "", {path.name for path in folder.iterdir()} - {LIST})


def change_manifest(folder, **values):
    manifest = json.loads((folder / "manifest.json").read_text()) | values
    (folder / "manifest.json").write_text(json.dumps({k: v for k, v in manifest.items() if v is not None}))


def change(folder, name, place, value):
    array = np.load(folder / f"{name}.npy")
    array[place] = value
    np.save(folder / f"{name}.npy", array)


def flip(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def test_whole_folder_opens(folder):
    dataset = open_dataset(str(folder))
    assert dataset.name == "log"
    assert dataset.manifest.events == len(dataset.items) == 100
    assert dataset.folder == folder


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda d: (d / "manifest.json").write_text("{"), "manifest.json is damaged"),
        (
            lambda d: (d / "manifest.json").write_text("[]"),
            "json is damaged .Input should be a valid dictionary",
        ),
        (lambda d: (d / "manifest.json").write_text("[" * 100_000), "nested too deeply"),
        (lambda d: (d / "manifest.json").write_text("9" * 5000), "manifest.json is damaged"),
        (lambda d: change_manifest(d, format=3), "format: 3, this version reads 4"),
        (lambda d: change_manifest(d, users=None), "users: Field required"),
        (lambda d: change_manifest(d, events=99), "items.npy is damaged .100 values, the manifest says 99"),
        (lambda d: (d / "offsets.npy").write_bytes(b""), "offsets.npy is damaged"),
        (lambda d: (d / "items.npy").write_bytes((d / "items.npy").read_bytes()[:-8]), "items.npy is damaged"),
        (lambda d: flip(d / "items.npy", 6), "items.npy is damaged"),
        (lambda d: np.save(d / "items.npy", np.zeros(100)), "items.npy is damaged .float64"),
        (lambda d: np.save(d / "offsets.npy", np.array([0, 50, 99])), "offsets.npy is damaged .*ascend"),
        (lambda d: change(d, "offsets", 1, 101), "offsets.npy is damaged .*ascend"),
        (lambda d: change(d, "train_ends", 0, -1), "train_ends.npy is damaged"),
        (lambda d: change(d, "train_ends", 0, 50), "train_ends.npy is damaged"),
        (lambda d: change(d, "valid_ends", 1, 101), "valid_ends.npy is damaged"),
        (lambda d: change(d, "train_counts", 2, -1), "train_counts.npy is damaged"),
        (lambda d: change(d, "train_counts", 2, 50), "train_counts.npy is damaged"),
    ],
)
def test_what_cannot_be_a_dataset_is_refused_though_its_list_agrees(folder, damage, words):
    damage(folder)
    listed_anew(folder)
    with pytest.raises(InputError, match=words + r".*delete .* and prepare it again"):
        open_dataset(folder, verify=False)


@pytest.mark.parametrize(
    "name", [*(f"{each}.npy" for each in (*ARRAYS, *INDEX)), "manifest.json", "user_ids.parquet", LIST]
)
def test_one_bit_of_any_file_is_noticed(folder, name):
    flip(folder / name, -2)
    with pytest.raises(InputError, match=f"{name} is damaged"):
        open_dataset(folder)


@pytest.mark.parametrize("name", ["items.npy", "manifest.json", "item_ids.parquet", LIST])
def test_a_file_that_is_gone_or_cut_is_noticed_without_reading_all(folder, name):
    (folder / name).write_bytes((folder / name).read_bytes()[:-2])
    with pytest.raises(InputError, match=f"{name} is damaged"):
        open_dataset(folder, verify=False)
    (folder / name).unlink()
    with pytest.raises(InputError, match=f"{name} is damaged .No such file"):
        open_dataset(folder, verify=False)


def test_no_dataset_is_no_damaged_one(tmp_path):
    with pytest.raises(InputError, match="holds no prepared dataset"):
        open_dataset(tmp_path)


def test_another_process_maps_it_without_reading_it_again(folder):
    dataset = open_dataset(folder)
    flip(folder / "times.npy", -2)
    assert pickle.loads(pickle.dumps(dataset)).name == "log"


def test_damaged_ids(folder):
    dataset = open_dataset(folder)
    pl.DataFrame({"item": [1]}).write_parquet(folder / "item_ids.parquet")
    with pytest.raises(InputError, match=r"item_ids.parquet is damaged"):
        dataset.item_ids()
    (folder / "user_ids.parquet").write_bytes(b"PAR1")
    listed_anew(folder)
    with pytest.raises(InputError, match=r"item_ids.parquet is damaged .1 ids, the dataset has 4.*prepare it again"):
        dataset.item_ids()
    with pytest.raises(InputError, match=r"user_ids.parquet is damaged"):
        dataset.user_ids()
