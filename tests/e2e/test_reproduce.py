"""``negsample reproduce`` and ``--preset`` from outside, on a slice that stands in for Amazon Beauty."""

from __future__ import annotations

import csv
import json
import shutil

import pytest


@pytest.fixture(scope="module")
def folder(log, tmp_path_factory):
    """A folder with one stand-in."""
    made = tmp_path_factory.mktemp("data")
    shutil.copy(log, made / f"amazon-beauty-slice{log.suffix}")
    return made


ARGUMENTS = ("--epochs", 2, "--repeats", 2, "--osf", "1,2", "--response", 2)


def test_a_reproduction_ends_beside_the_published_figures(negsample, folder, small, tmp_path):
    asked = ("reproduce", "--data", folder, "--out", tmp_path / "out", *ARGUMENTS, *small)
    ahead = negsample(*asked, "--forecast", "--jobs", 2)
    assert ahead.returncode == 0, ahead.stderr
    assert "In all about" in ahead.stdout
    assert "of which the trials" in ahead.stdout
    assert "Without movielens-10m, retailrocket: not there." in ahead.stdout
    assert not (tmp_path / "out").exists()

    finished = negsample(*asked)
    assert finished.returncode == 0, finished.stderr
    with (tmp_path / "out" / "reproduction.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 7 * 9
    assert {row["stand_in"] for row in rows} == {"true"}
    assert {row["published_dataset"] for row in rows} == {"amazon-beauty"}
    about = json.loads((tmp_path / "out" / "study.json").read_text())
    assert about["preset"] == "reference"
    assert about["settings"]["padding"] == "count"
    assert len(about["oversampling"]) == 2  # of two methods: factor 2 uses nothing again in two epochs
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    for words in ("Beside the paper", "The paper&#39;s findings", "Effect of reusing mini-batches", "Validation by"):
        assert words in page.replace("The paper's", "The paper&#39;s"), words
    config = json.loads(next((tmp_path / "out" / "runs").glob("*--adaptive-in-batch--*/config.json")).read_text())
    assert config["negatives"] == {
        "in_batch_negatives": 100,
        "kept_hardest": 25,
        "not_kept": "zero",
        "draws_per": "sequence",
        "exclude": "history",
    }

    again = negsample(*asked)
    assert again.returncode == 0, again.stderr
    assert "finished before" in again.stdout


@pytest.mark.parametrize("preset", ["paper", "reference"])
def test_a_preset_on_data_of_another_name_says_whose_settings_it_takes(negsample, log, small, tmp_path, preset):
    asked = ("train", log, "--method", "adaptive", "--preset", preset, "--epochs", 1, "--out", tmp_path / "run")
    finished = negsample(*asked, *small)
    assert finished.returncode == 0, finished.stderr
    assert "none of the paper's datasets: the settings published for amazon-beauty are taken" in finished.stdout
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["method"] == {"paper": "adaptive", "reference": "adaptive-in-batch"}[preset]
    assert (config["settings"]["learning_rate"], config["settings"]["batch_size"]) == (0.0001, 64)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["reproduce", "--data", "none", "--out", "x"], "none is no folder"),
        (["reproduce", "--datasets", "netflix", "--out", "x"], "none of the paper's, or a second of one"),
        (["reproduce", "--datasets", "amazon-beauty,amazon-beauty-sequences", "--out", "x"], "a second of one"),
        (
            ["reproduce", "--datasets", "amazon-beauty-sequences", "--out", "x"],
            "amazon-beauty-sequences is not fetched",
        ),
        (["reproduce", "--osf", "1,x", "--out", "x"], "--osf takes whole numbers"),
        (
            ["compare", "online-retail", "--preset", "paper", "--tune-trials", "3", "--out", "x"],
            "leave out --tune-trials",
        ),
        (["compare", "online-retail", "--preset", "best", "--out", "x"], "'default', 'paper', 'reference'"),
    ],
)
def test_what_is_wrong_is_refused(negsample, tmp_path, arguments, words):
    finished = negsample(*arguments, cwd=tmp_path)
    assert finished.returncode == 2
    assert words in finished.stderr
    assert "Traceback" not in finished.stderr
    assert not list(tmp_path.iterdir())


def test_padding_cannot_be_counted_for_what_a_batch_shares(negsample, log, small, tmp_path):
    asked = ("train", log, "--method", "sampled-softmax", "--preset", "reference", "--epochs", 1)
    finished = negsample(*asked, "--out", tmp_path / "run", *small)
    assert finished.returncode == 2
    assert "padding=count is for methods whose negatives are drawn per sequence" in finished.stderr
