"""What the dial adds, and how a setting of it is chosen: on validation alone."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from negsample import InputError, run_settings
from negsample.evaluation.evaluate import evaluate, evaluate_by_dial
from negsample.models import SASRec
from negsample.scoring.dial import BETAS, Choice, dials, log_shares, parse_choice


def test_shares_are_of_targets_and_never_nothing():
    found = log_shares(np.array([0, 6, 0, 1, 3])).exp()
    assert found.tolist() == pytest.approx([0.1, 0.6, 0.1, 0.1, 0.3])
    assert torch.isfinite(log_shares(np.zeros(4, np.int64))).all()


def given(*pairs):
    return [{"ndcg@10": ndcg, "balance@10": balance} for ndcg, balance in pairs]


def test_the_best_of_those_that_reach_the_balance():
    betas, valid = (-1.0, 0.0, 1.0), given((0.1, 0.9), (0.3, 0.6), (0.4, math.nan))
    assert Choice(None).of(valid, betas) == 1.0
    assert Choice(None, 0.6).of(valid, betas) == 0.0
    assert Choice(None, 0.7).of(valid, betas) == -1.0
    assert Choice(0.37).of(valid, betas) == 0.37
    assert Choice(None, 0.7).of([{"ndcg@10": 0.1, "balance@10": None}, *valid], (-0.5, *betas)) == -1.0
    with pytest.raises(InputError, match=r"Balance 0.95 on validation, the most is 0.900"):
        Choice(None, 0.95).of(valid, betas)
    with pytest.raises(InputError, match="undefined at all"):
        Choice(None, 0.0).of(given((0.0, math.nan)), (0.0,))


def test_of_equals_the_one_that_changes_least():
    assert Choice(None).of(given((0.2, 0.5), (0.2, 0.5), (0.2, 0.5), (0.3, 0.5)), (-1.0, 0.25, -0.5, 0.3)) == 0.25


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("none", Choice(0.0)),
        ("auto", Choice(None)),
        ("-0.5", Choice(-0.5)),
        ("balance:0.7", Choice(None, 0.7)),
        ("balance:0", Choice(None, 0.0)),
        ("0.123456789", Choice(0.123456789)),
    ],
)
def test_what_is_understood(text, choice):
    assert parse_choice(text) == choice
    assert choice.text == text


def test_a_number_is_offered_only_to_who_asks_for_it():
    """The grid that a run was measured at may have a number that somebody asked for: the choice knows nothing of it."""
    assert Choice(None).of(given((0.2, 0.5), (0.9, 0.9), (0.3, 0.4)), (-0.25, 0.1, 0.5)) == 0.5
    assert parse_choice("-0").text == parse_choice("0.0").text == "none"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Auto",
        "balance",
        "balance:",
        "balance:70",
        "balance:nan",
        "balance:-0.1",
        "inf",
        "nan",
        "1e9",
        "-101",
        "head",
        "0.5:0.5",
        "x:0.5",
    ],
)
def test_what_is_not(text):
    with pytest.raises(InputError, match="--dial"):
        parse_choice(text)


def test_a_grid_is_each_setting_by_itself_and_zero_changes_nothing(world):
    data = world(users=90, items=50, name="some")
    model = SASRec(data.catalogue_size, dim=8, max_length=12, rng=torch.Generator().manual_seed(3))
    settings = run_settings(dim=8, max_length=12)
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
