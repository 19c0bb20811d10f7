"""Test events have no say in any choice or weight, and validation events none in the weights of an epoch.

What is kept: which items and users there are, with their numbers, and where the parts begin.
"""

from __future__ import annotations

from itertools import cycle

import numpy as np
import pytest
import torch
from by_hand import with_events
from kinds import KINDS
from safetensors.torch import load_file

from negsample import METHODS, negative_settings, run_settings
from negsample.evaluation.by_rule import choose
from negsample.execution.attempts import run_job
from negsample.models.baselines import BASELINES, own_baselines
from negsample.rules import is_rule
from negsample.runs.folder import read_grid, read_run
from negsample.runs.job import Job, build_model
from negsample.runs.train import train_models
from negsample.scoring.dial import Choice
from negsample.studies.tuning import plan_tunings, tune_all

SMALL = {"epochs": 2, "batch_size": 8, "dim": 4, "max_length": 5, "learning_rate": 0.03}
FEW = {"random_negatives": 6, "popularity_negatives": 6, "in_batch_negatives": 5, "recent_negatives": 6}
FEW |= {"bank_size": 64, "warm_up": 1, "cache_size": 64, "cache_negatives": 8, "kept_hardest": 2, "picked_from": 4}
HISTORIES = ("frozen", "rolling", "rolling-basket")
TURNS = {
    "targets": cycle(("rows", "moments", "horizon")),
    "windows": cycle(("last", "all", "all", "last")),
    "refit": cycle((True, True, False, True, False)),
    "history": cycle((*HISTORIES, *HISTORIES, "frozen")),
    "backbone": cycle((*["sasrec"] * 7, *["gru4rec"] * 4)),
    "train_window": cycle((None, 12)),
    "weight_half_life": cycle((*[None] * 7, *[5] * 6)),
}
"""Settings by turns, so that all pairs of values come up."""
CASES = [(method, {name: next(turn) for name, turn in TURNS.items()}) for method in METHODS]
TERMS = {"terms": "popularity,recency,repeats"}
CASES += [
    ("mixed-log-q", {"targets": "moments", "windows": "all", "refit": True, "history": "frozen", **TERMS}),
    ("random", {"targets": "horizon", "windows": "last", "refit": True, "history": "rolling", **TERMS}),
    ("mixed", {"refit": True, "history": "frozen", "terms": "repeats", "fit_terms": True}),
    ("popularity", {"refit": False, "history": "rolling", "fit_terms": True}),
]
DRAWN = [case for case in CASES if case[0] in KINDS or "terms" in case[1]]  # no loss sees an event that is no target
ALONE = [case for case in CASES if case[0] in ("in-batch", "recent-mixed-log-q", "cross-batch") or "terms" in case[1]]


def named(case):
    return case[0] + "".join(f" {name}" for name in case[1] if "terms" in name)


@pytest.fixture(scope="module")
def data(tied):
    return tied(0)


def shuffled(data, part, kept=1.0):
    """Items and times of the part shuffled among its events, of which a share is left."""
    draws, items, times = np.random.default_rng(2), np.array(data.items), np.array(data.times)
    ends = (data.train_ends, data.valid_ends) if part == "valid" else (data.valid_ends, data.offsets[1:])
    of_users = [np.arange(*each) for each in zip(*ends, strict=True)]
    events = np.concatenate(of_users)
    items[events], times[events] = draws.permutation(items[events]), draws.permutation(times[events])
    for own in of_users:
        times[own] = np.sort(times[own])
    stays = np.ones(len(items), bool)
    stays[events] = draws.random(len(events)) < kept
    before = np.append(0, np.cumsum(stays))
    bounds = {name: before[getattr(data, name)] for name in ("offsets", "train_ends", "valid_ends")}
    return with_events(data, items[stays], times[stays], **bounds)


def job_of(data, method, **settings):
    negatives = negative_settings(method, FEW) if method in METHODS else {}
    return Job(data, method, 1, run_settings(**SMALL | settings), negatives)


