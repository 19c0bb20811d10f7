"""Hits by how popular the item is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from negsample.analysis.measures import K
from negsample.analysis.per_user import ranks_of
from negsample.analysis.study import Study
from negsample.analysis.tables import common_betas
from negsample.evaluation.metrics import hit
from negsample.models.baselines import is_baseline

Floats = NDArray[np.float64]

_BINS, _IN_A_BIN = 12, 80  # at most, and test events in one at least


def hits_by_popularity(study: Study, dataset: str) -> list[dict[str, Any]]:
    """HR@10 by how popular the item is, for each method at each setting of the dial: mean over its runs;
    over folds, of the events of all of them.

    ``percentile``: share of the train events that are of less popular items. About as many test events in each bin;
    items of one count are never apart. Empty where no test event was measured.
    """
    percentile_E = np.concatenate([each["percentile_E"] for each in study.events[dataset]]).astype(np.float64)
    if not len(percentile_E):
        return []
    bins = int(np.clip(len(percentile_E) // _IN_A_BIN, 3, _BINS))
    edges = _edges(percentile_E, bins)
    bin_E = np.searchsorted(edges, percentile_E, side="left")
    count_B = np.bincount(bin_E, minlength=len(edges) + 1)
    middle_B = np.bincount(bin_E, percentile_E, len(edges) + 1) / np.maximum(count_B, 1)
    rows = []
    for method in study.methods_of(dataset):
        if not (repeats := study.repeats_of(dataset, method)):
            continue
        betas = common_betas(study, study.runs_of(dataset, method))
        ranks_SGE = (np.concatenate([ranks_of(study, run, betas) for run in runs], axis=1) for runs in repeats)
        hits_GE = np.mean([hit(ranks_GE, K) for ranks_GE in ranks_SGE], axis=0)
        for beta, hits_E in zip(betas, hits_GE, strict=True):
            rates_B = np.bincount(bin_E, hits_E, len(edges) + 1) / np.maximum(count_B, 1)
            key = {"method": method, "dial": None if is_baseline(method) else beta}
            bins_B = zip(rates_B.tolist(), middle_B.tolist(), count_B.tolist(), strict=True)
            rows += [key | {"hr": rate, "percentile": at, "events": count} for rate, at, count in bins_B if count]
    return rows


def _edges(percentile_E: Floats, bins: int) -> Floats:
    """Upper ends of the bins but the last: quantiles, without those that leave a bin a fraction of its events.

    Items of one count are one value, so that a quantile can fall just beside a large heap of events.
    """
    least, kept, below = len(percentile_E) / bins / 2, [], 0
    for edge in np.unique(np.quantile(percentile_E, np.arange(1, bins) / bins)):
        up_to = int((percentile_E <= edge).sum())
        if up_to - below >= least and len(percentile_E) - up_to >= least:
            kept.append(float(edge))
            below = up_to
    return np.array(kept)
