"""The scores of own items as negatives: one column for all of them, and one for those that were drawn and are none."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from negsample.training.own import OwnItems
from negsample.training.products import LOWEST, logsumexp_and_softmax

_NOTHING = -1e20  # a logsumexp below is of LOWEST alone, whatever it was divided by


def logsumexp_of_own(
    states_TD: Tensor,
    own_MD: Tensor,
    table: Tensor,
    added_X: Tensor | None,
    own: OwnItems,
    group_T: Tensor,
    pair_G: Tensor,
    temperature: float,
) -> Tensor:
    """(T,) logsumexp of the scores of all own items but the target; ``-inf`` where there is none.

    Scores are products, and what is added: ``table`` by bin, ``LOWEST`` for bin 0, and ``added_X`` for cells of pairs.
    One number is held for each target and own item.
    """
    asked = own, group_T, pair_G, temperature
    found: Tensor = _OfOwn.apply(states_TD, own_MD, table, added_X, *asked)  # type: ignore[no-untyped-call]
    return found


def logsumexp_without_own(neg_TK: Tensor, own_GK: Tensor, group_T: Tensor) -> Tensor:
    """(T,) logsumexp of the scores of drawn negatives that are no own items; ``-inf`` where there is none.

    ``own_GK``: whether they are; ``group_T``: the row of each target there.
    """
    found: Tensor = _WithoutOwn.apply(neg_TK, own_GK, group_T)  # type: ignore[no-untyped-call]
    return found


class _OfOwn(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        states_TD: Tensor,
        own_MD: Tensor,
        table: Tensor,
        added_X: Tensor | None,
        own: OwnItems,
        group_T: Tensor,
        pair_G: Tensor,
        temperature: float,
    ) -> Tensor:
        found_T, chances, factor = states_TD.new_full((len(states_TD),), LOWEST), [], 1 / temperature
        for targets, groups, pairs, items, cells, pair_cells, hits in own.blocks:
            added = table.index_select(0, own.bin_C[cells]).view(groups.stop - groups.start, -1)
            if added_X is not None:
                of_pairs = added_X[pair_cells].view(pairs.stop - pairs.start, -1)
                added += of_pairs.index_select(0, pair_G[groups] - pairs.start)
            added = added.index_select(0, group_T[targets] - groups.start)
            scores = torch.addmm(added, states_TD[targets], own_MD[items].T, beta=factor, alpha=factor)
            scores.view(-1).index_fill_(0, own.hit_H[hits], LOWEST)
            found_T[targets], of_block = logsumexp_and_softmax(scores)
            chances.append(of_block)
        ctx.save_for_backward(states_TD, own_MD, table, added_X, found_T)
        ctx.chances, ctx.own, ctx.group_T, ctx.pair_G, ctx.factor = chances, own, group_T, pair_G, factor
        return _or_none(found_T)

    @staticmethod
    def backward(ctx: Any, gradient_T: Tensor) -> tuple[Tensor | None, ...]:
        states_TD, own_MD, table, added_X, found_T = ctx.saved_tensors
        gradient_T1 = _of_some(found_T, ctx.factor * gradient_T)
        of_states, of_own, of_table = torch.zeros_like(states_TD), torch.zeros_like(own_MD), torch.zeros_like(table)
        of_added = None if added_X is None else torch.zeros_like(added_X)
        for each, chances in zip(ctx.own.blocks, ctx.chances, strict=True):
            targets, groups, pairs, items, cells, pair_cells, _ = each
            of_scores = chances * gradient_T1[targets]
            torch.mm(of_scores, own_MD[items], out=of_states[targets])
            torch.mm(of_scores.T, states_TD[targets], out=of_own[items])
            of_groups = of_scores.new_zeros(groups.stop - groups.start, of_scores.shape[1])
            of_groups.index_add_(0, ctx.group_T[targets] - groups.start, of_scores)
            if ctx.needs_input_grad[2]:
                of_table.index_add_(0, ctx.own.bin_C[cells], of_groups.view(-1))
            if of_added is not None:
                of_pairs = of_added[pair_cells].view(pairs.stop - pairs.start, -1)
                of_pairs.index_add_(0, ctx.pair_G[groups] - pairs.start, of_groups)
        return of_states, of_own, of_table, of_added, None, None, None, None


class _WithoutOwn(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, neg_TK: Tensor, own_GK: Tensor, group_T: Tensor) -> Tensor:
        lowest_GK = own_GK.to(neg_TK.dtype).mul_(LOWEST)  # added: several times as fast as where() or masked_fill()
        scores = lowest_GK.index_select(0, group_T).add_(neg_TK).clamp_(min=LOWEST)
        found_T, ctx.chances = logsumexp_and_softmax(scores)
        ctx.save_for_backward(found_T)
        return _or_none(found_T)

    @staticmethod
    def backward(ctx: Any, gradient_T: Tensor) -> tuple[Tensor | None, ...]:
        (found_T,) = ctx.saved_tensors
        return ctx.chances * _of_some(found_T, gradient_T), None, None


def _or_none(found_T: Tensor) -> Tensor:
    return torch.where(found_T < _NOTHING, -torch.inf, found_T)


def _of_some(found_T: Tensor, gradient_T: Tensor) -> Tensor:
    """(T, 1), and 0 where a logsumexp is of nothing."""
    return torch.where(found_T < _NOTHING, 0, gradient_T).unsqueeze(1)
