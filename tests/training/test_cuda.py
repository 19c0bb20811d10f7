"""On a GPU: what a CPU gives, without waiting for the GPU in a step, and several seeds at once as one by one."""

from __future__ import annotations

import pytest
import torch

from negsample import run_settings
from negsample.batches.epochs import batches_of
from negsample.evaluation.evaluate import evaluate
from negsample.methods import METHODS, build_method, catalogue_of, negative_settings
from negsample.optim import optimizer_for
from negsample.random import generator
from negsample.runs.job import Job, build_model
from negsample.samplers import Negatives
from negsample.training.inputs import propose
from negsample.training.loop import fit, fit_together
from negsample.training.state import TrainingState
from negsample.training.step import step

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
CPU, GPU = torch.device("cpu"), torch.device("cuda")
SETTINGS = run_settings(epochs=2, batch_size=16, dim=8, max_length=12, learning_rate=5e-3)
CHANGES = {
    "random_negatives": 12,
    "in_batch_negatives": 6,
    "bank_size": 20,
    "warm_up": 0,
    "cache_size": 30,
    "kept_hardest": 5,
}
WAITING = {"recent", "xir"}
"""As in tests/training/test_fake_gpu.py."""


@pytest.fixture(scope="module")
def data(world):
    return world(users=70, items=40, name="small")


def made(data, method, settings, device, seed=0):
    job = Job(data, method, seed, settings, negative_settings(method, CHANGES))
    return build_model(job, device), build_method(
        method, catalogue_of(data, settings.model.max_length, device), job.negatives
    )


def batch_of(data, settings, exclude):
    return next(batches_of(data, settings, exclude, rng=generator(0, "order")))


def on(proposed, device):
    def moved(values):
        return None if values is None else values.to(device)

    return Negatives(*map(moved, proposed))


@pytest.mark.parametrize("table", ["dense", "rows"])
@pytest.mark.parametrize("method", ["random", "adaptive", "mixed-log-q", "full-ce", "gsasrec"])
def test_a_step_learns_what_it_learns_on_a_cpu(method, table, data):
    settings = SETTINGS.replaced(dropout=0.0, table=table)
    found, proposed = [], None
    for device in (CPU, GPU):
        model, built = made(data, method, settings, device)
        optimizer = optimizer_for(model, settings)
        batch = batch_of(data, settings, built.exclude)
        proposed = proposed or propose(built, batch, rng=generator(0, "negatives"))
        rngs = {f"{name}_rng": generator(0, name, device) for name in ("negatives", "dropout")}
        losses = [
            step(model, built, batch.to(device), optimizer, negatives=on(proposed, device), **rngs).item()
            for _ in range(5)
        ]
        optimizer.apply_deferred()
        found.append((losses, {name: value.cpu() for name, value in model.state_dict().items()}))
    assert found[1][0] == pytest.approx(found[0][0], rel=1e-4)
    for name, value in found[0][1].items():
        torch.testing.assert_close(found[1][1][name], value, atol=2e-3, rtol=0, msg=name)


@pytest.mark.parametrize("table", ["dense", "rows"])
@pytest.mark.parametrize("method", [name for name in METHODS if name not in WAITING])
def test_a_step_waits_for_nobody(method, table, data):
    settings = SETTINGS.replaced(table=table)
    model, built = made(data, method, settings, GPU)
    optimizer = optimizer_for(model, settings)
    batch = batch_of(data, settings, built.exclude)
    rngs = {f"{name}_rng": generator(0, name, GPU) for name in ("negatives", "dropout")}
    step(model, built, batch.to(GPU), optimizer, **rngs)
    torch.cuda.set_sync_debug_mode("error")
    try:
        step(model, built, batch.to(GPU), optimizer, **rngs)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_seeds_at_once_are_the_seeds_one_by_one(precision, data):
    settings = SETTINGS.replaced(precision=precision)
    trainings = []
    for seed in (1, 2, 3):
        model, built = made(data, "random", settings, GPU, seed)
        trainings.append(TrainingState(model, built, seed=seed))
    together = fit_together(trainings, data, settings)
    for training, found in zip(trainings, together, strict=True):
        model, built = made(data, "random", settings, GPU, training.seed)
        alone = fit(model, data, built, settings, seed=training.seed)
        tolerance = 1e-3 if precision == "float32" else 2e-2
        assert [each.loss for each in found.log] == pytest.approx([each.loss for each in alone.log], rel=tolerance)


def test_ranks_are_those_of_a_cpu(data):
    figures = []
    for device in (CPU, GPU):
        model, _ = made(data, "random", SETTINGS, device)
        figures.append(evaluate(model, data, "test", SETTINGS, device=device).figures)
    assert figures[1] == pytest.approx(figures[0], abs=0.02, nan_ok=True)
