"""Several jobs at once: the same folders as one after another, and clear ends."""

import pytest
from safetensors.torch import load_file

from negsample import InputError, TrainSettings, compare, plan
from negsample.dial import NONE
from negsample.tasks import Training
from negsample.workers import in_processes

SETTINGS = TrainSettings(epochs=2, batch_size=16, dim=8, max_length=8)


@pytest.fixture(scope="module")
def data(world):
    return world(users=60, items=40, name="small")


def test_two_at_once_do_what_one_after_another_does(data, tmp_path):
    jobs = plan([data], ["random", "in-batch"], repeats=1, seed=0, settings=SETTINGS)
    told = []
    compare(jobs, tmp_path / "two", at_once=2, watch=lambda job, epoch: told.append((job.name, epoch and epoch.epoch)))
    compare(jobs, tmp_path / "one")
    for job in jobs:
        one, two = (load_file(tmp_path / kind / "runs" / job.name / "model.safetensors") for kind in ("one", "two"))
        assert all((one[key] == two[key]).all() for key in one)  # this process has one thread too
        trained = [1, 2] if job.method != "PopRec" else []
        assert [epoch for name, epoch in told if name == job.name] == [*trained, None]
    assert {path.name for path in (tmp_path / "two" / "runs").iterdir()} == {job.name for job in jobs}


def test_a_job_that_cannot_be_done_is_told_as_it_is_alone(data, tmp_path):
    diverging = SETTINGS.model_copy(update={"learning_rate": 1e30})
    jobs = plan([data], ["random", "in-batch"], repeats=1, seed=0, settings=diverging)
    with pytest.raises(InputError, match="diverged"):
        compare(jobs, tmp_path, at_once=2)
    assert {path.name for path in (tmp_path / "runs").glob("[!.]*")} <= {jobs[0].name}


def test_what_breaks_in_a_worker_comes_with_its_traceback(data, tmp_path):
    jobs = plan([data], ["random", "in-batch"], repeats=1, seed=0, settings=SETTINGS)[1:]
    broken = [job._replace(negatives={}) for job in jobs]
    tasks = [Training([job], [tmp_path / job.name], NONE) for job in broken]
    with pytest.raises(RuntimeError, match="failed in a worker process:\nTraceback"):
        in_processes(tasks, 2, lambda number, message: None, print)
