"""Runs that fail: the others are done, the reason is kept and shown, and the same call tries again."""

from __future__ import annotations

import json
import multiprocessing

import pytest

from negsample.analysis.reading import read_study
from negsample.comparison import compare
from negsample.errors import FailedError, InputError
from negsample.runs import make, train
from negsample.runs.failed import read_failed
from negsample.settings import run_settings
from negsample.studies.study import plan, unfinished

pytestmark = pytest.mark.usefixtures("no_report")

SETTINGS = run_settings(epochs=2, batch_size=16, dim=8, blocks=1, max_length=8)
TINY = {"temperature": 1e-44}  # a score over it is infinite


@pytest.fixture(scope="module")
def data(world):
    return world(users=60, items=40, name="small")


def grid(data, methods=("random", "sampled-softmax"), *, repeats=2, changes=None, **settings):
    given = SETTINGS.replaced(**settings)
    return plan([data], methods, repeats=repeats, seed=0, settings=given, changes=changes)


def finished(out):
    return {(run.config["method"], run.config["seed"]) for run in read_study(out).runs}


@pytest.mark.parametrize("how", [{}, {"at_once": 2}, {"together": 2}])
def test_runs_that_diverge_do_not_keep_the_others_from_being_done(how, data, tmp_path):
    told = []
    with pytest.raises(FailedError) as caught:
        compare(grid(data, changes=TINY), tmp_path, watch=lambda job, what: told.append((job.name, what)), **how)
    assert finished(tmp_path) == {("random", 0), ("random", 1), ("PopRec", 0)}
    failures = read_study(tmp_path).failures
    assert [(each.method, each.seed, each.kind) for each in failures] == [
        ("sampled-softmax", 0, "diverged"),
        ("sampled-softmax", 1, "diverged"),
    ]
    assert caught.value.lines == [each.line for each in failures]
    assert caught.value.page == tmp_path / "report.html"
    reported = {name: what for name, what in told if what in failures}  # in the order in which workers are done
    assert reported == {each.run: each for each in failures}
    ids = set(data.user_ids().cast(str))
    for each in failures:
        assert {"temperature=1e-44", "epoch 1, step 1,", "finite weights"} <= {
            part for part in ("temperature=1e-44", "epoch 1, step 1,", "finite weights") if part in each.reason
        }
        assert (each.facts["epoch"], each.facts["step"], each.facts["setting"]) == (1, 1, "temperature")
        assert len(each.facts["users"]) == 5
        assert set(each.facts["users"]) <= ids
    assert not list((tmp_path / "runs").glob(".*"))


def test_the_same_call_tries_again_and_success_is_the_end_of_it(data, tmp_path, monkeypatch):
    jobs, measured = grid(data, ["random"]), make.measure

    def short(model, *arguments, **named):
        raise MemoryError

    monkeypatch.setattr(make, "measure", short)
    for _ in range(2):
        with pytest.raises(FailedError, match="not enough memory"):
            compare(jobs, tmp_path)
    assert {each.kind for each in read_failed(tmp_path, [job.name for job in jobs])} == {"memory"}
    monkeypatch.setattr(make, "measure", measured)
    epochs = []
    compare(jobs, tmp_path, watch=lambda job, epoch: epochs.append(epoch))
    assert finished(tmp_path) == {("random", 0), ("random", 1), ("PopRec", 0)}
    assert read_study(tmp_path).failures == []
    assert not list((tmp_path / "failed").iterdir())


def test_failed_runs_stay_part_of_a_study_that_gets_other_methods(data, tmp_path):
    with pytest.raises(FailedError):
        compare(grid(data, changes=TINY), tmp_path)
    compare(grid(data, ["in-batch"]), tmp_path)
    there = read_study(tmp_path)
    assert {run.config["method"] for run in there.runs} == {"random", "in-batch", "PopRec"}
    assert {each.method for each in there.failures} == {"sampled-softmax"}


@pytest.mark.parametrize(
    ("changes", "settings", "setting"),
    [
        (TINY, {}, "temperature"),
        (TINY, {"learning_rate": 1.0}, "temperature"),
        ({}, {"learning_rate": 1e30}, "learning_rate"),
        ({"temperature": 0.1}, {"learning_rate": 1e30}, "learning_rate"),
        ({}, {"table": "rows", "table_learning_rate": 1e30}, "table_learning_rate"),
        ({}, {"precision": "bfloat16", "learning_rate": 1e30}, "learning_rate"),
    ],
)
def test_the_setting_at_fault_is_named(changes, settings, setting, data, tmp_path):
    jobs = grid(data, ["sampled-softmax"], repeats=1, changes=changes, **settings)
    with pytest.raises(FailedError, match=f"most likely at fault is {setting}="):
        compare(jobs, tmp_path)
    (failed,) = read_failed(tmp_path, [job.name for job in jobs])
    assert failed.facts["setting"] == setting
    assert failed.facts["step"] == (1 if setting == "temperature" else 2)


