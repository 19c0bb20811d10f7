"""A run's files are read by the models that say what is in them; what breaks them is named with the file."""

from __future__ import annotations

import json

import pytest
from make_study import list_anew, make_study

from negsample.errors import InputError
from negsample.runs.folder import read_grid, read_ranks, read_run


@pytest.fixture
def run(tmp_path):
    make_study(tmp_path, datasets=["beauty"], methods=["random"], repeats=1)
    return tmp_path / "runs" / "0-random-0"


def change(run, name, **values):
    path = run / name
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
    list_anew(run)


def test_what_was_written_is_read(run):
    found, grid = read_run(run), read_grid(run)
    for name, read in (("config", found.config), ("metrics", found.metrics)):
        assert read.items() >= json.loads((run / f"{name}.json").read_text()).items()
    assert [each["epoch"] for each in found.log] == list(range(1, 21))
    assert grid.betas == sorted(grid.betas)
    assert {len(each) for each in read_ranks(run, len(grid.betas)).values()} == {len(grid.betas)}


def test_a_path_whose_bytes_are_no_text_is_read(run):
    change(run, "config.json", dataset_folder="/data/\udcff")
    assert read_run(run).config["dataset_folder"] == "/data/\udcff"


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("config.json", {"seed": "0"}, "seed: Input should be a valid integer"),
        ("config.json", {"settings": []}, "settings: Input should be a valid dictionary"),
        ("metrics.json", {"best_epoch": 1.5}, "best_epoch: Input should be a valid integer"),
        ("metrics.json", {"dial_choice": None}, "dial_choice: Input should be a valid string"),
        ("dial.json", {"betas": []}, "betas: List should have at least 1 item"),
        ("dial.json", {"betas": [0.0]}, "figures at other settings"),
        ("dial.json", {"valid": [1] * 9}, "valid.0: Input should be a valid dictionary"),
    ],
)
def test_what_breaks_a_rule_is_named(run, name, values, words):
    change(run, name, **values)
    with pytest.raises(InputError, match=rf"{name} is damaged \({words}.*; "):
        (read_grid if name == "dial.json" else read_run)(run)


@pytest.mark.parametrize(
    ("line", "words"),
    [("{", "Invalid JSON"), ('{"epoch": 1, "loss": 1.0, "seconds": 1.0}', "steps: Field required"), ("\udcff", "")],
)
def test_a_line_of_the_log_that_is_none_is_named(run, line, words):
    with (run / "log.jsonl").open("ab") as file:
        file.write(line.encode(errors="surrogateescape"))
    list_anew(run)
    with pytest.raises(InputError, match=rf"log.jsonl is damaged \({words}"):
        read_run(run)


def test_ranks_at_other_settings_are_refused(run):
    with pytest.raises(InputError, match=r"ranks.npz is damaged \(ranks at other settings"):
        read_ranks(run, 3)
