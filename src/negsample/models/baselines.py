"""Baselines: recommenders by a rule, which are measured as every model is and never trained; the most popular items."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from negsample.batches.packed import Packed
from negsample.data.dataset import Dataset
from negsample.data.popularity import popularity_order
from negsample.errors import guarded
from negsample.models.terms import TermWeights
from negsample.plugins import Registry
from negsample.rules import EASE, ItemKNN, RecentPop, Repeat, RepeatRecent
from negsample.rules.ease import LARGEST

Baseline = Callable[[Dataset], nn.Module]
"""Makes of a dataset a model that can be measured (see :class:`negsample.evaluation.evaluate.Model`)."""


def _popular(data: Dataset) -> PopRec:
    return PopRec(torch.from_numpy(popularity_order(np.asarray(data.train_counts))))


def _check(name: str, build: Baseline) -> None:
    if not callable(build):
        raise ValueError(f"a baseline is a function from a Dataset to a model, got a {type(build).__name__}")


_OWN: dict[str, Baseline] = {
    "RecentPop": RecentPop,
    "Repeat": Repeat,
    "RepeatRecent": RepeatRecent,
    "ItemKNN": ItemKNN,
    "EASE": EASE,
    "Terms": lambda data: Terms(data),
    "PopRec": _popular,
}
BASELINES: Registry[Baseline] = Registry("baseline", _OWN, check=_check, reserved=("all",))
"""All baselines by name. Negsample's own are in every study, the others where they are named among the methods."""

BASELINE_WORDS = {
    "RecentPop": "baseline: the most popular items lately, for everybody",
    "Repeat": "baseline: the user's own items, the most frequent first, then RecentPop",
    "RepeatRecent": "baseline: the user's own items, the latest first, then RecentPop",
    "ItemKNN": "baseline: items that the same users have as the user's latest ones",
    "EASE": f"baseline: a linear model in closed form; up to {LARGEST:,} items",
    "Terms": "baseline: popularity, the user's own items and neighbours, weighed on validation; no model",
    "PopRec": "baseline: the most popular items in train, for everybody",
}
"""What each of negsample's own is. Nothing is trained."""


def own_baselines(items: int) -> list[str]:
    """Those of negsample for a catalogue of so many items, PopRec last."""
    return [name for name in _OWN if name != "EASE" or items <= LARGEST]


@guarded
def register_baseline(name: str, build: Baseline, *, replace: bool = False) -> Baseline:
    """Add a recommender by a rule, to be named among the methods of a study.

    Args:
        name: as of a method.
        build: makes of a :class:`~negsample.Dataset` a model that can be measured, which may use train events alone,
            or a :class:`~negsample.rules.Rule`, which is told what it may use.
            Where a rule gives everybody the same items, that is ``PopRec(order)``, with ``order`` the (V,) ids, best
            first.
        replace: take the place of one that was registered before.

    Example:
        >>> register_baseline("by-id", lambda data: PopRec(torch.arange(1, data.catalogue_size + 1)))  # doctest: +SKIP

    Raises:
        InputError: the name is taken, or ``build`` is no function.
    """
    return BASELINES.register(name, build, replace=replace)


def is_baseline(name: str) -> bool:
    """Whether ``name`` is a baseline, which has no settings and is not trained."""
    return name in BASELINES


class PopRec(nn.Module):
    """Ranks items by train count, ties by id, whatever the history; nothing is trained.

    Its state is the number 1 and an item's vector the number ``-rank``, so that it is measured by the very code
    that measures every other model.

    Args:
        order: (V,) item ids by popularity, see :func:`negsample.data.popularity.popularity_order`.
        max_length: L, the length of a history (it makes no difference).
    """

    def __init__(self, order: Tensor, *, max_length: int = 1) -> None:
        super().__init__()
        self.table = _Ranks(order)
        self.max_length = max_length

    def forward(self, vectors_TD: Tensor, packed: Packed, rng: torch.Generator | None = None) -> Tensor:
        """(T, 1) ones."""
        return torch.ones_like(vectors_TD)


class _Ranks(nn.Module):
    def __init__(self, order: Tensor) -> None:
        super().__init__()
        weight = torch.zeros(len(order) + 1, 1, dtype=torch.float64)  # exact for any number of items
        weight[order] = -torch.arange(len(order), dtype=torch.float64).unsqueeze(1)
        self.weight = nn.Parameter(weight, requires_grad=False)

    @property
    def items(self) -> int:
        return len(self.weight) - 1

    def lookup(self, *ids: Tensor) -> list[Tensor]:
        return [self.weight[each] for each in ids]

    def block(self, start: int, stop: int) -> Tensor:
        return self.weight[start:stop]


class Terms(nn.Module):
    """What is known at a time, with weights that are fitted to validation when it is first measured, and no model.

    Its states are zero and so are its items, see :func:`negsample.evaluation.fit_terms.fit_terms`.
    """

    def __init__(self, data: Dataset) -> None:
        super().__init__()
        self.table = _Zeros(data.catalogue_size)
        self.max_length = 1
        self.terms: TermWeights | None = None

    def forward(self, vectors_TD: Tensor, packed: Packed, rng: torch.Generator | None = None) -> Tensor:
        """(T, 1) zeros."""
        return torch.zeros_like(vectors_TD)


class _Zeros(nn.Module):
    def __init__(self, items: int) -> None:
        super().__init__()
        self.items = items
        self.register_buffer("weight", torch.zeros(()))

    weight: Tensor

    def lookup(self, *ids: Tensor) -> list[Tensor]:
        return [self.weight.expand(len(each), 1) for each in ids]

    def block(self, start: int, stop: int) -> Tensor:
        return self.weight.expand(stop - start, 1)
