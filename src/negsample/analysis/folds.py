"""How a figure moves from one test window to the next, and within them with the age of a model."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from negsample.analysis.measures import K
from negsample.analysis.per_user import ranks_of
from negsample.analysis.study import POPULAR, Study
from negsample.evaluation.metrics import hit, ndcg
from negsample.runs.folder import Run

_FIGURES = ("hr@10", "ndcg@10", "balance@10")
_DAY = 86400e6  # microseconds
_BINS, _IN_A_BIN = 8, 80  # of the time in a window, and test events in one at least


def folds_table(study: Study) -> pl.DataFrame:
    """One row a (dataset, method, fold) with a finished run, in the study's order; as ``folds.csv``.

    ``test_from``, ``test_to``: the first moment of the window, and its last event. ``runs``: finished, each of another
    seed; a figure is their mean where it is defined, a fraction. ``age_days``: median over the measured test events of
    the time since the last event that the models were trained on; of a rule, since what it knows ended, and null where
    it knows what was before each event.
    """
    rows = [
        {
            **{"dataset": dataset, "method": method, "fold": number},
            **{"test_from": fold["test_start"], "test_to": fold["last_time"], "runs": len(runs)},
            **{name: _mean([run.metrics["test"].get(name) for run in runs]) for name in _FIGURES},
            "age_days": _age_days(runs[0], fold, events),
        }
        for dataset in study.datasets()
        for method in study.methods_of(dataset)
        for number, (fold, events) in enumerate(zip(study.folds[dataset], study.events[dataset], strict=True), 1)
        if (runs := [run for run in study.runs_of(dataset, method) if run.config["dataset"] == fold["name"]])
    ]
    texts, counts = dict.fromkeys(("test_from", "test_to"), pl.String), {"runs": pl.Int64}
    schema = {"dataset": pl.String, "method": pl.String, "fold": pl.Int64, **texts, **counts}
    return pl.DataFrame(rows, schema={**schema, **dict.fromkeys((*_FIGURES, "age_days"), pl.Float64)}, orient="row")


def ndcg_by_time(study: Study, dataset: str) -> list[dict[str, Any]]:
    """NDCG@10 and HR@10 by the time since the test window began, for each method: means over the events of all folds.

    About as many events in each bin, the same for all methods; ``days``: their mean. Of seeds that have finished every
    fold. Empty where the split is not in time, and of a study without folds that was made before it kept times.
    """
    folds = study.events[dataset]
    if not all("time_E" in each and len(each["time_E"]) for each in folds):
        return []
    starts = [_moment(fold["test_start"]) for fold in study.folds[dataset]]
    days_E = np.concatenate([(each["time_E"] - start) / _DAY for each, start in zip(folds, starts, strict=True)])
    bins = int(np.clip(len(days_E) // _IN_A_BIN, 1, _BINS))
    edges = np.unique(np.quantile(days_E, np.arange(1, bins) / bins))
    bin_E = np.searchsorted(edges, days_E, side="left")
    count_B = np.bincount(bin_E, minlength=len(edges) + 1)
    middle_B = np.bincount(bin_E, days_E, len(edges) + 1) / np.maximum(count_B, 1)
    rows = []
    for method in study.methods_of(dataset):
        gains = [
            np.stack([hit(ranks_E, K), ndcg(ranks_E, K)])
            for runs in study.repeats_of(dataset, method)
            for ranks_E in [np.concatenate([ranks_of(study, run, [run.metrics["dial"]])[0] for run in runs])]
        ]
        if gains:
            rates = [np.bincount(bin_E, each_E, len(edges) + 1) / np.maximum(count_B, 1) for each_E in _over(gains)]
            parts = zip(middle_B.tolist(), *(each.tolist() for each in rates), count_B.tolist(), strict=True)
            rows += [
                {"method": method, "days": at, "hr": hits, "ndcg": gain, "events": count}
                for at, hits, gain, count in parts
                if count
            ]
    return rows


def measured(study: Study, dataset: str) -> Mapping[str, Any]:
    """What one run has on test, for its counts of events; over folds, these counts alone, summed up over the folds."""
    runs = {run.config["dataset"]: run.metrics["test"] for run in reversed(study.runs_of(dataset))}
    one: Mapping[str, Any] = runs[next(reversed(runs))]
    if not has_folds(study, dataset):
        return one
    names = [name for name in one if name.endswith("events")]
    return {name: sum(figures[name] for figures in runs.values()) for name in names}


def has_folds(study: Study, dataset: str) -> bool:
    """Whether ``dataset`` was tested on several windows."""
    return study.folds[dataset][0]["fold"] is not None


def _over(gains: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    mean: NDArray[np.float64] = np.mean(gains, axis=0)
    return mean


def _age_days(run: Run, fold: Mapping[str, Any], events: Mapping[str, NDArray[Any]]) -> float | None:
    trained: float | None = run.metrics["age_days"]
    knows_train = run.config["method"] == POPULAR
    if trained is not None or not len(events.get("time_E", ())):
        return trained
    if not knows_train and run.config["settings"].get("history") != "frozen":
        return None
    return float(np.median(events["time_E"] - _moment(fold["valid_start" if knows_train else "test_start"]))) / _DAY


def _moment(text: str) -> int:
    """ISO text of a manifest, UTC, in microseconds since 1970."""
    return (datetime.fromisoformat(text).replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(
        microseconds=1
    )


def _mean(values: list[float | None]) -> float | None:
    known = [float(value) for value in values if value is not None]
    return statistics.fmean(known) if known else None
