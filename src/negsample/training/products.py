"""Products of states and vectors of any granularity, with the memory of a part of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from negsample.batches.device import upload
from negsample.data.blocks import spans
from negsample.models.item_table import Rows

MERGED = 4096  # columns of scores that are held at once
LOOKED_UP = 1 << 23  # numbers of vectors that are held at once
LOWEST = -1e30  # of a masked score that must be finite
_MAX_WASTE = 0.7  # a bucket holds sequences at least this long, relative to its longest


def logsumexp_by_chunk(
    states_TD: Tensor,
    vectors_KD: Tensor,
    masked: Callable[[int], Tensor | None],
    added: Callable[[int], Tensor | float] = lambda chunk: 0.0,
) -> Tensor:
    """(T,) logsumexp over all vectors, chunk by chunk; ``masked``: what to leave out of the chunk of this number;
    ``added``: to its products."""

    def of_chunk(states_TD: Tensor, vectors_KD: Tensor, chunk: int) -> Tensor:
        left_out, more = masked(chunk), added(chunk)
        if isinstance(more, Tensor):
            scores = more.addmm_(states_TD, vectors_KD.T)
            finite = scores if left_out is None else scores.masked_fill_(left_out, LOWEST)
            return cast("Tensor", _LogSumExp.apply(finite))  # type: ignore[no-untyped-call]
        scores = states_TD @ vectors_KD.T
        # Finite where all is masked, so that the gradient there is 0 and not undefined.
        return torch.logsumexp(scores if left_out is None else scores.masked_fill_(left_out, LOWEST), 1)

    logs = [
        checkpoint(of_chunk, states_TD, vectors, chunk, use_reentrant=False, preserve_rng_state=False)
        for chunk, vectors in enumerate(torch.split(vectors_KD, MERGED))
    ]
    return torch.logsumexp(torch.stack(logs, 1), 1)


class _LogSumExp(torch.autograd.Function):
    """(T,) of finite (T, K) scores."""

    @staticmethod
    def forward(ctx: Any, scores_TK: Tensor) -> Tensor:
        found_T, ctx.chances = logsumexp_and_softmax(scores_TK)
        return found_T

    @staticmethod
    def backward(ctx: Any, gradient_T: Tensor) -> Tensor:
        of_scores: Tensor = ctx.chances * gradient_T.unsqueeze(1)
        return of_scores


def logsumexp_and_softmax(scores_TK: Tensor) -> tuple[Tensor, Tensor]:
    """(T,) and (T, K) of finite scores. Where some are far below the rest, exp() takes many times as long on a CPU."""
    chances = torch.softmax(scores_TK, 1)
    return scores_TK.amax(1) - chances.amax(1).log(), chances


def per_sequence_products(states_TD: Tensor, vectors_BKD: Tensor, offsets: np.ndarray) -> Tensor:
    """(T, K): one product for each bucket of sequences of like length."""
    lengths = np.diff(offsets)
    if (np.diff(lengths) > 0).any():  # not longest first, as in a batch from outside or of several models
        return _in_any_order(states_TD, vectors_BKD, offsets, lengths)
    buckets = length_buckets(lengths)
    # Split once: its backward joins the parts, where that of a slice would fill a whole tensor with zeros each time.
    states = torch.split(states_TD, [int(lengths[first:last].sum()) for first, last in buckets])
    vectors = torch.split(vectors_BKD, [last - first for first, last in buckets])
    parts = zip(states, vectors, buckets, strict=True)
    return torch.cat([_bucket(some, own, lengths[first:last]) for some, own, (first, last) in parts])


def _in_any_order(states_TD: Tensor, vectors_BKD: Tensor, offsets: np.ndarray, lengths: np.ndarray) -> Tensor:
    """All states go to their places in all buckets at once, each sequence as long as the first of its bucket."""
    order = np.argsort(-lengths, kind="stable")
    buckets = length_buckets(lengths[order])
    longest_B = np.repeat(lengths[order][[first for first, _ in buckets]], [last - first for first, last in buckets])
    starts = np.empty_like(offsets[:-1])
    starts[order] = np.cumsum(longest_B) - longest_B
    there, rows = (upload(torch.from_numpy(each), states_TD.device) for each in (spans(starts, lengths), order))
    padded_ND = states_TD.new_zeros(int(longest_B.sum()), states_TD.shape[1]).index_copy(0, there, states_TD)
    sizes = [last - first for first, last in buckets]
    states = torch.split(padded_ND, [int(longest_B[first]) * (last - first) for first, last in buckets])
    vectors = torch.split(vectors_BKD.index_select(0, rows), sizes)
    parts = zip(states, vectors, strict=True)
    scores = [
        torch.bmm(some.view(len(own), -1, some.shape[1]), own.transpose(1, 2)).flatten(0, 1) for some, own in parts
    ]
    return torch.cat(scores).index_select(0, there)


def length_buckets(lengths: np.ndarray) -> list[tuple[int, int]]:
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
    positions = upload(torch.from_numpy(np.arange(len(states_TD)) + shifts), states_TD.device)
    padded = states_TD.new_zeros(sequences * longest, states_TD.shape[1]).index_copy(0, positions, states_TD)
    scores = torch.bmm(padded.view(sequences, longest, -1), vectors_BKD.transpose(1, 2)).flatten(0, 1)
    return scores.index_select(0, positions)


def per_model_products(states_TD: Tensor, vectors_SKD: Tensor, split: np.ndarray) -> Tensor:
    """(T, K): one product for each of S models, whose states begin at ``split``."""
    counts = np.diff(split)
    longest = int(counts.max())
    shifts = np.repeat(np.arange(len(counts)) * longest - split[:-1], counts)
    places = upload(torch.from_numpy(np.arange(len(states_TD)) + shifts), states_TD.device)
    padded = states_TD.new_zeros(len(counts) * longest, states_TD.shape[1]).index_copy(0, places, states_TD)
    scores = torch.bmm(padded.view(len(counts), longest, -1), vectors_SKD.transpose(1, 2)).flatten(0, 1)
    return scores.index_select(0, places)


def per_position_products(states_TD: Tensor, vectors_TKD: Tensor, *, out: Tensor | None = None) -> Tensor:
    """(T, K); as row times matrix, eight times as fast on a CPU as matrix times column. ``out``: (T, 1, K)."""
    return torch.bmm(states_TD.unsqueeze(1), vectors_TKD.transpose(1, 2), out=out).squeeze(1)


def products_of_rows(states_TD: Tensor, rows: Rows) -> Tensor:
    """(T, K) products of each state with rows of its own, of which some at a time are looked up."""
    dots: Tensor = _Dots.apply(states_TD, rows.matrix_ND, rows.positions)  # type: ignore[no-untyped-call]
    return dots


class _Dots(torch.autograd.Function):
    """(T, K) inner products of each state with rows of its own, which are never all in memory.

    The gradient of a state is a weighted sum of rows, that of the rows the outer products, added up one by one.
    """

    @staticmethod
    def forward(ctx: Any, states_TD: Tensor, matrix_ND: Tensor, positions_TK: Tensor) -> Tensor:
        ctx.save_for_backward(states_TD, matrix_ND, positions_TK)
        dots = states_TD.new_empty(positions_TK.shape)
        for part in _parts(states_TD, positions_TK):
            # In place: small results kept between large vectors let go would tear memory to pieces.
            per_position_products(
                states_TD[part], Rows(matrix_ND, positions_TK[part]).vectors(), out=dots[part].unsqueeze(1)
            )
        return dots

    @staticmethod
    def backward(ctx: Any, gradient_TK: Tensor) -> tuple[Tensor, Tensor, None]:
        states_TD, matrix_ND, positions_TK = ctx.saved_tensors
        gradient_TK = gradient_TK.contiguous()
        of_states = F.embedding_bag(positions_TK, matrix_ND, per_sample_weights=gradient_TK, mode="sum")
        of_matrix = torch.zeros_like(matrix_ND)
        for part in _parts(states_TD, positions_TK):
            outer = gradient_TK[part].unsqueeze(2) * states_TD[part].unsqueeze(1)
            of_matrix.index_add_(0, positions_TK[part].reshape(-1), outer.flatten(0, 1))
        return of_states, of_matrix, None


def _parts(states_TD: Tensor, positions_TK: Tensor) -> Iterator[slice]:
    """Stretches of positions whose vectors may be held at once."""
    positions = max(LOOKED_UP // max(positions_TK.shape[1] * states_TD.shape[1], 1), 1)
    return (slice(first, first + positions) for first in range(0, len(positions_TK), positions))
