"""Training stops when validation has not improved for so many validated epochs, and not for any other reason."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file

from negsample.errors import InputError
from negsample.execution.attempts import run_job, run_jobs
from negsample.methods import build_method, catalogue_of, negative_settings
from negsample.paper.presets import PRESETS
from negsample.runs.folder import read_run
from negsample.runs.job import Job, build_model, stops_early
from negsample.settings import ADVISED, run_settings
from negsample.training import checkpoint
from negsample.training.divergence import DivergedError, EpochLosses
from negsample.training.state import TrainingState

FLAT = {"batch_size": 16, "dim": 8, "max_length": 8, "blocks": 1, "learning_rate": 0.02}
LIMIT = 14


@pytest.fixture(scope="module")
def data(world):
    return world(users=60, items=40, name="small")


def job_of(data, seed=0, **changes):
    settings = run_settings(**FLAT | {"epochs": LIMIT} | changes)
    return Job(data, "random", seed, settings, negative_settings("random", {"random_negatives": 6}))


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """Runs that never stop early, by seed and epochs between validations."""
    kept = {}

    def of(seed, every=1):
        if (seed, every) not in kept:
            folder = tmp_path_factory.mktemp("whole") / "run"
            run_job(job_of(data, seed, eval_every=every), folder)
            kept[seed, every] = read_run(folder).log
        return kept[seed, every]

    return of


def replayed(log, patience):
    """The last epoch and the best one, by hand from the log of a run that never stops."""
    best, chosen, waited = (-1.0, -1.0), 0, 0
    for entry in log:
        if "valid" not in entry:
            continue
        score = (entry["valid"]["hr@10"], entry["valid"]["ndcg@10"])
        if score > best:
            best, chosen, waited = score, entry["epoch"], 0
        else:
            waited += 1
        if waited == patience:
            return entry["epoch"], chosen
    return log[-1]["epoch"], chosen


def without_seconds(log):
    return [{key: value for key, value in entry.items() if key != "seconds"} for entry in log]


@pytest.mark.parametrize(("patience", "every"), [(1, 1), (3, 1), (1, 3)])
def test_it_stops_where_a_replay_of_the_whole_log_says(patience, every, data, whole, tmp_path):
    log = whole(0, every)
    run_job(job_of(data, early_stop=patience, eval_every=every), tmp_path / "run")
    run = read_run(tmp_path / "run")
    last, best = replayed(log, patience)
    assert (run.log[-1]["epoch"], run.metrics["best_epoch"]) == (last, best)
    assert without_seconds(run.log)[:-1] == without_seconds(log)[: last - 1]
    assert last < LIMIT or patience > 2, "the test sees no training stop"


def test_a_refit_has_the_chosen_epochs_and_does_not_stop(data, tmp_path):
    run_job(job_of(data, early_stop=2, refit=True), tmp_path / "run")
    run = read_run(tmp_path / "run")
    assert run.log[-1]["epoch"] < LIMIT
    assert run.refit[-1]["epoch"] == len(run.refit) == run.metrics["best_epoch"] == run.metrics["refit"]["epochs"]


class StoppedError(Exception):
    pass


def test_resumed_it_stops_at_the_same_epoch_with_the_same_bits(data, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "_SHARE", 0)
    job = job_of(data, early_stop=2, refit=True)
    run_job(job, tmp_path / "whole")
    one = read_run(tmp_path / "whole")
    last = one.log[-1]["epoch"]
    assert one.metrics["best_epoch"] < last - 1 < LIMIT - 1

    def watch(at):
        def stopping(_, epoch):
            if (epoch.epoch, epoch.refit is None) == at:
                raise StoppedError

        return stopping

    for at in ((last - 1, True), (last, True), (1, False)):  # while it waits, as it stops, and in the refit
        with pytest.raises(StoppedError):
            run_jobs([job], [tmp_path / "run"], watch=watch(at))
    run_job(job, tmp_path / "run")
    other = read_run(tmp_path / "run")
    assert without_seconds(one.log) == without_seconds(other.log)
    assert without_seconds(one.refit) == without_seconds(other.refit)
    weights, again = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "run"))
    assert all(torch.equal(weights[name], again[name]) for name in weights)


def test_seeds_together_stop_each_by_itself(data, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "_SHARE", 0)
    seeds = (0, 1)
    jobs = [job_of(data, seed, early_stop=2, refit=True) for seed in seeds]
    folders = [tmp_path / f"together-{seed}" for seed in seeds]
    alone = []
    for job, seed in zip(jobs, seeds, strict=True):
        run_job(job, tmp_path / f"alone-{seed}")
        alone.append(read_run(tmp_path / f"alone-{seed}"))
    lasts = [run.log[-1]["epoch"] for run in alone]
    assert len(set(lasts)) > 1, "the test saw no training go on after another"

    def stopping(_, epoch):
        if epoch.epoch == min(lasts) + 1:  # when one is over and another is not
            raise StoppedError

    with pytest.raises(StoppedError):
        run_jobs(jobs, folders, watch=stopping)
    run_jobs(jobs, folders)
    for one, folder in zip(alone, folders, strict=True):
        run = read_run(folder)
        assert [entry["epoch"] for entry in run.log] == [entry["epoch"] for entry in one.log]
        assert [entry["loss"] for entry in run.log] == pytest.approx([entry["loss"] for entry in one.log], rel=1e-3)
        assert run.metrics["best_epoch"] == one.metrics["best_epoch"] == len(run.refit)


def test_a_training_that_is_over_may_diverge_beside_the_others(data):
    losses, users = torch.tensor([float("nan"), 1.0]), [torch.tensor([1]), torch.tensor([2])]
    trainings = []
    for seed in (0, 1):
        job = job_of(data, seed)
        method = build_method(job.method, catalogue_of(data, 8), job.negatives)
        trainings.append(TrainingState(build_model(job, torch.device("cpu")), method, seed=seed))
    found = EpochLosses(trainings, 2, [True, False])
    found.add(losses, users)
    assert found.means()[1] == 1.0
    with pytest.raises(DivergedError):
        EpochLosses(trainings, 2, [False, False]).add(losses, users)


def test_it_is_part_of_what_a_run_is_where_it_can_stop_one(data):
    plain = job_of(data).name
    assert job_of(data, early_stop=LIMIT - 1).name == plain  # the first epoch is an improvement: none is left to spare
    assert job_of(data, early_stop=LIMIT - 2).name != plain
    assert job_of(data, early_stop=1, eval_every=7).name == job_of(data, eval_every=7).name
    assert job_of(data, early_stop=1, eval_every=6).name != job_of(data, eval_every=6).name
    assert not stops_early(job_of(data, early_stop=LIMIT - 1))
    assert stops_early(job_of(data, early_stop=LIMIT - 2))


def test_it_is_advised_and_no_part_of_the_presets():
    assert ADVISED["early_stop"] == 5
    assert ADVISED["epochs"] == 100
    for name in ("paper", "reference"):
        settings = run_settings(**PRESETS[name].training)
        assert (settings.training.epochs, settings.training.early_stop) == (200, 0)
    with pytest.raises(InputError, match="early_stop"):
        run_settings(early_stop=-1)
