"""What the scores of queries are made from, so that weights of terms can be fitted to them."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from negsample.batches.windows import Ints
from negsample.evaluation.ranks import RankedItems
from negsample.evaluation.with_terms import TermsOf
from negsample.models.terms import TermWeights
from negsample.random import resampling
from negsample.scoring.serving import bins_of

ITEMS = 8192
"""Items that are scored for each of them, beside its own, its neighbours and its targets: all of a catalogue of so
many, else a sample, the same for all queries."""
HALF_LIFE = 4
"""The column of popularity with a half-life of 2.7 days."""
PRODUCTS = 1 << 22
"""Numbers of vectors that are held at once."""


class Some(NamedTuple):
    """E items of some queries, each scored for itself: own ones, neighbours and targets.

    ``row_E``: the query of each, ascending; ``product_E``: of its state and the item; ``features_EF``; ``own_at``,
    ``own_bins``: which are own, and the places of their weights; ``near_at``, ``near_scores``: which are neighbours,
    and their scores; ``target_N``: where each target is.
    """

    row_E: Tensor
    product_E: Tensor
    features_EF: Tensor | None
    own_at: Tensor
    own_bins: Tensor
    near_at: Tensor
    near_scores: Tensor
    target_N: Tensor

    def scores(self, weights: TermWeights, share: Tensor) -> Tensor:
        """(E,)."""
        found = share * self.product_E
        if self.features_EF is not None:
            found = found + weights.of_items(self.features_EF)
        if weights.own_W is not None:
            found = found.index_add(0, self.own_at, weights.of_own(self.own_bins))
        if weights.near_N is not None:
            found = found.index_add(0, self.near_at, weights.of_neighbours(self.near_scores))
        return found


class Rest(NamedTuple):
    """All items of a catalogue or M of them, for Q queries as of C cuts.

    ``products_QM``: of states and items; ``features_CMF``; ``log_weight_M``: log of how many items each stands for;
    ``cut_Q``: of each query; ``scored_N``: places in Q x M of items that are among :class:`Some`, and count there.
    """

    products_QM: Tensor
    features_CMF: Tensor | None
    log_weight_M: Tensor
    cut_Q: Tensor
    scored_N: Tensor

    def logsumexp(self, weights: TermWeights, share: Tensor) -> Tensor:
        """(Q,) of the scores."""
        shift_CM = self.log_weight_M.expand(int(self.cut_Q.max()) + 1, -1)
        if self.features_CMF is not None:
            shift_CM = shift_CM + weights.of_items(self.features_CMF)
        found: Tensor = _LogSumExp.apply(  # type: ignore[no-untyped-call]
            self.products_QM, share, shift_CM, self.cut_Q, self.scored_N
        )
        return found


class _LogSumExp(torch.autograd.Function):
    """(Q,) of ``share * products + shift[cut]``, with one array as large as the products beside them."""

    @staticmethod
    def forward(
        ctx: Any, products_QM: Tensor, share: Tensor, shift_CM: Tensor, cut_Q: Tensor, left_out_N: Tensor
    ) -> Tensor:
        shift = shift_CM if len(shift_CM) == 1 else shift_CM[cut_Q]
        scores = torch.add(shift, products_QM, alpha=share.item())
        scores.view(-1)[left_out_N] = -math.inf
        most_Q1 = scores.amax(1, keepdim=True).clamp_(min=torch.finfo(scores.dtype).min)
        sums_Q1 = scores.sub_(most_Q1).exp_().sum(1, keepdim=True)
        ctx.save_for_backward(products_QM, scores, sums_Q1, shift_CM, cut_Q)
        return (sums_Q1.log() + most_Q1).squeeze(1)

    @staticmethod
    def backward(ctx: Any, gradient_Q: Tensor) -> tuple[None, Tensor, Tensor, None, None]:
        products_QM, chances, sums_Q1, shift_CM, cut_Q = ctx.saved_tensors
        chances.mul_(gradient_Q.unsqueeze(1) / sums_Q1.clamp(min=torch.finfo(chances.dtype).tiny))
        of_shift = torch.zeros_like(shift_CM).index_add_(0, cut_Q, chances)
        return None, torch.dot(chances.view(-1), products_QM.view(-1)), of_shift, None, None


@torch.no_grad()
def cells_of(
    terms: TermsOf, states_QD: Tensor, table: RankedItems, query_E: Ints, targets_E: Ints, own_too: bool
) -> tuple[Some, Rest]:
    """What the scores of the queries of ``terms`` are made from; ``query_E`` and ``targets_E`` are their events.

    Args:
        own_too: a user's own items are ranked; else they, and events on them, are left out.
    """
    width, device = table.items + 1, states_QD.device
    queries = np.arange(len(states_QD))
    own = terms.own(queries)
    own_keys, keys_N = own.row_E * width + own.item_E, query_E * width + targets_E
    if not own_too:
        keys_N = keys_N[~np.isin(keys_N, own_keys)]
    near = terms.nearest(queries)
    near_keys = near.rows() * width + near.ids_N
    some = np.sort(np.concatenate([keys_N, near_keys, own_keys]))
    some = some[np.diff(some, prepend=-1) > 0]
    own_at, near_at = np.searchsorted(some, own_keys), np.searchsorted(some, near_keys)
    ids_M, stands_for_M = _sample(terms, width)
    rows, items = some // width, some % width
    column = np.searchsorted(ids_M, items).clip(max=len(ids_M) - 1)
    scored = ids_M[column] == items
    kept = np.ones(len(some), bool)
    if not own_too:
        kept[own_at] = False
    place = np.cumsum(kept) - 1

    def to(array: Any) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(device)

    def features(cuts: Ints, ids: Ints) -> Tensor | None:
        return None if terms.lately is None else to(terms.lately.features_NF.numpy()[cuts * width + ids])

    vectors = table.lookup(to(ids_M))[0].to(states_QD.dtype)
    cuts = np.arange(terms.cut_Q.max(initial=0) + 1)
    rest = Rest(
        states_QD @ vectors.T,
        features(cuts[:, None], ids_M),
        to(np.log(stands_for_M)).to(states_QD.dtype),
        to(terms.cut_Q),
        to((rows * len(ids_M) + column)[scored]),
    )
    near_kept = kept[near_at]
    return Some(
        to(rows[kept]),
        _products(states_QD, table, to(rows[kept]), to(items[kept])),
        features(terms.cut_Q[rows[kept]], items[kept]),
        to(place[own_at] if own_too else own_at[:0]),
        bins_of(own).to(device)[: None if own_too else 0],
        to(place[near_at[near_kept]]),
        to(near.scores_N[near_kept]).to(states_QD.dtype),
        to(place[np.searchsorted(some, keys_N)]),
    ), rest


def _sample(terms: TermsOf, width: int) -> tuple[Ints, np.ndarray]:
    """Ids, ascending, and how many items each stands for: half of them drawn evenly, half by popularity lately."""
    if width - 1 <= ITEMS:
        return np.arange(1, width), np.ones(width - 1)
    chances = np.ones(width - 1) / (width - 1)
    if terms.lately is not None:
        features = terms.lately.features_NF.view(-1, width, terms.lately.features_NF.shape[1])
        lately = features[:, 1:, HALF_LIFE].double().exp().mean(0).numpy()
        chances = chances / 2 + lately / lately.sum() / 2
    drawn = resampling("items of a fit").choice(width - 1, ITEMS, p=chances)
    ids, times = np.unique(drawn, return_counts=True)
    return ids + 1, times / (ITEMS * chances[ids])


def _products(states_QD: Tensor, table: RankedItems, row_E: Tensor, item_E: Tensor) -> Tensor:
    at_once = max(PRODUCTS // states_QD.shape[1], 1)
    parts = zip(torch.split(row_E, at_once), torch.split(item_E, at_once), strict=True)
    found = [(states_QD[rows] * table.lookup(items)[0].to(states_QD.dtype)).sum(1) for rows, items in parts]
    return torch.cat(found)


def logsumexp_by_group(values_N: Tensor, of_N: Tensor, groups: int) -> Tensor:
    """(G,) logsumexp of the values of each group; ``-inf``, without gradient, of one that has none."""
    top_G = values_N.new_full((groups,), -math.inf).scatter_reduce(0, of_N, values_N.detach(), "amax")
    empty_G = top_G == -math.inf
    sums_G = values_N.new_zeros(groups).index_add(0, of_N, (values_N - top_G[of_N]).exp())
    return (torch.where(empty_G, 1, sums_G).log() + top_G.masked_fill(empty_G, 0)).masked_fill(empty_G, -math.inf)
