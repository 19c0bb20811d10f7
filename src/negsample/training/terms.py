"""What is known at the time of each target of a batch, and what it adds to the scores of a step."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from negsample.miners import Chain, Miner, Temperature
from negsample.models.terms import TermWeights
from negsample.training.products import ragged_products

LEAST_REST = 1e-13
"""Of a sum in float64: less of it that is left after a subtraction is rounding."""


class Hits(NamedTuple):
    """H ids that are a user's own: the place of each among E, and its row and column among ``rows`` x K ids."""

    at_H: Tensor
    row_H: Tensor
    column_H: Tensor
    rows: int


class StepTerms(NamedTuple):
    """Of a batch's targets and of R rows of them: targets of one state, predicted as of one time.

    Attributes:
        weights: what is known is weighed by; None: only exact own items are asked for.
        features_NF: of all items as of all cuts, see :class:`~negsample.scoring.lately.Lately`; None: no term has any.
        width: V + 1.
        row_T: the row of each target, ascending.
        targets_T: the batch's.
        sequence_R: of each row.
        cut_R: the latest cut at or before its time.
        row_E, item_E: the items that each row's user had before its time, by row, then by item; empty where nothing
            asks for them.
        bins_EN: the places of their weights; see :func:`~negsample.models.terms.own_bins`.
        ids_M, at_E: the distinct ones of ``item_E``, and where each of them is there.
        exact: own items are negatives each with its score, and drawn ones are left out.
    """

    weights: TermWeights | None
    features_NF: Tensor | None
    width: int
    row_T: Tensor
    targets_T: Tensor
    sequence_R: Tensor
    cut_R: Tensor
    row_E: Tensor
    item_E: Tensor
    bins_EN: Tensor
    ids_M: Tensor
    at_E: Tensor
    exact: bool

    def part(self, first: int, last: int, targets: slice) -> StepTerms:
        """Those of sequences ``first .. last - 1``, whose targets are ``targets``."""
        low, high = torch.searchsorted(self.sequence_R, self.sequence_R.new_tensor([first, last])).tolist()
        begin, end = torch.searchsorted(self.row_E, self.row_E.new_tensor([low, high])).tolist()
        return self._replace(
            row_T=self.row_T[targets] - low,
            targets_T=self.targets_T[targets],
            sequence_R=self.sequence_R[low:high] - first,
            cut_R=self.cut_R[low:high],
            row_E=self.row_E[begin:end] - low,
            item_E=self.item_E[begin:end],
            bins_EN=self.bins_EN[begin:end],
            at_E=self.at_E[begin:end],
        )

    def of_targets(self) -> Tensor | float:
        """(T,) what is added to the targets' scores."""
        added: Tensor | float = 0.0
        if self.features_NF is not None:
            added = self._of_items(self.cut_R[self.row_T] * self.width + self.targets_T)
        if self._own_weights is None or not len(self.row_E):
            return added
        at_T, own_T = self._own_targets
        return added + self._own_weights.of_own(self.bins_EN)[at_T] * own_T

    def of_negatives(self, ids: Tensor, sequences: int) -> Tensor | float:
        """(T, K) what is added to the scores of these ids, shared (K,), per sequence (B, K) or per target (T, K)."""
        added: Tensor | float = 0.0
        if self.features_NF is not None:
            if ids.dim() == 1:
                cuts, of_row = torch.unique(self.cut_R, return_inverse=True)
                added = self._of_items(cuts[:, None] * self.width + ids).index_select(0, of_row[self.row_T])
            elif len(ids) == sequences:
                of_rows = self._of_items(self.cut_R[:, None] * self.width + ids[self.sequence_R])
                added = of_rows.index_select(0, self.row_T)
            else:
                added = self._of_items(self.cut_R[self.row_T][:, None] * self.width + ids)
        if self._own_weights is None or self.exact:
            return added
        found = self.hits(ids, sequences)
        own_H = self._own_weights.of_own(self.bins_EN)[found.at_H]
        flat = torch.zeros(found.rows * ids.shape[-1], device=ids.device)
        own = flat.index_add(0, found.row_H * ids.shape[-1] + found.column_H, own_H).view(found.rows, -1)
        return added + self._of_targets(own)

    def are_own(self, ids: Tensor, sequences: int) -> Tensor:
        """(T, K) whether an id is the user's own."""
        found = self.hits(ids, sequences)
        own = torch.zeros(found.rows, ids.shape[-1], dtype=torch.bool, device=ids.device)
        own[found.row_H, found.column_H] = True
        return self._of_targets(own)

    def hits(self, ids: Tensor, sequences: int) -> Hits:
        """Where an id is the user's own: for ids per target at each of them, else once for each row."""
        if ids.dim() == 2 and len(ids) != sequences:
            counts_T = torch.bincount(self.row_E, minlength=len(self.cut_R))[self.row_T]
            first_T = torch.searchsorted(self.row_E, self.row_T)
            target = torch.repeat_interleave(counts_T)
            within = torch.arange(len(target), device=ids.device) - (counts_T.cumsum(0) - counts_T)[target]
            at = first_T[target] + within
            keys = torch.arange(len(ids), device=ids.device)[:, None] * self.width + ids
            found, columns = _found(keys, target * self.width + self.item_E[at])
            return Hits(at[found], target[found], columns, len(ids))
        if ids.dim() == 1:
            found, columns = _found(ids, self.item_E)
        else:
            keys = torch.arange(sequences, device=ids.device)[:, None] * self.width + ids
            found, columns = _found(keys, self.sequence_R[self.row_E] * self.width + self.item_E)
        return Hits(found, self.row_E[found], columns, len(self.cut_R))

    def _of_targets(self, values: Tensor) -> Tensor:
        """(T, K) of what is for each row, or for each target already."""
        return values if len(values) == len(self.row_T) else values.index_select(0, self.row_T)

    def own_column(self, states_TD: Tensor, own_MD: Tensor, temperature: float) -> Tensor:
        """(T, 1) logsumexp of the scores of the user's own items but the target; ``-inf`` where there is none.

        It is the sum over all of them less the target, in float64. Where the target is nearly the whole sum the rest is
        nothing beside it, in the loss too, which has the target's score.
        """
        first_R = torch.searchsorted(self.row_T, torch.arange(len(self.cut_R), device=states_TD.device))
        score_E = ragged_products(states_TD[first_R], self.row_E, own_MD, self.at_E)
        if self.features_NF is not None:
            score_E = score_E + self._of_items(self.cut_R[self.row_E] * self.width + self.item_E)
        if self._own_weights is not None:
            score_E = score_E + self._own_weights.of_own(self.bins_EN)
        score_E = score_E.double() / temperature
        top_R = score_E.new_full((len(self.cut_R),), -math.inf).scatter_reduce(0, self.row_E, score_E.detach(), "amax")
        part_E = (score_E - top_R[self.row_E]).exp()
        sum_R = part_E.new_zeros(len(self.cut_R)).index_add(0, self.row_E, part_E)
        at_T, own_T = self._own_targets
        rest_T = sum_R[self.row_T]
        if len(part_E):
            rest_T = rest_T - torch.where(own_T, part_E[at_T], 0)
        none_T = rest_T <= LEAST_REST * sum_R[self.row_T]
        column_T = torch.where(none_T, 1, rest_T).log() + top_R[self.row_T].masked_fill(none_T, 0)
        return column_T.masked_fill(none_T, -math.inf).to(states_TD.dtype).unsqueeze(1)

    @property
    def _own_targets(self) -> tuple[Tensor, Tensor]:
        """(T,) where the target would be among E, and whether it is there."""
        keys_E, keys_T = self.row_E * self.width + self.item_E, self.row_T * self.width + self.targets_T
        at_T = torch.searchsorted(keys_E, keys_T).clamp_(max=max(len(keys_E) - 1, 0))
        return at_T, keys_E[at_T] == keys_T if len(keys_E) else torch.zeros_like(keys_T, dtype=torch.bool)

    @property
    def _own_weights(self) -> TermWeights | None:
        return self.weights if self.weights is not None and self.weights.own_W is not None else None

    def _of_items(self, at: Tensor) -> Tensor:
        assert self.features_NF is not None
        assert self.weights is not None
        return self.weights.of_items(self.features_NF.index_select(0, at.reshape(-1))).view(at.shape)


def _found(keys: Tensor, asked_E: Tensor) -> tuple[Tensor, Tensor]:
    """Each occurrence of ``asked_E`` among ``keys``, (K,) or (N, K): its place among E, and the column."""
    flat, order = keys.reshape(-1).sort(stable=True)
    low, high = (torch.searchsorted(flat, asked_E, right=right) for right in (False, True))
    at = torch.repeat_interleave(high - low)
    within = torch.arange(len(at), device=at.device) - ((high - low).cumsum(0) - (high - low))[at]
    return at, order[low[at] + within] % keys.shape[-1]


def temperature_of(miner: Miner) -> float:
    """What a miner divides scores by before it corrects or selects."""
    if isinstance(miner, Chain):
        return math.prod(temperature_of(each) for each in miner.steps)
    return miner.temperature if isinstance(miner, Temperature) else 1.0
