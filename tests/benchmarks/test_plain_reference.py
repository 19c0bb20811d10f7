"""`--preset reference` does, step by step, what the published loop does: held against a plain, padded one."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from benchmarks import plain_reference as plain
from negsample import (
    SASRec,
    build_method,
    catalogue_of,
    evaluate,
    generator,
    load_dataset,
    negative_settings,
    run_settings,
)
from negsample.batches.epochs import batches_of
from negsample.optim import optimizer_of
from negsample.paper.presets import PRESETS
from negsample.training.inputs import StepInputs, propose, step_options
from negsample.training.step import loss_of, step
from negsample.training.vectors import look_up

STEPS, DIM, LENGTH, SIZE = 12, 16, 20, 32
NAMES = {"query": "query", "key": "key", "value": "value", "inner": "inner", "outer": "outer"}


@pytest.fixture(scope="module")
def data():
    return load_dataset("online-retail", split="paper")


@pytest.fixture(scope="module")
def settings():
    training = dict(PRESETS["reference"].training)
    small = {"dim": DIM, "max_length": LENGTH, "batch_size": SIZE, "dropout": 0.0, "learning_rate": 1e-3}
    return run_settings(**training | small)


def as_plain(model) -> plain.Parameters:
    """The product's weights by the names of the plain loop, (in, out) where they are matrices of a layer."""
    weights = dict(model.named_parameters())
    found = {"items": weights["table.weight"], "slots": weights["positions"]}
    for block in range(plain.BLOCKS):
        for name in NAMES:
            found[f"{name}{block}"] = weights[f"blocks.{block}.{name}.weight"].T
            found[f"{name}{block}.bias"] = weights[f"blocks.{block}.{name}.bias"]
    norms = {"last": "norm", **{f"attention{b}": f"blocks.{b}.attention_norm" for b in range(plain.BLOCKS)}}
    norms |= {f"feed{b}": f"blocks.{b}.feed_norm" for b in range(plain.BLOCKS)}
    for name, own in norms.items():
        found |= {f"{name}.scale": weights[f"{own}.weight"], f"{name}.bias": weights[f"{own}.bias"]}
    return {name: value.detach().clone().contiguous().requires_grad_() for name, value in found.items()}


def test_steps_of_the_preset_are_those_of_the_published_loop(data, settings, monkeypatch):
    monkeypatch.setattr(plain, "_WIDE", (0, 10, 25, SIZE))
    model = SASRec(
        data.catalogue_size, dim=DIM, max_length=LENGTH, dropout=0.0, rng=generator(3, "init"), init="glorot"
    )
    negatives = negative_settings("in-batch", {"in_batch_negatives": 9})
    method = build_method("in-batch", catalogue_of(data, LENGTH), negatives)
    optimizer = optimizer_of([model.table], model.parameters(), settings, [generator(3, "rounding")])
    p = as_plain(model)
    adam, chance = plain.Adam(p, settings.training.learning_rate), generator(3, "negatives")
    batches = batches_of(data, settings, method.exclude, rng=generator(3, "order"))
    for _, batch in zip(range(STEPS), batches, strict=False):
        proposed = propose(method, batch, rng=chance)
        cuts = batch.inputs.offsets[1:-1].tolist()
        inputs = [each.tolist() for each in torch.tensor_split(batch.inputs.items_T, cuts)]
        targets = [each.tolist() for each in torch.tensor_split(batch.targets_T, cuts)]
        theirs = plain.loss_of(p, (inputs, targets, proposed.ids.numpy()))
        theirs.backward()
        adam.step()
        ours = step(
            model,
            method,
            batch,
            optimizer,
            negatives_rng=chance,
            dropout_rng=chance,
            negatives=proposed,
            options=step_options(settings),
        )
        assert float(ours) == pytest.approx(float(theirs.detach()), rel=1e-5)
    moved = as_plain(model)
    apart = {name: float((moved[name] - p[name]).detach().abs().max()) for name in p}
    assert (
        max(value for name, value in apart.items() if name != "items") < 0.1 * STEPS * settings.training.learning_rate
    )
    mean = float((moved["items"] - p["items"]).detach().abs().mean())
    assert (
        mean < 0.01 * STEPS * settings.training.learning_rate
    )  # where gradients are as small as epsilon the forms differ


def test_ranks_of_the_preset_are_those_of_the_published_loop(data, settings):
    model = SASRec(data.catalogue_size, dim=DIM, max_length=LENGTH, rng=generator(4, "init"), init="glorot")
    with torch.no_grad():
        model.table.weight[1:] *= 20
    events, offsets = np.asarray(data.items), np.asarray(data.offsets)
    sequences = [events[low:high].tolist() for low, high in itertools.pairwise(offsets)]
    for part in ("valid", "test"):
        theirs = plain.figures(as_plain(model), data, sequences, part)
        ours = evaluate(model, data, part, settings, with_top=False).figures
        for name in ("hr@10", "ndcg@10", "head_hr@10", "mid_hr@10", "tail_hr@10"):
            assert 100 * ours[name] == pytest.approx(theirs[name], abs=0.02)


