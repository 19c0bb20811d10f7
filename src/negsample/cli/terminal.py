"""What a person sees on the terminal: tables and progress. Torch is loaded only by what trains."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from negsample.analysis.measures import ALONE, kinds_of
from negsample.cli.tables import counted, show_facts, show_table, table_of
from negsample.data.dataset import Dataset
from negsample.data.description import describe, no_future
from negsample.data.popularity import COHORTS, MPU
from negsample.evaluation.metrics import MetricKind

if TYPE_CHECKING:
    from negsample.analysis.study import Study
    from negsample.settings import RunSettings
    from negsample.studies.tuning_task import Tuning

_STUDY_COLUMNS = {
    "method": "method",
    "hr@10": "HR@10",
    **{f"{cohort}_hr@10": cohort for cohort in COHORTS},
    "ndcg@10": "NDCG@10",
    "balance@10": "Balance",
    "coverage@10": "cov.",
}
_SPREAD_SHOWN = ("hr@10", "ndcg@10", "balance@10")


def print_dataset(out: Console, data: Dataset, settings: RunSettings | None = None) -> None:
    """Its counts, what a model with ``settings`` (None: the defaults) sees of it, and the paper's Table 2 for it."""
    about = describe(data, settings)
    out.print(Text(data.name, style="bold"))
    for note in data.manifest.notes:
        loud = "bold" if note == data.manifest.not_in_time else None
        out.print(f"  {note}", highlight=False, markup=False, style=loud)
    show_facts(out, about.facts)
    cohorts = table_of("cohort", "items", "items %", "MPU %", "test events %")
    for row in about.cohorts:
        cohorts.add_row(*row)
    show_table(out, cohorts)
    out.print(f"  {MPU}", style="dim", highlight=False)


def print_metrics(out: Console, method: str, metrics: Mapping[str, Any]) -> None:
    """The test figures of one run."""
    from negsample.report.baselines import choice_words
    from negsample.report.refits import terms_words

    test = metrics["test"]
    table = table_of(f"{method}, test, %", "all", "warm", *COHORTS)
    own = {name: f"{name}@10" for name in _own_metrics(test)}
    kinds = {name: MetricKind(**kind) for name, kind in metrics["metric_kinds"].items()}
    for name, label in ({"hr": "HR@10", "ndcg": "NDCG@10", "mrr": "MRR@10"} | own).items():
        keys = (f"{name}@10", f"warm_{name}@10", *(f"{cohort}_{name}@10" for cohort in COHORTS))
        table.add_row(label, *(_figure(test[key], kinds.get(name)) for key in keys))
    warm = test["events"] - test["cold_events"]
    counts = (test["events"], warm, *(test[f"{cohort}_events"] for cohort in COHORTS))
    table.add_row("events", *(f"{count:,}" for count in counts))
    show_table(out, table)
    _print_kinds(out, kinds)
    balance, coverage = _percent(test["balance@10"], 1), _percent(test["coverage@10"], 1)
    out.print(
        f"Balance@10 {balance} %, coverage@10 {coverage} %, best epoch {metrics['best_epoch']}, "
        f"{metrics['train_seconds']:.1f} s of training",
        highlight=False,
    )
    if metrics["steps_per_second"] is not None:
        age = metrics.get("age_days")
        of_age = "" if age is None else f"; median age at test {age:.3g} days"
        out.print(f"{_trained_on(metrics)}{of_age}", highlight=False)
    if chosen := choice_words(metrics):
        out.print(f"Chosen on validation: {chosen}", highlight=False)
    if fitted := terms_words(metrics):
        out.print(f"Fitted on validation: {fitted}", highlight=False)
    if metrics.get("dial_choice", "none") != "none":
        out.print(f"Dial {metrics['dial']:g} (asked for: {metrics['dial_choice']})", highlight=False, markup=False)


def _trained_on(metrics: Mapping[str, Any]) -> str:
    if not metrics["refit"]:
        return "Trained on train alone"
    before = _percent(metrics["test_before_refit"]["ndcg@10"])
    return f"Refitted on train and validation (NDCG@10 before the refit {before} %)"


def _own_metrics(figures: Iterable[str]) -> list[str]:
    """The metrics of plugins among these names of figures; each has a figure of the head."""
    names = [each.removeprefix("head_").removesuffix("@10") for each in figures if re.fullmatch("head_.*@10", each)]
    return [name for name in names if name not in ("hr", "ndcg", "mrr")]


