"""A metric of one's own: its figures stand beside the others', and what is no metric is refused."""

from __future__ import annotations

import math
from importlib.metadata import EntryPoint

import numpy as np
import pytest
import torch

from negsample import InputError, PopRec, evaluate, run_settings
from negsample.evaluation.figures import summarise
from negsample.evaluation.metrics import METRICS, MetricDefinition, MetricKind, own_kinds, register_metric

COUNTS, COHORTS = np.array([0, 6, 3, 2, 1]), np.array([-1, 0, 1, 2, 2], np.int8)


@pytest.fixture(autouse=True)
def none_stays(monkeypatch):
    for name in ("_parts", "_from"):
        monkeypatch.setattr(METRICS, name, dict(getattr(METRICS, name)))


def rbp(ranks, k):
    return np.where(ranks < k, 0.5 * 0.5**ranks, 0.0)


def test_its_figures_stand_beside_the_others_at_every_cutoff_and_by_cohort():
    assert register_metric("rbp", rbp) is rbp
    ranks = np.array([0.0, 1, 5, math.inf])
    figures = summarise(ranks, np.array([1, 2, 3, 4]), COUNTS, COHORTS, cutoffs=(2, 7))
    assert figures["rbp@2"] == pytest.approx((0.5 + 0.25) / 4)
    assert figures["rbp@7"] == pytest.approx((0.5 + 0.25 + 1 / 64) / 4)
    assert (figures["head_rbp@7"], figures["mid_rbp@7"], figures["tail_rbp@7"]) == (0.5, 0.25, 1 / 128)
    assert {name.partition("@")[2] for name in figures if "@" in name} == {"2", "7"}


def test_which_end_is_the_good_one_and_the_unit_go_with_it():
    register_metric("rbp", rbp)
    assert own_kinds() == {}
    register_metric("position", lambda ranks, k: np.minimum(ranks, k), higher_is_better=False, unit="number")
    assert own_kinds() == {"position": MetricKind(higher_is_better=False, unit="number")}
    with pytest.raises(InputError, match="unit must be '%' or 'number', got 'metres'"):
        register_metric("distance", rbp, unit="metres")
    with pytest.raises(InputError, match="higher_is_better must be True or False, got 'no'"):
        register_metric("distance", rbp, higher_is_better="no")
    with pytest.raises(InputError, match="are arguments beside it"):
        register_metric("distance", MetricDefinition(rbp, MetricKind(higher_is_better=False)))


def test_an_installed_package_offers_a_metric_with_its_kind(monkeypatch):
    offered = MetricDefinition(rbp, MetricKind(higher_is_better=False))
    entry = EntryPoint("of-a-package", "json:LOSS", "negsample.metrics")
    monkeypatch.setattr(EntryPoint, "load", lambda self: offered)
    monkeypatch.setattr(METRICS, "_offered", {"of-a-package": entry})
    assert own_kinds() == {"of-a-package": MetricKind(higher_is_better=False)}
    assert METRICS["of-a-package"](np.array([0.0, 9.0]), 5).tolist() == [0.5, 0]


@pytest.mark.parametrize(
    ("name", "metric", "words"),
    [
        ("hr", rbp, "negsample's own"),
        ("balance", rbp, "negsample's own"),
        ("rbp@10", rbp, "without @"),
        ("head_rbp", rbp, "begin like a cohort's"),
        ("mean", lambda ranks, k: float(ranks.mean()), "a finite number an event"),
        ("mrr2", lambda ranks, k: 1 / ranks, "a finite number an event"),
        ("one", lambda ranks: ranks, "fails with TypeError"),
        ("text", "rbp", "metric must be a function"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_what_is_no_metric_is_refused(name, metric, words):
    with pytest.raises(InputError, match=words):
        register_metric(name, metric)
    assert name in ("hr",) or name not in METRICS


@pytest.mark.parametrize(("given", "k"), [("5,50", (5, 10, 50)), (3, (3, 10)), ([20, 20, 1], (1, 10, 20))])
def test_cutoffs_of_one_s_own_reach_the_figures(given, k, dataset_of):
    data = dataset_of([([1, 2, 3], [4], [5]), ([2, 3], [1], [])], 9)
    settings = run_settings(k=given)
    assert settings.evaluation.k == k
    found = evaluate(PopRec(torch.arange(1, 10), max_length=50), data, "test", settings).figures
    assert {int(name.partition("@")[2]) for name in found if "@" in name} == set(k)
    assert found[f"coverage@{max(k)}"] > 0


@pytest.mark.parametrize("given", ["0", "ten", [], 10**6])
def test_what_is_no_cutoff_is_refused(given):
    with pytest.raises(InputError, match="setting k="):
        run_settings(k=given)
