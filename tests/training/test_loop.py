"""A predictable world is learned, a shuffled one is not; a seed decides all draws, validation the best epoch."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from negsample.batches.epochs import batches_of
from negsample.errors import InputError
from negsample.evaluation.evaluate import Evaluation, evaluate, evaluate_by_dial
from negsample.evaluation.queries import queries
from negsample.losses import bce
from negsample.methods import METHODS, POPREC, Method, build_method, catalogue_of, negative_settings
from negsample.miners import KeepAll
from negsample.models import SASRec
from negsample.optim import optimizer_for
from negsample.runs.job import Job, build_model
from negsample.samplers import Uniform
from negsample.scoring.dial import NO_DIAL
from negsample.settings import run_settings
from negsample.training import loop as train
from negsample.training import state as training
from negsample.training.loop import fit
from negsample.training.step import step

CPU = torch.device("cpu")
SETTINGS = run_settings(epochs=30, batch_size=32, learning_rate=5e-3, max_length=20, dim=32, eval_every=10, dropout=0.1)
SHORT = SETTINGS.replaced(epochs=2, eval_every=1)
ALL_KINDS = (
    "random",
    "popularity",
    "in-batch",
    "adaptive-mixed",
    "own-cohort",
    "dns-mn",
    "mixed-log-q",
    "cross-batch",
    "xir",
)
CHANGES = {
    "random_negatives": 20,
    "popularity_negatives": 20,
    "in_batch_negatives": 20,
    "recent_negatives": 20,
    "log_uniform_negatives": 100,
    "cache_negatives": 20,
    "cache_size": 200,
    "mixed_negatives": 20,
    "bank_size": 200,
    "warm_up": 10,
    "kept_hardest": 5,
    # What is no target is never a negative here, whatever a method's default.
    "exclude": "history",
    "calibration": 0,
    "regularization": 0.1,
}


@pytest.fixture(scope="module")
def predictable(world):
    return world(name="predictable")


@pytest.fixture(scope="module")
def shuffled(world):
    return world(shuffled=True, name="shuffled")


def job_of(data, method, seed=0, settings=SETTINGS):
    return Job(data, method, seed, settings, negative_settings(method, CHANGES))


def method_of(job):
    catalogue = catalogue_of(job.data, job.settings.model.max_length)
    return build_method(job.method, catalogue, job.negatives)


def trained(job, **options):
    model = build_model(job, CPU)
    return model, fit(model, job.data, method_of(job), job.settings, seed=job.seed, **options)


def hit_rate(model, job):
    return evaluate(model, job.data, "test", job.settings).figures["hr@10"]


def weights_of(model):
    return torch.cat([each.flatten() for each in model.state_dict().values()])


@pytest.mark.parametrize(("backbone", "table"), [("sasrec", "rows"), ("gru4rec", "dense")])
def test_an_encoder_in_bfloat16_learns_as_well_and_otherwise(backbone, table, predictable):
    """Its weights and what it learns stay float32; only its products are shorter."""
    changes = {"learning_rate": 1e-2, "epochs": 12, "eval_every": 6}
    settings = SETTINGS.replaced(backbone=backbone, table=table, **changes)
    exact, exactly = trained(job := job_of(predictable, "random", settings=settings))
    short = settings.replaced(precision="bfloat16")
    rounded, roundly = trained(job._replace(settings=short))
    assert {value.dtype for value in rounded.state_dict().values()} == {torch.float32}
    losses = [[epoch.loss for epoch in each.log] for each in (exactly, roundly)]
    assert losses[0] != losses[1]
    assert losses[1][0] == pytest.approx(losses[0][0], rel=0.01)
    assert hit_rate(rounded, job) > hit_rate(exact, job) - 0.1


@pytest.mark.parametrize("method", METHODS)
def test_every_method_learns_the_very_next_item(method, predictable):
    """Nobody has an item twice, and what they have is never a negative for them: without it in the ranking, the
    successor stands alone at the top."""
    changes = {"epochs": 20, "learning_rate": 0.01, "blocks": 1, "eval_every": 10, "filter_seen": True}
    if method != "gsasrec":  # whose loss takes more steps
        changes |= {"batch_size": 60, "dropout": 0.0}
    settings = SETTINGS.replaced(**changes)
    model, fitted = trained(job_of(predictable, method, settings=settings))
    figures = evaluate(model, predictable, "test", settings).figures
    popular = build_model(job_of(predictable, POPREC, settings=settings), CPU)
    of_popular = evaluate(popular, predictable, "test", settings).figures
    assert figures["hr@1"] > of_popular["hr@1"] + 0.45
    assert figures["hr@10"] > of_popular["hr@10"] + 0.6
    assert all(math.isfinite(epoch.loss) for epoch in fitted.log)
    assert fitted.log[-1].loss < fitted.log[0].loss


def test_a_shuffled_world_is_not_learned(shuffled):
    job = job_of(shuffled, "random")
    model, _ = trained(job)
    assert hit_rate(model, job) < 10 / 60 + 4 * math.sqrt(1 / 6 * 5 / 6 / 240)


def test_a_fit_is_the_same_bit_for_bit_for_a_seed_and_another_for_another(predictable):
    runs = [trained(job_of(predictable, "adaptive-mixed", seed, SHORT)) for seed in (3, 3, 4)]
    assert torch.equal(weights_of(runs[0][0]), weights_of(runs[1][0]))
    assert [epoch.loss for epoch in runs[0][1].log] == [epoch.loss for epoch in runs[1][1].log]
    assert [epoch.valid for epoch in runs[0][1].log] == [epoch.valid for epoch in runs[1][1].log]
    assert not torch.equal(weights_of(runs[0][0]), weights_of(runs[2][0]))


def test_a_seed_gives_methods_of_all_kinds_the_same_start_and_the_same_order(predictable, monkeypatch):
    starts, orders = {}, {}

    def recorded(*arguments, **options):
        for batch in batches_of(*arguments, **options):
            orders.setdefault(method, []).append(batch.users_B.clone())
            yield batch

    monkeypatch.setattr(train, "batches_of", recorded)
    for method in ALL_KINDS:
        job = job_of(predictable, method, 5, SHORT)
        model = build_model(job, CPU)
        starts[method] = weights_of(model)
        fit(model, predictable, method_of(job), SHORT, seed=5)
    first, *others = ALL_KINDS
    assert len(orders[first]) == 2 * math.ceil(predictable.users / SHORT.training.batch_size)
    for method in others:
        assert torch.equal(starts[first], starts[method])
        assert all(torch.equal(a, b) for a, b in zip(orders[first], orders[method], strict=True))


def figures(hit_rate, ndcg=0.0):
    return Evaluation({"hr@10": hit_rate, "ndcg@10": ndcg}, np.empty(0))


@pytest.mark.parametrize(
    ("values", "best"),
    [
        ([(0.1, 0), (0.5, 0), (0.2, 0), (0.4, 0)], 2),
        ([(0.1, 0), (0.5, 0), (0.5, 0), (0.4, 0)], 2),
        ([(0.0, 0), (0.0, 0), (0.0, 0), (0.0, 0)], 1),
        ([(0.1, 0.4), (0.2, 0.3), (0.3, 0.2), (0.4, 0.1)], 4),
        # A catalogue of hardly more than ten items: every epoch hits everything, and NDCG tells them apart.
        ([(1.0, 0.3), (1.0, 0.5), (1.0, 0.6), (1.0, 0.6)], 3),
        ([(0.9, 0.8), (1.0, 0.5), (1.0, 0.4), (1.0, 0.45)], 2),
    ],
)
def test_the_best_epoch_is_by_validation_and_test_is_never_evaluated(values, best, predictable, monkeypatch):
    parts, snapshots = [], []

    def evaluated(model, data, part, settings, **options):
        parts.append(part)
        snapshots.append(weights_of(model).clone())
        return figures(*values[len(parts) - 1])

    monkeypatch.setattr(training, "evaluate", evaluated)
    model, fitted = trained(job_of(predictable, "random", 0, SHORT.replaced(epochs=4)))
    assert parts == ["valid"] * 4
    assert fitted.best_epoch == best
    assert torch.equal(weights_of(model), snapshots[best - 1])


def test_validation_comes_every_so_many_epochs_and_at_the_last(predictable, monkeypatch):
    monkeypatch.setattr(training, "evaluate", lambda *arguments, **options: figures(0.1))
    watched = []
    settings = SHORT.replaced(epochs=5, eval_every=2)
    _, fitted = trained(job_of(predictable, "random", 0, settings), watch=watched.append)
    assert [epoch.epoch for epoch in fitted.log if epoch.valid is not None] == [2, 4, 5]
    assert watched == fitted.log
    assert [epoch.epoch for epoch in watched] == [1, 2, 3, 4, 5]
    assert [epoch.steps for epoch in watched] == [8, 16, 24, 32, 40]
    assert all(a.seconds < b.seconds for a, b in itertools.pairwise(watched))
    assert [set(epoch.entry()) >= {"valid"} for epoch in watched] == [False, True, False, True, True]


def test_validation_does_not_change_the_training(predictable):
    often, once = (SHORT.replaced(epochs=3, eval_every=every) for every in (1, 3))
    losses = [[epoch.loss for epoch in trained(job_of(predictable, "mixed", 1, each))[1].log] for each in (often, once)]
    assert losses[0] == losses[1]


CONTRADICTIONS = {
    "backbone": ({"backbone": "gru4rec"}, "sasrec", "gru4rec"),
    "blocks": ({"blocks": 3}, "2", "3"),
    "heads": ({"heads": 4}, "1", "4"),
    "dim": ({"dim": 16}, "32", "16"),
    "dropout": ({"dropout": 0.3}, "0.1", "0.3"),
    "max_length": ({"max_length": 7}, "20", "7"),
    "table": ({"table": "rows"}, "dense", "rows"),
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_settings_of_another_model_are_refused(name, predictable):
    changes, found, said = CONTRADICTIONS[name]
    job = job_of(predictable, "random", 0, SHORT)
    model, other = build_model(job, CPU), SHORT.replaced(**changes)
    before = weights_of(model).clone()
    told = f"the model has {name}={found} and the settings say {name}={said}"
    with pytest.raises(ValueError, match=told):
        fit(model, predictable, method_of(job), other, seed=0)
    models = [build_model(job._replace(settings=other), CPU), model]  # and so the second of two
    with pytest.raises(ValueError, match=told):
        train.fit_together(
            [training.TrainingState(each, method_of(job), seed=0) for each in models], predictable, other
        )
    assert torch.equal(weights_of(model), before)


@pytest.mark.parametrize("backbone", ["sasrec", "gru4rec"])
@pytest.mark.parametrize("rows", [{"table_dtype": "bfloat16"}, {}])
def test_settings_of_another_table_are_refused(backbone, rows, predictable):
    of_rows = SHORT.replaced(backbone=backbone, table="rows")
    job = job_of(predictable, "random", 0, of_rows.replaced(**rows))
    model = build_model(job, CPU)
    dense = SHORT.replaced(backbone=backbone, table="dense")
    with pytest.raises(ValueError, match="table=rows and the settings say table=dense"):
        fit(model, predictable, method_of(job), dense, seed=0)
    with pytest.raises(ValueError, match="table=rows and the settings say table=dense"):
        optimizer_for(model, dense)
    other = "float32" if rows else "bfloat16"
    with pytest.raises(ValueError, match=f"the settings say table_dtype={other}"):
        fit(model, predictable, method_of(job), of_rows.replaced(table_dtype=other), seed=0)
    open_ = SHORT.replaced(backbone=backbone)  # says nothing of the table
    assert not rows or len(fit(model, predictable, method_of(job), open_, seed=0).log) == 2


def test_a_model_of_another_catalogue_is_neither_trained_nor_measured(predictable, batch_of, rng):
    job = job_of(predictable, "random", 0, SHORT)
    for items in (predictable.catalogue_size - 1, predictable.catalogue_size + 1):
        model = SASRec(items, dim=32, max_length=20, dropout=0.1, rng=rng(0))
        told = f"table has {items} items and predictable has {predictable.catalogue_size}"
        with pytest.raises(ValueError, match=told):
            fit(model, predictable, method_of(job), SHORT, seed=0)
        with pytest.raises(ValueError, match=told):
            evaluate(model, predictable, "valid", SHORT)
        batch, optimizer = batch_of([[1, 2, 3]], predictable.catalogue_size), optimizer_for(model, SHORT)
        with pytest.raises(ValueError, match=f"table has {items} items and the batch has"):
            step(model, method_of(job), batch, optimizer, negatives_rng=rng(1), dropout_rng=rng(2))


@pytest.mark.parametrize("part", ["train", "Test", "validation", "", "testing", None, 1])
def test_no_other_word_is_taken_for_test(part, predictable):
    model = build_model(job_of(predictable, POPREC), CPU)
    with pytest.raises(ValueError, match="part must be 'valid' or 'test', got"):
        evaluate(model, predictable, part, SETTINGS)
    with pytest.raises(ValueError, match="part must be 'valid' or 'test', got"):
        evaluate_by_dial(model, predictable, part, SETTINGS, NO_DIAL)
    with pytest.raises(ValueError, match="history must be 'frozen' or 'rolling' or 'rolling-basket', got"):
        queries(predictable, "test", history=part, max_length=5)


@pytest.mark.parametrize("rate", [1e6, 1e18, 1e38])
def test_a_training_that_diverges_says_so(rate, predictable):
    settings = SHORT.replaced(learning_rate=rate, epochs=8)
    with pytest.raises(InputError, match="diverged"):
        trained(job_of(predictable, "random", 0, settings))


def test_the_row_of_id_0_is_never_trained(predictable):
    model, _ = trained(job_of(predictable, "mixed", 0, SHORT))
    assert not model.table.weight[0].any()


def test_the_loss_of_a_step_is_that_of_the_parts_by_hand(batch_of, rng):
    """One step of `random` against a loop over positions and negatives, and what the update leaves alone."""
    histories = [[1, 2, 3, 4], [5, 6, 1], [7, 8]]
    batch = batch_of(histories, 30)
    model = SASRec(30, dim=4, blocks=1, dropout=0.0, rng=rng(0))
    method = Method(Uniform(30, 3), KeepAll(), bce)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    ids = Uniform(30, 3).draw(batch, rng=rng(1)).ids
    states = model(model.table.lookup(batch.inputs.items_T)[0], batch.inputs).detach()
    table = model.table.weight.detach()
    positive = [math.log1p(math.exp(-float(s @ table[t]))) for s, t in zip(states, batch.targets_T, strict=True)]
    negative = [
        math.log1p(math.exp(float(s @ table[i])))
        for s, row in zip(states, batch.inputs.rows_T, strict=True)
        for i in ids[row]
    ]
    expected = sum(positive) / len(positive) + sum(negative) / len(negative)
    before, rows_before = weights_of(model).clone(), table.clone()
    loss = step(model, method, batch, optimizer, negatives_rng=rng(1), dropout_rng=rng(2))
    assert not loss.requires_grad
    assert math.isclose(float(loss), expected, rel_tol=1e-5)
    assert not torch.equal(weights_of(model), before)
    untouched = set(range(1, 31)) - {item for history in histories for item in history} - set(ids.flatten().tolist())
    assert all(torch.equal(table[i], rows_before[i]) for i in untouched)
