"""Weights of terms, and the model's share, that are fitted to validation after training."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.optimize import minimize  # type: ignore[import-untyped]
from torch import Tensor, nn

from negsample.batches.windows import Ints
from negsample.data.dataset import Dataset
from negsample.evaluation.encode import Model, encode
from negsample.evaluation.queries import queries
from negsample.evaluation.ranks import RankedItems
from negsample.evaluation.with_terms import TermsOf
from negsample.models.build import terms_of
from negsample.models.terms import AFTER, TermWeights
from negsample.random import resampling
from negsample.scoring.serving import bins_of
from negsample.settings import RunSettings

QUERIES = 1024
"""Queries that weights are fitted to, spread evenly over all of validation."""
ITEMS = 8192
"""Items that are scored for each of them, beside its own, its neighbours and its targets: all of a catalogue of so
many, else a sample, the same for all queries."""
SHARES = (1.0, 0.5, 0.25, 0.0)
"""Of the share that is fitted: cross-entropy asks for more of a model than the first ten places do."""
RIDGE = 1.0
"""Half of it times the squared distance from where the fit begins is added to the loss of all events."""
HALF_LIFE = 3
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


def fit_terms(
    model: Model,
    data: Dataset,
    settings: RunSettings,
    *,
    device: torch.device,
    shares: Sequence[float] = SHARES,
) -> list[TermWeights]:
    """The weights of all terms with the least cross-entropy on validation: of its events, each among all items. One
    answer for each share of the model's score: that which is fitted along with the weights, times each of ``shares``.

    Weights are of popularity, recency, the user's own items (not with ``filter_seen``) and the neighbours of the latest
    ones. All is known before validation, or with ``rolling`` histories before each event. The fit begins with what the
    model was trained with. Test events have no say.

    Args:
        model: it is not changed.
        data: its train and validation events are read.
        settings: of histories.
        device: where the model is.
        shares: with 0 the weights are those of terms alone.
    """
    how = settings.evaluation
    trained = terms_of(model) or TermWeights([]).to(device)
    start = trained.widened([*AFTER, *(each for each in trained.names if each not in AFTER)])
    whole = queries(data, "valid", history=how.history, max_length=model.max_length)
    asked = whole.take(np.unique(np.linspace(0, len(whole.windows) - 1, QUERIES).astype(np.int64)))
    states = encode(model, data.items, asked.windows, device=device)
    terms = TermsOf(start, data, "valid", asked, how.history == "frozen")
    cells = cells_of(terms, states, model.table, asked.query_E, asked.targets_E, own_too=not how.filter_seen)
    best = found = fitted(start, start, cells) if any(shares) else start
    answers = []
    for part in shares:
        found = best if part == 1 else fitted(start, found, cells, share=best.share.item() * part)
        answers.append(found)
    return answers


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


def fitted(
    start: TermWeights, begin: TermWeights, cells: tuple[Some, Rest], *, share: float | None = None
) -> TermWeights:
    """Weights with the least cross-entropy over all events of ``cells``, each among all items, and a penalty on their
    distance from ``start``. The problem is convex, and the search begins at ``begin``. ``share``: that of the model;
    None: it is fitted too, and is not below 0.
    """
    some, rest = cells
    found = copy.deepcopy(begin)
    parameters = list(found.parameters())
    events_Q = torch.bincount(some.row_E[some.target_N], minlength=len(rest.cut_Q))
    centre = _vector(start)

    def loss(at: np.ndarray) -> tuple[float, np.ndarray]:
        there = torch.from_numpy(at).to(some.product_E)
        with torch.no_grad():
            nn.utils.vector_to_parameters(there[:-1], parameters)
        of_model = there[-1].clone().requires_grad_()
        scores_E = some.scores(found, of_model)
        of_some = _logsumexp_by_group(scores_E, some.row_E, len(rest.cut_Q))
        log_z = torch.logaddexp(of_some, rest.logsumexp(found, of_model))
        value = (log_z.double() * events_Q).sum() - scores_E[some.target_N].double().sum()
        gradients = torch.autograd.grad(value, [*parameters, of_model])
        from_start = at - centre
        slope = torch.cat([each.reshape(-1) for each in gradients]).double().cpu().numpy() + RIDGE * from_start
        return value.item() + RIDGE / 2 * float(from_start @ from_start), slope

    bounds = [(None, None)] * (len(centre) - 1) + [(0, None) if share is None else (share, share)]
    options = {"maxiter": 100, "ftol": 1e-7}
    best = minimize(loss, _vector(begin), jac=True, method="L-BFGS-B", bounds=bounds, options=options).x
    with torch.no_grad():
        there = torch.from_numpy(best).to(some.product_E)
        nn.utils.vector_to_parameters(there[:-1], parameters)
        found.share.copy_(there[-1])
    return found


def _vector(weights: TermWeights) -> np.ndarray:
    """All weights, and the share last."""
    of_terms = nn.utils.parameters_to_vector(weights.parameters())
    return torch.cat([of_terms, weights.share[None]]).detach().double().cpu().numpy()


def _logsumexp_by_group(values_N: Tensor, of_N: Tensor, groups: int) -> Tensor:
    """(G,) logsumexp of the values of each group; ``-inf``, without gradient, of one that has none."""
    top_G = values_N.new_full((groups,), -math.inf).scatter_reduce(0, of_N, values_N.detach(), "amax")
    empty_G = top_G == -math.inf
    sums_G = values_N.new_zeros(groups).index_add(0, of_N, (values_N - top_G[of_N]).exp())
    return (torch.where(empty_G, 1, sums_G).log() + top_G.masked_fill(empty_G, 0)).masked_fill(empty_G, -math.inf)
