"""Weights of terms, and the model's share, that are fitted to validation after training."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from negsample.data.dataset import Dataset
from negsample.evaluation.cells import Rest, Some, cells_of, logsumexp_by_group
from negsample.evaluation.encode import Model, encode
from negsample.evaluation.queries import queries
from negsample.evaluation.with_terms import TermsOf
from negsample.models.build import terms_of
from negsample.models.terms import AFTER, TermWeights
from negsample.settings import RunSettings

QUERIES = 1024
"""Queries that weights are fitted to, spread evenly over all of validation."""
SHARES = (1.0, 0.5, 0.25, 0.0)
"""Of the share that is fitted: cross-entropy asks for more of a model than the first ten places do."""
RIDGE = 1.0
"""Half of it times the squared distance from where the fit begins is added to the loss of all events."""


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
    for part in shares if best.share else [0.0]:  # where the model says nothing, all shares are one
        begin = found if part else start  # so terms alone are those of the baseline, whatever the model
        found = best if part == 1 else fitted(start, begin, cells, share=best.share.item() * part)
        answers.append(found)
    return answers


def fitted(
    start: TermWeights, begin: TermWeights, cells: tuple[Some, Rest], *, share: float | None = None
) -> TermWeights:
    """Weights with the least cross-entropy over all events of ``cells``, each among all items, and a penalty on their
    distance from ``start``. The problem is convex, and the search begins at ``begin``. ``share``: that of the model;
    None: it is fitted too, and is not below 0.
    """
    from scipy.optimize import minimize  # type: ignore[import-untyped]  # a model is measured without it

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
        of_some = logsumexp_by_group(scores_E, some.row_E, len(rest.cut_Q))
        log_z = torch.logaddexp(of_some, rest.logsumexp(found, of_model))
        value = (log_z.double() * events_Q).sum() - scores_E[some.target_N].double().sum()
        gradients = torch.autograd.grad(value, [*parameters, of_model])
        from_start = at - centre
        slope = torch.cat([each.reshape(-1) for each in gradients]).double().cpu().numpy() + RIDGE * from_start
        if share is not None:
            slope[-1] = 0.0  # it cannot move; L-BFGS would scale its steps by it all the same
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