def test_negatives_leave_out_the_targets_of_the_window_alone():
    rng = np.random.default_rng(0)
    train = [[1, 2, 3, 4], [5, 2, 1], [2, 7, 8], [9]]
    inputs, targets, negatives = plain.draw(train, 40, 3, 2, rng)
    seen = set()
    for had, wanted, drawn in zip(inputs, targets, negatives.tolist(), strict=True):
        assert len(had) == len(wanted) <= 2
        assert not set(drawn) & set(wanted)
        seen |= set(drawn) & set(had)
    assert seen  # an item of the input that is no target may be drawn


def test_dropout_of_the_preset_costs_what_it_costs_the_published_loop(data, settings, monkeypatch):
    monkeypatch.setattr(plain, "_WIDE", (0, 10, 25, SIZE))
    share, chance = 0.3, torch.Generator().manual_seed(7)
    model = SASRec(
        data.catalogue_size, dim=DIM, max_length=LENGTH, dropout=share, rng=generator(5, "init"), init="glorot"
    )
    with torch.no_grad():
        model.table.weight[1:] *= 30
    method = build_method(
        "in-batch", catalogue_of(data, LENGTH), negative_settings("in-batch", {"in_batch_negatives": 9})
    )
    p, rng = as_plain(model), generator(5, "negatives")
    (batch,) = (each for each, _ in zip(batches_of(data, settings, "history", rng=rng), range(1), strict=False))
    proposed = propose(method, batch, rng=rng)
    cuts = batch.inputs.offsets[1:-1].tolist()
    inputs, targets = (
        [each.tolist() for each in torch.tensor_split(some, cuts)] for some in (batch.inputs.items_T, batch.targets_T)
    )

    def ours(dropout_rng: torch.Generator | None) -> float:
        given = StepInputs(model, method, batch, proposed, rng, rng, step_options(settings))
        vectors = look_up(given)
        states_TD = model(vectors.inputs_TD, batch.inputs, dropout_rng)
        return float(loss_of(given, vectors, states_TD, model.padding_state))

    def drop(values: torch.Tensor) -> torch.Tensor:
        return values * (torch.rand(values.shape, generator=chance) >= share) / (1 - share)

    with torch.no_grad():
        own = np.array([ours(rng) for _ in range(150)])
        other = np.array([float(plain.loss_of(p, (inputs, targets, proposed.ids.numpy()), drop)) for _ in own])
        without = ours(None)
    error = np.hypot(own.std(), other.std()) / len(own) ** 0.5
    assert abs(own.mean() - without) > 8 * error  # so that an eighth of dropout's effect would be seen
    assert abs(own.mean() - other.mean()) < 4 * error
    assert own.std() == pytest.approx(other.std(), rel=0.3)


def test_negatives_of_the_preset_have_the_law_of_the_published_loop(dataset_of):
    """Where the two leave out the same: nobody has a user's first item but they."""
    rng = np.random.default_rng(1)
    shared, users = 12, 40
    popular = 1 / np.arange(1, shared + 1)
    known = [
        [shared + 1 + user, *(1 + rng.choice(shared, rng.integers(2, 5), replace=False, p=popular / popular.sum()))]
        for user in range(users)
    ]
    data = dataset_of([([int(item) for item in items], [], []) for items in known], shared + users)
    size, k, times = 10, 4, 300
    settings = run_settings(with_replacement=True, batch_size=size, max_length=6)
    method = build_method("in-batch", catalogue_of(data, 6), negative_settings("in-batch", {"in_batch_negatives": k}))
    order, chance = generator(2, "order"), generator(2, "negatives")
    ours, theirs = np.zeros(shared + users + 1), np.zeros(shared + users + 1)
    repeats = np.zeros(2)
    for _ in range(times):
        batch = next(iter(batches_of(data, settings, method.exclude, rng=order)))
        drawn = propose(method, batch, rng=chance).ids.numpy(), plain.draw(known, size, k, 6, rng)[2]
        for counts, ids in zip((ours, theirs), drawn, strict=True):
            counts += np.bincount(ids.ravel(), minlength=len(counts))
        repeats += [sum(k - len(set(row)) for row in ids.tolist()) for ids in drawn]
    assert ours[shared + 1 :].sum() == theirs[shared + 1 :].sum() == 0
    total = times * size * k
    apart = np.abs(ours - theirs)[1 : shared + 1]
    assert (apart < 0.015 * total).all()  # draws of a batch depend on each other: five times the independent error
    assert repeats[0] == pytest.approx(repeats[1], rel=0.05)
