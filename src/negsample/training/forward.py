"""From a batch to its loss: propose, look up, encode, score, select, lose; at once, or part by part."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from negsample.batches.packed import Batch
from negsample.errors import InputError
from negsample.losses import of_parts
from negsample.methods import Method
from negsample.miners import Scored
from negsample.miners.base import Needs
from negsample.models import Backbone
from negsample.models.item_table import Rows, distinct_ids
from negsample.training.padding import blank_scores, check_padding
from negsample.training.proposals import Proposed, of_positions, part_of
from negsample.training.score import MIB, merge_negatives, score, score_targets, scores_bytes

_MANY = 1 << 20  # numbers in the vectors of negatives: more are not looked up all at once


class Way(NamedTuple):
    """From a batch to its loss, but for the encoder in its midst: ``inputs_TD`` are what it takes, and ``finish`` makes
    the loss of its states, (T, D). ``blank``: whether it wants the state of a slot without an item too, (D,)."""

    inputs_TD: Tensor
    finish: Callable[..., Tensor]
    blank: bool = False


def way_of(
    model: Backbone,
    method: Method,
    batch: Batch,
    proposed: Proposed,
    *,
    negatives_rng: torch.Generator,
    score_memory: int | None,
    padded_to: int | None = None,
) -> Way:
    """How to what ``method`` loses on ``batch``; arguments and errors as of :func:`negsample.training.loop.step`."""
    if padded_to is not None:
        check_padding(model, method, batch, proposed, padded_to, score_memory)
        return _at_once(model, method, batch, proposed, negatives_rng, padded_to)
    size = scores_bytes(len(batch.targets_T), proposed.negatives.ids.shape[-1])
    if score_memory is None or size <= score_memory or method.merged:
        return _at_once(model, method, batch, proposed, negatives_rng)
    check_whole(len(batch.targets_T), proposed.negatives.ids.shape[-1], method.miner.needs, score_memory)
    parts = min(-(-size // score_memory), batch.sequences)
    return _in_parts(model, method, batch, proposed, negatives_rng, parts)


def check_whole(positions: int, k: int, needs: Needs, score_memory: int) -> None:
    """Scores of ``positions`` x ``k`` may be computed in parts, where they are more than ``score_memory`` bytes.

    Raises:
        InputError: they would have to be, and the miner ``needs`` the batch as a whole.
    """
    size = scores_bytes(positions, k)
    if size > score_memory and "whole" in needs:
        raise InputError(
            f"score_memory: scores of about {-(-size // MIB):,} MiB are more than {score_memory / MIB:,.4g}, and this "
            "method must select from a batch as a whole; raise score_memory, or take a smaller batch_size"
        )


def _at_once(
    model: Backbone,
    method: Method,
    batch: Batch,
    proposed: Proposed,
    negatives_rng: torch.Generator,
    padded_to: int | None = None,
) -> Way:
    ids = proposed.negatives.ids
    vectors: Tensor | Rows
    if of_positions(ids, batch) and ids.numel() * model.table.weight.shape[1] > _MANY:
        asked, vectors = model.table.rows(torch.cat([batch.inputs.items_T, batch.targets_T]), ids)
        inputs, targets = asked.vectors().chunk(2)
    else:
        inputs, targets, vectors = model.table.lookup(batch.inputs.items_T, batch.targets_T, ids)

    def finish(states_TD: Tensor, blank_D: Tensor | None = None) -> Tensor:
        held = _hold(vectors, proposed.frozen)
        if isinstance(held, Tensor) and method.merged:
            scored = Scored(
                score_targets(states_TD, targets), merge_negatives(states_TD, held, proposed.negatives, batch)
            )
        else:
            scored = _selected(method, states_TD, targets, held, proposed, batch, negatives_rng)
        if padded_to is None:
            return method.loss(scored.pos_T, scored.neg_TK)
        assert blank_D is not None, "a way with blank=True wants the state of a slot without an item"
        pos_N, neg_NK = blank_scores(blank_D, method, held, ids, batch, padded_to, negatives_rng)
        return of_parts(method.loss(scored.pos_T, scored.neg_TK, parts=True) + method.loss(pos_N, neg_NK, parts=True))

    return Way(inputs, finish, padded_to is not None)


def _in_parts(
    model: Backbone, method: Method, batch: Batch, proposed: Proposed, negatives_rng: torch.Generator, parts: int
) -> Way:
    """To the same loss; vectors of negatives and scores are there for one of ``parts`` at a time."""
    ids = proposed.negatives.ids
    asked = (batch.inputs.items_T, batch.targets_T, ids)
    distinct, positions = distinct_ids(torch.cat([each.reshape(-1) for each in asked]))
    (rows_ND,) = model.table.lookup(distinct)
    of_inputs, of_targets, of_ids = torch.split(positions, [each.numel() for each in asked])
    of_ids = of_ids.view(ids.shape)
    start = negatives_rng.clone_state()

    def sums(first: int, last: int, states_TD: Tensor, rows_ND: Tensor) -> Tensor:
        low, high = (int(each) for each in batch.inputs.offsets[[first, last]])
        some, own = batch.part(first, last), part_of(proposed, batch, first, last)
        positions = (
            of_ids if ids.dim() == 1 else of_ids[first:last] if len(ids) == batch.sequences else of_ids[low:high]
        )
        targets = rows_ND.index_select(0, of_targets[low:high])
        vectors = _hold(Rows(rows_ND, positions), own.frozen)
        scored = _selected(method, states_TD[low:high], targets, vectors, own, some, start.clone_state())
        return method.loss(scored.pos_T, scored.neg_TK, parts=True)

    def finish(states_TD: Tensor) -> Tensor:
        total = torch.stack(
            [
                checkpoint(sums, first, last, states_TD, rows_ND, use_reentrant=False, preserve_rng_state=False)
                for first, last in pairwise(_cuts(batch, parts))
            ]
        ).sum(0)
        torch.empty(1, device=ids.device).random_(generator=negatives_rng)  # the next step draws other numbers
        return of_parts(total)

    return Way(rows_ND.index_select(0, of_inputs), finish)


def _selected(
    method: Method,
    states_TD: Tensor,
    targets_TD: Tensor,
    vectors: Tensor | Rows,
    proposed: Proposed,
    batch: Batch,
    rng: torch.Generator,
) -> Scored:
    needs = method.miner.needs
    scored = score(
        states_TD,
        targets_TD,
        vectors,
        proposed.negatives,
        batch,
        needs=needs,
        pos_log_q_T=proposed.pos_log_q_T,
        masked_T=proposed.masked_T,
    )
    return method.miner(scored, rng=rng)


def _cuts(batch: Batch, parts: int) -> list[int]:
    """Sequence numbers that cut the batch's positions into about equal parts."""
    offsets = batch.inputs.offsets
    wanted = [offsets[-1] * part / parts for part in range(1, parts)]
    inner = {int(abs(offsets - each).argmin()) for each in wanted} - {0, batch.sequences}
    return [0, *sorted(inner), batch.sequences]


def _hold(vectors: Tensor | Rows, last: int) -> Tensor | Rows:
    """The vectors of negatives, those of the ``last`` ones without gradient."""
    if not last:
        return vectors
    vectors = vectors.vectors() if isinstance(vectors, Rows) else vectors
    learning, held = torch.split(vectors, [vectors.shape[-2] - last, last], -2)
    return torch.cat([learning, held.detach()], -2)