def bits(weights):
    return {name: (each.shape, each.contiguous().numpy().tobytes()) for name, each in weights.items()}


def found_by(job, folder):
    """What a run chooses, and the bits of its models."""
    run_job(job, folder, dial=Choice(None))
    run = read_run(folder)
    chosen = {name: run.metrics[name] for name in ("best_epoch", "dial", "valid")} | {"grid": read_grid(folder).valid}
    chosen["terms"] = {key: value for key, value in run.metrics["terms"].items() if key != "seconds"}
    losses = [[line["loss"] for line in log] for log in (run.log, run.refit)]
    return chosen, losses, {path.name: bits(load_file(path)) for path in sorted(folder.glob("*.safetensors"))}


@pytest.mark.parametrize(
    ("method", "settings"),
    CASES,
    ids=map(named, CASES),
)
def test_test_events_have_no_say_in_a_method(method, settings, data, tmp_path):
    ours = found_by(job_of(data, method, **settings), tmp_path / "ours")
    assert len(ours[2]) == 1 + settings["refit"]
    assert found_by(job_of(shuffled(data, "test", 0.5), method, **settings), tmp_path / "theirs") == ours


@pytest.mark.parametrize("history", HISTORIES)
@pytest.mark.parametrize("name", own_baselines(100))
def test_test_events_have_no_say_in_a_baseline(name, history, data, tmp_path):
    ours = found_by(job_of(data, name, history=history), tmp_path / "ours")
    assert found_by(job_of(shuffled(data, "test", 0.5), name, history=history), tmp_path / "theirs") == ours
    none, rule = shuffled(data, "test", 0.0), BASELINES[name](data)
    if is_rule(rule):
        alone = BASELINES[name](none)
        choose(alone, none, run_settings(history=history))
        assert bits(alone.state_dict()) == ours[2]["model.safetensors"]


@pytest.mark.parametrize(("method", "settings"), ALONE, ids=[method for method, _ in ALONE])
def test_the_weights_are_the_same_without_any_test_event(method, settings, data, tmp_path):
    job = job_of(data, method, **settings | {"refit": True})
    run_job(job, tmp_path / "run")
    alone, epochs = job._replace(data=shuffled(data, "test", 0.0)), read_run(tmp_path / "run").metrics["best_epoch"]
    for name, each in {"model_before_refit": alone, "model": alone.refitted()}.items():
        model, place = build_model(job, torch.device("cpu")), tmp_path / name
        place.mkdir()
        refit = None if each is alone else [epochs]
        assert train_models([each], [model], [place], lambda *_: None, refit=refit)[0].best_epoch == epochs
        assert bits(model.state_dict()) == bits(load_file(tmp_path / "run" / f"{name}.safetensors"))


def test_test_events_have_no_say_in_tuned_settings(data, tmp_path):
    def tuned(of, folder):
        how = {"settings": run_settings(**SMALL | {"targets": "moments"}), "changes": {}, "given": []}
        found = tune_all(plan_tunings([of], ["mixed"], trials=3, seed=0, folder=folder, **how))
        return found["tied", "mixed"]

    assert tuned(data, tmp_path / "ours") == tuned(shuffled(data, "test", 0.5), tmp_path / "theirs")


@pytest.mark.parametrize(
    ("method", "settings"),
    DRAWN,
    ids=[case[0] + "".join(f" {name}" for name in case[1] if "terms" in name) for case in DRAWN],
)
def test_validation_events_have_no_say_in_the_weights_of_an_epoch(method, settings, data, tmp_path):
    """They choose among the epochs; so a refit, which trains on them, is left out."""

    def by_epoch(of, place):
        job, found = job_of(of, method, **settings | {"refit": False}), []
        model = build_model(job, torch.device("cpu"))
        place.mkdir()
        train_models([job], [model], [place], lambda _, epoch: found.append((epoch.loss, bits(model.state_dict()))))
        return found

    assert by_epoch(shuffled(data, "valid"), tmp_path / "theirs") == by_epoch(data, tmp_path / "ours")
