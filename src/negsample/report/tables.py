"""The page's small tables: frontiers, significance by family, failures, tuning, settings, cohorts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from negsample.analysis.frontier import Standing
from negsample.analysis.measures import COHORTS, FAMILIES
from negsample.analysis.significance import Comparisons, Difference
from negsample.analysis.study import Study
from negsample.analysis.tables import TableRow
from negsample.models.baselines import is_baseline
from negsample.report.claims import p_text
from negsample.report.formats import commas, listed, memory, named, pairs, percent, seconds, share, value_text
from negsample.report.table import ShownTable
from negsample.runs.tunings import TuningSummary

_FEW = 6  # values that are listed one by one; more are shown by their ends


def standing_table(standings: Sequence[Standing]) -> ShownTable:
    """Who stands where over all settings of the dial, in %, the largest hypervolume first."""
    headings = (
        *("Method, over all settings", "Hypervolume, %", "90 % interval", "Largest, % of resamples"),
        *("Highest at Balance, %", "Dominated, % of resamples", "Adds, %"),
    )
    lines = [
        (
            each.method,
            f"{100 * each.hypervolume:.3f}",
            f"{100 * each.low:.3f} to {100 * each.high:.3f}",
            f"{100 * each.best:.0f}",
            ", ".join(stretch(*ends) for ends in each.leads) or "nowhere",
            f"{100 * (1 - each.undominated):.0f}",
            f"{100 * each.adds:.1f}",
        )
        for each in sorted(standings, key=lambda each: -each.hypervolume)
    ]
    return ShownTable("Frontiers over all settings of the dial", headings, lines, methods=True)


def stretch(low: float, high: float) -> str:
    """``33 to 46``, in %."""
    first, last = f"{100 * low:.0f}", f"{100 * high:.0f}"
    return first if first == last else f"{first} to {last}"


def families_table(tests: Comparisons) -> ShownTable:
    """How many comparisons of each family are significant, and which are borderline."""
    lines = []
    for family in FAMILIES:
        found = [each for each in tests.found if each.family == family]
        tested = [each for each in found if each.p is not None]
        near = [_borderline(each) for each in tested if each.borderline]
        counts = (len(found), sum(each.significant for each in tested), len(found) - len(tested))
        lines.append((family, *map(str, counts), "; ".join(near) if len(near) <= _FEW else str(len(near))))
    headings = ("Family", "Comparisons", "Significant", "Not tested", "Borderline")
    shown = lines if tests.found else ()
    return ShownTable("Significance by family of comparisons", headings, shown, kind="text claims")


def _borderline(each: Difference) -> str:
    return f"`{each.a}` and `{each.b}`, {each.scope} ({p_text(each.p_holm or 0.0)})"


def failure_lines(study: Study, dataset: str) -> list[tuple[str, str, list[str]]]:
    """The methods with failed runs on ``dataset``, in the study's order: how many failed, and why, with the seeds."""
    found = []
    for method in study.about["methods"]:
        failed = [each for each in study.failures_of(dataset) if each.method == method]
        if not failed:
            continue
        finished = len(study.runs_of(dataset, method))
        runs = f"{len(failed)} of {len(failed) + finished} runs failed"
        rest = "; its figures are means over the others" if finished else ""
        seeds: dict[str, list[str]] = {}
        for each in failed:
            seeds.setdefault(each.reason, []).append(str(each.seed))
        reasons = [f"seed{'s' * (len(of) > 1)} {', '.join(of)}: {reason}" for reason, of in seeds.items()]
        found.append((method, runs + rest, reasons))
    return found


def tuning_table(tunings: Sequence[TuningSummary]) -> ShownTable:
    """A line a method: what its search was, and what it chose."""
    headings = ("Method", "Trials", "Pruned", "Failed", "Time", "Searched", "Chosen", "Validation HR@10")
    lines = [
        (
            tuning.method,
            f"{len(tuning.of_state('complete'))} of {tuning.planned}",
            str(len(tuning.of_state("pruned"))),
            str(len(tuning.of_state("failed"))),
            seconds(tuning.seconds),
            "; ".join(f"{name} {text}" for name, text in _searched(tuning).items()) or "nothing",
            "nothing: no trial is complete" if tuning.best is None else pairs(tuning.best.params, short=True),
            "n/a" if tuning.best is None else percent(tuning.best.value),
        )
        for tuning in tunings
    ]
    return ShownTable("How each method was tuned", headings, lines, methods=True, kind="text")


def budget_words(study: Study, tunings: Sequence[TuningSummary], methods: Sequence[str]) -> str:
    """Whether all methods had the same budget of trials; ``methods``: the trained ones of the dataset."""
    different = sorted({(each.planned, each.epochs) for each in tunings})
    budgets = [f"{trials} trials of at most {epochs} epochs" for trials, epochs in different]
    same = len(budgets) == 1
    text = f"Budget of each method: {budgets[0]}." if same else f"Budgets differ: between {listed(budgets)}."
    short = [f"{each.method} ({len(each.trials)})" for each in tunings if len(each.trials) < each.planned]
    text += f" Not finished: {named(short)}." if short else ""
    never = [method for method in methods if method not in {each.method for each in tunings}]
    if study.published_settings:
        text += " The runs have the published settings, and not these."
    elif never:
        text += f" Not tuned: {named(never)}."
    return f"{text} Chosen by the best HR@10 on validation; test events were not used."


def _searched(tuning: TuningSummary) -> dict[str, str]:
    return tuning.space or {name: _range(values) for name, values in tuning.searched().items()}


def _range(values: Sequence[Any]) -> str:
    texts = [value_text(value) for value in values]
    return ", ".join(texts) if len(texts) <= _FEW else f"{texts[0]} to {texts[-1]}"


def settings_table(study: Study, rows: Sequence[TableRow]) -> ShownTable:
    """How each method of the table was run; settings are named where they differ from the study's."""
    headings = ("Method", "Dataset", "Negatives", "Other settings", "Seeds", "Chosen epochs", "A run took", "Memory")
    lines = [_settings_line(study, row) for row in rows if not is_baseline(row["method"])]
    return ShownTable("Settings of each method", headings, lines, methods=True, kind="text")


def _settings_line(study: Study, row: TableRow) -> tuple[str, ...]:
    runs = study.runs_of(row["dataset"], row["method"])
    config, usual = runs[0].config, study.about["settings"]
    differing = {key: value for key, value in config["settings"].items() if value != usual.get(key)}
    steps, peak = row["steps_per_second"], row["peak_memory_bytes"]
    return (
        row["method"],
        row["dataset"] if len(study.datasets()) > 1 else "",
        pairs(config["negatives"]),
        pairs(differing) if differing else "as above",
        listed([str(run.config["seed"]) for run in runs]),
        listed([str(run.metrics["best_epoch"]) for run in runs]),
        seconds(row["train_seconds"]) + ("" if steps is None else f", {steps:.0f} steps a second"),
        "" if peak is None else memory(peak),
    )


def cohort_table(manifest: Mapping[str, Any]) -> ShownTable:
    """The cohorts of a dataset; MPU stands in % in the manifest."""
    lines = []
    for name, facts in ((name, manifest["cohorts"][name]) for name in COHORTS):
        mpu = "n/a" if facts["mpu"] is None else share(facts["mpu"] / 100)
        lines.append((name, commas(facts["items"]), share(facts["item_share"]), commas(facts["train_events"]), mpu))
    return ShownTable("Popularity cohorts", ("Cohort", "Items", "Share of items", "Train events", "MPU"), lines)
