"""What the dial adds, and how a setting of it is chosen: on validation alone."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from negsample import InputError, TrainSettings
from negsample.dial import BETAS, Choice, dials, log_shares, parse_choice
from negsample.evaluation import Evaluation, evaluate, evaluate_by_dial
from negsample.models import SASRec


def test_shares_are_of_targets_and_never_nothing():
    found = log_shares(np.array([0, 6, 0, 1, 3])).exp()
    assert found.tolist() == pytest.approx([0.1, 0.6, 0.1, 0.1, 0.3])
    assert torch.isfinite(log_shares(np.zeros(4, np.int64))).all()


def given(*pairs):
    return [Evaluation({"ndcg@10": ndcg, "balance@10": balance}, np.empty(0)) for ndcg, balance in pairs]


def test_the_best_of_those_that_reach_the_balance():
    betas, valid = (-1.0, 0.0, 1.0), given((0.1, 0.9), (0.3, 0.6), (0.4, math.nan))
    assert Choice(None).of(valid, betas) == 1.0
    assert Choice(None, 0.6).of(valid, betas) == 0.0
    assert Choice(None, 0.7).of(valid, betas) == -1.0
    assert Choice(0.37).of(valid, betas) == 0.37
    with pytest.raises(InputError, match=r"Balance 0.95 on validation, the most is 0.900"):
        Choice(None, 0.95).of(valid, betas)


def test_of_equals_the_one_that_changes_least():
    assert Choice(None).of(given((0.2, 0.5), (0.2, 0.5), (0.2, 0.5), (0.2, 0.5)), (-1.0, 0.25, -0.5, 2.0)) == 0.25


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("none", Choice(0.0)),
        ("auto", Choice(None)),
        ("-0.5", Choice(-0.5)),
        ("balance:0.7", Choice(None, 0.7)),
    ],
)
def test_what_is_understood(text, choice):
    assert parse_choice(text) == choice


@pytest.mark.parametrize("text", ["", "Auto", "balance", "balance:", "balance:70", "balance:nan", "inf", "head"])
def test_what_is_not(text):
    with pytest.raises(InputError, match="--dial"):
        parse_choice(text)


def test_a_grid_is_each_setting_by_itself_and_zero_changes_nothing(world):
    data = world(users=90, items=50, name="some")
    model = SASRec(data.catalogue_size, dim=8, max_length=12, rng=torch.Generator().manual_seed(3))
    settings = TrainSettings(dim=8, max_length=12)
    counts = np.asarray(data.train_counts)
    grid = evaluate_by_dial(model, data, "test", settings, dials(counts))
    for beta, found in zip(BETAS, grid, strict=True):
        (alone,) = evaluate_by_dial(model, data, "test", settings, dials(counts, [beta]))
        assert np.array_equal(found.ranks_E, alone.ranks_E)
        assert found.figures == pytest.approx(alone.figures, nan_ok=True, rel=0, abs=0)
    plain = evaluate(model, data, "test", settings)
    assert np.array_equal(grid[BETAS.index(0.0)].ranks_E, plain.ranks_E)
    shown = [found.figures["arp@10"] for found in grid]
    assert shown == sorted(shown)
