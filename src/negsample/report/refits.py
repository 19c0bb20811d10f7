"""How old models are when they are tested, and what a refit was worth."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from negsample.analysis.study import Study
from negsample.report.formats import SPACE, listed, with_sd
from negsample.report.table import ShownTable
from negsample.runs.folder import Run


def age_words(study: Study, dataset: str) -> str:
    """What the tested models of ``dataset`` were trained on, and their age; empty where no run says."""
    said = []
    for refitted, trained_on in ((False, "on train alone"), (True, "anew on train and validation (refit)")):
        runs = [run for run in _aged(study.runs_of(dataset)) if bool(run.metrics["refit"]) is refitted]
        ages = dict.fromkeys(f"{run.metrics['age_days']:.3g}{SPACE}days" for run in runs)
        if runs:
            said.append(f"{trained_on}: {listed(list(ages))} old at test")
    if not said:
        return ""
    return (
        f"Models were trained {listed(said)} (median over the test events since the last event they were trained on)."
    )


def refit_table(study: Study, dataset: str) -> ShownTable:
    """NDCG@10 on test of each method before and after its refit, mean and standard deviation over its runs."""
    headings = ("Method", "NDCG@10 before the refit", "After", "Change")
    lines = []
    for method in study.methods_of(dataset):
        runs = [run for run in _aged(study.runs_of(dataset, method)) if run.metrics["refit"]]
        pairs = [tuple(run.metrics[part]["ndcg@10"] for part in ("test_before_refit", "test")) for run in runs]
        known = [pair for pair in pairs if None not in pair]
        if known:
            changes = [after - before for before, after in known]
            lines.append((method, *map(_mean, (*zip(*known, strict=True), changes))))
    return ShownTable("What the refit gave, on test", headings, lines, methods=True)


def _aged(runs: Sequence[Run]) -> list[Run]:
    """Those that say how old their model is: trained ones, but for those of earlier versions."""
    return [run for run in runs if run.metrics.get("age_days") is not None]


def _mean(values: Sequence[float]) -> str:
    return with_sd(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None)
