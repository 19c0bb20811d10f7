"""One step of training, in the open: propose, look up, encode, score, select, loss, update."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import cast

import numpy as np
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from negsample.batches.device import upload
from negsample.batches.joined import joined_inputs
from negsample.batches.packed import Batch
from negsample.batches.streams import Streams
from negsample.errors import InputError
from negsample.losses import of_parts
from negsample.methods import Method
from negsample.miners import Scored
from negsample.miners.base import selects_for_several
from negsample.models import Backbone, SASRec, Together
from negsample.models.build import check_items, terms_of
from negsample.models.item_table import Rows, looked_up
from negsample.optim import Optimizer
from negsample.samplers import Negatives
from negsample.training.inputs import StepInputs, StepOptions, propose
from negsample.training.own_scores import logsumexp_without_own
from negsample.training.processes import Loss, processes_of, sum_gradients
from negsample.training.score import score
from negsample.training.terms import StepTerms, temperature_of
from negsample.training.vectors import Vectors, cuts, look_up

PLAIN = StepOptions()


def step(
    model: Backbone,
    method: Method,
    batch: Batch,
    optimizer: Optimizer,
    *,
    negatives_rng: torch.Generator,
    dropout_rng: torch.Generator,
    negatives: Negatives | None = None,
    options: StepOptions = PLAIN,
    terms: StepTerms | None = None,
) -> Tensor:
    """One update of ``model``. Returns the loss, detached.

    Args:
        model: a backbone with its table.
        method: sampler, miner and loss.
        batch: what to learn from.
        optimizer: of PyTorch where the table is dense; see :func:`negsample.optim.optimizer_for`.
        negatives_rng: for sampler and miner, on the batch's device.
        dropout_rng: likewise.
        negatives: those of an earlier :func:`~negsample.training.inputs.propose` for this batch, instead of new ones.
        options: memory, precision, and whether padding counts.
        terms: what is known at the times of the targets, by
            :meth:`~negsample.training.knowledge.TermKnowledge.of`; for a model with terms, and for exact own items.

    Raises:
        InputError: the scores would take more memory than they may, and the method's miner needs the batch as a whole;
            or padding cannot be counted for this method and model.
        ValueError: the batch is of another catalogue than the model, or the model has terms and none are given.
    """
    check_items(model.table.items, batch.catalogue_size, "the batch")
    if terms is None and terms_of(model) is not None:
        raise ValueError("the model has terms, so a step needs what is known about its batch; see TermKnowledge.of")
    negatives = negatives or propose(method, batch, rng=negatives_rng)
    given = StepInputs(model, method, batch, negatives, negatives_rng, dropout_rng, options, terms)
    return step_of([given], optimizer)[0]


def step_of(inputs: Sequence[StepInputs], optimizer: Optimizer, together: Together | None = None) -> Tensor:
    """One update of S models, of more than one by ``together``. Returns (S,) losses, detached.

    ``inputs``: of each model; or, where ``together`` has one table, one for all, of a batch of all of them
    (:func:`~negsample.batches.joined.joined`).
    """
    vectors = [look_up(each) for each in inputs]
    number_type = inputs[0].options.autocast
    with torch.autocast(inputs[0].batch.device.type, number_type, enabled=number_type is not None):
        states, paddings = _encoded(inputs, vectors, together)
    each_model = zip(inputs, vectors, states, paddings, strict=True)
    found = [_loss(given, own, given.batch.of_targets(states).float(), D) for given, own, states, D in each_model]
    whole_S = torch.cat([each.whole.reshape(-1) for each in found])
    _update(inputs[0].model, [each.own for each in found], whole_S, optimizer)
    return whole_S


def _encoded(
    inputs: Sequence[StepInputs], vectors: Sequence[Vectors], together: Together | None
) -> tuple[Sequence[Tensor], Sequence[Tensor | None]]:
    """The states of each of ``inputs``, and its state of a position without an item, where it has one."""
    if together is None:
        (given,), (own,) = inputs, vectors
        padding_D = given.model.padding_state if isinstance(given.model, SASRec) else None
        return [given.model(own.inputs_TD, given.batch.inputs, given.dropout_rng)], [padding_D]
    if together.table is not None:
        (given,), (own,) = inputs, vectors
        return [together(own.inputs_TD, given.batch.inputs, cast("Streams", given.dropout_rng))], [None]
    packed = joined_inputs([each.batch.inputs for each in inputs], together.models[0].table.items + 1)
    rngs = Streams(tuple(each.dropout_rng for each in inputs))
    states_TD = together(torch.cat([each.inputs_TD for each in vectors]), packed, rngs)
    return torch.split(states_TD, [len(each.inputs_TD) for each in vectors]), together.padding_states


def loss_of(given: StepInputs, vectors: Vectors, states_TD: Tensor, padding_D: Tensor | None = None) -> Tensor:
    """The loss of a model's states, or what of it is this process's. ``padding_D``: the state of a position without an
    item, where padding counts."""
    return _loss(given, vectors, states_TD, padding_D).own


def _loss(given: StepInputs, vectors: Vectors, states_TD: Tensor, padding_D: Tensor | None) -> Loss:
    processes = processes_of(given.model)
    if processes is not None:
        return Loss.of(_sums(given, vectors, states_TD, padding_D), given.batch, processes)
    if vectors.parts is None and given.options.padded_to is None:
        scored = mined(given, vectors, states_TD)
        loss = _loss_for(given)(scored.pos_T, scored.neg_TK)
    else:
        loss = of_parts(_sums(given, vectors, states_TD, padding_D))
    return Loss(loss if loss.dim() == 0 else loss.sum(), loss.detach())


def _sums(given: StepInputs, vectors: Vectors, states_TD: Tensor, padding_D: Tensor | None) -> Tensor:
    """(2, n) of which :func:`~negsample.losses.of_parts` makes the loss."""
    if vectors.parts is not None:
        return _sums_in_parts(given, vectors, states_TD)
    scored = mined(given, vectors, states_TD)
    sums_2N: Tensor = _loss_for(given)(scored.pos_T, scored.neg_TK, parts=True)
    if given.options.padded_to is None:
        return sums_2N
    assert padding_D is not None, "look_up() refuses models without such a state"
    held = _frozen_at_end(vectors.negatives, given.negatives.frozen)
    padding = _padding_scores(given, held, padding_D, given.options.padded_to)
    return sums_2N + given.method.loss(padding.pos_T, padding.neg_TK, parts=True)  # each counts 1


def _loss_for(given: StepInputs) -> Callable[..., Tensor]:
    """The method's loss, with the weights of the batch's targets where they have some, and apart for each of several
    models.

    Raises:
        InputError: targets have weights, and the loss takes none.
    """
    batch, loss = given.batch, given.method.loss
    if batch.weights_T is not None:
        if not given.method.loss_takes("weights_T"):
            raise InputError(
                "weights of targets (setting weight_half_life, or a log with --weight) are for losses with the "
                "argument weights_T, and this method's loss has none; give it one, or leave the weights out"
            )
        loss = partial(loss, weights_T=batch.weights_T)
    split = batch.split_of("position")
    return loss if split is None else partial(loss, targets_S=upload(torch.from_numpy(np.diff(split)), batch.device))


def mined(given: StepInputs, vectors: Vectors, states_TD: Tensor) -> Scored:
    """The scores of targets and negatives, as the miner leaves them."""
    method, negatives, targets_TD = given.method, given.negatives, looked_up(vectors.targets)
    held, needs = _frozen_at_end(vectors.negatives, negatives.frozen), method.miner.needs
    scored = score(
        states_TD, targets_TD, held, negatives, given.batch, needs=needs, merged=method.merged, terms=given.terms
    )
    selected = method.miner(scored, rng=given.miner_rng)
    if given.terms is None or not given.terms.exact:
        return selected
    return selected._replace(neg_TK=_with_own(given, given.terms, vectors, states_TD, selected.neg_TK))


def _with_own(given: StepInputs, terms: StepTerms, vectors: Vectors, states_TD: Tensor, neg_TK: Tensor) -> Tensor:
    """(T, 2) one that stands for the negatives that are not the user's own, and one for all of the user's own."""
    own_T = terms.own_column(states_TD, looked_up(vectors.own), temperature_of(given.method.miner))
    if given.method.merged:
        return torch.cat([neg_TK, own_T.unsqueeze(1)], 1)
    others_T = logsumexp_without_own(neg_TK, *terms.are_own(given.negatives.ids, given.batch.sequences))
    return torch.stack([others_T, own_T], 1)


def _padding_scores(given: StepInputs, negatives: Tensor | Rows, padding_D: Tensor, padded_to: int) -> Scored:
    """Scores of the positions without an item, as the miner leaves them.

    Their state is ``padding_D``, their target id 0 with the vector zero, their negatives those of their sequence, with
    the vectors ``negatives``. Those of a sequence are alike, so the miner sees one of them.
    """
    scores_BK = (looked_up(negatives) @ padding_D).masked_fill(given.negatives.ids == 0, -math.inf)
    pos_B, neg_BK, *_ = given.method.miner(Scored(scores_BK.new_zeros(len(scores_BK)), scores_BK), rng=given.miner_rng)
    missing_B = padded_to - torch.from_numpy(np.diff(given.batch.inputs.offsets)).to(neg_BK.device)
    return Scored(pos_B.repeat_interleave(missing_B), neg_BK.repeat_interleave(missing_B, 0))


def _frozen_at_end(vectors: Tensor | Rows, frozen: int) -> Tensor | Rows:
    """The vectors of negatives, the ``frozen`` ones at the end without gradient."""
    if not frozen:
        return vectors
    all_of_them = looked_up(vectors)
    learning, held = torch.split(all_of_them, [all_of_them.shape[-2] - frozen, frozen], -2)
    return torch.cat([learning, held.detach()], -2)


def _sums_in_parts(given: StepInputs, vectors: Vectors, states_TD: Tensor) -> Tensor:
    """The same; vectors of negatives and scores are there for one part at a time, and again for the gradient."""
    assert vectors.parts is not None
    rng = None if selects_for_several(given.method.miner) else given.miner_rng  # it may draw
    sums = [
        checkpoint(
            _sums_of_part,
            given,
            vectors,
            states_TD,
            None if rng is None else rng.clone_state(),
            part,
            use_reentrant=False,
            preserve_rng_state=False,
        )
        for part in cuts(given.batch, vectors.parts)
    ]
    if rng is not None:
        torch.empty(1, device=states_TD.device).random_(generator=rng)  # the next step draws other numbers
    return torch.stack(sums).sum(0)


def _sums_of_part(
    given: StepInputs, vectors: Vectors, states_TD: Tensor, start: torch.Generator | None, part: tuple[int, int]
) -> Tensor:
    own = given.part(*part)
    own = own if start is None else own._replace(miner_rng=start.clone_state())
    scored = mined(own, vectors.part(given, *part), states_TD[given.batch.span(*part)])
    return _loss_for(own)(scored.pos_T, scored.neg_TK, parts=True)


def _update(model: Backbone, losses: Sequence[Tensor], whole_S: Tensor, optimizer: Optimizer) -> None:
    if whole_S.device.type == "cpu" and not bool(torch.isfinite(whole_S).all()):
        return  # the weights stay as they were, and show what was wrong first; a GPU would have to be waited for
    optimizer.zero_grad()
    torch.stack(list(losses)).sum().backward()  # type: ignore[no-untyped-call]
    processes = processes_of(model)
    if processes is not None:
        sum_gradients(model.parameters(), processes)
    optimizer.step()
