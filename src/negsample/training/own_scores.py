"""The scores of own items as negatives: one column for all of them, and one for them and those that were drawn."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from negsample.training.own import OwnItems
from negsample.training.products import LOWEST


class OwnColumn(torch.autograd.Function):
    """(T,) logsumexp of the scores of all own items but the target; ``-inf`` where there is none.

    Scores are products, and what is added: ``table`` by bin, and ``added_X`` for cells of pairs. Of what is held for
    each target and own item there is one number.
    """

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
        tops_T, sums_T = states_TD.new_zeros(len(states_TD)), states_TD.new_zeros(len(states_TD))
        chances, factor = [], 1 / temperature
        for targets, groups, pairs, items, cells, pair_cells, hits in own.blocks:
            added = table.index_select(0, own.bin_C[cells]).view(groups.stop - groups.start, -1)
            if added_X is not None:
                of_pairs = added_X[pair_cells].view(pairs.stop - pairs.start, -1)
                added += of_pairs.index_select(0, pair_G[groups] - pairs.start)
            added = added.index_select(0, group_T[targets] - groups.start)
            scores = torch.addmm(added, states_TD[targets], own_MD[items].T, beta=factor, alpha=factor)
            scores.view(-1).index_fill_(0, own.hit_H[hits], -math.inf)
            top = scores.amax(1, keepdim=True).clamp_(min=LOWEST)
            chances.append(scores.sub_(top).exp_())
            tops_T[targets], sums_T[targets] = top.squeeze(1), scores.sum(1)
        ctx.save_for_backward(states_TD, own_MD, table, added_X, sums_T)
        ctx.chances, ctx.own, ctx.group_T, ctx.pair_G, ctx.factor = chances, own, group_T, pair_G, factor
        return tops_T + sums_T.log()

    @staticmethod
    def backward(ctx: Any, gradient_T: Tensor) -> tuple[Tensor | None, ...]:
        states_TD, own_MD, table, added_X, sums_T = ctx.saved_tensors
        share_T1 = (ctx.factor * gradient_T / sums_T.clamp(min=torch.finfo(sums_T.dtype).tiny)).unsqueeze(1)
        of_states, of_own, of_table = torch.zeros_like(states_TD), torch.zeros_like(own_MD), torch.zeros_like(table)
        of_added = None if added_X is None else torch.zeros_like(added_X)
        for (targets, groups, pairs, items, cells, pair_cells, _), chances in zip(
            ctx.own.blocks, ctx.chances, strict=True
        ):
            of_scores = chances * share_T1[targets]
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


class WithOwnColumn(torch.autograd.Function):
    """(T,) logsumexp of the scores of negatives that are no own items, and one more column."""

    @staticmethod
    def forward(ctx: Any, neg_TK: Tensor, own_TK: Tensor, column_T: Tensor) -> Tensor:
        scores = torch.cat([neg_TK.masked_fill(own_TK, -math.inf), column_T.unsqueeze(1)], 1)
        top = scores.amax(1, keepdim=True).clamp_(min=LOWEST)
        ctx.chances = scores.sub_(top).exp_()
        ctx.sums_T = ctx.chances.sum(1)
        return top.squeeze(1) + ctx.sums_T.log()

    @staticmethod
    def backward(ctx: Any, gradient_T: Tensor) -> tuple[Tensor | None, ...]:
        share_T = gradient_T / ctx.sums_T.clamp(min=torch.finfo(gradient_T.dtype).tiny)
        of_scores = ctx.chances * share_T.unsqueeze(1)
        return of_scores[:, :-1], None, of_scores[:, -1]
