"""What is known about a batch: how popular items were lately at its targets' times, and what its users had by then."""

from __future__ import annotations

import numpy as np
import torch

from negsample.batches.device import upload
from negsample.batches.packed import Batch
from negsample.data.dataset import Dataset
from negsample.errors import InputError
from negsample.losses import corrected_log_q, sampled_softmax
from negsample.methods import Method
from negsample.models import Backbone
from negsample.models.build import terms_of
from negsample.models.terms import TermWeights
from negsample.scoring.lately import lately_of_train
from negsample.settings import RunSettings
from negsample.training.own import Grouped, own_items
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

    def of(self, batch: Batch, there: Batch | None = None) -> StepTerms:
        """What is known about the targets of ``batch``, of this dataset.

        Args:
            batch: a GPU has to be waited for, if it is there.
            there: the same batch where the step is computed. (default: ``batch`` itself)
        """
        there = there or batch
        if batch.as_of_T is None:
            raise InputError("terms and exact own_items need the time of each target, which this batch does not have")
        device, lately = there.device, self._lately
        sequence_T = np.repeat(np.arange(batch.sequences), np.diff(batch.target_offsets))
        group_T, at_G = _runs(sequence_T, as_of_T := batch.as_of_T.cpu().numpy())
        sequence_G, time_G = sequence_T[at_G], as_of_T[at_G]
        cut_G = np.zeros_like(time_G) if lately is None else lately.cuts_of(torch.from_numpy(time_G)).numpy()
        pair_G, at_Q = _runs(sequence_G, cut_G)
        sequence_Q, (cut_U, cut_Q) = sequence_G[at_Q], np.unique(cut_G[at_Q], return_inverse=True)
        own = None
        if self._own:
            users_B, targets_T = batch.users_B.cpu().numpy(), batch.targets_T.cpu().numpy()
            sequences = sequence_T, sequence_G, sequence_Q
            own = own_items(
                self._data, Grouped(users_B, targets_T, *sequences, group_T, pair_G, time_G, cut_U[cut_Q]), device
            )
        numbers = (group_T, pair_G, sequence_Q, cut_U, cut_Q)
        placed = [upload(torch.from_numpy(each), device) for each in numbers]
        features_NF = None if lately is None else self._features_NF
        about = (self.weights, features_NF, self._data.catalogue_size + 1, self.exact, self.of, own, there.targets_T)
        return StepTerms._make((*about, *placed, cut_U.tolist()))


def _runs(*values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The number of the run of equal values that each is in, and where each run begins."""
    begins = np.zeros(len(values[0]), bool)
    begins[:1] = True
    for each in values:
        begins[1:] |= each[1:] != each[:-1]
    return np.cumsum(begins) - 1, np.flatnonzero(begins)


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
