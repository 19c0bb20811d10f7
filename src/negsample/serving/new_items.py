"""Vectors of items that came after a training, by those of the trained items that the same users have."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp  # type: ignore[import-untyped]
import torch
from torch import Tensor

from negsample.data.dataset import Dataset
from negsample.rules.item_knn import Pairs, groups
from negsample.rules.nearest import joined, nearest

NEIGHBOURS = 10
"""Trained items that count for a new one."""


def neighbours_of_new(data: Dataset, new: int) -> Any:
    """What each of the last ``new`` items of ``data`` has of the trained ones before them.

    Returns:
        (new, V + 1 - new) sparse: the similarities (see :class:`negsample.rules.ItemKNN`) of the ``NEIGHBOURS`` most
        similar trained items, divided by their sum; nothing where no user has one of them too.
    """
    first = data.catalogue_size + 1 - new
    pairs, which = Pairs.of(data, None), np.arange(first, first + new)
    some = groups(which, pairs.most_V[which])
    near = joined([nearest(pairs.rows(each)[:, :first], NEIGHBOURS) for each in some])
    sums = np.bincount(near.rows(), near.scores_N, new)
    shares = near.scores_N / sums[near.rows()]
    return sp.csr_matrix((shares, near.ids_N, near.offsets_Q), (new, first))


def with_new(table: Tensor, shares: Any) -> Tensor:
    """``table``, (V + 1, D), whose last rows are means of those before them, by the ``shares`` of
    :func:`neighbours_of_new`."""
    first = shares.shape[1]
    means = torch.from_numpy(shares @ table[:first].float().numpy())
    return torch.cat([table[:first], means.to(table.dtype)])
