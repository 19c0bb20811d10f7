"""A trained model for an index by inner product: vectors with dial and terms, what own items and neighbours add."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from negsample.data.dataset import Dataset
from negsample.data.known import Ints, checked_events
from negsample.data.own import OwnItems, own_before, repeats_of
from negsample.errors import InputError, guarded, whole
from negsample.models import Backbone
from negsample.models.build import check_items, terms_of
from negsample.models.terms import TermWeights, own_bins
from negsample.rules.item_knn import LAST, Similarities
from negsample.rules.nearest import nearest
from negsample.scoring.lately import Lately

LATEST = 2**62
"""Microseconds: far later than any time."""


class AddedTerms(NamedTuple):
    """What a term adds to the scores of some items for a user: ``ids_N``, ascending, and ``values_N``, float64."""

    ids_N: NDArray[np.int64]
    values_N: NDArray[np.float64]


@guarded
def item_vectors(items_ND: Tensor, log_p_N: Tensor | None = None, term_N: Tensor | None = None) -> Tensor:
    """(N, D + 1) or (N, D + 2) vectors of items for an index by inner product.

    One coordinate more is ``log p``, which serves every dial, and one what the terms add for the item.

    Args:
        items_ND: the items' vectors, as the model has them.
        log_p_N: of the same items, from :func:`log_shares`. (default: no dial)
        term_N: of the same items, from :func:`term_column`. (default: no terms)
    """
    columns = [each.to(items_ND).unsqueeze(1) for each in (log_p_N, term_N) if each is not None]
    return torch.cat([items_ND, *columns], 1)


@guarded
def query_vectors(states_QD: Tensor, beta: float | Tensor | None = None, *, terms: bool = False) -> Tensor:
    """(Q, D + 1) or (Q, D + 2) queries of such an index: the dial, chosen request by request, and 1 for the terms.

    Args:
        states_QD: the model's states after each history.
        beta: one setting of the dial for all, or (Q,) one each; 0 ranks as trained. (default: the index has no dial)
        terms: whether the index has the terms.
    """
    weights = ([] if beta is None else [beta]) + ([1.0] if terms else [])
    like = partial(torch.as_tensor, dtype=states_QD.dtype, device=states_QD.device)
    return torch.cat([states_QD, *(like(each).expand(len(states_QD)).unsqueeze(1) for each in weights)], 1)


@guarded
@torch.no_grad()
def term_column(model: Backbone, data: Dataset, time: int) -> Tensor:
    """(V + 1,) what the terms of ``model`` add to every item's score as of ``time``; 0 at index 0.

    Nothing is trained, and the items' own vectors stay as they are: an index is fresh again with this column renewed.

    Args:
        model: with terms. Where ``repeats`` is the only one, all is 0.
        data: what it was trained on; :meth:`Dataset.with_events` adds what came since.
        time: microseconds since 1970, at any time; what is at or after it does not count.

    Example:
        >>> term_column(loaded.model, loaded.job.data, 1_700_000_000_000_000)  # doctest: +SKIP

    Raises:
        InputError: the model has no terms, or is for another number of items.
    """
    weights = _weights_of(model)
    check_items(model.table.items, data.catalogue_size, data.name)
    device = next(weights.parameters()).device
    if weights.items_F is None:
        return torch.zeros(data.catalogue_size + 1, device=device)
    lately = Lately(data, weights.laid, np.array([whole("time", time, 0, LATEST)]))
    return weights.of_items(lately.features_NF.to(device))


@guarded
def own_terms(model: Backbone, items: Sequence[int] | Ints, times: Sequence[int] | Ints, time: int) -> AddedTerms:
    """What ``repeats`` adds to the scores of a user's own items as of ``time``; nothing without this term.

    Args:
        model: with terms.
        items: (N,) ids of all the user's events, however long the model's histories, in any order.
        times: (N,) of the same events, microseconds since 1970; those at or after ``time`` do not count.
        time: microseconds.

    Raises:
        InputError: the model has no terms, or these are no ids and times.
    """
    weights = _weights_of(model)
    items, times = checked_events(items, times, model.table.items)
    known = times < whole("time", time, 0, LATEST)
    if weights.own_W is None or not known.any():
        return AddedTerms(np.zeros(0, np.int64), np.zeros(0))
    order = np.argsort(times[known], kind="stable")
    items, times = items[known][order], times[known][order]
    offsets, width = np.array([0, len(items)]), model.table.items + 1
    asked: dict[str, Any] = {"users_R": offsets[:1], "until_R": offsets[1:], "times_R": np.array([time])}
    found = own_before(items, times, offsets, repeats_of(items, offsets, width), **asked, width=width)
    return AddedTerms(found.item_E, own_values(weights, found))


@guarded
@torch.no_grad()
def neighbour_terms(model: Backbone, data: Dataset, items: Sequence[int] | Ints) -> AddedTerms:
    """What ``neighbours`` adds to the scores of the items that are most similar to a user's latest ones, up to 500;
    nothing without this term. They may be the user's own.

    Similarities are of all events in ``data``, test too, but for those of :meth:`Dataset.with_events`, which have no
    user. The first call computes them, which takes as long as ``ItemKNN``; they stay in memory for the same ``data``.

    Args:
        model: with terms that were fitted after training.
        data: a log of the same items, such as a longer one, prepared anew.
        items: (N,) ids of the user's events, in the order of time; the last 10 count.

    Raises:
        InputError: the model has no terms, or is for another number of items, or these are no ids.
    """
    weights = _weights_of(model)
    check_items(model.table.items, data.catalogue_size, data.name)
    items = checked_events(items, np.zeros(np.size(items), np.int64), data.catalogue_size)[0][-LAST:]
    if weights.near_N is None:
        return AddedTerms(np.zeros(0, np.int64), np.zeros(0))
    ages = np.arange(len(items))[::-1]
    found = nearest(_similarities(data).scores_of(np.zeros_like(items), items, ages, 1))
    values = weights.of_neighbours(torch.from_numpy(found.scores_N).to(weights.share.device))
    return AddedTerms(found.ids_N.astype(np.int64), values.double().cpu().numpy())


@lru_cache(maxsize=1)
def _similarities(data: Dataset) -> Similarities:
    return Similarities(data, None)


@torch.no_grad()
def own_values(weights: TermWeights, found: OwnItems) -> NDArray[np.float64]:
    """(E,) what ``repeats`` adds for the items that were found."""
    return np.asarray(weights.of_own(bins_of(found).to(weights.share.device)).double().cpu())


def bins_of(found: OwnItems) -> Tensor:
    """(E, 4) the places of the weights of the items that were found."""
    return own_bins(*(torch.from_numpy(each) for each in (found.count_E, found.since_E, found.length_R[found.row_E])))


def _weights_of(model: Backbone) -> TermWeights:
    weights = terms_of(model)
    if weights is None:
        raise InputError("the model has no terms; train one with terms, such as terms=popularity,recency,repeats")
    return weights