def test_the_seeds_of_a_stack_that_do_not_fail_are_trained(data, tmp_path, monkeypatch):
    jobs, build = grid(data, ["random"], repeats=3), make.build_model

    def broken(job, device):
        model = build(job, device)
        if job.seed == 1:
            model.table.weight.data[3] = float("inf")
        return model

    monkeypatch.setattr(make, "build_model", broken)
    with pytest.raises(FailedError, match=r"seed 1: training diverged: .* with infinite weights"):
        compare(jobs, tmp_path, together=3)
    assert finished(tmp_path) == {("random", 0), ("random", 2), ("PopRec", 0)}


def test_a_stack_that_fails_for_another_reason_is_trained_singly(data, tmp_path, monkeypatch):
    jobs, fit = grid(data, ["random"], repeats=2), train.fit_together

    def short(trainings, *arguments):
        if len(trainings) > 1 or trainings[0].seed == 1:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory")
        return fit(trainings, *arguments)

    monkeypatch.setattr(train, "fit_together", short)
    with pytest.raises(FailedError, match="seed 1: not enough memory"):
        compare(jobs, tmp_path, together=2)
    assert finished(tmp_path) == {("random", 0), ("PopRec", 0)}


def test_what_nobody_foresaw_is_kept_with_its_traceback(data, tmp_path, monkeypatch):
    write, jobs = make._write, grid(data, ["random"])

    def broken(job, *arguments):
        if job.seed == 1:
            raise KeyError("lost key")
        write(job, *arguments)

    monkeypatch.setattr(make, "_write", broken)
    with pytest.raises(FailedError, match="seed 1: an unexpected KeyError: 'lost key'"):
        compare(jobs, tmp_path)
    (failed,) = read_failed(tmp_path, [job.name for job in jobs])
    assert failed.facts["traceback"].startswith("Traceback")
    assert finished(tmp_path) == {("random", 0), ("PopRec", 0)}


def test_a_killed_worker_is_a_failed_run(data, tmp_path):
    jobs, busy = grid(data, ["random", "in-batch"], repeats=1, epochs=40), set()

    def kill(job, what):
        busy.add(job.method)
        if {"random", "in-batch"} <= busy and "killed" not in busy:
            busy.add("killed")
            multiprocessing.active_children()[0].kill()

    with pytest.raises(FailedError, match=r"killed by the system \(SIGKILL") as caught:
        compare(jobs, tmp_path, at_once=2, watch=kill)
    assert len(caught.value.lines) == 1
    assert len(finished(tmp_path)) == len(jobs) - 1
    assert [each.kind for each in read_study(tmp_path).failures] == ["killed"]
    compare(jobs, tmp_path)
    assert len(finished(tmp_path)) == len(jobs)


def test_popularity_fails_like_any_other(data, tmp_path, monkeypatch):
    write = make._write

    def broken(job, *arguments):
        if job.method == "PopRec":
            raise MemoryError
        write(job, *arguments)

    monkeypatch.setattr(make, "_write", broken)
    with pytest.raises(FailedError, match="PopRec seed 0: not enough memory"):
        compare(grid(data, ["random"]), tmp_path)
    assert finished(tmp_path) == {("random", 0), ("random", 1)}


def test_nothing_finished_is_no_report(data, tmp_path):
    jobs = [job for job in grid(data, ["sampled-softmax"], changes=TINY) if job.method != "PopRec"]
    with pytest.raises(FailedError) as caught:
        compare(jobs, tmp_path)
    assert caught.value.page is None
    assert len(caught.value.lines) == 2


def test_a_full_disk_stops_a_study(data, tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device", "somewhere")

    monkeypatch.setattr(make, "_write", full)
    with pytest.raises(OSError, match="No space left"):
        compare(grid(data, ["random"]), tmp_path)


def test_a_damaged_record_is_told(data, tmp_path):
    jobs = grid(data, ["sampled-softmax"], changes=TINY)
    with pytest.raises(FailedError):
        compare(jobs, tmp_path)
    for path in (tmp_path / "failed").iterdir():
        path.write_text(json.dumps(json.loads(path.read_text()) | {"kind": "bored"}))
    with pytest.raises(InputError, match="is damaged"):
        read_study(tmp_path)
    assert len(unfinished(jobs, tmp_path)) == 2
