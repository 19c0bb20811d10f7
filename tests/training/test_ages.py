"""Targets weighted by age, and of the last days alone: with every method and setting, and nothing known of later."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.torch import load_file

from negsample import InputError, fit, run_settings
from negsample.batches.epochs import batches_of
from negsample.data.log.read import Log
from negsample.data.prepare.pipeline import prepare
from negsample.execution.attempts import run_job, run_jobs
from negsample.losses import bce
from negsample.methods import METHODS, Method, build_method, negative_settings
from negsample.miners import KeepAll
from negsample.models import SASRec
from negsample.runs.folder import read_run
from negsample.runs.job import Job, build_model
from negsample.samplers import Uniform
from negsample.scoring.dial import NONE
from negsample.settings import PrepareSettings
from negsample.studies.forecast.needs import positions_of
from negsample.training import checkpoint
from negsample.training.inputs import StepOptions
from negsample.training.loop import fit_together
from negsample.training.state import TrainingState
from negsample.training.step import step

USERS, STEPS, V = 40, 15, 29
SETTINGS = {"epochs": 1, "batch_size": 16, "dim": 8, "max_length": 4, "blocks": 1, "learning_rate": 0.03}
AGED = {"train_window": 5, "weight_half_life": 3}
FEW = {"random_negatives": 6, "popularity_negatives": 6, "in_batch_negatives": 5, "bank_size": 64, "warm_up": 1}
FEW |= {"cache_size": 64, "cache_negatives": 8, "kept_hardest": 2, "picked_from": 4}
CPU = torch.device("cpu")


def log(*, garbled_from=None):
    """Events of somebody every hour, two of them at once; from an hour on other items at other times."""
    chance = np.random.default_rng(5)
    hours = np.arange(USERS * STEPS) // 2 * 2
    items = chance.integers(1, V + 1, USERS * STEPS)
    users = chance.permutation(np.repeat(np.arange(USERS), STEPS))
    if garbled_from is not None:
        later = hours > garbled_from
        items[later], hours[later] = items[later] % V + 1, hours[later] + 999
        items[hours == garbled_from] = 1
    return pl.DataFrame({"user": users, "item": items.astype(np.int64), "time": hours * 3600 * 10**6})


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    def make(frame):
        shares = PrepareSettings(valid_fraction=0.2, test_fraction=0.1)
        return prepare(Log(frame.lazy(), "hours", []), shares, tmp_path_factory.mktemp("data") / "hours")

    return make


@pytest.fixture(scope="module")
def data(prepared):
    return prepared(log())


@pytest.fixture(scope="module")
def garbled(prepared, data):
    """Other events from validation on, whose start is the same."""
    made = prepared(log(garbled_from=420))
    assert made.manifest.valid_start == data.manifest.valid_start
    assert (made.train_ends == data.train_ends).all()
    assert not np.array_equal(made.items, data.items)
    return made


def job_of(data, method="random", seed=3, **changes):
    return Job(data, method, seed, run_settings(**SETTINGS | AGED | changes), negative_settings(method, FEW))


def trained(job):
    """The weights after all epochs; the best epoch is known to validation."""
    model = build_model(job, CPU)
    fit(model, job.data, build_method(job.method, job.catalogue(CPU), job.negatives), job.settings, seed=job.seed)
    return torch.cat([each.flatten() for each in model.state_dict().values()])


@pytest.mark.parametrize("method", METHODS)
def test_every_method_learns_otherwise_and_nothing_of_later(method, data, garbled):
    found = trained(job_of(data, method))
    assert torch.isfinite(found).all()
    assert torch.equal(trained(job_of(garbled, method)), found)
    for without in AGED:
        assert not torch.equal(trained(job_of(data, method, **{without: None})), found)


OTHERS = {
    "moments": {"targets": "moments"},
    "moments in windows": {"targets": "moments", "windows": "all"},
    "horizon": {"targets": "horizon", "horizon": 3, "epochs": 2},
    "gru": {"backbone": "gru4rec"},
    "rows": {"table": "rows"},
    "bfloat16": {"precision": "bfloat16"},
    "with replacement": {"with_replacement": True},
    "used again": {"oversampling_factor": 1, "epochs": 3},
}


@pytest.mark.parametrize("changes", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("method", ["random", "mixed-log-q"])
def test_whatever_the_settings(changes, method, data, garbled):
    """With several epochs the best one is by validation, which the other log garbles; so of the last one alone."""
    changes = {"eval_every": 9} | changes
    found = trained(job_of(data, method, **changes))
    assert torch.isfinite(found).all()
    assert torch.equal(trained(job_of(garbled, method, **changes)), found)
    assert not torch.equal(trained(job_of(data, method, **changes, weight_half_life=None)), found)


@pytest.mark.parametrize("method", ["mixed-log-q", "in-batch-log-q", "corrected-log-q", "cross-batch"])
def test_no_target_of_an_epoch_of_a_horizon_is_unknown_to_the_law(method, prepared):
    """Items are rare, so that most are a target in some epochs only; a log q of -inf would be a loss of 1e30."""
    rare = log().with_columns(item=np.random.default_rng(0).integers(1, 200, USERS * STEPS))
    job = job_of(prepared(rare), method, targets="horizon", horizon=3, windows="last", epochs=5, train_window=None)
    model = build_model(job, CPU)
    built = build_method(job.method, job.catalogue(CPU), job.negatives)
    assert max(epoch.loss for epoch in fit(model, job.data, built, job.settings, seed=3).log) < 20


@pytest.mark.parametrize("changes", [{}, {"precision": "bfloat16"}, {"oversampling_factor": 1, "epochs": 3}])
def test_seeds_together_are_seeds_alone(changes, data):
    changes = {"learning_rate": 5e-3} | changes
    jobs = [job_of(data, "in-batch", seed, **changes) for seed in (3, 4)]
    trainings = [
        TrainingState(build_model(job, CPU), build_method(job.method, job.catalogue(CPU), job.negatives), seed=job.seed)
        for job in jobs
    ]
    fit_together(trainings, data, jobs[0].settings)
    for training, job in zip(trainings, jobs, strict=True):
        mine = torch.cat([each.flatten() for each in training.model.state_dict().values()])
        torch.testing.assert_close(mine, trained(job), atol=2e-3, rtol=0)
        same_to_all = trained(job_of(data, "in-batch", job.seed, **changes, weight_half_life=None))
        assert (mine - same_to_all).abs().max() > 4e-3


class StoppedError(Exception):
    pass


@pytest.mark.parametrize(
    ("method", "changes"),
    [("mixed-log-q", {}), ("cross-batch", {"targets": "horizon", "horizon": 2}), ("xir", {"oversampling_factor": 2})],
)
def test_a_refit_that_was_stopped_is_carried_on_to_the_bit(method, changes, data, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "_SHARE", 0)
    job = job_of(data, method, epochs=4, refit=True, **changes)

    def stops(in_refit):
        def watch(job, epoch):
            if (epoch.refit is not None) == in_refit and epoch.epoch == (1 if in_refit else 2):
                raise StoppedError

        return watch

    run_job(job, tmp_path / "whole", dial=NONE)
    for in_refit in (False, True):
        with pytest.raises(StoppedError):
            run_jobs([job], [tmp_path / "stopped"], dial=NONE, watch=stops(in_refit))
    run_job(job, tmp_path / "stopped", dial=NONE)
    one, other = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "stopped"))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert read_run(tmp_path / "whole").metrics["test"] == read_run(tmp_path / "stopped").metrics["test"]


def test_scores_in_parts_have_the_loss_of_the_whole(data, rng):
    """And padding that counts adds what it adds without weights."""
    job = job_of(data, train_window=None)
    batch = next(batches_of(data, job.settings, "none", rng=rng(0)))
    assert batch.weights_T.std() > 0.1

    def loss_of(batch, **options):
        model = SASRec(V, dim=8, max_length=4, blocks=1, dropout=0.0, rng=rng(1))
        method, still = (
            Method(Uniform(data.catalogue_size, 5), KeepAll(), bce),
            torch.optim.SGD(model.parameters(), lr=0.0),
        )
        rngs = {"negatives_rng": rng(2), "dropout_rng": rng(3)}
        return step(model, method, batch, still, **rngs, options=StepOptions(**options)).double()

    torch.testing.assert_close(loss_of(batch, score_memory=1000), loss_of(batch))
    plain = replace(batch, weights_T=None)
    share = len(batch.targets_T) / (4 * batch.sequences)
    added = (loss_of(batch, padded_to=4) - loss_of(plain, padded_to=4)) / share
    torch.testing.assert_close(added, loss_of(batch) - loss_of(plain), rtol=1e-4, atol=1e-5)


def test_a_loss_without_weights_is_refused(data, rng):
    job = job_of(data)
    method = Method(
        Uniform(data.catalogue_size, 5),
        KeepAll(),
        lambda pos_T, neg_TK, *, parts=False: bce(pos_T, neg_TK, parts=parts),
    )
    with pytest.raises(
        InputError, match=r"weight_half_life.* are for losses with the argument weights_T.*leave the weights out"
    ):
        fit(build_model(job, CPU), data, method, job.settings, seed=0)
    fit(build_model(job, CPU), data, method, job.settings.replaced(weight_half_life=None), seed=0)


def test_an_empty_window_is_refused_before_anything_is_trained(data):
    job = job_of(data, train_window=1e-3)
    for refused in (positions_of, trained):
        with pytest.raises(InputError, match=r"train_window=0.001: .* take more days, or leave it out"):
            refused(job)


def test_the_forecast_counts_users_with_a_target_alone(data):
    few, every = (
        positions_of(job_of(data, train_window=1, batch_size=1)),
        positions_of(job_of(data, train_window=None, batch_size=1)),
    )
    assert few.steps < every.steps <= USERS
