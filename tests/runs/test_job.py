"""A run's identity: one for equal computations, another for every other."""

from __future__ import annotations

import pytest

from negsample.methods import POPREC, negative_settings
from negsample.runs.job import Job
from negsample.runs.make import make_runs
from negsample.scoring.dial import NONE
from negsample.settings import run_settings

ROWS = {"table": "rows", "learning_rate": 0.01}


@pytest.fixture(scope="module")
def data(world):
    return world(users=40, items=20, name="small")


def job_of(data, method="random", **settings):
    return Job(data, method, 0, run_settings(dim=4, blocks=1, max_length=6, **settings), negative_settings(method, {}))


EQUAL = [
    ({"epochs": 3}, {"epochs": 3, "oversampling_factor": 3}),
    ({"epochs": 3}, {"epochs": 3, "oversampling_factor": 30}),
    ({"epochs": 3, "eval_every": 3}, {"epochs": 3, "eval_every": 7}),
    ({"epochs": 1}, {"epochs": 1, "eval_every": 20}),
    (ROWS, ROWS | {"table_learning_rate": 0.01}),
    ({}, {"table": "dense"}),
    ({}, {"k": "3,30"}),
    ({}, {"score_memory": 5}),
]


@pytest.mark.parametrize(("one", "other"), EQUAL)
def test_equal_computations_have_one_identity_and_equal_weights(one, other, data, tmp_path):
    jobs = [job_of(data, **({"epochs": 2} | settings)) for settings in (one, other)]
    assert len({job.name for job in jobs}) == 1
    weights = []
    for number, job in enumerate(jobs):
        (tmp_path / str(number)).mkdir()
        make_runs([job], [tmp_path / f"run-{number}"], [tmp_path / str(number)], NONE, lambda job, epoch: None)
        weights.append((tmp_path / f"run-{number}" / "model.safetensors").read_bytes())
    assert weights[0] == weights[1]


@pytest.mark.parametrize(
    "settings",
    [
        {"epochs": 3, "oversampling_factor": 2},
        {"epochs": 3, "eval_every": 2},
        ROWS | {"table_learning_rate": 0.02},
        {"table": "rows"},
        {"history": "rolling"},
        {"filter_seen": True},
    ],
)
def test_what_changes_numbers_is_another_run(settings, data):
    assert job_of(data, **settings).name != job_of(data, **({"epochs": settings.get("epochs", 20)})).name


def test_a_baseline_is_one_run_however_others_are_trained(data):
    names = {job_of(data, POPREC, **each).name for each in ({}, {"epochs": 3}, {"learning_rate": 0.5})}
    assert names == {Job(data, POPREC, 0, run_settings(backbone="gru4rec"), {}).name}
    assert job_of(data, POPREC, filter_seen=True).name not in names


def test_a_tuned_rate_of_training_leaves_that_of_the_table(data):
    """What is equal by chance is not kept equal."""
    settings = run_settings(table="rows", learning_rate=0.01, table_learning_rate=0.01)
    assert settings.replaced(learning_rate=0.5).training.table_learning_rate == 0.01


def test_identities_are_those_of_earlier_versions(dataset_of):
    data = dataset_of([([1, 2, 3], [4], [5])], 9)
    cases = (("random", {}), ("random", {"epochs": 5, "dim": 8}), (POPREC, {}))
    names = [Job(data, method, 0, run_settings(**each), negative_settings(method, {})).name for method, each in cases]
    assert [name.rpartition("--")[2] for name in names] == ["357e53d34ba3", "1dfd3d09dc5d", "6735d63ffb12"]
