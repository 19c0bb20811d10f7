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
        had = in_history(ids.expand(batch.sequences, -1), batch) | (ids == 0)
        return (states_TD @ vectors.T).masked_fill(had.index_select(0, batch.inputs.rows_T), -math.inf)
    scores = _per_sequence(states_TD, vectors, batch.inputs.offsets)
    absent = ids == 0
    if bool(absent.any()):
        scores = scores.masked_fill(absent.index_select(0, batch.inputs.rows_T), -math.inf)
    return scores


def _per_sequence(states_TD: Tensor, vectors_BKD: Tensor, offsets: np.ndarray) -> Tensor:
    lengths = np.diff(offsets)
    buckets = _buckets(lengths)
    # Split once: its backward joins the parts, where that of a slice would fill a whole tensor with zeros each time.
    states = torch.split(states_TD, [int(lengths[first:last].sum()) for first, last in buckets])
    vectors = torch.split(vectors_BKD, [last - first for first, last in buckets])
    parts = zip(states, vectors, buckets, strict=True)
    return torch.cat([_bucket(some, own, lengths[first:last]) for some, own, (first, last) in parts])


def _buckets(lengths: np.ndarray) -> list[tuple[int, int]]:
    """Stretches of sequences (longest first) of like length, as (first, last)."""
    found = []
    first = 0
    while first < len(lengths):
        last = first + int(np.searchsorted(-lengths[first:], -_MAX_WASTE * lengths[first], side="right"))
        found.append((first, last))
        first = last
    return found


def _bucket(states_TD: Tensor, vectors_BKD: Tensor, lengths: np.ndarray) -> Tensor:
    sequences, longest = len(lengths), int(lengths[0])
    if lengths[-1] == longest:
        return torch.bmm(states_TD.view(sequences, longest, -1), vectors_BKD.transpose(1, 2)).flatten(0, 1)
    ends = np.cumsum(lengths)
    shifts = np.repeat(np.arange(sequences) * longest - (ends - lengths), lengths)
    places = torch.from_numpy(np.arange(len(states_TD)) + shifts).to(states_TD.device)
    padded = states_TD.new_zeros(sequences * longest, states_TD.shape[1]).index_copy(0, places, states_TD)
    scores = torch.bmm(padded.view(sequences, longest, -1), vectors_BKD.transpose(1, 2)).flatten(0, 1)
    return scores.index_select(0, places)
