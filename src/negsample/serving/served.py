"""A whole recommender as one module of standard tensor operations: histories in, the best items out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from negsample.data.dataset import Dataset
from negsample.errors import whole
from negsample.models.build import Backbone, terms_of
from negsample.models.terms import COUNTS, LENGTHS, SINCE, TermWeights
from negsample.rules.item_knn import FADING, LAST, Similarities
from negsample.rules.nearest import NEAREST
from negsample.serving.padded import Encoder, latest, moved

MOST = 1000
"""Items of an answer; how they are ordered takes the square of it."""


class Served(nn.Module):
    """Answers as a recommender does, from nothing but its arguments and its buffers: what is exported.

    The score of an item is the mean over the members of ``share * <state, item>`` and of what the terms add, and
    ``dial * log p`` more. After a history without an item there is no state: all get the items with the highest
    ``terms_V``, or ``log p`` where the model has no such terms, whatever the dial.

    Args:
        models: the members of an ensemble, or a single model.
        data: all events that neighbours are computed from.
        log_p_V: (V + 1,) of the dial.
        k: items of an answer.
        untrained: see :class:`~negsample.serving.padded.Encoder`.

    Raises:
        InputError: a member's backbone is a plugin's, there are too many similarities, or ``k`` is out of range.
    """

    def __init__(
        self, models: Sequence[Backbone], data: Dataset, log_p_V: Tensor, *, k: int = 10, untrained: int = 0
    ) -> None:
        super().__init__()
        self.k = whole("k", k, 1, min(data.catalogue_size, MOST))
        terms = [terms_of(model) for model in models]
        self.encoder = Encoder(models, untrained=untrained)
        self.own = _Own(terms) if any(each is not None and each.own_W is not None for each in terms) else None
        self.near = _Near(terms, data) if any(each is not None and each.near_N is not None for each in terms) else None
        self.with_column = any(each is not None and each.items_F is not None for each in terms)
        self.register_buffer("log_p_V", log_p_V.float())
        self.cpu()

    log_p_V: Tensor

    def forward(
        self, items_BH: Tensor, times_BH: Tensor, time: Tensor, dial: Tensor, terms_V: Tensor
    ) -> tuple[Tensor, Tensor]:
        """(B, K) ids of the best items, best first and of equals the lower id first, and their scores.

        Args:
            items_BH: histories of ids ``1..V``, in the order of time and the latest event last; 0 before the first.
            times_BH: microseconds since 1970 of the same events; those at or after ``time`` do not count.
            time: (B,) when is asked, microseconds since 1970.
            dial: (B,) its setting; 0 ranks as trained.
            terms_V: (V + 1,) what the terms add for every item as of now, the mean over the members.
        """
        known_BH = (items_BH > 0) & (times_BH < time[:, None])
        items_BH, times_BH = moved(known_BH, items_BH), moved(known_BH, times_BH)
        scores_BV = self.encoder(items_BH) @ self.encoder.vectors_VD.T + terms_V
        if self.near is not None:
            scores_BV = scores_BV + self.near(items_BH)
        if self.own is not None:
            scores_BV = scores_BV + self.own(items_BH, times_BH, time, terms_V.shape[0])
        scores_BV = scores_BV + dial[:, None] * self.log_p_V
        nothing_B1 = (items_BH == 0).all(1, keepdim=True)
        return best(torch.where(nothing_B1, terms_V if self.with_column else self.log_p_V, scores_BV), self.k)


def best(scores_BV: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """(B, K) ids, best first and of equals the lower id first, and scores; id 0 is none."""
    scores = scores_BV[:, 1:]
    chosen = scores.masked_fill(~are_largest(scores, k), -math.inf).topk(k, 1).indices.sort(1).values
    values = scores.gather(1, chosen)
    others, own = values[:, None, :], values[:, :, None]
    lower = torch.ones(k, k, dtype=torch.bool, device=values.device).tril(-1)
    places = ((others > own) | ((others == own) & lower)).long().sum(2)  # ONNX has no stable sort
    return torch.zeros_like(chosen).scatter(1, places, chosen + 1), torch.zeros_like(values).scatter(1, places, values)


def are_largest(values_BN: Tensor, k: int) -> Tensor:
    """(B, N) which are the K largest of each row, of equals the first."""
    least_B1 = values_BN.topk(k, 1).values[:, -1:]
    above, equal = values_BN > least_B1, values_BN == least_B1
    return above | (equal & (equal.long().cumsum(1) <= k - above.long().sum(1, keepdim=True)))


def _mean(terms: Sequence[TermWeights | None], of: Callable[[TermWeights], Tensor | None]) -> Tensor:
    """Over all members of what ``of`` some of them is, 0 for the others."""
    found = [each for weights in terms if weights is not None and (each := of(weights)) is not None]
    return torch.stack(found).sum(0).detach() / len(terms)


class _Own(nn.Module):
    """What is added for the user's own items: a row of :meth:`TermWeights.own_table`."""

    counts: Tensor
    since: Tensor
    lengths: Tensor
    table_X1: Tensor

    def __init__(self, terms: Sequence[TermWeights | None]) -> None:
        super().__init__()
        table = _mean(terms, lambda each: None if each.own_W is None else each.own_table())
        self.register_buffer("table_X1", table[:, None])
        for name, edges in (("counts", COUNTS), ("since", SINCE), ("lengths", LENGTHS)):
            self.register_buffer(name, torch.tensor(edges))

    def forward(self, items_BH: Tensor, times_BH: Tensor, time: Tensor, width: int) -> Tensor:
        """(B, V + 1), 0 for other items."""
        real_BH = items_BH > 0
        none_BV = items_BH.new_zeros(items_BH.shape[0], width)
        count_BV = none_BV.scatter_add(1, items_BH, real_BH.long())
        last_BV = none_BV.scatter_reduce(1, items_BH, torch.where(real_BH, times_BH, 0), "amax")
        since_BH = time[:, None] - last_BV.gather(1, items_BH)
        kinds_BH = _bins(count_BV.gather(1, items_BH), self.counts) * (len(SINCE) + 1) + _bins(since_BH, self.since)
        length_B1 = real_BH.long().sum(1, keepdim=True)
        kinds_BH = kinds_BH * (len(LENGTHS) + 1) + _bins(length_B1, self.lengths)
        values_BH = torch.where(real_BH, F.embedding(kinds_BH, self.table_X1).squeeze(-1), 0.0)
        return values_BH.new_zeros(items_BH.shape[0], width).scatter(1, items_BH, values_BH)


