"""Several seeds trained as one batched model: each gives what it gives alone."""

from __future__ import annotations

from types import MappingProxyType

import pytest
import torch
from kinds import KINDS
from safetensors.torch import load_file
from torch.utils._python_dispatch import TorchDispatchMode

from negsample import InputError, compare, plan, run_settings
from negsample.batches.epochs import batches_of
from negsample.batches.streams import Streams
from negsample.methods import METHODS, PAPER_SIX, build_method, catalogue_of, negative_settings
from negsample.models import Together
from negsample.optim import optimizer_of
from negsample.runs.folder import read_run
from negsample.runs.job import Job, build_model
from negsample.studies.study import groups
from negsample.training import checkpoint
from negsample.training import loop as train
from negsample.training.best import BestWeights
from negsample.training.checkpoint import Checkpoint
from negsample.training.inputs import StepInputs, StepOptions, propose
from negsample.training.joint import joint_batches, joint_steps, may_join
from negsample.training.loop import fit, fit_together
from negsample.training.state import TrainingState
from negsample.training.step import step_of

CPU = torch.device("cpu")
SETTINGS = run_settings(epochs=2, batch_size=16, dim=8, max_length=12, dropout=0.2, learning_rate=5e-3)
CHANGES = {
    "random_negatives": 12,
    "in_batch_negatives": 6,
    "bank_size": 20,
    "warm_up": 1,
    "cache_size": 30,
    "kept_hardest": 5,
}
OTHERWISE = {
    "rows": {"table": "rows"},
    "rows of bfloat16 by adagrad": {"table": "rows", "table_dtype": "bfloat16", "table_optimizer": "adagrad"},
    "batches used again": {"oversampling_factor": 1, "epochs": 3},
    "no dropout": {"dropout": 0.0},
    "two heads": {"heads": 2},
    "as the reference": {"padding": "count", "max_length": 30, "with_replacement": True, "init": "glorot"},
}


@pytest.fixture(scope="module")
def data(world):
    return world(users=70, items=40, name="small")


def trainings_of(data, method, settings, seeds, told=None, changes=CHANGES):
    made = []
    for seed in seeds:
        job = Job(data, method, seed, settings, negative_settings(method, changes))
        built = build_method(method, catalogue_of(data, settings.model.max_length), job.negatives)
        watch = (lambda epoch: None) if told is None else (lambda epoch, seed=seed: told.append((seed, epoch.epoch)))
        made.append(TrainingState(build_model(job, CPU), built, seed=seed, watch=watch))
    return made


def check_alike(data, method, settings, seeds, changes=MappingProxyType({})):
    told, changes = [], CHANGES | changes
    together = trainings_of(data, method, settings, seeds, told, changes)
    fitted = fit_together(together, data, settings)
    assert told == [(seed, epoch) for epoch in range(1, settings.training.epochs + 1) for seed in seeds]
    for training, mine in zip(together, fitted, strict=True):
        (alone,) = trainings_of(data, method, settings, [training.seed], changes=changes)
        expected = fit(alone.model, data, alone.method, settings, seed=training.seed)
        assert [epoch.loss for epoch in mine.log] == pytest.approx([epoch.loss for epoch in expected.log], rel=1e-4)
        for name, value in alone.model.state_dict().items():
            found = training.model.state_dict()[name]
            torch.testing.assert_close(found.float(), value.float(), atol=2e-3, rtol=0, msg=f"{method}: {name}")
        ours, theirs = mine.log[-1].valid, expected.log[-1].valid
        assert all(ours[name] == pytest.approx(theirs[name], abs=0.03) for name in ("hr@10", "ndcg@10"))


@pytest.mark.parametrize("method", KINDS)
def test_seeds_together_give_what_each_gives_alone(method, data):
    check_alike(data, method, SETTINGS, (3, 9))


@pytest.mark.parametrize("changes", OTHERWISE.values(), ids=OTHERWISE)
def test_whatever_the_settings(changes, data):
    check_alike(data, "random", SETTINGS.replaced(**changes), (3, 4, 9))


