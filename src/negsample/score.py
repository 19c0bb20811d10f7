"""The only place where states meet items."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from negsample.data.batches import Batch
from negsample.negatives.collisions import in_history

_MAX_WASTE = 0.7  # a bucket holds sequences at least this long, relative to its longest


def score_targets(states_TD: Tensor, targets_TD: Tensor) -> Tensor:
    """(T,) inner product of each state with the vector of its target."""
    return (states_TD * targets_TD).sum(1)


def score_negatives(states_TD: Tensor, vectors: Tensor, ids: Tensor, batch: Batch) -> Tensor:
    """(T, K) inner products with the negatives, ``-inf`` where one is absent or in the user's history.

    ``ids`` (K,) and ``vectors`` (K, D), shared: one product, and what a user has is masked here.
    ``ids`` (B, K) and ``vectors`` (B, K, D), per sequence (already without what the user has): one product for
    each bucket of sequences of like length.
    """
    if ids.dim() == 1:
        had = in_history(ids.expand(batch.sequences, -1), batch)
        return (states_TD @ vectors.T).masked_fill(had.index_select(0, batch.inputs.rows_T), -math.inf)
    scores = _per_sequence(states_TD, vectors, batch.inputs.offsets)
    absent = ids == 0
    if bool(absent.any()):
        scores = scores.masked_fill(absent.index_select(0, batch.inputs.rows_T), -math.inf)
    return scores


def _per_sequence(states_TD: Tensor, vectors_BKD: Tensor, offsets: np.ndarray) -> Tensor:
    lengths = np.diff(offsets)
    parts = []
    first = 0
    while first < len(lengths):  # sequences come longest first
        longest = int(lengths[first])
        last = first + int(np.searchsorted(-lengths[first:], -_MAX_WASTE * longest, side="right"))
        here = lengths[first:last]
        states = states_TD[int(offsets[first]) : int(offsets[last])]
        if here[-1] == longest:
            padded = states.view(last - first, longest, -1)
            parts.append(torch.bmm(padded, vectors_BKD[first:last].transpose(1, 2)).flatten(0, 1))
        else:
            places = np.arange(len(states)) + np.repeat(
                np.arange(last - first) * longest - (offsets[first:last] - offsets[first]), here
            )
            at = torch.from_numpy(places).to(states.device)
            padded = states.new_zeros((last - first) * longest, states.shape[1]).index_copy(0, at, states)
            padded = padded.view(last - first, longest, -1)
            scores = torch.bmm(padded, vectors_BKD[first:last].transpose(1, 2)).flatten(0, 1)
            parts.append(scores.index_select(0, at))
        first = last
    return torch.cat(parts)
