"""What several processes are said to need, and what a host refuses for lack of memory."""

from __future__ import annotations

import pytest

from negsample.errors import InputError
from negsample.parallel.arithmetic import sent_in_a_step, share_of_table
from negsample.runs.job import Job
from negsample.settings import run_settings
from negsample.studies.forecast import divided
from negsample.studies.forecast.needs import PROCESS, needs_of, positions_of


@pytest.fixture(scope="module")
def job(world):
    settings = run_settings(table="sharded", max_length=12, dim=16, batch_size=64)
    return Job(world(name="divided"), "mixed", 0, settings, {"random_negatives": 20, "in_batch_negatives": 20})


def test_what_is_sent_by_hand():
    sent = sent_in_a_step(rows=100, dim=8, targets=300, dense=1000, processes=4)
    assert sent == (100 * 8 * 3 / 4, 100 * 32 * 3 / 4, 100 * 32 * 3 / 4, 300 * 24 * 3 / 4, 2 * 4 * 1000 * 3 / 4)
    assert sent.total == sum(sent)
    assert not any(sent_in_a_step(rows=100, dim=8, targets=300, dense=1000, processes=1))
    assert share_of_table(10, 4) == 0.3


def test_more_processes_hold_less_each_and_look_up_less(job):
    found = [divided.divided_forecast(job, processes) for processes in (1, 2, 4)]
    assert [each.steps for each in found] == [positions_of(job).steps] * 3
    assert found[0].memory > found[1].memory > found[2].memory > PROCESS
    assert found[0].rows >= found[1].rows >= found[2].rows > 0
    assert found[0].sent.total == 0 < found[1].sent.total


def test_a_host_without_the_memory_is_refused(job, monkeypatch):
    enough = 2 * (divided.memory_of_one(job, 4) - PROCESS)
    assert enough > 2 * needs_of(job, processes=4).peak
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setattr(divided, "available_memory", lambda: enough)
    divided.check_divided_fits(job, 4)
    monkeypatch.setattr(divided, "available_memory", lambda: enough - 1)
    with pytest.raises(InputError, match=r"2 of 4 processes.*start more processes on more hosts.*adagrad"):
        divided.check_divided_fits(job, 4)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "1")
    divided.check_divided_fits(job, 4)
    monkeypatch.setattr(divided, "available_memory", lambda: None)
    divided.check_divided_fits(job, 1)
