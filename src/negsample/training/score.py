"""The only place where states meet items."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from negsample.batches.packed import Batch, upload
from negsample.batches.windows import spans
from negsample.miners.base import Needs, Scored
from negsample.models.item_table import Rows, looked_up
from negsample.samplers.base import Negatives, own_mask
from negsample.samplers.exclusion import in_history, rows_of

MIB = 1 << 20
BYTES_A_SCORE = 20
MERGED = 4096  # columns of scores that are held at once
LOOKED_UP = 1 << 23  # numbers of vectors that are held at once
_LOWEST = -1e30  # of a masked score that must be finite
_MAX_WASTE = 0.7  # a bucket holds sequences at least this long, relative to its longest


def score(
    states_TD: Tensor,
    targets_TD: Tensor,
    vectors: Tensor | Rows,
    negatives: Negatives,
    batch: Batch,
    *,
    needs: Needs = frozenset(),
    merged: bool = False,
) -> Scored:
    """Targets and negatives scored, with what a miner ``needs``; see :func:`score_negatives`.

    ``merged``: the negatives are shared, and scored into one column; see :func:`merge_negatives`.

    Raises:
        ValueError: the miner needs ``log_q``, and ``negatives`` have none.
    """
    log_q = negatives.log_q if "log_q" in needs else None
    if "log_q" in needs and log_q is None:
        raise ValueError("the miner needs log_q, which draw() leaves out; take the negatives of sample()")
    pos_T = score_targets(states_TD, targets_TD)
    if merged:
        return Scored(pos_T, merge_negatives(states_TD, looked_up(vectors), negatives, batch))
    return Scored(
        pos_T,
        score_negatives(states_TD, vectors, negatives, batch),
        None if log_q is None else _per_position(log_q, batch),
        negatives.pos_log_q_T,
        _per_position(negatives.ids, batch) if "ids" in needs else None,
        negatives.masked_T,
        None if log_q is None else _per_position((log_q > -math.inf).sum(-1, keepdim=True), batch).squeeze(1),
    )


def scores_bytes(positions: int, k: int) -> int:
    """What the scores of ``k`` negatives a position take at their peak, gradients included; about.

    Some twenty bytes a score: itself, masked, what the loss keeps of it, and their gradients.
    """
    return positions * k * BYTES_A_SCORE


def score_targets(states_TD: Tensor, targets_TD: Tensor) -> Tensor:
    """(T,) inner product of each state with the vector of its target."""
    return (states_TD * targets_TD).sum(1)


def score_negatives(states_TD: Tensor, vectors: Tensor | Rows, negatives: Negatives, batch: Batch) -> Tensor:
    """(T, K) inner products with the negatives, ``-inf`` where one is absent, the user's own, or a collision.

    ``ids`` (K,) and ``vectors`` (K, D), shared: one product; excluded and own ones are masked here. ``ids`` (B, K)
    and ``vectors`` (B, K, D), per sequence: one product for each bucket of sequences of like length. ``ids`` (T, K)
    and ``vectors`` (T, K, D), per position: as :class:`~negsample.models.item_table.Rows` they are never held as a
    whole. What the user has was left out when ids were drawn per sequence or position, and the target when they were
    drawn per position.
    """
    ids = negatives.ids
    own = ids.dim() == 2 and len(ids) != batch.sequences
    if isinstance(vectors, Rows) and not own:
        vectors = vectors.vectors()
    if ids.dim() == 1:
        assert isinstance(vectors, Tensor)
        return (states_TD @ vectors.T).masked_fill(_collides(ids, negatives.owner, batch), -math.inf)
    if isinstance(vectors, Rows):
        scores = _dots_of(states_TD, vectors)
    elif own:
        scores = _dots(states_TD, vectors)
    else:
        scores = _per_sequence(states_TD, vectors, batch.inputs.offsets)
    absent = ids == 0
    if absent.device.type != "cpu" or bool(absent.any()):  # asking a GPU would wait for it
        scores = scores.masked_fill(_per_position(absent, batch), -math.inf)
    if batch.exclude == "target" and len(ids) == batch.sequences:
        scores = scores.masked_fill(_per_position(ids, batch) == batch.targets_T.unsqueeze(1), -math.inf)
    return scores


def merge_negatives(states_TD: Tensor, vectors_KD: Tensor, negatives: Negatives, batch: Batch) -> Tensor:
    """(T, 1) ``log sum_j exp(s_j)`` over shared negatives, a single one that stands for all; ``-inf`` where none is.

    Never holds more than T x ``MERGED`` scores: they are computed chunk by chunk, and again for the gradient. What
    :func:`negsample.losses.sampled_softmax` and :func:`~negsample.losses.corrected_log_q` make of it is what they
    make of the (T, K) scores.
    """
    ids_K, owner_N = negatives.ids, negatives.owner

    def masked(chunk: int) -> Tensor:
        here = slice(chunk * MERGED, (chunk + 1) * MERGED)
        return _collides(ids_K[here], None if owner_N is None else owner_N[here], batch)

    merged_T1 = _merged(states_TD, vectors_KD, masked).unsqueeze(1)
    return merged_T1.masked_fill(merged_T1 < _LOWEST / 2, -math.inf)


def full_cross_entropy(states_TD: Tensor, items_VD: Tensor, targets_T: Tensor) -> Tensor:
    """Mean cross-entropy of each state's target among all items, without ever holding the (T, V) scores.

    What ``F.cross_entropy(states_TD @ items_VD.T, targets_T)`` computes, in a loop of one's own: ``targets_T`` are rows
    of ``items_VD`` (with a table whose row 0 is padding: its rows from 1 on, and targets less 1). Memory is that of
    T x 4,096 scores; they are computed again for the gradient.
    """
    targets_TD = items_VD.index_select(0, targets_T)
    return (_merged(states_TD, items_VD, lambda chunk: None) - score_targets(states_TD, targets_TD)).mean()


def _merged(states_TD: Tensor, vectors_KD: Tensor, masked: Callable[[int], Tensor | None]) -> Tensor:
    """(T,) logsumexp over all vectors, chunk by chunk; ``masked``: what to leave out of the chunk of this number."""

    def of_chunk(states_TD: Tensor, vectors_KD: Tensor, chunk: int) -> Tensor:
        scores, left_out = states_TD @ vectors_KD.T, masked(chunk)
        # Finite where all is masked, so that the gradient there is 0 and not undefined.
        return torch.logsumexp(scores if left_out is None else scores.masked_fill_(left_out, _LOWEST), 1)

    logs = [
        checkpoint(of_chunk, states_TD, vectors, chunk, use_reentrant=False, preserve_rng_state=False)
        for chunk, vectors in enumerate(torch.split(vectors_KD, MERGED))
    ]
    return torch.logsumexp(torch.stack(logs, 1), 1)


def _collides(ids_K: Tensor, owner_N: Tensor | None, batch: Batch) -> Tensor:
    """(T, K), or what is broadcast to it, whether a shared negative is absent or may not be one at that position."""
    rows_T = batch.inputs.rows_T
    collides = ids_K == 0
    if batch.exclude == "history":
        had_BK = in_history(ids_K.expand(batch.sequences, -1), rows_of(batch, "sequence"), batch)
        collides = (had_BK | collides).index_select(0, rows_T)
    elif batch.exclude == "target":
        collides = (ids_K == batch.targets_T.unsqueeze(1)) | collides
    if owner_N is None:
        return collides
    own_TN = own_mask(owner_N, batch).index_select(0, rows_T)
    if collides.dim() == 1:
        return F.pad(own_TN, (0, len(ids_K) - len(owner_N))) | collides
    collides[:, : len(owner_N)] |= own_TN
    return collides


def _per_position(values: Tensor, batch: Batch) -> Tensor:
    """(T, K) of values of any granularity; a view where they are shared."""
    if values.dim() == 1:
        return values.expand(len(batch.targets_T), -1)
    return values.index_select(0, batch.inputs.rows_T) if len(values) == batch.sequences else values


def _per_sequence(states_TD: Tensor, vectors_BKD: Tensor, offsets: np.ndarray) -> Tensor:
    lengths = np.diff(offsets)
    if (np.diff(lengths) > 0).any():  # not longest first, as in a batch from outside
        order = np.argsort(-lengths, kind="stable")
        there = spans(offsets[:-1][order], lengths[order])
        where, back = (upload(torch.from_numpy(each), states_TD.device) for each in (there, np.argsort(there)))
        rows = upload(torch.from_numpy(order), states_TD.device)
        sorted_offsets = np.concatenate([[0], np.cumsum(lengths[order])])
        scores = _per_sequence(states_TD.index_select(0, where), vectors_BKD.index_select(0, rows), sorted_offsets)
        return scores.index_select(0, back)
    buckets = length_buckets(lengths)
    # Split once: its backward joins the parts, where that of a slice would fill a whole tensor with zeros each time.
    states = torch.split(states_TD, [int(lengths[first:last].sum()) for first, last in buckets])
    vectors = torch.split(vectors_BKD, [last - first for first, last in buckets])
    parts = zip(states, vectors, buckets, strict=True)
    return torch.cat([_bucket(some, own, lengths[first:last]) for some, own, (first, last) in parts])


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


def _dots(states_TD: Tensor, vectors_TKD: Tensor, *, out: Tensor | None = None) -> Tensor:
    """(T, K); as row times matrix, eight times as fast on a CPU as matrix times column. ``out``: (T, 1, K)."""
    return torch.bmm(states_TD.unsqueeze(1), vectors_TKD.transpose(1, 2), out=out).squeeze(1)


def _dots_of(states_TD: Tensor, rows: Rows) -> Tensor:
    dots: Tensor = _Dots.apply(states_TD, rows.matrix_ND, rows.positions)  # type: ignore[no-untyped-call]
    return dots


class _Dots(torch.autograd.Function):
    """(T, K) inner products of each state with rows of its own, which are never all held: looked up some at a time.

    The gradient of a state is a weighted sum of rows, that of the rows the outer products, added up place by place.
    """

    @staticmethod
    def forward(ctx: Any, states_TD: Tensor, matrix_ND: Tensor, positions_TK: Tensor) -> Tensor:
        ctx.save_for_backward(states_TD, matrix_ND, positions_TK)
        dots = states_TD.new_empty(positions_TK.shape)
        for part in _parts(states_TD, positions_TK):
            # In place: small results kept between large vectors let go would tear memory to pieces.
            _dots(states_TD[part], Rows(matrix_ND, positions_TK[part]).vectors(), out=dots[part].unsqueeze(1))
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
