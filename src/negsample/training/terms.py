"""What is known at the time of each target of a batch, and what it adds to the scores of a step."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from negsample.batches.device import may_ask
from negsample.batches.packed import Batch
from negsample.miners import Chain, Miner, Temperature
from negsample.models.terms import OWN_KINDS, TermWeights
from negsample.training.own import OwnItems
from negsample.training.own_scores import logsumexp_of_own
from negsample.training.products import LOWEST


class StepTerms(NamedTuple):
    """Of a batch's targets, the G groups of them of one sequence and time, and the Q pairs of sequence and cut.

    Attributes:
        weights: what is known is weighed by; None: only exact own items are asked for.
        features_NF: of all items as of all cuts, see :class:`~negsample.scoring.lately.Lately`; None: no term has any.
        width: V + 1.
        exact: own items are negatives each with its score, and drawn ones are left out.
        of: what is known of another batch.
        own: what the users had before; None: nothing asks for it.
        targets_T: the batch's.
        group_T: of each target, ascending.
        pair_G: of each group, ascending.
        sequence_Q: of each pair.
        cut_U: the cuts of the batch.
        cut_Q: which of them is the latest at or before the times of each pair.
        cuts: those of ``cut_U`` as numbers, which a GPU need not be asked for.
    """

    weights: TermWeights | None
    features_NF: Tensor | None
    width: int
    exact: bool
    of: Callable[[Batch], StepTerms]
    own: OwnItems | None
    targets_T: Tensor
    group_T: Tensor
    pair_G: Tensor
    sequence_Q: Tensor
    cut_U: Tensor
    cut_Q: Tensor
    cuts: Sequence[int]

    @property
    def exact_items(self) -> Tensor:
        """The own items that are negatives, by sequence."""
        return self.own.item_M if self.exact and self.own is not None else self.targets_T[:0]

    def exact_of(self, first: int, last: int) -> slice:
        """Where those of sequences ``first .. last - 1`` are among them."""
        return slice(0) if self.own is None else slice(*self.own.offsets[[first, last]].tolist())

    def of_targets(self) -> Tensor | float:
        """(T,) what is added to the targets' scores."""
        added = self._replace(exact=False).of_negatives(self.targets_T[:, None], -1)
        return added.squeeze(1) if isinstance(added, Tensor) else added

    def of_cuts(self, ids: Tensor) -> Tensor | None:
        """(U, K) what is added for many shared ids as of each cut; None: no term has features."""
        if self.features_NF is None or self.weights is None:
            return None
        features = self.features_NF.view(-1, self.width, self.features_NF.shape[1])
        of_cuts_UV: Tensor = _OfCuts.apply(  # type: ignore[no-untyped-call]
            self.weights.of_features(), features, self.cuts
        )
        return of_cuts_UV.index_select(1, ids)

    def of_negatives(self, ids: Tensor, sequences: int, of_cuts_UK: Tensor | None = None) -> Tensor | float:
        """(T, K) what is added to the scores of these ids, shared (K,), per sequence (B, K) or per target (T, K).

        ``of_cuts_UK``: of shared ids as of each cut, where it is known.
        """
        added: Tensor | float = 0.0
        if self.features_NF is not None:
            begins_U, begins_Q = self.cut_U * self.width, self.cut_U[self.cut_Q] * self.width
            if ids.dim() == 1:
                of_cuts_UK = self._of_items(begins_U[:, None] + ids) if of_cuts_UK is None else of_cuts_UK
                added = of_cuts_UK.index_select(0, self.cut_Q[self._pairs])
            elif len(ids) == sequences:
                of_pairs = self._of_items(begins_Q[:, None] + ids[self.sequence_Q])
                added = of_pairs.index_select(0, self._pairs)
            else:
                added = self._of_items(begins_Q[self._pairs][:, None] + ids)
        if self._own_weights is None or self.exact:
            return added
        return added + self._of_own(self._own_weights, ids, sequences)

    def are_own(self, ids: Tensor, sequences: int) -> tuple[Tensor, Tensor]:
        """(N, K) whether an id is the user's own, and the row of each target: that of its group, or its own one."""
        assert self.own is not None
        first = self._of_ids(self.own, self.own.first_M1, ids, sequences)
        if ids.dim() == 2 and len(ids) != sequences:
            return first <= self.group_T[:, None], torch.arange(len(ids), device=ids.device)
        groups = torch.arange(len(self.pair_G), dtype=first.dtype, device=ids.device)
        return first.index_select(0, self.sequence_Q[self.pair_G]) <= groups[:, None], self.group_T

    def own_column(self, states_TD: Tensor, own_MD: Tensor, temperature: float) -> Tensor:
        """(T,) logsumexp of the scores of the user's own items but the target; ``-inf`` where there is none."""
        assert self.own is not None
        table = states_TD.new_zeros(OWN_KINDS) if self._own_weights is None else self._own_weights.own_table()
        added_X = None
        if self.features_NF is not None:
            of_pairs = self._of_items(self.own.at_X)
            added_X = of_pairs.new_zeros(self.own.pair_cells).index_copy(0, self.own.cell_X, of_pairs)
        asked = self.own, self.group_T, self.pair_G, temperature
        return logsumexp_of_own(states_TD, own_MD, F.pad(table, (1, 0), value=LOWEST), added_X, *asked)

    def _of_own(self, weights: TermWeights, ids: Tensor, sequences: int) -> Tensor:
        """(T, K) what is added for those of the ids that are the user's own."""
        assert self.own is not None
        none = len(self.own.item_M)
        places_TK = self._of_ids(self.own, torch.arange(none + 1, device=ids.device), ids, sequences)
        if ids.dim() == 1 or len(ids) == sequences:
            places_TK = places_TK.index_select(0, self._sequences)
        table, bins = F.pad(weights.own_table(), (1, 0)), self.own.bin_C
        if not may_ask(ids.device):  # which they are
            at_TK = self.own.cell_G.index_select(0, self.group_T)[:, None] + places_TK
            at_TK = torch.where(places_TK < none, at_TK, len(bins))
            bins_TK = F.pad(bins, (0, 1)).index_select(0, at_TK.flatten())  # 0, which adds nothing, for all others
            return table.index_select(0, bins_TK).view(places_TK.shape)
        target_H, column_H = torch.nonzero(places_TK < none, as_tuple=True)
        at_H = self.own.cell_G[self.group_T[target_H]] + places_TK[target_H, column_H]
        added_H = table.index_select(0, bins[at_H])
        return torch.zeros(places_TK.shape, device=ids.device).index_put((target_H, column_H), added_H)

    def _of_ids(self, own: OwnItems, values_M1: Tensor, ids: Tensor, sequences: int) -> Tensor:
        """See :meth:`OwnItems.of_ids`: for ids per target of each, else of each sequence."""
        if ids.dim() == 2 and len(ids) != sequences:
            return own.of_ids(values_M1, ids, self._sequences, self.width)
        return own.of_ids(values_M1, ids, torch.arange(sequences, device=ids.device), self.width)

    @property
    def _own_weights(self) -> TermWeights | None:
        return self.weights if self.weights is not None and self.weights.own_W is not None else None

    @property
    def _pairs(self) -> Tensor:
        """(T,) of each target."""
        return self.pair_G[self.group_T]

    @property
    def _sequences(self) -> Tensor:
        """(T,) of each target."""
        return self.sequence_Q[self._pairs]

    def _of_items(self, at: Tensor) -> Tensor:
        assert self.features_NF is not None
        assert self.weights is not None
        flat, features = at.reshape(-1), self.features_NF
        if features.device.type == "cpu":  # numpy takes rows twice as fast
            return self.weights.of_items(torch.from_numpy(features.numpy().take(flat.numpy(), 0))).view(at.shape)
        return self.weights.of_items(features.index_select(0, flat)).view(at.shape)


class _OfCuts(torch.autograd.Function):
    """(U, V + 1) products of weights and the features as of some cuts, of which no copy is made."""

    @staticmethod
    def forward(ctx: Any, weights_F: Tensor, features_CVF: Tensor, cuts: list[int]) -> Tensor:
        ctx.features_CVF, ctx.cuts = features_CVF, cuts
        found = features_CVF.new_empty(len(cuts), features_CVF.shape[1])
        for cut, row in zip(cuts, found, strict=True):
            torch.mv(features_CVF[cut], weights_F, out=row)
        return found

    @staticmethod
    def backward(ctx: Any, gradient_UV: Tensor) -> tuple[Tensor, None, None]:
        of_weights = gradient_UV.new_zeros(ctx.features_CVF.shape[2])
        for cut, row in zip(ctx.cuts, gradient_UV, strict=True):
            of_weights.addmv_(ctx.features_CVF[cut].T, row)
        return of_weights, None, None


def temperature_of(miner: Miner) -> float:
    """What a miner divides scores by before it corrects or selects."""
    if isinstance(miner, Chain):
        return math.prod(temperature_of(each) for each in miner.steps)
    return miner.temperature if isinstance(miner, Temperature) else 1.0
