"""What a run will need in bytes, on sizes made by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.memory import peak_bytes
from negsample.batches.epochs import batches_of
from negsample.methods import METHODS, POPREC, build_method, catalogue_of, negative_settings
from negsample.runs.job import Job, build_model
from negsample.samplers.in_batch import MARKS
from negsample.settings import run_settings
from negsample.studies.forecast.needs import (
    drawn_by,
    needs_of,
    positions_of,
    step_bytes,
    table_bytes,
)


def test_bytes_of_a_table():
    assert table_bytes(run_settings(dim=4), 9) == 160 + 480
    assert table_bytes(run_settings(dim=4, table="rows"), 9) == 160 + 320 + 40
    least = run_settings(dim=4, table="rows", table_optimizer="adagrad", table_dtype="bfloat16")
    assert table_bytes(least, 9) == 80 + 40


@pytest.mark.parametrize("backbone", ["sasrec", "gru4rec"])
def test_bytes_of_the_rest_are_about_those_of_the_model(job_of, backbone):
    job = job_of(backbone=backbone, dim=64, blocks=2)
    built = build_model(job, torch.device("cpu"))
    rest = sum(each.numel() for name, each in built.named_parameters() if not name.startswith("table"))
    assert needs_of(job).rest == pytest.approx(16 * rest, rel=0.2)


def test_positions(job_of):
    sizes = positions_of(job_of(batch_size=2))
    assert (sizes.likely, sizes.longest, sizes.sequences, sizes.steps) == (6, 4, 2, 2)
    assert positions_of(job_of(batch_size=2, max_length=2)).likely == 4


@pytest.mark.parametrize("method", METHODS)
def test_every_method_needs_something(job_of, method):
    needs = needs_of(job_of(method))
    assert needs.peak >= needs.table + needs.rest + needs.step > 0
    assert needs.largest() in ("table", "rest", "step")


def test_the_baseline_trains_nothing(job_of):
    needs = needs_of(job_of(POPREC))
    assert needs.peak == 0


def test_what_is_drawn(job_of):
    assert drawn_by(job_of("random", {"random_negatives": 7, "draws_per": "position"}), 5).ids(5, 2) == 35
    assert drawn_by(job_of("random", {"random_negatives": 7}), 5).ids(5, 2) == 14
    assert drawn_by(job_of("in-batch-softmax", {"in_batch_negatives": "all"}), 5).ids(5, 2) == 5
    assert drawn_by(job_of("full-ce"), 5).ids(5, 2) == 9
    small, large = (drawn_by(job_of("cross-batch", {"bank_size": size}), 5).k for size in (70, 700))
    assert large - small == 630


@pytest.mark.parametrize(("method", "setting"), [("batch-mix", "mixed_negatives"), ("xir", "resampled")])
def test_scores_that_a_selector_makes_are_counted(job_of, method, setting):
    """Two thousand million of them were not refused, and no memory was left."""
    small, large = (needs_of(job_of(method, {setting: number})) for number in (64, 10**6))
    assert large.step - small.step > 16 * 10**6 * 6


def test_terms_are_counted(job_of):
    """What is fitted after each run once, however many are trained together."""
    plain, fitted, along = (needs_of(job_of(**each)) for each in ({}, {"fit_terms": True}, {"terms": "recency"}))
    assert plain.terms == 0 < fitted.terms
    assert along.terms == 400 * 4 * 8 * 10
    assert needs_of(job_of(fit_terms=True), 3).terms == fitted.terms
    assert needs_of(job_of("Terms")).peak == fitted.terms


def test_more_together_need_more(job_of):
    one, three = (needs_of(job_of(), together) for together in (1, 3))
    assert (three.table, three.rest, three.step) == (3 * one.table, 3 * one.rest, 3 * one.step)


def test_kept_batches_are_counted_for_as_long_as_there_are_epochs(job_of):
    once, twice, capped = (needs_of(job_of(oversampling_factor=factor, epochs=2)).kept for factor in (1, 2, 50))
    assert needs_of(job_of()).kept == 0 < once
    assert 2 * once == twice == capped


def test_scores_take_no_more_than_their_memory(job_of):
    """Beyond it they are computed in parts."""
    many = {"random_negatives": 10**6, "draws_per": "batch"}
    whole, parts = (needs_of(job_of("random", many, score_memory=limit)) for limit in (1024, 1))
    assert whole.step > 16e6 * 7
    assert parts.step < whole.step


@pytest.mark.parametrize("k", [5, 60, 500])
@pytest.mark.parametrize("per", ["sequence", "position"])
def test_drawing_targets_of_the_batch_takes_no_more_than_was_said(dataset_of, k, per):
    """For each position it took three times what was said."""
    chance = np.random.default_rng(0)
    data = dataset_of([(chance.integers(1, 401, 31).tolist(), [1], [1]) for _ in range(30)], 400)
    settings = run_settings(dim=8, batch_size=30)
    job = Job(data, "in-batch", 0, settings, negative_settings("in-batch", {"in_batch_negatives": k, "draws_per": per}))
    method = build_method("in-batch", catalogue_of(data, 50), job.negatives)
    (batch,) = batches_of(data, settings, "history", rng=torch.Generator().manual_seed(0))
    tensors, _ = peak_bytes(lambda: method.sampler.draw(batch, rng=torch.Generator().manual_seed(1)))
    sizes = positions_of(job)
    block = 16 * min(MARKS, 900 * 900)  # that are compared at once, whatever the batch
    assert tensors < step_bytes(job, sizes, drawn_by(job, sizes.likely)) + block