def print_study(out: Console, study: Study) -> None:
    """Test figures in % for each dataset of a study: mean and sd over runs, the best in bold; fits 80 columns. Below
    each table the settings of the dial."""
    kinds, dial = kinds_of(study.runs), study.about.get("dial", "none")
    for (dataset,), rows in study.table().group_by("dataset", maintain_order=True):
        columns = _STUDY_COLUMNS | {f"{name}@10": f"{name}@10" for name in _own_metrics(rows.columns)}
        if fitted := rows[ALONE].is_not_null().any():
            columns.pop("coverage@10")
            columns[ALONE] = "alone"
        spread_shown = _SPREAD_SHOWN[: 2 if fitted else 3]  # the table fits 80 columns
        shown = table_of(*columns.values(), "secs")
        folds = len(study.folds[dataset])
        over = f"the seeds' means over {folds} windows" if folds > 1 else "the runs"
        shown.title = f"{dataset}: test, %, mean ±sd of {over}"
        kind_of = {column: kinds.get(column.removesuffix("@10"), MetricKind()) for column in columns}
        best = {
            column: rows[column].max() if kind_of[column].higher_is_better else rows[column].min()
            for column in columns
            if column != "method"
        }
        for row in rows.iter_rows(named=True):
            cells = [Text(row["method"])]
            if not row["runs"]:
                shown.add_row(*cells, "failed")
                continue
            if row["failed"]:
                cells[0].append(f" ({row['failed']} failed)", style="not bold dim")
            for column, top in best.items():
                digits = 1 if column in ("balance@10", "coverage@10") else 2
                text = _figure(row[column], kind_of[column], digits)
                cell = Text(text, style="bold" if row[column] == top else "")
                spread = row.get(f"{column}_sd")
                if spread is not None and column in spread_shown:
                    cell.append(f" ±{_percent(spread, digits)}", style="not bold dim")
                cells.append(cell)
            shown.add_row(*cells, f"{row['train_seconds']:.0f}")
        show_table(out, shown)
        _print_kinds(out, kinds)
        for words in no_future(study.manifests[str(dataset)].get("not_in_time"))[:1]:
            out.print(words, highlight=False, markup=False, style="bold", soft_wrap=True)
        if fitted:
            out.print("alone: NDCG@10 without the terms that were fitted after training.", highlight=False, style="dim")
        if dial != "none":
            named = [
                f"{row['method']} {row['dial']:g}" for row in rows.iter_rows(named=True) if row["dial"] is not None
            ]
            text = f"dial {dial}, mean of the runs: {', '.join(named)}"
            out.print(text, highlight=False, markup=False, style="dim", soft_wrap=True)


def print_best(out: Console, tuning: Tuning, command: str) -> None:
    """The trials of a search, best first, and the ``command`` that trains the best one's model."""
    trials = tuning.trials()
    table = table_of("trial", *tuning.space, "HR@10", "epoch", "seconds", "")
    for each in sorted(trials, key=lambda trial: (trial.value or 0.0, trial.ndcg or 0.0), reverse=True)[:10]:
        values = (f"{each.params[key]:.4g}" for key in tuning.space)
        state = "" if each.state == "complete" else each.state
        table.add_row(
            str(each.number), *values, _percent(each.value), str(each.best_epoch or "-"), f"{each.seconds:.0f}", state
        )
    show_table(out, table)
    seconds, many = sum(each.seconds for each in trials), counted(len(trials), "trial")
    out.print(f"{many}, {seconds:.0f} s of training; HR@10 is of validation, %.", highlight=False)
    out.print(f"Train it: {command}", highlight=False, markup=False, soft_wrap=True)


def _print_kinds(out: Console, kinds: Mapping[str, MetricKind]) -> None:
    if kinds:
        text = "; ".join(f"{name}: {kind.words}" for name, kind in kinds.items())
        out.print(text, highlight=False, markup=False, style="dim", soft_wrap=True)


def _figure(value: float | None, kind: MetricKind | None, digits: int = 2) -> str:
    if value is None or kind is None or kind.unit == "%":
        return _percent(value, digits)
    return f"{value:,.3f}"


def _percent(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{100 * value:.{digits}f}"
