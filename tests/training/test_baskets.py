"""A world of baskets whose items say nothing about the next basket: by rows a model learns to complete baskets."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from negsample import (
    PrepareSettings,
    SASRec,
    build_method,
    catalogue_of,
    evaluate,
    fit,
    generator,
    negative_settings,
    prepare,
    run_settings,
)

GROUPS, SIZE, BASKETS = 30, 6, 8


@pytest.fixture(scope="module")
def baskets(tmp_path_factory):
    """Each basket has four of the six items of a group, and groups come by Zipf's law, whatever came before."""
    draws = np.random.default_rng(0)
    rows = []
    shares = 1 / np.arange(1, GROUPS + 1)
    for user in range(400):
        moments = np.sort(draws.choice(10**6, BASKETS, replace=False))
        for moment, group in zip(moments, draws.choice(GROUPS, BASKETS, p=shares / shares.sum()), strict=True):
            items = group * SIZE + draws.choice(SIZE, 4, replace=False)
            rows += [(user, int(item), 1_500_000_000 + int(moment)) for item in items]
    frame = pl.DataFrame(rows, schema=["user", "item", "time"], orient="row")
    return prepare(frame, PrepareSettings(), tmp_path_factory.mktemp("baskets") / "data")


def hit_rate(data, targets):
    settings = run_settings(
        dim=16, blocks=1, max_length=20, epochs=15, eval_every=15, learning_rate=3e-3, targets=targets, windows="all"
    )
    catalogue = catalogue_of(data, 20, windows="all", targets=targets)
    model = SASRec(data.catalogue_size, dim=16, max_length=20, blocks=1, heads=1, dropout=0.2, rng=generator(0, "init"))
    fit(model, data, build_method("full-ce", catalogue, negative_settings("full-ce", {})), settings, seed=0)
    return evaluate(model, data, "test", settings).figures["hr@10"]


def test_rows_learn_to_complete_baskets_and_moments_do_not(baskets):
    by_rows, by_moments = hit_rate(baskets, "rows"), hit_rate(baskets, "moments")
    popular = np.argsort(-baskets.train_counts[1:], kind="stable")[:10] + 1
    tested = np.concatenate(
        [np.asarray(baskets.items[a:b]) for a, b in zip(baskets.valid_ends, baskets.offsets[1:], strict=True)]
    )
    best = np.isin(tested, popular).mean()
    assert by_moments > 0.85 * best  # nothing but popularity can be known
    assert by_rows < 0.75 * by_moments
