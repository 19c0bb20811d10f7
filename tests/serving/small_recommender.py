"""Small recommenders that are not trained, what they answer by the obvious slow sum, and histories to ask about."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import torch

from negsample import encode_histories, generator, neighbour_terms, own_terms, run_settings, term_column
from negsample.data.dataset import Dataset
from negsample.models.build import build_backbone, set_terms, terms_of
from negsample.models.terms import AFTER, TermWeights
from negsample.serving.recommender import Recommender

V, DAY = 60, 86_400 * 10**6
UNTIL = 401 * DAY
LENGTH = 6
SIZES: dict[str, dict[str, Any]] = {
    "sasrec": {"backbone": "sasrec", "dim": 8, "blocks": 2, "heads": 2},
    "gru4rec": {"backbone": "gru4rec", "dim": 8, "blocks": 2},
    "terms": {"backbone": "terms", "terms": "recency"},
}


def small_data(dataset_of, items: int = V, users: int = 60) -> Dataset:
    """Users with 3 to 29 events each within 400 days, the lower ids more often and some items by nobody."""
    draws, histories, times = np.random.default_rng(4), [], []
    for _ in range(users):
        count = draws.integers(3, 30)
        histories.append((np.minimum(draws.zipf(1.3, count), items).tolist(), [], []))
        times += np.sort(draws.integers(0, 400 * DAY, count)).tolist()
    return dataset_of(histories, items, times)


def small_model(
    backbone: str, seed: int, items: int = V, terms: Sequence[str] = (), length: int = LENGTH, **other: Any
) -> Any:
    settings = run_settings(max_length=length, **(SIZES[backbone] | other)).model
    model = build_backbone(settings, items, rng=generator(seed, "init"), device=torch.device("cpu"))
    draws = torch.Generator().manual_seed(seed)
    weights = TermWeights(terms)
    with torch.no_grad():
        model.table.weight.mul_(20)
        for each in weights.parameters():
            each.copy_(torch.randn(each.shape, generator=draws))
        weights.share.fill_(0.5 + seed)
    set_terms(model, weights if terms else None)
    return model


def small_recommender(data: Dataset, *backbones: str, terms: Sequence[str] = AFTER, **other: Any) -> Recommender:
    """``other``: settings of the models that differ from ``SIZES``."""
    models = [small_model(each, seed, data.catalogue_size, terms, **other) for seed, each in enumerate(backbones)]
    ids = pl.Series("item", [f"item {id:03}" for id in range(1, data.catalogue_size + 1)])
    users = pl.Series("user", range(data.users))
    about: Any = SimpleNamespace(
        method="by hand",
        settings={"filter_seen": False},
        until=UNTIL,
        dial=-0.25,
        recent_half_life=None,
        untrained=0,
    )
    return Recommender(Path("nowhere"), about, models, data, ids, users, data.train_counts)


def column_of(recommender: Recommender, time: int = UNTIL) -> torch.Tensor:
    """(V + 1,) the mean over the members of what terms add for every item."""
    columns = [
        torch.zeros(recommender.data.catalogue_size + 1)
        if terms_of(model) is None
        else term_column(model, recommender.data, time)
        for model in recommender.models
    ]
    return torch.stack(columns).mean(0)


def slow_scores(recommender: Recommender, items: Any, times: Any, time: int, dial: float) -> torch.Tensor:
    """(V,) one history at a time, and one model."""
    total = torch.zeros(recommender.data.catalogue_size + 1, dtype=torch.float64)
    for model in recommender.models:
        total += (encode_histories(model, [items])[0] @ model.table.weight.T).detach()
        if terms_of(model) is not None:
            total += term_column(model, recommender.data, time)
            for added in (own_terms(model, items, times, time), neighbour_terms(model, recommender.data, items)):
                total[torch.from_numpy(added.ids_N)] += torch.from_numpy(added.values_N)
    return (total / len(recommender.models) + dial * recommender.log_p_V)[1:]


def asked_of(recommender: Recommender, length: int, seed: int, queries: int = 12) -> tuple[torch.Tensor, ...]:
    """Arguments of a graph: histories of one event up to ``length``, each with another dial."""
    draws, v = np.random.default_rng(seed), recommender.data.catalogue_size
    items, times = np.zeros((2, queries, length), np.int64)
    for row in range(queries):
        count = draws.integers(1, length + 1) if row else length
        items[row, length - count :] = np.minimum(draws.zipf(1.3, count), v)
        times[row, length - count :] = np.sort(draws.integers(0, UNTIL, count))
    dials = torch.from_numpy(np.linspace(-1, 1, queries).astype(np.float32))
    now = torch.full((queries,), UNTIL)
    return torch.from_numpy(items), torch.from_numpy(times), now, dials, column_of(recommender)


def recommended(recommender: Recommender, items: Any, times: Any, time: int, dial: float, k: int = 10) -> Any:
    """What the recommender itself gives for one history of item ids: ids and scores."""
    numbers = recommender.numbers(items)
    person = {"items": numbers, "times": np.array(times), "offsets": np.array([0, len(numbers)])}
    people = recommender.users._replace(keys=pl.Series(["ann"]), **person)
    found = recommender.recommend(people, k=k, time=time, dial=dial)
    return found["item"].to_list(), found["score"].to_list()


def asked_by_name(recommender: Recommender, asked: Any) -> list[dict[str, Any]]:
    """The arguments of a graph as those of :func:`recommended`, for each history."""
    items, times, now, dials, _ = asked
    return [
        {
            "items": recommender.item_ids[items[row, real].numpy() - 1].to_list(),
            "times": times[row, real].tolist(),
            "time": int(now[row]),
            "dial": float(dials[row]),
        }
        for row, real in enumerate(items > 0)
    ]
