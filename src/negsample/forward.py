"""From a batch to its loss: propose, look up, encode, score, select, lose; at once, or part by part."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from negsample.config import InputError
from negsample.data.batches import Batch
from negsample.losses import of_parts
from negsample.methods import Method
from negsample.models import Backbone, SASRec
from negsample.negatives import Negatives, Scored
from negsample.negatives.select import Needs
from negsample.score import merge_negatives, score, score_targets, scores_bytes
from negsample.table import Rows, distinct_ids

MIB = 1 << 20
_MANY = 1 << 20  # numbers in the vectors of negatives: more are not looked up all at once


class Proposed(NamedTuple):
    """What the first seat gave for a batch.

    ``negatives``: their ``log_q`` is there when the selector needs it, and empty otherwise. ``frozen``: how many at
    the end take no gradient. ``pos_log_q_T``: of the targets, when the selector needs it.
    """

    negatives: Negatives
    frozen: int
    pos_log_q_T: Tensor | None


class Kept(NamedTuple):
    """A step to be done again: whose batch it was, and its proposal, as small as they can be.

    ``users_B``: of the batch. ``ids``: of the negatives, 32 bits each, of any granularity. The rest as of
    :class:`Proposed`.
    """

    users_B: Tensor
    ids: Tensor
    log_q: Tensor
    frozen: int
    pos_log_q_T: Tensor | None

    @classmethod
    def of(cls, batch: Batch, proposed: Proposed) -> Kept:
        """What is kept of a step."""
        ids, log_q = proposed.negatives
        return cls(batch.users_B.to(torch.int32), ids.to(torch.int32), log_q, proposed.frozen, proposed.pos_log_q_T)

    def proposed(self) -> Proposed:
        """The proposal, as it was."""
        return Proposed(Negatives(self.ids.long(), self.log_q), self.frozen, self.pos_log_q_T)

    def to(self, device: torch.device) -> Kept:
        """The same on ``device``."""
        pos_log_q_T = None if self.pos_log_q_T is None else self.pos_log_q_T.to(device, copy=True)
        users_B, ids, log_q = (each.to(device, copy=True) for each in self[:3])
        return Kept(users_B, ids, log_q, self.frozen, pos_log_q_T)


def laid_together(kept: Sequence[Kept]) -> list[Kept]:
    """The same (one at least), as parts of a few large tensors: small ones that stay lie scattered among those that go,
    and hold several times their size of memory."""
    users, ids = _laid([each.users_B for each in kept]), _laid([each.ids for each in kept])
    log_q = _laid([each.log_q for each in kept])
    targets = [each.pos_log_q_T for each in kept if each.pos_log_q_T is not None]
    pos_log_q = _laid(targets) if targets else [None] * len(kept)
    frozen = [each.frozen for each in kept]
    return [Kept(*each) for each in zip(users, ids, log_q, frozen, pos_log_q, strict=True)]


def _laid(tensors: Sequence[Tensor]) -> list[Tensor]:
    parts = torch.split(torch.cat([each.flatten() for each in tensors]), [each.numel() for each in tensors])
    return [part.view(each.shape) for part, each in zip(parts, tensors, strict=True)]


def propose(method: Method, batch: Batch, *, rng: torch.Generator) -> Proposed:
    """The method's proposal, and no more than its selector needs."""
    needs, sampler = method.select.needs, method.sampler
    if "log_q" in needs:
        negatives = sampler.sample(batch, rng=rng)
    else:
        ids = sampler.draw(batch, rng=rng)
        negatives = Negatives(ids, torch.empty(0, device=ids.device))
    pos_log_q_T = sampler.log_prob(batch.targets_T, batch, per="batch") if "pos_log_q" in needs else None
    return Proposed(negatives, sampler.frozen, pos_log_q_T)


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
    """How to what ``method`` loses on ``batch``; arguments and errors as of :func:`negsample.train.step`."""
    if padded_to is not None:
        check_padding(model, method, batch, proposed, padded_to, score_memory)
        return _at_once(model, method, batch, proposed, negatives_rng, padded_to)
    size = scores_bytes(len(batch.targets_T), proposed.negatives.ids.shape[-1])
    if score_memory is None or size <= score_memory or method.merged:
        return _at_once(model, method, batch, proposed, negatives_rng)
    check_whole(len(batch.targets_T), proposed.negatives.ids.shape[-1], method.select.needs, score_memory)
    parts = min(-(-size // score_memory), batch.sequences)
    return _in_parts(model, method, batch, proposed, negatives_rng, parts)


def check_whole(positions: int, k: int, needs: Needs, score_memory: int) -> None:
    """Scores of ``positions`` x ``k`` may be computed in parts, where they are more than ``score_memory`` bytes.

    Raises:
        InputError: they would have to be, and the selector ``needs`` the batch as a whole.
    """
    size = scores_bytes(positions, k)
    if size > score_memory and "whole" in needs:
        raise InputError(
            f"score_memory: scores of about {-(-size // MIB):,} MiB are more than {score_memory / MIB:,.4g}, and this "
            "method must select from a batch as a whole; raise score_memory, or take a smaller batch_size"
        )


def check_padding(
    model: Backbone,
    method: Method,
    batch: Batch,
    proposed: Proposed,
    padded_to: int,
    score_memory: int | None,
) -> None:
    """Slots without an item can be counted in what ``method`` loses on ``batch``.

    Raises:
        InputError: they have no state or no negatives, the selector needs more of them than scores, or all is too much
            at once.
    """
    if not isinstance(model, SASRec):
        raise InputError("setting padding=count is for model=sasrec; leave it out")
    ids = proposed.negatives.ids
    if ids.dim() != 2 or _own(ids, batch) or method.select.needs:
        raise InputError(
            "setting padding=count is for methods whose negatives are drawn per sequence (draws_per=sequence) and "
            "selected by score alone, as the reference's are; leave it out, or choose such a method"
        )
    size = scores_bytes(batch.sequences * padded_to, ids.shape[1])
    if score_memory is not None and size > score_memory:
        raise InputError(
            f"score_memory: with padding=count scores of about {-(-size // MIB):,} MiB must be held at once; raise "
            f"score_memory={score_memory // MIB}, or take a smaller batch_size or max_length"
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
    if _own(ids, batch) and ids.numel() * model.table.weight.shape[1] > _MANY:
        asked, vectors = model.table.rows(torch.cat([batch.inputs.items_T, batch.targets_T]), ids)
        inputs, targets = asked.vectors().chunk(2)
    else:
        inputs, targets, vectors = model.table.lookup(batch.inputs.items_T, batch.targets_T, ids)

    def finish(states_TD: Tensor, blank_D: Tensor | None = None) -> Tensor:
        held = _hold(vectors, proposed.frozen)
        if isinstance(held, Tensor) and method.merged:
            scored = Scored(score_targets(states_TD, targets), merge_negatives(states_TD, held, ids, batch))
        else:
            scored = _selected(method, states_TD, targets, held, proposed, batch, negatives_rng)
        if padded_to is None:
            return method.loss(scored.pos_T, scored.neg_TK)
        assert blank_D is not None, "a way with blank=True wants the state of a slot without an item"
        pos_N, neg_NK = _blank(blank_D, method, held, ids, batch, padded_to, negatives_rng)
        return of_parts(method.loss(scored.pos_T, scored.neg_TK, parts=True) + method.loss(pos_N, neg_NK, parts=True))

    return Way(inputs, finish, padded_to is not None)


def _blank(
    blank_D: Tensor,
    method: Method,
    vectors: Tensor | Rows,
    ids_BK: Tensor,
    batch: Batch,
    padded_to: int,
    negatives_rng: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Scores of the slots without an item as of positions, what is selected: their state is ``blank_D``, their target
    id 0 with the vector zero, their negatives those of their sequence. Those of a sequence are alike, so selecting is
    done once for it."""
    vectors_BKD = vectors.vectors() if isinstance(vectors, Rows) else vectors
    scores_BK = (vectors_BKD @ blank_D).masked_fill(ids_BK == 0, -math.inf)
    selected = method.select(Scored(scores_BK.new_zeros(len(scores_BK)), scores_BK), rng=negatives_rng)
    missing_B = padded_to - torch.from_numpy(np.diff(batch.inputs.offsets)).to(ids_BK.device)
    return selected.pos_T.repeat_interleave(missing_B), selected.neg_TK.repeat_interleave(missing_B, 0)


def _in_parts(
    model: Backbone, method: Method, batch: Batch, proposed: Proposed, negatives_rng: torch.Generator, parts: int
) -> Way:
    """To the same loss; vectors of negatives and scores are there for one of ``parts`` at a time."""
    ids = proposed.negatives.ids
    asked = (batch.inputs.items_T, batch.targets_T, ids)
    distinct, places = distinct_ids(torch.cat([each.reshape(-1) for each in asked]))
    (rows_ND,) = model.table.lookup(distinct)
    of_inputs, of_targets, of_ids = torch.split(places, [each.numel() for each in asked])
    of_ids = of_ids.view(ids.shape)
    start = negatives_rng.clone_state()

    def sums(first: int, last: int, states_TD: Tensor, rows_ND: Tensor) -> Tensor:
        low, high = (int(each) for each in batch.inputs.offsets[[first, last]])
        some, own = batch.part(first, last), _part(proposed, batch, first, last)
        places = of_ids if ids.dim() == 1 else of_ids[first:last] if len(ids) == batch.sequences else of_ids[low:high]
        targets = rows_ND.index_select(0, of_targets[low:high])
        vectors = _hold(Rows(rows_ND, places), own.frozen)
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
    needs = method.select.needs
    scored = score(
        states_TD, targets_TD, vectors, proposed.negatives, batch, needs=needs, pos_log_q_T=proposed.pos_log_q_T
    )
    return method.select(scored, rng=rng)


def _cuts(batch: Batch, parts: int) -> list[int]:
    """Sequence numbers that cut the batch's positions into about equal parts."""
    offsets = batch.inputs.offsets
    wanted = [offsets[-1] * part / parts for part in range(1, parts)]
    inner = {int(abs(offsets - each).argmin()) for each in wanted} - {0, batch.sequences}
    return [0, *sorted(inner), batch.sequences]


def _part(proposed: Proposed, batch: Batch, first: int, last: int) -> Proposed:
    """Of sequences ``first .. last - 1``."""
    low, high = batch.inputs.offsets[first], batch.inputs.offsets[last]

    def of(values: Tensor) -> Tensor:
        if values.dim() == 1:
            return values
        return values[first:last] if len(values) == batch.sequences else values[low:high]

    pos_log_q_T = proposed.pos_log_q_T
    return Proposed(
        Negatives(of(proposed.negatives.ids), of(proposed.negatives.log_q)),
        proposed.frozen,
        None if pos_log_q_T is None else pos_log_q_T[low:high],
    )


def _own(ids: Tensor, batch: Batch) -> bool:
    """Whether each position has negatives of its own."""
    return ids.dim() == 2 and len(ids) != batch.sequences


def _hold(vectors: Tensor | Rows, last: int) -> Tensor | Rows:
    """The vectors of negatives, those of the ``last`` ones without gradient."""
    if not last:
        return vectors
    vectors = vectors.vectors() if isinstance(vectors, Rows) else vectors
    learning, held = torch.split(vectors, [vectors.shape[-2] - last, last], -2)
    return torch.cat([learning, held.detach()], -2)
