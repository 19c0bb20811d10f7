"""The highest scores of each query, kept while blocks of the catalogue go by."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

_LONGEST = 16
_STRIPS = 6  # strips of columns for each score sought: what is searched one by one is that many times as wide


class Best:
    """``values_QK`` and ``ids_QK``: the K highest scores of each of Q queries so far, in no order, and their items.

    Places that no score has taken are ``-inf`` and 0.
    """

    def __init__(self, queries: int, k: int, like: Tensor) -> None:
        self.values_QK = like.new_full((queries, k), -math.inf)
        self.ids_QK = torch.zeros(queries, k, dtype=torch.int64, device=like.device)

    def see(self, scores: Tensor, query: int, item: int) -> None:
        """Take in (R, N) scores of the queries from ``query`` on for the items from ``item`` on."""
        k = self.values_QK.shape[1]
        values, ids = (each[query : query + len(scores)] for each in (self.values_QK, self.ids_QK))
        above = (scores.amax(1) > values.amin(1)).nonzero().squeeze(1)
        if len(above) < len(scores):
            if not len(above):
                return
            scores = scores.index_select(0, above)
        columns = highest(scores, min(k, scores.shape[1]))
        joined = torch.cat([values[above], scores.gather(1, columns)], 1)
        at = highest(joined, k)
        values[above] = joined.gather(1, at)
        ids[above] = torch.cat([ids[above], columns.add_(item)], 1).gather(1, at)

    def ordered(self) -> tuple[Tensor, Tensor]:
        """``values_QK`` and ``ids_QK``, best first."""
        values, at = self.values_QK.sort(1, descending=True)
        return values, self.ids_QK.gather(1, at)


def highest(scores: Tensor, k: int) -> Tensor:
    """(R, k) columns of the k highest of each row, in no order; ``k <= N``.

    They lie in the k strips with the highest maxima, and maxima are cheap: so strips are searched first, then what is
    in those, again by strips.
    """
    width = scores.shape[1]
    length = min(width // (_STRIPS * k), _LONGEST)
    if length < 2:
        found = np.argpartition(scores.cpu().numpy(), width - k, axis=1)[:, width - k :]  # 4 times as fast as topk
        return torch.from_numpy(found).to(scores.device)
    strips = width // length
    maxima = scores[:, : strips * length].view(len(scores), length, strips).amax(1)
    places = torch.arange(0, strips * length, strips, device=scores.device)
    columns = (highest(maxima, k).unsqueeze(1) + places.unsqueeze(1)).flatten(1)
    rest = torch.arange(strips * length, width, device=scores.device).expand(len(scores), -1)
    columns = torch.cat([columns, rest], 1)
    return columns.gather(1, highest(scores.gather(1, columns), k))
