"""A fit over a table of rows, and one over kept batches, against the plain one."""

from __future__ import annotations

import pytest
import torch

from negsample.errors import InputError
from negsample.methods import build_method, catalogue_of, negative_settings
from negsample.runs.job import Job, build_model
from negsample.settings import ROWS_FROM, run_settings
from negsample.training import loop as train
from negsample.training import state as training

CPU = torch.device("cpu")
SETTINGS = run_settings(epochs=4, batch_size=32, learning_rate=5e-3, max_length=20, dim=16, blocks=1, dropout=0.1)
CHANGES = {"random_negatives": 20, "in_batch_negatives": 20, "kept_hardest": 5, "bank_size": 60, "warm_up": 1}


@pytest.fixture(scope="module")
def data(world):
    return world(name="rows")


def trained(data, name, sampler=None, **changes):
    settings = SETTINGS.replaced(**changes)
    job = Job(data, name, 0, settings, negative_settings(name, CHANGES))
    model = build_model(job, CPU)
    method = build_method(name, catalogue_of(data, settings.model.max_length), job.negatives)
    if sampler is not None:
        method = method._replace(sampler=sampler(method.sampler))
    return model, train.fit(model, data, method, settings, seed=0)


def losses_of(fitted):
    return torch.tensor([epoch.loss for epoch in fitted.log])


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("random", "sasrec"),
        ("adaptive-mixed", "gru4rec"),
        ("sampled-softmax", "gru4rec"),
        ("full-ce", "sasrec"),
        ("cross-batch", "sasrec"),
    ],
)
def test_rows_are_fitted_as_a_dense_table_is(name, model, data):
    (dense, expected), (rows, found) = (trained(data, name, backbone=model, table=table) for table in ("dense", "rows"))
    assert not dense.table.by_rows
    assert rows.table.by_rows
    torch.testing.assert_close(losses_of(found), losses_of(expected), atol=1e-4, rtol=1e-4)
    assert found.best_epoch == expected.best_epoch
    for ours, theirs in zip(found.log, expected.log, strict=True):
        assert ours.valid["hr@10"] == pytest.approx(theirs.valid["hr@10"], abs=0.015)
        assert ours.valid["ndcg@10"] == pytest.approx(theirs.valid["ndcg@10"], abs=0.015)
    assert rows.table.optimizer is None
    # Rounding decides the sign of a first step where a gradient is nearly nothing; all but a few agree closely.
    for key, value in dense.state_dict().items():
        off = (rows.state_dict()[key] - value).abs()
        assert float(off.flatten().quantile(0.9)) < 1e-3, key
    assert not rows.table.weight[0].any()


@pytest.mark.parametrize(
    "changes",
    [
        {"table_optimizer": "adagrad", "table_learning_rate": 0.05},
        {"table_dtype": "bfloat16"},
        {"table_dtype": "bfloat16", "table_optimizer": "adagrad", "table_learning_rate": 0.05},
    ],
)
def test_other_rules_and_storage_learn_too_and_the_same_again(changes, data):
    model, fitted = trained(data, "random", table="rows", epochs=12, eval_every=6, **changes)
    losses = losses_of(fitted)
    assert losses[-1] < 0.8 * losses[0]
    again, _ = trained(data, "random", table="rows", epochs=12, eval_every=6, **changes)
    assert all(torch.equal(again.state_dict()[key], value) for key, value in model.state_dict().items())
    assert model.table.weight.dtype == (torch.bfloat16 if "table_dtype" in changes else torch.float32)
    assert not model.table.weight[0].any()


def test_the_best_weights_are_those_that_were_measured(data, monkeypatch):
    """Deferred updates come before validation: what was measured, what was kept and what is left are one table."""
    seen, evaluate = [], training.evaluate

    def evaluated(model, *given, **options):
        before = model.table.weight.clone()
        model.table.optimizer.apply_deferred()
        assert torch.equal(model.table.weight, before)
        seen.append({key: value.clone() for key, value in model.state_dict().items()})
        return evaluate(model, *given, **options)

    monkeypatch.setattr(training, "evaluate", evaluated)
    model, fitted = trained(data, "in-batch", table="rows", batch_size=2, epochs=2)  # so that some rows rest
    best = seen[fitted.best_epoch - 1]
    assert all(torch.equal(best[key], value) for key, value in model.state_dict().items())


def test_the_file_of_the_best_weights_leaves_nothing_behind(data, tmp_path):
    job = Job(data, "random", 0, SETTINGS, negative_settings("random", CHANGES))
    method = build_method("random", catalogue_of(data, 20), job.negatives)
    during = []
    train.fit(
        build_model(job, CPU),
        data,
        method,
        SETTINGS,
        seed=0,
        scratch=tmp_path,
        watch=lambda epoch: during.extend(tmp_path.iterdir()),
    )
    assert during == []
    assert list(tmp_path.iterdir()) == []


