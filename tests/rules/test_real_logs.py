"""Figures on real logs that two scripts written apart agree on: NDCG@10 and Balance@10 in %."""

from __future__ import annotations

import math
import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import negsample
from negsample.data.prepare.pipeline import prepare
from negsample.evaluation.by_rule import rank_by_rule
from negsample.evaluation.figures import summarise
from negsample.evaluation.queries import queries
from negsample.rules import EASE, Asked, ItemKNN
from negsample.rules.repeat import own_scores
from negsample.rules.rule import cut_time
from negsample.settings import PrepareSettings

SHARED = Path(os.environ.get("NEGSAMPLE_SHARED", Path(__file__).parents[3] / "shared")) / "data"
FILES = {
    "online-retail": Path(negsample.__file__).parent / "data" / "bundled" / "online-retail.parquet",
    "amazon-beauty-5core": SHARED / "amazon-beauty-5core.parquet",
    "movielens-100k": SHARED / "movielens-100k.parquet",
    "globo-clicks": SHARED / "globo-clicks.parquet",
}
HOUR = 3_600_000_000
WEEK = 7 * 24 * HOUR


@pytest.fixture(scope="module")
def data_of(tmp_path_factory):
    @cache
    def make(name):
        if not FILES[name].exists():
            pytest.skip(f"{name} is not beside the project")
        settings = PrepareSettings(
            **(dict.fromkeys(("valid_fraction", "test_fraction"), 0.02) if name[0] == "g" else {})
        )
        return prepare(FILES[name], settings, tmp_path_factory.mktemp("real") / name)

    return make


def all_time(data):
    return lambda asked: data.known.counts(np.arange(1, data.catalogue_size + 1), cut_time(data, "test"))[None]


def lately(data, window):
    """How often in the time before the cut; of equals the one with more train events is first."""
    every, cut = np.arange(1, data.catalogue_size + 1), cut_time(data, "test")
    counts = data.known.counts(every, cut) - data.known.counts(every, cut - window) + data.train_counts[1:] / 1e7
    return lambda asked: counts[None]


def own(data, by):
    def scores(asked):
        found = np.zeros((len(asked.users_Q), data.catalogue_size))
        queries_N, items_N, values_N = own_scores(data, asked, by)
        found[queries_N, items_N - 1] = values_N
        return found

    return scores


RULES = {
    "all time": all_time,
    "last week": lambda data: lately(data, WEEK),
    "last hour": lambda data: lately(data, HOUR),
    "own by count": lambda data: own(data, "count"),
    "own by recency": lambda data: own(data, "recency"),
    "ItemKNN": lambda data: ItemKNN(data).scorer("test", 0.0),
    "EASE": lambda data: EASE(data).scorer("test", 100.0),
}
FIGURES = [
    ("amazon-beauty-5core", "all time", 0.47, 33),
    ("amazon-beauty-5core", "last week", 2.53, 54),
    ("amazon-beauty-5core", "ItemKNN", 2.17, 90),
    ("online-retail", "all time", 1.14, 33),
    ("online-retail", "last week", 2.18, 33),
    ("online-retail", "own by count", 4.95, 62),
    ("online-retail", "own by recency", 3.93, 74),
    ("online-retail", "ItemKNN", 2.23, 55),
    ("online-retail", "EASE", 3.84, 50),
    ("movielens-100k", "all time", 1.19, 33),
    ("movielens-100k", "last week", 1.59, 42),
    ("movielens-100k", "own by count", 0.00, math.nan),
    ("movielens-100k", "own by recency", 0.00, math.nan),
    ("movielens-100k", "ItemKNN", 1.03, 42),
    ("movielens-100k", "EASE", 0.09, 33),
    ("globo-clicks", "last hour", 10.2, 77),
    ("globo-clicks", "own by count", 0.45, 62),
]


@pytest.mark.parametrize(("name", "rule", "ndcg", "balance"), FIGURES)
def test_the_known_figures(data_of, name, rule, ndcg, balance):
    data = data_of(name)
    asked = queries(data, "test", history="frozen", max_length=1)
    of_rule = Asked(asked.windows.users, asked.known_until, None)
    ranks = rank_by_rule(RULES[rule](data), of_rule, asked.query_E, asked.targets_E).ranks_E
    found = summarise(ranks, asked.targets_E, np.asarray(data.train_counts), data.cohorts, cutoffs=[10])
    assert 100 * found["ndcg@10"] == pytest.approx(ndcg, abs=0.05 if ndcg > 10 else 0.006)
    assert 100 * found["balance@10"] == pytest.approx(balance, abs=0.6, nan_ok=True)
