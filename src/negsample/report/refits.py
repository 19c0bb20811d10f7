"""How old models are when they are tested, and what was done after training was worth: a refit, fitted terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from negsample.analysis.study import Study
from negsample.analysis.tables import mean_sd
from negsample.report.formats import SPACE, listed, percent, with_sd
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
    """NDCG@10 on test of each method before and after its refit, as in the main table: means over the folds,
    and standard deviations over the seeds."""
    headings = ("Method", "NDCG@10 before the refit", "After", "Change")
    lines = []
    for method in study.methods_of(dataset):
        known = []
        for run in study.runs_of(dataset, method):
            before, after = (run.metrics.get(part, {}).get("ndcg@10") for part in ("test_before_refit", "test"))
            if run.metrics["refit"] and before is not None and after is not None:
                known.append((run, before, after, after - before))
        if known:
            runs, *figures = zip(*known, strict=True)
            lines.append((method, *(_mean(runs, each) for each in figures)))
    return ShownTable("What the refit gave, on test", headings, lines, methods=True)


def terms_table(study: Study, dataset: str) -> ShownTable:
    """NDCG@10 of each method without and with the terms that were fitted after training, and the model's share."""
    headings = ("Method", "Chosen", "Validation without", "With", "Test without", "With")
    lines = []
    for method in study.methods_of(dataset):
        runs = [run for run in study.runs_of(dataset, method) if run.metrics.get("without_terms")]
        found = [
            [of[part]["ndcg@10"] for part in ("valid", "test") for of in (run.metrics["without_terms"], run.metrics)]
            for run in runs
        ]
        known = [(run, *each) for run, each in zip(runs, found, strict=True) if None not in each]
        if known:
            chosen = listed(list(dict.fromkeys(run.metrics["terms"]["chosen"] for run in runs)))
            of, *figures = zip(*known, strict=True)
            lines.append((method, chosen, *(_mean(of, each) for each in figures)))
    return ShownTable("What the terms fitted after training gave, NDCG@10", headings, lines, methods=True)


def terms_words(metrics: Mapping[str, Any]) -> str:
    """What was fitted to validation after training of a run; empty where nothing was."""
    terms = metrics.get("terms") or {}
    if not terms.get("tried"):
        return ""
    chosen = terms["chosen"]
    reached = percent(terms["tried"][chosen])
    if chosen == "as trained":
        return f"terms do not help on validation, so the model is as it was trained (NDCG@10 {reached})"
    before = percent(metrics["without_terms"]["valid"]["ndcg@10"])
    return f"terms, {chosen} of the model (NDCG@10 on validation {before} without, {reached} with)"


def _aged(runs: Sequence[Run]) -> list[Run]:
    """Those that say how old their model is: trained ones, on data that are split in time."""
    return [run for run in runs if run.metrics.get("age_days") is not None]


def _mean(runs: Sequence[Run], values: Sequence[float]) -> str:
    mean, sd = mean_sd(runs, values)
    assert mean is not None, "a run has it"
    return with_sd(mean, sd)
