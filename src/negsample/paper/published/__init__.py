"""What the paper published: its settings, and its Tables 2 and 3, as files beside this one.

"Evaluating Performance and Bias of Negative Sampling in Large-Scale Sequential Recommendation Models" (arXiv, 2024),
and the results and settings in its repository, github.com/apple/ml-negative-sampling. Table 3 here is of those results,
which are finer than the paper's: mean and sample standard deviation over ``runs`` runs, of 10, 17 or 20 as there are,
where the text says 20. PopRec, which is not random, is from the paper. Everything is in %.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files
from typing import NamedTuple

DATASETS = ("movielens-10m", "amazon-beauty", "retailrocket")
PUBLISHED_SCOPES = ("total", "head", "mid", "tail")

_COUNTS = ("random_negatives", "popularity_negatives", "in_batch_negatives", "kept_hardest")
_OF_TRAINING = {"batch_size": int, "learning_rate": float, "max_length": int, "dropout": float}


class PublishedSettings(NamedTuple):
    """What was published for a method on a dataset: settings of training, and numbers of negatives by kind."""

    training: dict[str, int | float]
    negatives: dict[str, int]


class PublishedFigure(NamedTuple):
    """A published figure in %: its mean, and its sample standard deviation over ``runs`` runs (None for PopRec)."""

    mean: float
    sd: float | None
    runs: int


class PublishedCohort(NamedTuple):
    """A row of the paper's Table 2, in %: share of the items, and median share of the users who have one of them."""

    items: float
    users: float


@cache
def published_settings(dataset: str, method: str) -> PublishedSettings:
    """Of one of ``DATASETS`` and the paper's six methods."""
    (row,) = (each for each in _rows("hyperparameters.csv") if (each["dataset"], each["method"]) == (dataset, method))
    counts = {key: int(row[key] or 0) for key in _COUNTS}
    return PublishedSettings(
        {key: kind(row[key]) for key, kind in _OF_TRAINING.items()},
        {key: count for key, count in counts.items() if count},
    )


@cache
def table3(dataset: str, method: str) -> dict[str, PublishedFigure]:
    """The figures of a dataset and a method by our names: ``hr@10``, ``head_ndcg@10``, ..., ``balance@10``."""
    (row,) = (each for each in _rows("table3.csv") if (each["dataset"], each["method"]) == (dataset, method))
    named = {name_of(scope, kind): f"{scope}_{kind}" for kind in ("hr", "ndcg") for scope in PUBLISHED_SCOPES}
    return {
        name: PublishedFigure(float(row[key]), float(sd) if (sd := row[f"{key}_sd"]) else None, int(row["runs"]))
        for name, key in (named | {"balance@10": "balance"}).items()
    }


@cache
def table2(dataset: str) -> dict[str, PublishedCohort]:
    """The rows of a dataset, by cohort."""
    found = (row for row in _rows("table2.csv") if row["dataset"] == dataset)
    return {row["cohort"]: PublishedCohort(float(row["items_percent"]), float(row["mpu_percent"])) for row in found}


def name_of(scope: str, kind: str) -> str:
    """Our name of HR@10 or NDCG@10 (``kind`` ``hr`` or ``ndcg``) in one of ``PUBLISHED_SCOPES``."""
    return f"{kind}@10" if scope == "total" else f"{scope}_{kind}@10"


@cache
def _rows(name: str) -> tuple[dict[str, str], ...]:
    with (files(__name__) / name).open(encoding="utf-8") as file:
        return tuple(csv.DictReader(file))
