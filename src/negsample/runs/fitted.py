"""What is fitted to validation after training: weights of terms, and the model's share in the score."""

from __future__ import annotations

import copy
import time
from typing import Any, NamedTuple

import torch

from negsample.data.dataset import Dataset
from negsample.evaluation.evaluate import evaluate
from negsample.evaluation.fit_terms import fit_terms
from negsample.models import Backbone
from negsample.models.build import set_terms, terms_of
from negsample.models.terms import TermWeights
from negsample.runs.folder import FittedTerms
from negsample.settings import RunSettings

AS_TRAINED = "as trained"


class Fit(NamedTuple):
    """See :class:`~negsample.runs.folder.FittedTerms`; ``weights``: None as trained."""

    chosen: str
    tried: dict[str, float]
    weights: TermWeights | None
    seconds: float

    def entry(self) -> dict[str, Any]:
        """As ``metrics.json`` has it."""
        weights = {} if self.weights is None else self.weights.entry()
        return FittedTerms(chosen=self.chosen, tried=self.tried, weights=weights, seconds=self.seconds).model_dump()

    def carried(self, before: TermWeights | None, now: TermWeights | None) -> Fit:
        """The same for a model that was trained anew: what the fit added to the weights ``before`` is added to those
        of ``now``. Weights of terms alone are as they were."""
        if before is None or now is None or self.weights is None or self.weights.share == 0:
            return self
        names, weights = self.weights.names, copy.deepcopy(self.weights)
        both = (before.widened(names), now.widened(names))
        with torch.no_grad():
            for parameter, older, newer in zip(
                weights.parameters(), *(each.parameters() for each in both), strict=True
            ):
                parameter.add_(newer - older)
        return self._replace(weights=weights)


def best_terms(model: Backbone, data: Dataset, settings: RunSettings, device: torch.device, as_trained: float) -> Fit:
    """Of ``model`` as it was trained, and with fitted terms at several shares of it, what has the highest NDCG@10 on
    validation; the first of equals. ``as_trained``: that of the first. The model is left as it was."""
    began, trained = time.perf_counter(), terms_of(model)
    chosen, best, tried = AS_TRAINED, None, {AS_TRAINED: as_trained}
    for weights in fit_terms(model, data, settings, device=device):
        set_terms(model, weights)
        found = evaluate(model, data, "valid", settings, device=device, with_top=False, with_groups=False)
        name = f"share {weights.share.item():.3g}"
        tried[name] = found.figures["ndcg@10"]
        if tried[name] > tried[chosen]:
            chosen, best = name, weights
        set_terms(model, trained)
    return Fit(chosen, tried, best, time.perf_counter() - began)


def terms_alone(model: Backbone, data: Dataset, settings: RunSettings, device: torch.device) -> Fit:
    """Of the baseline of that name: there is nothing else to choose from."""
    began = time.perf_counter()
    (weights,) = fit_terms(model, data, settings, device=device, shares=[0])
    return Fit("share 0", {}, weights, time.perf_counter() - began)
