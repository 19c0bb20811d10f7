"""Several jobs at once: the same folders as one after another, and clear ends."""

import pytest
from safetensors.torch import load_file

from negsample import InputError, TrainSettings, compare, plan
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


def test_what_breaks_a_task_comes_with_its_traceback(tmp_path):
    with pytest.raises(RuntimeError, match=r"(?s)broken failed in a worker process:\nTraceback.*KeyError: 'lost key'"):
        in_processes([Broken(KeyError("lost key"), tmp_path)] * 2, 2, lambda number, message: None, print)


@pytest.mark.parametrize("error", [InputError("no such luck"), OSError(28, "No space left on device")])
def test_what_a_task_refuses_is_told_as_it_is_alone(error, tmp_path):
    with pytest.raises(type(error), match=str(error.args[-1])):
        in_processes([Broken(error, tmp_path)], 2, lambda number, message: None, print)


class Broken:
    name, reads = "broken", ()

    def __init__(self, error, writes):
        self.error, self.writes = error, writes

    def do(self, say):
        raise self.error