JOINT = {
    "rows": {"table": "rows"},
    "moments": {"targets": "moments", "windows": "all"},
    "younger targets weigh more": {"weight_half_life": 3.0},
    "scores in parts": {"score_memory": 1, "batch_size": 60, "random_negatives": 900},
    "nothing excluded": {"exclude": "none"},
    "the target excluded": {"exclude": "target"},
    "draws for each position": {"draws_per": "position"},
    "small batches, more draws than targets": {"batch_size": 3, "max_length": 5, "in_batch_negatives": 14},
}


JOINT_METHODS = [*PAPER_SIX, "sampled-softmax", "in-batch-log-q", "corrected-log-q"]
EACH = [
    *((method, "rows") for method in JOINT_METHODS),
    *((each, how) for each in ("mixed", "mixed-log-q") for how in JOINT),
]


@pytest.mark.parametrize(("method", "how"), dict.fromkeys(EACH))
def test_one_batch_of_all_seeds_gives_what_each_gives_alone(method, how, data, monkeypatch):
    changes = JOINT[how]
    steps = []
    real = train.joint_steps
    monkeypatch.setattr(train, "joint_steps", lambda *given: steps.append(1) or real(*given))
    of_method = {name: value for name, value in changes.items() if name in METHODS[method].defaults}
    others = {name: value for name, value in changes.items() if name in SETTINGS.flat()}
    check_alike(data, method, SETTINGS.replaced(**others), (3, 9, 4), changes=of_method)
    assert steps


def test_what_draws_or_learns_by_the_batch_is_done_seed_by_seed(data):
    for method, changes in (
        ("full-ce", {}),
        ("xir", {}),
        ("random", {"padding": "count"}),
        ("random", {"oversampling_factor": 1}),
        ("random", {"targets": "horizon"}),
    ):
        settings = SETTINGS.replaced(**changes)
        (training,) = trainings_of(data, method, settings, [0])
        assert not may_join(training.method, settings)


@pytest.mark.parametrize("table", ["dense", "rows"])
@pytest.mark.parametrize("method", ["random", "popularity", "adaptive"])
def test_twenty_seeds_take_few_kernels_more_than_one(method, table, data):
    settings = SETTINGS.replaced(table=table)
    one, twenty = (kernels_of_a_step(data, method, settings, seeds) for seeds in (1, 20))
    assert twenty <= 1.3 * one


