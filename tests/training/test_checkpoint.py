"""A training that was stopped and carried on gives the numbers of one that never was, to the last bit."""

import json
from pathlib import Path

import polars as pl
import pytest
import torch
from kinds import KINDS
from safetensors.torch import load_file

from negsample import InputError, run_settings
from negsample.data.dataset import Dataset
from negsample.execution.attempts import run_job, run_jobs
from negsample.files.checksums import LIST
from negsample.files.claims import claimed, place_of
from negsample.methods import negative_settings
from negsample.runs.job import Job
from negsample.scoring.dial import NONE
from negsample.training import checkpoint

SETTINGS = {"epochs": 5, "batch_size": 32, "dim": 8, "max_length": 8, "eval_every": 2, "learning_rate": 0.01}
FEW = {
    "random_negatives": 6,
    "popularity_negatives": 6,
    "in_batch_negatives": 5,
    "bank_size": 64,
    "warm_up": 1,
    "cache_size": 64,
    "cache_negatives": 8,
    "kept_hardest": 2,
    "picked_from": 4,
}


class StoppedError(Exception):
    pass


@pytest.fixture(scope="module")
def data(world):
    return world(users=80, items=40, name="small")


@pytest.fixture(autouse=True)
def after_each_epoch(monkeypatch):
    monkeypatch.setattr(checkpoint, "_SHARE", 0)


def job_of(data, method, seed=3, **changes):
    return Job(data, method, seed, run_settings(**SETTINGS | changes), negative_settings(method, FEW))


def no_number(name):
    raise AssertionError(f"{name} is no JSON")


@pytest.mark.parametrize("stopped", [False, True])
def test_figures_that_are_undefined_are_null_in_the_log(dataset_of, tmp_path, monkeypatch, stopped):
    """No event is on a tail item, and JSON has no NaN; also of a training that was carried on."""
    monkeypatch.setattr(Dataset, "item_ids", lambda data: pl.Series(range(1, data.catalogue_size + 1)))
    few = dataset_of([([1, 2, 1, 3], [1], [1])] * 6, 9)
    job = job_of(few, "random", batch_size=4)
    if stopped:
        with pytest.raises(StoppedError):
            run_jobs([job], [tmp_path / "run"], watch=stopping_after(4, []))
    run_job(job, tmp_path / "run")
    for name in ("metrics.json", "dial.json", "config.json"):
        json.loads((tmp_path / "run" / name).read_text(), parse_constant=no_number)
    lines = (tmp_path / "run" / "log.jsonl").read_text().splitlines()
    log = [json.loads(line, parse_constant=no_number) for line in lines]
    validated = [entry["valid"] for entry in log if "valid" in entry]
    assert [(valid["tail_hr@10"], valid["head_events"]) for valid in validated] == [(None, 6)] * 3


def test_the_run_says_what_it_was_done_on(data, tmp_path, monkeypatch):
    card = {"name": "A card", "count": 2, "memory_bytes": 3 * 2**30, "cuda": "12.8"}
    for number, cards in enumerate((None, card)):
        monkeypatch.setattr("negsample.runs.machine.graphics", lambda cards=cards: cards)
        run_job(job_of(data, "random", epochs=1), tmp_path / str(number))
        found = json.loads((tmp_path / str(number) / "config.json").read_text())["machine"]
        assert found["graphics"] == cards
        assert found["cores"] >= 1
        assert found["processor"]


def stopping_after(epochs, seen):
    def watch(job, epoch):
        seen.append(epoch.epoch)
        if epoch.epoch == epochs:
            raise StoppedError

    return watch


def results(folder):
    log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    for entry in log:
        del entry["seconds"]
    metrics = json.loads((folder / "metrics.json").read_text())
    for key in ("train_seconds", "steps_per_second", "peak_memory_bytes"):
        del metrics[key]
    return (
        log,
        metrics,
        {name: each.view(torch.uint8) for name, each in load_file(folder / "model.safetensors").items()},
    )


def assert_same(one, other):
    for (log, metrics, weights), (log_2, metrics_2, weights_2) in [(results(one), results(other))]:
        assert log == log_2
        assert metrics == metrics_2
        assert weights.keys() == weights_2.keys()
        assert all(torch.equal(weights[name], weights_2[name]) for name in weights)


CASES = [
    *[(method, {}) for method in KINDS],
    ("random", {"table": "rows"}),
    ("random", {"table": "rows", "table_optimizer": "adagrad", "table_dtype": "bfloat16"}),
    ("cross-batch", {"table": "rows"}),
    ("adaptive-mixed", {"oversampling_factor": 2}),
    ("random", {"backbone": "gru4rec"}),
    ("random", {"windows": "all", "with_replacement": True, "padding": "count"}),
    ("adaptive-mixed", {"windows": "all", "oversampling_factor": 2}),
    ("mixed-log-q", {"terms": "popularity,recency,repeats", "targets": "moments"}),
]


