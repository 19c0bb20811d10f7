"""EASE: a linear model from all items to all items, in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import scipy.sparse as sp  # type: ignore[import-untyped]
from scipy.linalg import lapack  # type: ignore[import-untyped]
from torch import nn

from negsample.batches.windows import Ints
from negsample.data.dataset import Dataset
from negsample.errors import InputError
from negsample.rules.rule import Asked, Floats, Part, Scorer, binary_users, history_events, not_chosen

LARGEST = 20_000
"""Items of the catalogue, at most: its time grows with their third power, its memory with their square."""
LAMBDAS = (100.0, 10.0, 1000.0)
"""What validation chooses among."""
_COLUMNS = 1024  # of a square matrix, at once


class EASE(nn.Module):
    """Scores by ``x B`` with ``x`` the user's items (1 where they have it) and ``B`` the matrix with a diagonal of 0
    that is nearest to ``X = X B`` over all users, with a penalty ``lambda |B|^2`` (Steck, WWW'19).

    ``P = (X'X + lambda)^-1``, ``B_ij = -P_ij / P_jj``. In memory is a square matrix of float32, and for a moment
    another one: 3.2 GB for 20,000 items.

    Raises:
        InputError: the catalogue is larger.
    """

    choices: Sequence[float] = LAMBDAS
    setting = "lambda"

    def __init__(self, data: Dataset) -> None:
        super().__init__()
        if data.catalogue_size > LARGEST:
            raise InputError(
                f"EASE is for up to {LARGEST:,} items, {data.name} has {data.catalogue_size:,}; leave it out"
            )
        self.register_buffer("choice", not_chosen())
        self._data = data

    def trial(self, choice: float) -> Scorer:
        """See :class:`negsample.rules.rule.Rule`."""
        return self.scorer("valid", choice)

    def scorer(self, part: Part, choice: float) -> Scorer:
        """See :class:`negsample.rules.rule.Rule`."""
        data = self._data

        @cache
        def fitted() -> tuple[Floats, Ints]:
            of_users = binary_users(data, part)
            known = np.flatnonzero(of_users.getnnz(axis=0))
            return ease_matrix(of_users[:, known], choice), known

        def scores(asked: Asked) -> Floats:
            matrix, known = fitted()
            queries, items, _ = history_events(data, asked)
            at = np.searchsorted(known, items).clip(max=len(known) - 1)
            queries, at = queries[known[at] == items], at[known[at] == items]
            pairs = np.unique(queries * len(known) + at)
            ones = np.ones(len(pairs), np.float32)
            of_queries = sp.csr_matrix(
                (ones, (pairs // len(known), pairs % len(known))), (len(asked.users_Q), len(known))
            )
            found = np.zeros((len(asked.users_Q), data.catalogue_size), np.float32)
            found[:, known - 1] = of_queries @ matrix
            return found

        return scores


def ease_matrix(of_users: Any, penalty: float) -> Floats:
    """(V, V) ``B`` of (U, V) sparse users, every column of which has a user."""
    items = of_users.shape[1]
    turned = of_users.T.tocsr()
    gram = np.empty((items, items), np.float32, order="F")
    for start in range(0, items, _COLUMNS):
        columns = slice(start, min(start + _COLUMNS, items))
        gram[:, columns] = (turned @ of_users[:, columns]).toarray()
    gram[np.diag_indices(items)] += penalty
    factor, failed = lapack.spotrf(gram, lower=1, overwrite_a=1, clean=0)
    assert not failed, "positive definite, as the penalty is above 0"
    inverse, failed = lapack.spotri(factor, lower=1, overwrite_c=1)
    assert not failed
    for start in range(0, items, _COLUMNS):  # only the lower triangle is there
        rows = slice(start, min(start + _COLUMNS, items))
        inverse[rows, rows.stop :] = inverse[rows.stop :, rows].T
        square = inverse[rows, rows]
        inverse[rows, rows] = np.tril(square) + np.tril(square, -1).T
    inverse /= -inverse.diagonal().copy()
    inverse[np.diag_indices(items)] = 0
    return np.asarray(inverse)
