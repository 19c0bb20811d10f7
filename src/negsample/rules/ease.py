"""EASE: a linear model from all items to all items, in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp  # type: ignore[import-untyped]
import torch
from scipy.linalg import lapack  # type: ignore[import-untyped]
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
from torch import nn

from negsample.data.dataset import Dataset
from negsample.errors import InputError
from negsample.rules.rule import Asked, Floats, Part, Scorer, binary_users, history_events, not_chosen

LARGEST = 20_000
"""Items of the catalogue, at most: its time grows with their third power, its memory with their square."""
LAMBDAS = (100.0, 10.0, 1000.0)
"""What validation tries first; then, as long as the best is the smallest or the largest, ten times beyond it."""
BOUNDS = (1.0, 100_000.0)
"""No smaller lambda is tried, and no larger one."""
_COLUMNS = 1024  # of a square matrix, at once


class EASE(nn.Module):
    """Scores by ``x B`` with ``x`` the user's items (1 where they have it) and ``B`` the matrix with a diagonal of 0
    that is nearest to ``X = X B`` over all users, with a penalty ``lambda |B|^2`` (Steck, WWW'19).

    ``P = (X'X + lambda)^-1``, ``B_ij = -P_ij / P_jj``. In memory is one square matrix of float32, in which all is
    computed: 1.6 GB for 20,000 items. As many threads as PyTorch has invert it.

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

    def beyond(self, choice: float) -> Sequence[float]:
        """See :class:`negsample.rules.rule.Rule`."""
        return [each for each in (choice / 10, choice * 10) if BOUNDS[0] <= each <= BOUNDS[1]]

    def scorer(self, part: Part, choice: float) -> Scorer:
        """See :class:`negsample.rules.rule.Rule`."""
        data, of_users = self._data, binary_users(self._data, part)
        known = np.flatnonzero(of_users.getnnz(axis=0))
        matrix = ease_matrix(of_users[:, known], choice)
        del of_users

        def scores(asked: Asked) -> Floats:
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
    """(V, V) ``B`` of (U, V) sparse users, every column of which has a user.

    Raises:
        LinAlgError: ``penalty`` is too small beside the numbers of users for float32.
    """
    items = of_users.shape[1]
    turned = of_users.T.tocsr()
    gram = np.empty((items, items), np.float32, order="F")
    for start in range(0, items, _COLUMNS):
        columns = slice(start, min(start + _COLUMNS, items))
        gram[:, columns] = (turned @ of_users[:, columns]).toarray()
    gram[np.diag_indices(items)] += penalty
    try:
        matrix = inverted(gram)
    except np.linalg.LinAlgError as error:
        raise np.linalg.LinAlgError(f"EASE cannot be computed in float32 with lambda {penalty:g}: {error}") from None
    matrix /= -matrix.diagonal().copy()
    matrix[np.diag_indices(items)] = 0
    return matrix


def inverted(matrix: Floats) -> Floats:
    """The inverse of a symmetric positive definite matrix of float32 that lies by columns; by rows, in its place.

    By Cholesky's factor, which takes half the operations of Gauss's, and no second matrix.

    Raises:
        LinAlgError: it is not positive definite, or nearly not.
    """
    assert matrix.flags.f_contiguous, "else a copy would be inverted"
    with threadpool_limits(torch.get_num_threads(), "blas"):  # SciPy would take all cores
        factor, failed = lapack.spotrf(matrix, lower=1, overwrite_a=1, clean=0)
        if not failed:
            matrix, failed = lapack.spotri(factor, lower=1, overwrite_c=1)
    if failed:
        raise np.linalg.LinAlgError("the matrix is not positive definite")
    by_rows = matrix.T  # which a product with sparse rows reads as it lies
    for start in range(0, len(matrix), _COLUMNS):  # only the upper triangle of it is there
        rows = slice(start, min(start + _COLUMNS, len(matrix)))
        by_rows[rows.stop :, rows] = by_rows[rows, rows.stop :].T
        square = by_rows[rows, rows]
        by_rows[rows, rows] = np.triu(square) + np.triu(square, 1).T
    return by_rows
