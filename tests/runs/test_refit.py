"""A refit trains anew on train and validation, for the epochs that validation chose."""

import json
import pickle

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.torch import load_file

from negsample import fit, run_settings
from negsample.data.log.read import Log
from negsample.data.prepare.pipeline import prepare
from negsample.evaluation.evaluate import evaluate_by_dial
from negsample.execution.attempts import run_job, run_jobs
from negsample.files.claims import place_of
from negsample.files.folders import finite
from negsample.methods import POPREC, build_method, catalogue_of, negative_settings
from negsample.models.build import build_backbone
from negsample.random import generator
from negsample.runs.age import age_in_days
from negsample.runs.folder import read_grid, read_run
from negsample.runs.job import Job
from negsample.runs.load import load_run
from negsample.runs.remeasure import remeasure, set_dial
from negsample.scoring.dial import Choice, dials, parse_choice
from negsample.settings import PrepareSettings
from negsample.studies.forecast.trial import Pace
from negsample.studies.verify import verify
from negsample.tracking.entry import entry_of
from negsample.training import checkpoint

SETTINGS = {"epochs": 4, "batch_size": 16, "dim": 8, "max_length": 8, "blocks": 1, "learning_rate": 0.03}
FEW = {"random_negatives": 6, "popularity_negatives": 6, "in_batch_negatives": 5, "bank_size": 64, "warm_up": 1}
FEW |= {"cache_size": 64, "cache_negatives": 8, "kept_hardest": 2, "picked_from": 4}
USERS, STEPS, ITEMS = 60, 20, 40
SHARES = {"valid_fraction": 0.2, "test_fraction": 0.1}
LATER = {"valid_fraction": 0.05, "test_fraction": 0.05}
"""Of the same log: train is what train and validation are with ``SHARES``."""


@pytest.fixture(scope="module")
def log():
    chance = np.random.default_rng(5)
    when = chance.permutation(USERS * STEPS)
    items = np.minimum(chance.zipf(1.4, USERS * STEPS), ITEMS)
    users = np.repeat(np.arange(USERS), STEPS)
    return pl.DataFrame({"user": users, "item": items.astype(np.int64), "time": when * 3600 * 10**6})


@pytest.fixture(scope="module")
def prepared(log, tmp_path_factory):
    def make(shares):
        return prepare(
            Log(log.lazy(), "small", []), PrepareSettings(**shares), tmp_path_factory.mktemp("data") / "small"
        )

    return make


@pytest.fixture(scope="module")
def data(prepared):
    return prepared(SHARES)


@pytest.fixture(scope="module")
def later(prepared):
    return prepared(LATER)


def job_of(data, method="random", seed=3, **changes):
    return Job(data, method, seed, run_settings(**SETTINGS | {"refit": True} | changes), negative_settings(method, FEW))


def weights_of(folder, name="model.safetensors"):
    return {key: each.clone() for key, each in load_file(folder / name).items()}


def assert_same_bits(one, other):
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name].view(torch.uint8), other[name].view(torch.uint8)) for name in one)


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    run_job(job_of(data, "mixed-log-q"), folder, dial=Choice(None))
    return folder


