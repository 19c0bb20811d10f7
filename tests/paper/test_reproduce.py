"""What `reproduce` plans, and what stands in for the paper's datasets."""

from __future__ import annotations

import pytest

from negsample.errors import InputError
from negsample.methods import POPREC
from negsample.paper.presets import PRESETS
from negsample.paper.reproduce import FACTORS, note_of, plan_reproduction, stand_ins, what_is_missing
from negsample.settings import run_settings


@pytest.fixture(scope="module")
def datasets(world):
    return {
        "movielens-10m": world(users=30, items=20, name="movielens-100k"),
        "retailrocket": world(users=30, items=20, name="retailrocket"),
    }


def planned(datasets, tmp_path, preset="reference", **options):
    chosen = PRESETS[preset]
    asked = {"repeats": 2, "seed": 5, "changes": {}, "given": [], "factors": FACTORS, "trials": 3} | options
    settings = run_settings(**chosen.training)
    return plan_reproduction(datasets, chosen, settings=settings, folder=tmp_path, **asked)


def test_the_runs_have_the_settings_of_what_they_stand_in_for(datasets, tmp_path):
    jobs = planned(datasets, tmp_path).jobs
    assert len(jobs) == 2 + 2 * 6 * 2
    settings = {job.data.name: job.settings.flat() for job in jobs if job.method == "random"}
    assert (settings["movielens-100k"]["max_length"], settings["movielens-100k"]["batch_size"]) == (200, 64)
    assert (settings["retailrocket"]["max_length"], settings["retailrocket"]["batch_size"]) == (50, 256)
    assert {job.seed for job in jobs if job.method != POPREC} == {5, 6}


def test_figure_a1_is_of_two_methods_once_and_leaves_out_the_factor_that_they_have(datasets, tmp_path):
    beside = planned(datasets, tmp_path).oversampling
    assert {(job.method, job.seed) for job in beside} == {("random", 5), ("adaptive-mixed", 5)}
    assert {job.settings.training.oversampling_factor for job in beside} == {1, 3, 10, 20, 50}
    assert len(beside) == 2 * 2 * 5


def test_figure_5_searches_around_the_published_settings_of_the_first_dataset(datasets, tmp_path):
    (tuning,) = planned(datasets, tmp_path).tunings
    assert (tuning.job.data.name, tuning.job.method, tuning.planned) == ("movielens-100k", "random", 3)
    assert tuning.job.settings.model.max_length == 200
    assert set(tuning.space) == {"learning_rate", "batch_size", "random_negatives"}


def test_what_is_left_out_is_told(datasets, tmp_path):
    found = planned(datasets, tmp_path, factors=[], trials=0)
    assert not found.oversampling
    assert not found.tunings
    said = "\n".join(what_is_missing(datasets, found))
    for words in ("Without amazon-beauty", "movielens-100k stands in for movielens-10m", "no --osf", "no --response"):
        assert words in said
    assert "retailrocket stands in" not in said
    note = note_of(datasets, PRESETS["reference"], found)
    assert note["reproduces"] == {"movielens-100k": "movielens-10m", "retailrocket": "retailrocket"}


def test_given_settings_go_before_published_ones(datasets, tmp_path):
    found = planned(datasets, tmp_path, given=["batch_size", "random_negatives"], changes={"random_negatives": 7})
    job = next(job for job in found.jobs if job.method == "random")
    assert (job.settings.training.batch_size, job.negatives["random_negatives"]) == (128, 7)


def touch(folder, *names):
    for name in names:
        (folder / name).write_text("user,item,time\n1,2,3\n")


def test_stand_ins_are_found_by_name_the_closest_first(tmp_path):
    touch(
        tmp_path, "movielens-100k.parquet", "movielens-10m.csv.gz", "Amazon-Beauty-5core.tsv", "README.md", "globo.csv"
    )
    (tmp_path / "retailrocket").mkdir()
    touch(tmp_path / "retailrocket", "part-0.csv")
    found = {name: path.name for name, path in stand_ins(tmp_path).items()}
    assert found == {
        "movielens-10m": "movielens-10m.csv.gz",
        "amazon-beauty": "Amazon-Beauty-5core.tsv",
        "retailrocket": "retailrocket",
    }


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["movielens-1m.csv", "movielens-100k.csv"], "several that could be movielens-10m"),
        (["shop.csv", "amazon-beauty.md"], "holds no log or prepared dataset named"),
        ([], "holds no log or prepared dataset named"),
    ],
)
def test_what_cannot_stand_in_is_refused(names, says, tmp_path):
    touch(tmp_path, *names)
    with pytest.raises(InputError, match=says):
        stand_ins(tmp_path)


def test_a_file_is_no_folder(tmp_path):
    touch(tmp_path, "x.csv")
    with pytest.raises(InputError, match="is no folder"):
        stand_ins(tmp_path / "x.csv")
