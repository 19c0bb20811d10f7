"""Scores: the only place where states meet items."""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn import functional as F

from negsample.batches.packed import Batch
from negsample.miners.base import Needs, Scored
from negsample.models.item_table import Rows, looked_up
from negsample.samplers.base import Negatives, own_mask
from negsample.samplers.exclusion import in_history, rows_of
from negsample.training import products
from negsample.training.products import (
    LOWEST,
    logsumexp_by_chunk,
    per_model_products,
    per_position_products,
    per_sequence_products,
    products_of_rows,
)
from negsample.training.terms import StepTerms

MIB = 1 << 20
BYTES_A_SCORE = 20


def score(
    states_TD: Tensor,
    targets_TD: Tensor,
    vectors: Tensor | Rows,
    negatives: Negatives,
    batch: Batch,
    *,
    needs: Needs = frozenset(),
    merged: bool = False,
    terms: StepTerms | None = None,
) -> Scored:
    """Targets and negatives scored, with what a miner ``needs``; see :func:`score_negatives`.

    ``merged``: the negatives are shared, and scored into one column; see :func:`merge_negatives`. ``terms``: what is
    known at the times of the targets is added.

    Raises:
        ValueError: the miner needs ``log_q``, and ``negatives`` have none.
    """
    log_q = negatives.log_q if "log_q" in needs else None
    if "log_q" in needs and log_q is None:
        raise ValueError("the miner needs log_q, which draw() leaves out; take the negatives of sample()")
    pos_T = score_targets(states_TD, targets_TD)
    if terms is not None:
        pos_T = pos_T + terms.of_targets()
    if merged:
        return Scored(pos_T, merge_negatives(states_TD, looked_up(vectors), negatives, batch, terms))
    return Scored(
        pos_T,
        score_negatives(states_TD, vectors, negatives, batch, terms),
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


def score_negatives(
    states_TD: Tensor, vectors: Tensor | Rows, negatives: Negatives, batch: Batch, terms: StepTerms | None = None
) -> Tensor:
    """(T, K) inner products with the negatives, and what ``terms`` add; ``-inf`` where one is absent, the user's own,
    or a collision.

    ``ids`` (K,) and ``vectors`` (K, D), shared: one product, or with (S, 1, K) and (S, 1, K, D) one for each model;
    excluded and own ones are masked here. ``ids`` (B, K)
    and ``vectors`` (B, K, D), per sequence: one product for each bucket of sequences of like length. ``ids`` (T, K)
    and ``vectors`` (T, K, D), per position: as :class:`~negsample.models.item_table.Rows` they are never held as a
    whole. What the user has was left out when ids were drawn per sequence or position, and the target when they were
    drawn per position.
    """
    ids, split = negatives.ids, batch.split_of("position")
    own = ids.dim() == 2 and len(ids) != batch.sequences
    added = 0.0 if terms is None else terms.of_negatives(ids, batch.sequences)
    if isinstance(vectors, Rows) and not own:
        vectors = vectors.vectors()
    if ids.dim() == 1:
        assert isinstance(vectors, Tensor)
        scores = added.addmm_(states_TD, vectors.T) if isinstance(added, Tensor) else states_TD @ vectors.T
        return scores.masked_fill(_collides(ids, negatives.owner, batch), -math.inf)
    if ids.dim() == 3:
        assert isinstance(vectors, Tensor)
        assert split is not None
        scores = per_model_products(states_TD, vectors.squeeze(1), split)
        return scores.masked_fill(_collides(ids, negatives.owner, batch), -math.inf)
    if isinstance(vectors, Rows):
        scores = products_of_rows(states_TD, vectors)
    elif own:
        scores = per_position_products(states_TD, vectors)
    else:
        scores = per_sequence_products(states_TD, vectors, batch.target_offsets)
    scores = scores.add_(added) if isinstance(added, Tensor) else scores
    absent = ids == 0
    if absent.device.type != "cpu" or bool(absent.any()):  # asking a GPU would wait for it
        scores = scores.masked_fill(_per_position(absent, batch), -math.inf)
    if batch.exclude == "target" and len(ids) == batch.sequences:
        scores = scores.masked_fill(_per_position(ids, batch) == batch.targets_T.unsqueeze(1), -math.inf)
    return scores


def merge_negatives(
    states_TD: Tensor, vectors_KD: Tensor, negatives: Negatives, batch: Batch, terms: StepTerms | None = None
) -> Tensor:
    """(T, 1) ``log sum_j exp(s_j)`` over shared negatives, a single one that stands for all; ``-inf`` where none is.

    Never holds more than T x ``MERGED`` scores: they are computed chunk by chunk, and again for the gradient. What
    :func:`negsample.losses.sampled_softmax` and :func:`~negsample.losses.corrected_log_q` make of it is what they
    make of the (T, K) scores.
    """
    ids_K, owner_N = negatives.ids, negatives.owner

    of_cuts_UK = None if terms is None else terms.of_cuts(ids_K)

    def here(chunk: int) -> slice:
        return slice(chunk * products.MERGED, (chunk + 1) * products.MERGED)

    def masked(chunk: int) -> Tensor:
        collides = _collides(ids_K[here(chunk)], None if owner_N is None else owner_N[here(chunk)], batch)
        if terms is None or not terms.exact:
            return collides
        own_GK, group_T = terms.are_own(ids_K[here(chunk)], batch.sequences)
        return own_GK.index_select(0, group_T) | collides

    def added(chunk: int) -> Tensor | float:
        if terms is None:
            return 0.0
        of_chunk = None if of_cuts_UK is None else of_cuts_UK[:, here(chunk)]
        return terms.of_negatives(ids_K[here(chunk)], batch.sequences, of_chunk)

    merged_T1 = logsumexp_by_chunk(states_TD, vectors_KD, masked, added).unsqueeze(1)
    return merged_T1.masked_fill(merged_T1 < LOWEST / 2, -math.inf)


def full_cross_entropy(states_TD: Tensor, items_VD: Tensor, targets_T: Tensor) -> Tensor:
    """Mean cross-entropy of each state's target among all items, without ever holding the (T, V) scores.

    What ``F.cross_entropy(states_TD @ items_VD.T, targets_T)`` computes, in a loop of one's own: ``targets_T`` are rows
    of ``items_VD`` (with a table whose row 0 is padding: its rows from 1 on, and targets less 1). Memory is that of
    T x 4,096 scores; they are computed again for the gradient.
    """
    targets_TD = items_VD.index_select(0, targets_T)
    return (logsumexp_by_chunk(states_TD, items_VD, lambda chunk: None) - score_targets(states_TD, targets_TD)).mean()


def _collides(ids_K: Tensor, owner_N: Tensor | None, batch: Batch) -> Tensor:
    """(T, K), or what is broadcast to it, whether a shared negative is absent or may not be one at that position."""
    rows_T, ids = batch.target_rows, batch.by_sequence(ids_K)
    collides = ids == 0
    if batch.exclude == "history":
        had_BK = in_history(ids.expand(batch.sequences, -1), rows_of(batch, "sequence"), batch)
        collides = (had_BK | collides).index_select(0, rows_T)
    elif ids.dim() == 2:
        collides = collides.index_select(0, rows_T)
    if batch.exclude == "target":
        ids = ids if ids.dim() == 1 else ids.index_select(0, rows_T)
        collides = (ids == batch.targets_T.unsqueeze(1)) | collides
    if owner_N is None:
        return collides
    own_TN = own_mask(owner_N, batch).index_select(0, rows_T)
    if collides.dim() == 1:
        return F.pad(own_TN, (0, len(ids_K) - len(owner_N))) | collides
    collides[:, : owner_N.shape[-1]] |= own_TN
    return collides


def _per_position(values: Tensor, batch: Batch) -> Tensor:
    """(T, K) of values of any granularity; a view where they are shared."""
    if values.dim() == 1:
        return values.expand(len(batch.targets_T), -1)
    values = batch.by_sequence(values) if values.dim() == 3 else values
    return values.index_select(0, batch.target_rows) if len(values) == batch.sequences else values