@pytest.fixture(scope="module")
def plain(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    run_job(job_of(data, "mixed-log-q", refit=False), folder, dial=Choice(None))
    return folder


def test_train_with_validation_has_the_events_of_both(data):
    both = data.with_validation()
    counts = [0] * (data.catalogue_size + 1)
    for user in range(data.users):
        for at in range(data.offsets[user], data.valid_ends[user]):
            counts[data.items[at]] += 1
    assert both.train_counts.tolist() == counts
    assert sum(counts) == data.manifest.train_events + data.manifest.valid_events
    assert (both.train_ends == data.valid_ends).all()
    assert (both.valid_ends == data.valid_ends).all()
    again = pickle.loads(pickle.dumps(both))
    assert (again.train_ends == both.train_ends).all()
    assert (again.train_counts == both.train_counts).all()
    assert (pickle.loads(pickle.dumps(data)).train_ends == data.train_ends).all()


CASES = [
    ("popularity", {}),
    ("cross-batch", {}),
    ("full-ce", {}),
    ("random", {"table": "rows"}),
    ("random", {"table": "rows", "table_optimizer": "adagrad", "table_dtype": "bfloat16"}),
    ("adaptive-mixed", {"oversampling_factor": 1, "eval_every": 2}),
    ("mixed-log-q", {"windows": "all", "targets": "moments"}),
    ("mixed", {"backbone": "gru4rec", "blocks": None}),
    ("random", {"with_replacement": True}),
]


@pytest.mark.parametrize(("method", "changes"), CASES)
def test_the_weights_are_those_of_a_training_by_hand_on_the_log_split_later(method, changes, data, later, tmp_path):
    """``fit`` on the same log, prepared with a later cut, for as many epochs as validation chose before."""
    settings = {key: value for key, value in (SETTINGS | changes).items() if value is not None}
    negatives = negative_settings(method, FEW)
    job = Job(data, method, 3, run_settings(**settings, refit=True), negatives)
    run_job(job, tmp_path / "run")
    chosen = read_run(tmp_path / "run").metrics["best_epoch"]
    by_hand = run_settings(**settings | {"epochs": chosen, "eval_every": chosen})
    if job.settings.training.oversampling_factor:
        assert chosen > 1, "or no batch is used again"
    model = build_backbone(by_hand.model, later.catalogue_size, rng=generator(3, "init"), device=torch.device("cpu"))
    how = {"windows": by_hand.training.windows, "targets": by_hand.training.targets}
    catalogue = catalogue_of(later, by_hand.model.max_length, **how)
    fit(model, later, build_method(method, catalogue, negatives), by_hand, seed=3)
    assert_same_bits(weights_of(tmp_path / "run"), model.state_dict())


def test_what_came_before_is_the_run_without(run, plain):
    before, after = read_run(plain), read_run(run)
    assert after.metrics["valid"] == before.metrics["valid"]
    assert after.metrics["test_before_refit"] == before.metrics["test"]
    assert after.metrics["test"] != before.metrics["test"]
    assert [each["loss"] for each in after.log] == [each["loss"] for each in before.log]
    assert {after.metrics[key] == before.metrics[key] for key in ("dial", "best_epoch")} == {True}
    assert read_grid(run).test_before_refit == read_grid(plain).test
    assert read_grid(run).valid == read_grid(plain).valid
    assert_same_bits(weights_of(run, "model_before_refit.safetensors"), weights_of(plain))


def test_the_files_say_so(run, plain):
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["refit"]["epochs"] == metrics["best_epoch"]
    assert metrics["refit"]["valid_is_of"] == "the model before the refit"
    assert 0 < metrics["refit"]["seconds"] < metrics["train_seconds"]
    lines = [json.loads(line) for line in (run / "refit.jsonl").read_text().splitlines()]
    assert [(each["epoch"], each["refit"]) for each in lines] == [
        (epoch, metrics["best_epoch"]) for epoch in range(1, metrics["best_epoch"] + 1)
    ]
    assert not any("valid" in each for each in lines)
    assert json.loads((run / "config.json").read_text())["identity"]["settings"]["refit"] is True
    without = json.loads((plain / "metrics.json").read_text())
    assert (without["refit"], without["test_before_refit"]) == ({}, {})
    assert not (plain / "refit.jsonl").exists()
    assert not [each for found in verify(run) for each in found.damaged]


def test_it_is_tracked_with_the_training_before_it(run, plain):
    entry, lines = entry_of(run), read_run(run).refit
    curve = [each for each in entry.points if each.name == "refit/epoch/loss"]
    assert [(each.step, each.value) for each in curve] == [(line["epoch"], line["loss"]) for line in lines]
    before = [each for each in entry.points if each.name == "epoch/loss"]
    assert len(before) == 4
    assert entry.began <= before[-1].when <= curve[0].when <= curve[-1].when <= entry.ended + 1
    figures = {each.name: each.value for each in entry.points}
    assert figures["refit/epochs"] == len(lines)
    assert figures["test_before_refit/ndcg_at_10"] == read_run(plain).metrics["test"]["ndcg@10"]
    assert [path.name for path in entry.files] == ["config.json", "log.jsonl", "refit.jsonl", "metrics.json"]
    assert not [each for each in entry_of(plain).points if each.name.startswith("refit/")]


def test_the_dial_at_test_is_of_what_the_tested_model_was_trained_on(run, data, later):
    loaded = load_run(run, data)
    counts = np.zeros(data.catalogue_size + 1, np.int64)
    for user in range(later.users):
        events = later.items[later.offsets[user] : later.train_ends[user]][-9:]
        np.add.at(counts, events[1:], 1)
    grid = read_grid(run)
    found = evaluate_by_dial(loaded.model, data, "test", loaded.job.settings, dials(counts, grid.betas))
    assert grid.test == [finite(each.figures) for each in found]


def test_the_age_is_the_median_time_since_the_last_event_trained_on(run, plain, log, data, later):
    """All users have a history."""
    times = np.sort(log["time"].to_numpy())
    tests = times[-len(times) // 10 :]
    for shares, folder in ((0.7, plain), (0.9, run)):
        last = times[int(shares * len(times)) - 1]
        expected = np.median([(each - last) / (86400 * 10**6) for each in tests])
        assert read_run(folder).metrics["age_days"] == pytest.approx(expected)
    assert age_in_days(data.with_validation()) < age_in_days(data)


def test_measuring_again_changes_nothing(run, data):
    names = ("metrics.json", "dial.json", "model.safetensors")
    before = [(run / name).read_bytes() for name in names]
    remeasure(run, data=data)
    assert [(run / name).read_bytes() for name in names] == before
    set_dial(run, parse_choice("-0.5"), data)
    assert read_run(run).metrics["test_before_refit"] == read_grid(run).test_before_refit[2] | {
        "best_epoch": read_run(run).metrics["best_epoch"]
    }
    remeasure(run, parse_choice("auto"), data=data, settings={"k": [3, 10]})
    assert {"hr@3", "hr@10"} <= read_run(run).metrics["test_before_refit"].keys() & read_run(run).metrics[
        "valid"
    ].keys()
    remeasure(run, data=data, settings={"k": [1, 5, 10, 20]})
    assert [(run / name).read_bytes() for name in names] == before


def test_a_baseline_is_the_same_run_with_and_without(data, tmp_path):
    jobs = [Job(data, POPREC, 0, run_settings(**SETTINGS, refit=each), {}) for each in (False, True)]
    assert jobs[0].name == jobs[1].name
    run_job(jobs[1], tmp_path / "run")
    assert read_run(tmp_path / "run").metrics["age_days"] is None
    assert read_run(tmp_path / "run").metrics["refit"] == {}


class StoppedError(Exception):
    pass


@pytest.mark.parametrize(
    ("method", "stops"),
    [("random", [(None, 4)]), ("cross-batch", [(1, 1)]), ("adaptive-mixed", [(None, 2), (1, 1), (1, 2)])],
)
def test_a_stopped_refit_is_carried_on_to_the_same_bits(method, stops, data, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "_SHARE", 0)
    job = job_of(data, method, oversampling_factor=2 if method == "adaptive-mixed" else None)
    run_job(job, tmp_path / "whole")
    epochs = read_run(tmp_path / "whole").metrics["best_epoch"]
    for refit, epoch in stops:
        at = (refit and epochs, min(epoch, epochs) if refit else epoch)

        def watch(job, done, at=at):
            if (done.refit, done.epoch) == at:
                raise StoppedError

        with pytest.raises(StoppedError):
            run_jobs([job], [tmp_path / "run"], watch=watch)
    seen = []
    run_job(job, tmp_path / "run", watch=seen.append)
    assert [each.epoch for each in seen] == [*range(1, 5), *range(1, epochs + 1)]
    assert not place_of(tmp_path / "run").exists()
    assert_same_bits(weights_of(tmp_path / "run"), weights_of(tmp_path / "whole"))
    one, other = (read_run(tmp_path / name).metrics for name in ("run", "whole"))
    assert [one[key] for key in ("test", "valid", "test_before_refit")] == [
        other[key] for key in ("test", "valid", "test_before_refit")
    ]
    losses = [
        [json.loads(line)["loss"] for line in (tmp_path / name / "refit.jsonl").read_text().splitlines()]
        for name in ("run", "whole")
    ]
    assert losses[0] == losses[1]


def test_a_refit_goes_on_from_its_own_checkpoint(data, tmp_path, monkeypatch):
    """Not from its beginning: the epochs before the stop are not trained again."""
    monkeypatch.setattr(checkpoint, "_SHARE", 0)
    job = job_of(data, epochs=3, learning_rate=1e-4)

    def watch(job, done):
        if done.refit is not None and done.epoch == 2:
            raise StoppedError

    with pytest.raises(StoppedError):
        run_jobs([job], [tmp_path / "run"], watch=watch)
    trained = []
    monkeypatch.setattr("negsample.training.loop.step_of", lambda *args: trained.append(args) or no_step())
    with pytest.raises(RuntimeError, match="StoppedError"):
        run_job(job, tmp_path / "run")
    assert len(trained) == 1, "epochs before the refit are not trained again"
    assert (place_of(tmp_path / "run") / "refit" / "state.pt").exists()


def no_step():
    raise StoppedError


def test_seeds_together_are_refitted_each_for_its_own_epochs(data, tmp_path):
    jobs = [job_of(data, seed=seed) for seed in (1, 2, 3, 4)]
    folders = [tmp_path / f"together-{job.seed}" for job in jobs]
    run_jobs(jobs, folders)
    epochs = {read_run(folder).metrics["refit"]["epochs"] for folder in folders}
    assert len(epochs) > 1, "or this shows little"
    for job, folder in zip(jobs, folders, strict=True):
        run_job(job, tmp_path / f"alone-{job.seed}")
        alone = weights_of(tmp_path / f"alone-{job.seed}")
        together = weights_of(folder)
        assert read_run(folder).metrics["best_epoch"] == read_run(tmp_path / f"alone-{job.seed}").metrics["best_epoch"]
        assert all(torch.allclose(together[name], alone[name], atol=1e-3) for name in alone)
        lines = (folder / "refit.jsonl").read_text().splitlines()
        assert len(lines) == read_run(folder).metrics["best_epoch"]


def test_a_refit_that_diverges_says_that_it_is_one(data, tmp_path, monkeypatch):
    job, failed = job_of(data), []

    def no_weights(step):
        def stepping(drawn, optimizer, together):
            loss = step(drawn, optimizer, together)
            return loss if drawn[0].method.sampler is not None and not refitting() else loss * torch.inf

        return stepping

    place = place_of(tmp_path / "run")

    def refitting():
        return (place / "refit").exists()

    from negsample.training import loop

    monkeypatch.setattr(loop, "step_of", no_weights(loop.step_of))
    run_jobs([job], [tmp_path / "run"], failing=lambda job, why: failed.append(why))
    assert failed[0].kind == "diverged"
    assert "the loss became inf in epoch 1 of the refit, step 1" in failed[0].reason
    assert not (tmp_path / "run").exists()


def test_a_forecast_has_as_many_epochs_again():
    pace = Pace(step=1.0, steps=10, validation=5.0, end=3.0)
    assert [pace.run(run_settings(epochs=4, refit=each)) for each in (False, True)] == [63.0, 103.0]
