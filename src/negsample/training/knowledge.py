"""What is known about a batch: how popular items were lately at its targets' times, and what its users had by then."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch import Tensor

from negsample.batches.packed import Batch, upload
from negsample.data.dataset import Dataset
from negsample.data.own import own_before
from negsample.errors import InputError
from negsample.losses import corrected_log_q, sampled_softmax
from negsample.methods import Method
from negsample.models import Backbone
from negsample.models.build import terms_of
from negsample.models.terms import TermWeights, own_bins
from negsample.scoring.lately import lately_of_train
from negsample.settings import RunSettings
from negsample.training.terms import StepTerms


class TermKnowledge:
    """What :class:`StepTerms` are made from: what is known of a dataset at the times of its train events."""

    def __init__(self, weights: TermWeights | None, data: Dataset, exact: bool, device: torch.device) -> None:
        self.weights, self.exact, self._data = weights, exact, data
        self._own = exact or (weights is not None and weights.own_W is not None)
        self._lately = None
        if weights is not None and weights.items_F is not None:
            self._lately = lately_of_train(data, weights.laid)
            self._features_NF = self._lately.features_NF.to(device)

    def of(self, batch: Batch) -> StepTerms:
        """What is known about the targets of ``batch``, of this dataset."""
        if batch.as_of_T is None:
            raise InputError("terms and exact own_items need the time of each target, which this batch does not have")
        as_of_T, device = batch.as_of_T, batch.device
        state_T = torch.arange(len(as_of_T), device=device)
        state_T = state_T if batch.predicted is None else batch.predicted.states_T
        begins = torch.ones(len(as_of_T), dtype=torch.bool, device=device)
        begins[1:] = (state_T[1:] != state_T[:-1]) | (as_of_T[1:] != as_of_T[:-1])
        as_of_R, sequence_R = as_of_T[begins], batch.target_rows[begins]
        lately = self._lately
        none = as_of_R[:0]
        own = (none, none, none[:, None].expand(-1, 4), none, none)
        if self._own:
            own = self._own_of(batch.users_B[sequence_R].cpu().numpy(), as_of_R.cpu().numpy(), device)
        return StepTerms(
            self.weights,
            None if lately is None else self._features_NF,
            self._data.catalogue_size + 1,
            begins.cumsum(0) - 1,
            batch.targets_T,
            sequence_R,
            none.new_zeros(len(as_of_R)) if lately is None else lately.cuts_of(as_of_R),
            *own,
            self.exact,
        )

    def _own_of(
        self, users_R: np.ndarray, times_R: np.ndarray, device: torch.device
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        data = self._data
        until_R = data.first_event_at(users_R, times_R)
        found = own_before(
            data.items, data.times, data.offsets, data.repeats, users_R, until_R, times_R, data.catalogue_size + 1
        )
        to = partial(upload, device=device)
        row_E, item_E, count_E, since_E, length_R = (to(torch.from_numpy(np.ascontiguousarray(each))) for each in found)
        ids_M, at_E = torch.unique(item_E, return_inverse=True)
        return row_E, item_E, own_bins(count_E, since_E, length_R[row_E]), ids_M, at_E


def knowledge_for(
    model: Backbone, method: Method, data: Dataset, settings: RunSettings, device: torch.device
) -> TermKnowledge | None:
    """What a training of ``model`` by ``method`` needs to know about the times of its targets; None: nothing.

    Raises:
        InputError: exact own items are asked for, and the method estimates no softmax over all items.
    """
    weights = terms_of(model)
    able, asked = estimates_softmax(method), settings.training.own_items
    if asked == "exact" and not able:
        raise InputError(
            "own_items=exact is for methods that estimate a softmax over all items (with the log-q correction, or "
            "full-ce), and this method does not; leave it out"
        )
    exact = able and (asked == "exact" or (asked is None and weights is not None and weights.own_W is not None))
    return TermKnowledge(weights, data, exact, device) if exact or weights is not None else None


def estimates_softmax(method: Method) -> bool:
    """Whether the method's loss is a softmax whose negatives stand for all items."""
    return method.loss in (sampled_softmax, corrected_log_q) and (method.merged or "log_q" in method.miner.needs)