# The replay buffer


class Counted:
    """A sampler that counts its draws."""

    def __init__(self, sampler):
        self.sampler, self.draws = sampler, 0

    def __getattr__(self, name):
        return getattr(self.sampler, name)

    def draw(self, batch, *, rng):
        self.draws += 1
        return self.sampler.draw(batch, rng=rng)

    def sample(self, batch, *, rng):
        self.draws += 1
        return self.sampler.sample(batch, rng=rng)


def contents(batch, negatives):
    """All that a batch and its negatives hold, to be compared."""
    inputs = batch.inputs
    tensors = [inputs.items_T, inputs.positions_T, inputs.rows_T, torch.from_numpy(inputs.offsets), batch.targets_T]
    tensors += [batch.users_B, batch.history_keys, negatives.ids]
    maybe = [negatives.log_q, negatives.owner, negatives.pos_log_q_T, negatives.masked_T]
    tensors += [each for each in maybe if each is not None]
    plain = tuple((each.dtype, *each.shape, *each.flatten().tolist()) for each in tensors)
    return *plain, batch.catalogue_size, batch.exclude, negatives.frozen


@pytest.mark.parametrize("name", ["mixed", "sampled-softmax-log-q", "cross-batch", "in-batch-log-q"])
@pytest.mark.parametrize("factor", [1, 2])
def test_after_so_many_epochs_only_kept_batches_are_taken(name, factor, data, monkeypatch):
    used, step_of, counted = [], train.step_of, []

    def watched(inputs, *others):
        used.extend(contents(each.batch, each.negatives) for each in inputs)
        return step_of(inputs, *others)

    def sampler(inner):
        counted.append(Counted(inner))
        return counted[-1]

    monkeypatch.setattr(train, "step_of", watched)
    _, plain = trained(data, name)
    used.clear()
    _, fitted = trained(data, name, sampler, oversampling_factor=factor)
    steps = plain.log[0].steps
    assert steps == 8
    assert [epoch.steps for epoch in fitted.log] == [steps * number for number in (1, 2, 3, 4)]
    assert torch.equal(losses_of(fitted)[:factor], losses_of(plain)[:factor])
    assert not torch.equal(losses_of(fitted)[factor:], losses_of(plain)[factor:])
    assert counted[0].draws == steps * factor
    kept, later = used[: steps * factor], used[steps * factor :]
    assert len(set(kept)) == steps * factor
    assert set(later) <= set(kept)
    assert len(set(later)) > steps // 2, "always the same ones"
    if factor == 2:
        assert set(later) & set(kept[:steps])
        assert set(later) & set(kept[steps:])


def test_a_factor_of_all_epochs_changes_nothing(data):
    _, plain = trained(data, "mixed")
    for factor in (4, 9):
        _, fitted = trained(data, "mixed", oversampling_factor=factor)
        assert torch.equal(losses_of(fitted), losses_of(plain))


def test_nothing_is_kept_without_a_factor(data, monkeypatch):
    kept, epoch = [], train._epoch
    monkeypatch.setattr(
        train, "_epoch", lambda *given, **options: kept.append(given[0].replay) or epoch(*given, **options)
    )
    trained(data, "random")
    assert kept[0] == []


# Settings


@pytest.mark.parametrize("table", [None, "dense"])
@pytest.mark.parametrize(
    ("name", "value"), [("table_optimizer", "adagrad"), ("table_learning_rate", 0.1), ("table_dtype", "bfloat16")]
)
def test_what_is_for_rows_alone_is_refused_elsewhere(table, name, value):
    with pytest.raises(InputError, match=f"{name}={value} is for table=rows or sharded; set that too, or leave it out"):
        run_settings(**{"table": table, name: value})
    run_settings(**{"table": "rows", name: value})


@pytest.mark.parametrize(
    "wrong",
    [
        {"table": "sparse"},
        {"table_optimizer": "sgd", "table": "rows"},
        {"table_dtype": "float16", "table": "rows"},
        {"table_learning_rate": 0, "table": "rows"},
        {"score_memory": 0},
        {"oversampling_factor": 0},
    ],
)
def test_senseless_settings_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        run_settings(**wrong)


def test_the_table_is_by_the_size_of_the_catalogue_unless_said():
    assert run_settings().table(ROWS_FROM - 1) == "dense"
    assert run_settings().table(ROWS_FROM) == "rows"
    assert run_settings(table="dense").table(10**7) == "dense"
    assert run_settings(table="rows").table(1) == "rows"
