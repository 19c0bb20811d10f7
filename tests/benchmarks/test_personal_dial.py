"""The personal dial of the benchmarks against the plain one and slow arithmetic."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from benchmarks.personal_dial import Resamples, Setting, best, cut, divergence, highest_at, ranks_at, standardised
from negsample import run_settings
from negsample.evaluation.figures import balance
from negsample.evaluation.metrics import hit, ndcg
from negsample.evaluation.ranks import rank
from negsample.models.item_table import ItemTable
from negsample.scoring.dial import dials

ITEMS = 30


@pytest.fixture
def users(dataset_of):
    chance = np.random.default_rng(3)
    until = [ITEMS * (1 + user % 3) // 3 for user in range(20)]
    return dataset_of([[chance.integers(1, each + 1, size).tolist() for size in (9, 2, 2)] for each in until], ITEMS)


@pytest.fixture
def asked(users):
    log_p_V = dials(users.train_counts).log_p_V
    at = cut(users, "test", log_p_V.numpy(), run_settings())
    chance = torch.Generator().manual_seed(0)
    return torch.randn(20, 8, generator=chance), ItemTable(ITEMS, 8, rng=chance), log_p_V, at


@pytest.mark.parametrize("level", [-0.5, 0.0, 0.75])
def test_without_slope_it_is_the_plain_dial(users, asked, level) -> None:
    states, table, log_p_V, at = asked
    (plain,) = rank(states, table, at.asked.query_E, at.asked.targets_E, dials(users.train_counts, [level]), top_k=10)
    personal = ranks_at(states, table, log_p_V, at, Setting(level), top_k=10)
    np.testing.assert_array_equal(personal.ranks_E, plain.ranks_E)
    np.testing.assert_array_equal(personal.top_QK, plain.top_QK)


def test_with_slope_each_user_has_a_dial_of_his_own(users, asked) -> None:
    states, table, log_p_V, at = asked
    found = ranks_at(states, table, log_p_V, at, Setting(0.5, 0.3)).ranks_E
    of_users = [
        rank(states, table, at.asked.query_E, at.asked.targets_E, dials(users.train_counts, [0.5 + 0.3 * z]))
        for z in at.z_Q.tolist()
    ]
    expected = [of_users[query][0].ranks_E[event] for event, query in enumerate(at.asked.query_E)]
    np.testing.assert_array_equal(found, expected)


def test_tastes_are_of_all_that_is_known_before_the_cut_and_standardised(users, asked) -> None:
    *_, log_p_V, at = asked
    of_fifth = users.items[users.offsets[5] : users.valid_ends[5]].astype(np.int64)
    assert at.taste_Q[5] == pytest.approx(float(log_p_V[of_fifth].mean()))
    assert at.z_Q.mean() == pytest.approx(0, abs=1e-12)
    assert at.z_Q.std() == pytest.approx(1)
    assert np.corrcoef(at.z_Q, at.taste_Q)[0, 1] == pytest.approx(1)
    np.testing.assert_array_equal(standardised(np.full(3, 0.25)), np.zeros(3))
    np.testing.assert_allclose(at.cohorts_QC.sum(1), 1)


def test_the_first_row_of_resamples_is_the_figures_of_all(users, asked) -> None:
    *_, at = asked
    ranks = np.random.default_rng(0).integers(0, ITEMS, len(at.asked.query_E)).astype(np.float64)
    target = users.cohorts[at.asked.targets_E]
    found = Resamples(at, users.cohorts, "test").figures(ranks)
    rates = [hit(ranks, 10)[target == number].mean() for number in range(3)]
    np.testing.assert_allclose(found[0], [ndcg(ranks, 10).mean(), hit(ranks, 10).mean(), balance(*rates)])
    assert found[1:, 1].mean() == pytest.approx(found[0, 1], abs=0.02)


def test_divergence_is_none_for_the_same_and_a_bit_for_what_shares_nothing() -> None:
    left = np.array([[0.5, 0.5, 0], [1, 0, 0], [1, 0, 0]])
    right = np.array([[0.5, 0.5, 0], [0, 0.5, 0.5], [0.5, 0.5, 0]])
    half = (math.log2(1 / 0.75) + 0.5 * math.log2(0.5 / 0.75) + 0.5 * math.log2(0.5 / 0.25)) / 2
    np.testing.assert_allclose(divergence(left, right), [0, 1, half])


def test_ndcg_at_a_balance_is_read_off_the_curve() -> None:
    curve = np.array([[0.9, 0.7, 0.5, 0.7, 0.7]] * 5), np.array([[0.1, 0.3, 0.2, 0.0, 0.4]] * 5)
    found = highest_at(np.array([0.8, 0.6, 0.95, 0.7, np.nan]), *curve)
    np.testing.assert_allclose(found, [0.2, 0.25, np.nan, 0.4, np.nan])


def test_of_equal_settings_the_plainest_is_best() -> None:
    fit = {Setting(0.5, 0.3): 0.2, Setting(0.25, 0.0): 0.2, Setting(0.0, 0.15): 0.2, Setting(0.0, 0.0): 0.1}
    assert best(fit, list(fit)) == Setting(0.25, 0.0)
