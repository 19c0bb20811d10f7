"""For the tests of proposals: batches from targets alone, and goodness of fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import scipy.stats
import torch

from negsample.batches.packed import Batch, Exclude
from negsample.batches.padded import padded_batch


@pytest.fixture(scope="session")
def batch_with() -> Callable[..., Batch]:
    """A batch of sequences with these targets, each user having no more than them; users are ``first``, ..."""

    def make(targets: Sequence[Sequence[int]], items: int, exclude: Exclude = "history", first: int = 0) -> Batch:
        longest = max(map(len, targets))
        padded = torch.tensor([[*row, *[0] * (longest - len(row))] for row in targets])
        users = torch.arange(first, first + len(targets))
        return padded_batch(padded, padded, catalogue_size=items, users_B=users, exclude=exclude)

    return make


@pytest.fixture(scope="session")
def p_value() -> Callable[[torch.Tensor, dict[int, float]], float]:
    """Chi-square goodness of fit of ids to a law; 0 when something impossible was drawn."""

    def p(drawn: torch.Tensor, stated: dict[int, float]) -> float:
        observed = torch.bincount(drawn.flatten(), minlength=max(stated) + 1).tolist()
        support = [i for i, share in stated.items() if share > 0]
        if sum(observed[i] for i in support) < drawn.numel():
            return 0.0
        return float(
            scipy.stats.chisquare([observed[i] for i in support], [drawn.numel() * stated[i] for i in support]).pvalue
        )

    return p
