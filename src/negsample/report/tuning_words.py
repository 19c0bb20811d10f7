"""How each method was tuned: a line a method, and whether the budget was the same for all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from negsample.analysis.formats import listed, percent, seconds
from negsample.report.tuning_charts import shown
from negsample.runs.tunings import TuningSummary


class Tuned(NamedTuple):
    """One method's row, as texts."""

    method: str
    colour: str
    trials: str
    pruned: str
    failed: str
    time: str
    searched: str
    chosen: str
    value: str


_LISTED = 6  # values; more are told by their ends


def tuned_lines(tunings: Sequence[TuningSummary], looks: Any) -> list[Tuned]:
    """The rows of one dataset, in the study's order."""
    return [
        Tuned(
            tuning.method,
            looks[tuning.method].colour,
            f"{len(tuning.of_state('complete'))} of {tuning.planned}",
            str(len(tuning.of_state("pruned"))),
            str(len(tuning.of_state("failed"))),
            seconds(tuning.seconds),
            "; ".join(f"{name} {text}" for name, text in _searched(tuning).items()) or "nothing",
            "nothing: no trial is complete"
            if tuning.best is None
            else ", ".join(f"{name} {shown(value)}" for name, value in tuning.best.params.items()),
            "n/a" if tuning.best is None else percent(tuning.best.value),
        )
        for tuning in tunings
    ]


def budget_words(tunings: Sequence[TuningSummary], methods: Sequence[str], *, used: bool = True) -> str:
    """Whether all methods had the same budget of trials, and what that was in time.

    ``methods``: the trained ones of the dataset. ``used``: whether the runs have the settings that were found.
    """
    budgets = sorted({(tuning.planned, tuning.epochs) for tuning in tunings})
    told = [_budget(*each) for each in budgets]
    if len(tunings) == 1:
        text = f"{tunings[0].method} had {told[0]}, and took {seconds(tunings[0].seconds)}."
    else:
        ordered = sorted(tunings, key=lambda tuning: tuning.seconds)
        least, most = ordered[0], ordered[-1]
        text = (
            f"The budget was the same for each of the {len(tunings)} methods: {told[0]}."
            if len(budgets) == 1
            else f"The budget was not the same for all methods: between {listed(told)}."
        )
        text += (
            f" In time it came to {seconds(least.seconds)} for {least.method} and {seconds(most.seconds)} for"
            f" {most.method}: trials are counted, not seconds."
        )
    short = [
        f"{tuning.method} ({len(tuning.trials)} of {tuning.planned})"
        for tuning in tunings
        if len(tuning.trials) < tuning.planned
    ]
    if short:
        text += f" Not finished: {listed(short)}."
    never = [method for method in methods if method not in {tuning.method for tuning in tunings}]
    if not used:
        text += " It shows how validation answers to the settings; the runs have the published ones."
    elif never:
        text += f" Not tuned: {listed(never)}."
    return text + " The objective was the best HR@10 on validation; no test event was looked at."


def _budget(planned: int, epochs: int) -> str:
    return (
        f"{planned} {'trial' if planned == 1 else 'trials'} of at most {epochs} {'epoch' if epochs == 1 else 'epochs'}"
    )


def _searched(tuning: TuningSummary) -> dict[str, str]:
    return tuning.space or {name: _range(values) for name, values in tuning.searched().items()}


def _range(values: Sequence[Any]) -> str:
    """Few values one by one, many by their ends."""
    texts = [shown(value) for value in values]
    return ", ".join(texts) if len(texts) <= _LISTED else f"{texts[0]} to {texts[-1]}"