def kernels_of_a_step(data, method, settings, seeds):
    """Operations that compute something in a second step, from drawing to update."""
    trainings = trainings_of(data, method, settings, range(seeds))
    first, models = trainings[0], [each.model for each in trainings]
    together = Together(models, one_table=True) if seeds > 1 else None
    streams = Streams(tuple(each.rounding_rng for each in trainings)) if together else first.rounding_rng
    tables, parameters = (together.tables, together.parameters()) if together else ([models[0].table], None)
    optimizer = optimizer_of(tables, parameters or models[0].parameters(), settings, [streams])
    rngs = first.negatives_rng, first.dropout_rng

    def alone():
        for batch in batches_of(data, settings, first.method.exclude, rng=first.order_rng):
            yield StepInputs(first.model, first.method, batch, propose(first.method, batch, rng=rngs[0]), *rngs)

    batches = iter(list(joint_batches(trainings, data, settings)))
    steps = joint_steps(trainings, together, batches, StepOptions()) if together else alone()
    step_of([next(steps)], optimizer, together)
    counted = []

    class Counting(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            if not func.is_view and "empty" not in func.__name__:
                counted.append(func.__name__)
            return func(*args, **(kwargs or {}))

    with Counting(), torch.autograd.set_multithreading_enabled(False):
        step_of([next(steps)], optimizer, together)
    return len(counted)


@pytest.mark.parametrize(("method", "table"), [("random", "dense"), ("mixed-log-q", "rows"), ("full-ce", "dense")])
def test_with_terms_each_seed_has_weights_of_its_own(method, table, data):
    settings = SETTINGS.replaced(terms=["popularity", "recency", "repeats"], targets="moments", table=table)
    check_alike(data, method, settings, (3, 9))


def sizes_of(data, settings, seeds, folder):
    """Bytes of what each saves of its best epoch, and of the state of all."""
    trainings = trainings_of(data, "xir", settings, seeds)
    for number, training in enumerate(trainings):
        (folder / str(number)).mkdir(parents=True)
        training.best._keep = folder / str(number)
    fit_together(trainings, data, settings, Checkpoint(folder, "these"))
    bests = [max(each.stat().st_size for each in training.best._keep.glob("best-*")) for training in trainings]
    return bests, (folder / "state.pt").stat().st_size


@pytest.mark.parametrize("table", ["dense", "rows"])
def test_files_are_as_large_as_those_of_a_training_alone(table, data, tmp_path, monkeypatch):
    """And not, each, as those of all together."""
    monkeypatch.setattr(checkpoint, "_SHARE", 0)
    settings = SETTINGS.replaced(dim=64, table=table)
    (alone,), state = sizes_of(data, settings, [0], tmp_path / "alone")
    bests, of_all = sizes_of(data, settings, [0, 1, 2, 3], tmp_path / "together")
    assert bests == pytest.approx([alone] * 4, rel=0.05)
    assert of_all == pytest.approx(4 * state, rel=0.05)


def test_the_best_weights_in_a_nameless_file_are_of_one_model(data, monkeypatch):
    sizes = []
    load = BestWeights.load

    def loaded(best, *given):
        sizes.append(best._file.seek(0, 2))
        return load(best, *given)

    monkeypatch.setattr(BestWeights, "load", loaded)
    settings = SETTINGS.replaced(dim=64)
    for seeds in ([0], [0, 1, 2, 3]):
        fit_together(trainings_of(data, "random", settings, seeds), data, settings)
    assert sizes[1:] == pytest.approx([sizes[0]] * 4, rel=0.05)


def test_the_encoder_runs_once_a_step_for_all(data, monkeypatch):
    calls = []
    forward = train.Together.__call__
    monkeypatch.setattr(train.Together, "__call__", lambda self, *given: calls.append(1) or forward(self, *given))
    (training,) = trainings_of(data, "random", SETTINGS, [0])
    alone = fit(training.model, data, training.method, SETTINGS, seed=0)
    assert not calls
    fit_together(trainings_of(data, "random", SETTINGS, (0, 1)), data, SETTINGS)
    assert len(calls) == alone.log[-1].steps


@pytest.mark.usefixtures("no_report")
def test_a_study_together_is_the_study_one_by_one(data, tmp_path):
    jobs = plan([data], ["random", "in-batch"], repeats=3, seed=0, settings=SETTINGS, changes={})
    told = []
    compare(jobs, tmp_path / "one")
    compare(jobs, tmp_path / "together", together=2, watch=lambda job, epoch: told.append((job.name, epoch)))
    compare(jobs, tmp_path / "processes", together=3, at_once=2)
    assert {name for name, epoch in told if epoch is None} == {job.name for job in jobs}
    for job in jobs:
        for kind in ("together", "processes"):
            one, other = (
                load_file(tmp_path / each / "runs" / job.name / "model.safetensors") for each in ("one", kind)
            )
            assert all(float((one[name] - other[name]).abs().max()) < 2e-3 for name in one)
            assert read_run(tmp_path / kind / "runs" / job.name).config["seed"] == job.seed


def test_groups_are_of_one_setting_and_no_larger_than_asked(data):
    jobs = plan([data], ["random", "in-batch"], repeats=5, seed=0, settings=SETTINGS)
    found = groups(jobs, 2)
    assert sorted(job.name for group in found for job in group) == sorted(job.name for job in jobs)
    assert [(group[0].method, [job.seed for job in group]) for group in found] == [
        ("PopRec", [0]),
        ("random", [0, 1]),
        ("in-batch", [0, 1]),
        ("random", [2, 3]),
        ("in-batch", [2, 3]),
        ("random", [4]),
        ("in-batch", [4]),
    ]
    assert groups(jobs, 1) == [[job] for job in jobs]


def test_other_models_are_refused_before_any_work(data, tmp_path):
    jobs = plan([data], ["random"], repeats=2, seed=0, settings=SETTINGS.replaced(backbone="gru4rec"))
    with pytest.raises(InputError, match="--together 2 is for sasrec, got backbone=gru4rec"):
        compare(jobs, tmp_path / "study", together=2)
    assert not (tmp_path / "study").exists()
