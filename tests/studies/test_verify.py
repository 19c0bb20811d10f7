"""`negsample verify`: every file of a study, a run and a dataset, and which of them is damaged."""

from __future__ import annotations

import shutil

import pytest

from negsample.comparison import compare
from negsample.errors import InputError
from negsample.files.checksums import LIST
from negsample.settings import run_settings
from negsample.studies.study import plan
from negsample.studies.verify import verify

SETTINGS = run_settings(epochs=1, batch_size=64, max_length=8, dim=8, blocks=1)


@pytest.fixture(scope="module")
def data(world):
    return world(users=60, items=40, name="small")


@pytest.fixture(scope="module")
def made(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("made") / "study"
    compare(plan([data], ["random"], repeats=2, seed=0, settings=SETTINGS), out)
    return out


@pytest.fixture
def study(made, tmp_path):
    return shutil.copytree(made, tmp_path / "study")


def damage_of(folder):
    return [sentence for found in verify(folder) for sentence in found.damaged]


def test_what_is_whole_is_whole(study, data):
    assert damage_of(study) == []
    kinds = [found.kind for found in verify(study)]
    assert kinds.count("run") == 3
    (found,) = verify(data.folder)
    assert (found.kind, found.files, found.damaged) == ("dataset", 13, [])


def test_one_bit_of_any_file_is_found(study, data, tmp_path):
    tried = 0
    for folder in (study, shutil.copytree(data.folder, tmp_path / "data")):
        for path in sorted(each for each in folder.rglob("*") if each.is_file()):
            whole = path.read_bytes()
            path.write_bytes(whole[:-3] + bytes([whole[-3] ^ 1]) + whole[-2:] if whole else b"1")
            (sentence,) = damage_of(folder)
            assert str(path) in sentence.partition(" is damaged ")[0]
            path.write_bytes(whole)
            tried += 1
    assert tried > 30
    assert damage_of(study) == []


def test_a_file_that_is_gone_and_a_list_that_is_gone(study):
    run = next((study / "runs").iterdir())
    (run / "ranks.npz").unlink()
    assert len(damage_of(study)) == 1
    (run / LIST).unlink()
    (sentence,) = damage_of(study)
    assert sentence.startswith(f"{run / LIST} is damaged (No such file")
    assert sentence.endswith(f"delete {run} and run the same command again")


@pytest.mark.parametrize("names", [["model.safetensors"], ["ranks.npz"], ["metrics.json", "dial.json"], [LIST]])
def test_files_that_changed_places_between_runs_are_found(names, study):
    one, other = sorted(study.glob("runs/*--random--*"))
    for name in names:
        (one / name).rename(study / "aside")
        (other / name).rename(one / name)
        (study / "aside").rename(other / name)
    assert len(damage_of(study)) >= 2


def test_nothing_to_verify(tmp_path):
    with pytest.raises(InputError, match="holds no dataset, run, study, tuning, model or export"):
        list(verify(tmp_path))