def _bins(values: Tensor, edges: Tensor) -> Tensor:
    """Where values would be inserted among ``edges``, after equals."""
    return (values[..., None] >= edges).long().sum(-1)


class _Near(nn.Module):
    """What is added for the neighbours of the latest items. Similarities are in float64, so that the same are equal as
    in :func:`negsample.rules.nearest.nearest`; those of item ``i`` are ``sizes[i]`` from ``starts[i]`` on."""

    weights: Tensor
    fading_N1: Tensor
    starts: Tensor
    sizes: Tensor
    items: Tensor
    similar: Tensor

    def __init__(self, terms: Sequence[TermWeights | None], data: Dataset) -> None:
        super().__init__()
        pairs = Similarities(data, None).all_pairs()
        starts = torch.from_numpy(pairs.indptr.astype(np.int64))
        self.longest, self.width = max(int(starts.diff().max()), 1), pairs.shape[1]
        self.register_buffer("weights", _mean(terms, lambda each: each.near_N))
        self.register_buffer("fading_N1", torch.from_numpy(FADING ** np.arange(LAST)[::-1])[:, None])
        self.register_buffer("starts", starts[:-1].clone())
        self.register_buffer("sizes", starts.diff())
        self.register_buffer("items", F.pad(torch.from_numpy(pairs.indices.astype(np.int32)), (0, self.longest)))
        self.register_buffer("similar", F.pad(torch.from_numpy(pairs.data), (0, self.longest)))

    def forward(self, items_BH: Tensor) -> Tensor:
        """(B, V + 1), 0 for other items."""
        items_BN, steps_R = latest(items_BH, LAST), torch.arange(self.longest, device=items_BH.device)
        at_BNR = self.starts[items_BN][:, :, None] + steps_R
        within = steps_R < self.sizes[items_BN][:, :, None]
        scores = torch.where(within, self.fading_N1 * self.similar[at_BNR], 0.0).flatten(1)
        items = torch.where(within, self.items[at_BNR].long(), 0).flatten(1)
        score_BV = scores.new_zeros(items_BH.shape[0], self.width).scatter_add(1, items, scores)
        near_BV = (score_BV > 0) & are_largest(score_BV, min(NEAREST, self.width))
        added_BV = self.weights[0] + self.weights[1] * torch.log1p(100 * score_BV).float()
        return torch.where(near_BV, added_BV, 0.0)