@pytest.mark.parametrize(("method", "changes"), CASES)
def test_stopped_and_carried_on_is_as_never_stopped(method, changes, data, tmp_path):
    job = job_of(data, method, **(changes or {"epochs": 3}))
    run_job(job, tmp_path / "whole")
    seen, last = [], job.settings.training.epochs
    stops = (2, 3, 5) if changes else (2,)  # what happens after the last epoch is no matter of the method
    for stop in stops:
        with pytest.raises(StoppedError):
            run_jobs([job], [tmp_path / "run"], watch=stopping_after(stop, seen))
        assert not (tmp_path / "run").exists()
        assert {path.name for path in place_of(tmp_path / "run").iterdir()} >= {"lock"}
    trained = []
    run_job(job, tmp_path / "run", watch=lambda epoch: trained.append(epoch.epoch))
    # An epoch is told before it is kept: the one that was stopped at is trained again, those before it are told again.
    assert seen == [epoch for stop in stops for epoch in range(1, stop + 1)]
    assert trained == [*range(1, last + 1)]
    assert_same(tmp_path / "run", tmp_path / "whole")
    assert {path.name for path in tmp_path.iterdir()} == {"run", "whole"}


def test_epochs_that_were_kept_are_not_trained_again(data, tmp_path, monkeypatch):
    job, steps = job_of(data, "random"), []
    monkeypatch.setattr("negsample.training.loop.step_of", counting := Counting(steps))
    with pytest.raises(StoppedError):
        run_jobs([job], [tmp_path / "run"], watch=stopping_after(4, []))
    of_four = len(steps)
    assert of_four % 4 == 0
    run_job(job, tmp_path / "run")
    assert counting.calls == of_four // 4 * (4 + 2)  # the fourth again, and the fifth


class Counting:
    def __init__(self, steps):
        from negsample.training.step import step_of

        self.step, self.steps, self.calls = step_of, steps, 0

    def __call__(self, *arguments, **named):
        self.calls += 1
        self.steps.append(1)
        return self.step(*arguments, **named)


def test_seeds_that_are_trained_together_are_carried_on_together(data, tmp_path):
    jobs = [job_of(data, "adaptive-mixed", seed) for seed in (0, 1)]
    run_jobs(jobs, [tmp_path / "whole-0", tmp_path / "whole-1"])
    with pytest.raises(StoppedError):
        run_jobs(jobs, [tmp_path / "0", tmp_path / "1"], watch=stopping_after(3, []))
    assert run_jobs(jobs, [tmp_path / "0", tmp_path / "1"])
    for seed in "01":
        assert_same(tmp_path / seed, tmp_path / f"whole-{seed}")


def test_the_state_of_another_training_is_not_taken(data, tmp_path):
    with pytest.raises(StoppedError):
        run_jobs([job_of(data, "random", seed=1)], [tmp_path / "run"], watch=stopping_after(3, []))
    job = job_of(data, "random", seed=2)
    run_job(job, tmp_path / "run")
    run_job(job, tmp_path / "whole")
    assert_same(tmp_path / "run", tmp_path / "whole")


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("state.pt", lambda path: path.write_bytes(path.read_bytes()[:200])),
        ("state.pt", lambda path: path.write_bytes(b"")),
        ("state.pt", flip),
        ("best-2.pt", Path.unlink),
        ("best-2.pt", flip),
        (LIST, Path.unlink),
        (LIST, lambda path: path.write_text("[" * 100_000)),
    ],
)
def test_damage_is_told(name, damage, data, tmp_path):
    job = job_of(data, "random")
    with pytest.raises(StoppedError):
        run_jobs([job], [tmp_path / "run"], watch=stopping_after(3, []))
    damage(place_of(tmp_path / "run") / name)
    with pytest.raises(InputError, match=rf"{name} is damaged .*delete .*anew"):
        run_job(job, tmp_path / "run")
    assert place_of(tmp_path / "run").exists()


def test_states_are_kept_for_a_twentieth_of_the_time(tmp_path, monkeypatch):
    monkeypatch.undo()
    now = [0.0]
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: now[0])
    kept = checkpoint.Checkpoint(tmp_path, "this")

    def state():
        now[0] += 2.0  # what keeping takes
        return {"epoch": now[0]}

    when = []
    for _ in range(100):
        now[0] += 1.0  # an epoch
        began = now[0]
        if kept.after_epoch(state):
            when.append(began)
    assert when == [1.0, 43.0, 85.0]
    assert kept.load()["epoch"] == 87.0
    assert checkpoint.Checkpoint(tmp_path, "other").load() is None


def test_one_process_at_a_time_has_a_run(data, tmp_path):
    job = job_of(data, "random")
    with claimed([tmp_path / "run"]) as places:
        assert places is not None
        assert run_jobs([job], [tmp_path / "run"], dial=NONE) is False
        with pytest.raises(InputError, match="another process is making"):
            run_job(job, tmp_path / "run")
    run_job(job, tmp_path / "run")
    assert (tmp_path / "run").is_dir()
