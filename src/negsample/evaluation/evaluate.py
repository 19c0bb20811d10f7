"""A model measured: histories encoded, their events ranked, and the figures that come out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray

from negsample.data.dataset import Dataset
from negsample.errors import guarded
from negsample.evaluation.by_rule import choose, rank_of_rule
from negsample.evaluation.encode import Model, encode
from negsample.evaluation.figures import summarise
from negsample.evaluation.fit_terms import fit_terms
from negsample.evaluation.groups import Groups, groups_of
from negsample.evaluation.queries import Part, Queries, queries
from negsample.evaluation.ranks import Ranking, rank
from negsample.evaluation.with_terms import TermsOf, rank_with_terms
from negsample.models.baselines import Terms
from negsample.models.build import check_items, set_terms, terms_of
from negsample.rules import Rule, is_rule
from negsample.scoring.dial import NO_DIAL, Dials
from negsample.settings import RunSettings

QUERIES_AT_ONCE = 1 << 14
"""Whose states and histories are held at once: enough that reading the catalogue once for them costs nothing."""


class Evaluation(NamedTuple):
    """``figures`` by name (see :func:`negsample.evaluation.figures.summarise`) and the rank of every event, infinite
    for one whose target ``filter_seen`` leaves out: it is no hit at any k. ``fit_seconds``: what it took to fit a rule;
    0 for a trained model."""

    figures: dict[str, float | int]
    ranks_E: NDArray[np.float64]
    fit_seconds: float = 0.0


@guarded
def evaluate(
    model: Model | Rule,
    data: Dataset,
    part: Part,
    settings: RunSettings,
    *,
    device: torch.device | None = None,
    with_top: bool = True,
    with_groups: bool = True,
) -> Evaluation:
    """Measure ``model`` on the validation or test events of ``data``; ``with_top`` adds coverage and ARP,
    ``with_groups`` the figures of :class:`~negsample.evaluation.groups.Groups`.

    What is held beside the model is bound by blocks (:func:`~negsample.evaluation.ranks.rank`) of some thousand
    queries, and a few numbers an event and a query.

    Raises:
        InputError: ``part`` is another word, there is nothing to measure on, or the model's numbers are not finite.
        ValueError: the model is for another number of items.
    """
    (found,) = evaluate_by_dial(
        model, data, part, settings, NO_DIAL, device=device, with_top=with_top, with_groups=with_groups
    )
    return found


@guarded
def evaluate_by_dial(
    model: Model | Rule,
    data: Dataset,
    part: Part,
    settings: RunSettings,
    dials: Dials,
    *,
    device: torch.device | None = None,
    with_top: bool = True,
    with_groups: bool = True,
) -> list[Evaluation]:
    """The same at each setting of the dial; histories are encoded and items scored once for all."""
    how = settings.evaluation
    if is_rule(model):
        choose(model, data, settings)
        asked = queries(data, part, history=how.history, max_length=1)
        began = time.perf_counter()
        scorer = model.scorer(part, model.choice.item())
        fitted = time.perf_counter() - began
        ranking = rank_of_rule(scorer, data, asked, settings, top_k=max(how.k) if with_top else 0)
        groups = groups_of(data, part, asked) if with_groups else None
        return [_evaluation(data, asked, ranking.ranks_E, ranking.top_QK, how.k, groups)._replace(fit_seconds=fitted)]
    model = cast("Model", model)
    check_items(model.table.items, data.catalogue_size, data.name)
    asked = queries(data, part, history=how.history, max_length=model.max_length)
    if isinstance(model, Terms) and model.terms is None:
        set_terms(model, fit_terms(model, data, settings, device=device or torch.device("cpu"), shares=[0])[0])
    terms = terms_as_of(model, data, part, asked, settings)
    rankings, k = [], max(how.k) if with_top else 0
    for first in range(0, len(asked.windows), QUERIES_AT_ONCE):
        last = min(first + QUERIES_AT_ONCE, len(asked.windows))
        rankings.append(rank_some(model, data, asked, (first, last), terms, dials, settings, top_k=k, device=device))
    groups = groups_of(data, part, asked) if with_groups else None
    found = []
    for at_one in zip(*rankings, strict=True):
        ranks_E = np.concatenate([each.ranks_E for each in at_one])
        tops = [each.top_QK for each in at_one if each.top_QK is not None]
        top_QK = np.concatenate(tops) if tops else None
        found.append(_evaluation(data, asked, ranks_E, top_QK, how.k, groups))
    return found


def terms_as_of(model: Model, data: Dataset, part: Part, asked: Queries, settings: RunSettings) -> TermsOf | None:
    """What the terms of ``model`` add for all the queries of ``part``; None where it has none."""
    weights = terms_of(model)
    return None if weights is None else TermsOf(weights, data, part, asked, settings.evaluation.history == "frozen")


def rank_some(
    model: Model,
    data: Dataset,
    asked: Queries,
    which: tuple[int, int],
    terms: TermsOf | None,
    dials: Dials,
    settings: RunSettings,
    *,
    top_k: int,
    device: torch.device | None,
) -> list[Ranking]:
    """The ranking of the queries from the first to before the last of ``which``, at each setting of the dial.

    ``asked``: all queries of a part, which ``terms`` are of; ``top_k``, as of
    :func:`~negsample.evaluation.ranks.rank`.
    """
    some = asked.take(np.arange(*which))
    states = encode(model, data.items, some.windows, device=device or torch.device("cpu"))
    seen = some.seen(data) if settings.evaluation.filter_seen else None
    if terms is None:
        return rank(states, model.table, some.query_E, some.targets_E, dials, top_k=top_k, seen=seen)
    return rank_with_terms(terms, which, states, model.table, some, dials, top_k=top_k, seen=seen)


def _evaluation(
    data: Dataset,
    asked: Queries,
    ranks_E: NDArray[np.float64],
    top_QK: NDArray[np.int64] | None,
    cutoffs: Sequence[int],
    groups: Groups | None,
) -> Evaluation:
    facts = asked.targets_E, data.train_counts, data.cohorts
    return Evaluation(summarise(ranks_E, *facts, top_QK, cutoffs=cutoffs, groups=groups), ranks_E)
