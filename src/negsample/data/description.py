"""A dataset in figures, with the paper's Table 2, as text for the terminal."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from negsample.data.dataset import Dataset
from negsample.data.manifest import CohortFacts, Manifest
from negsample.data.moments import TrainWindow, counting_cuts, predicted_from, unknown_from
from negsample.data.popularity import COHORTS
from negsample.settings import RunSettings, run_settings

_LEFT_OUT = (
    "What needs a split in time is left out: the terms that are fitted after training, the baselines RecentPop and "
    "Terms, methods that draw by recent popularity, and the age of the models. Repeat and RepeatRecent end with what "
    "is popular of all time."
)


def no_future(not_in_time: str | None) -> list[str]:
    """Why nothing about the future follows from what is measured on a dataset, and what is left out; see
    :class:`~negsample.data.manifest.Manifest`."""
    return [] if not_in_time is None else [not_in_time, _LEFT_OUT]


class Description(NamedTuple):
    """``facts``: (label, value) in the order to print them. ``cohorts``: head, mid and tail, with their items, these in
    % of the catalogue, MPU in %, and test events in % of all."""

    facts: list[tuple[str, str]]
    cohorts: list[tuple[str, ...]]


def describe(dataset: Dataset, settings: RunSettings | None = None) -> Description:
    """The figures of ``dataset``, and of its part that a model with ``settings`` (None: the defaults) sees."""
    about, model = dataset.manifest, settings or run_settings()
    measured, by_rows = about.test_events - about.test_events_without_history, model.training.targets == "rows"
    seen, days = seen_in_training(dataset, model), model.training.train_window
    late = "" if days is None else f", one in the last {days:g} days"
    repeats = _of(about.repeat_test_events[model.evaluation.history], measured)
    events, tests = about.events, about.test_events
    facts = [
        ("users", f"{about.users:,}"),
        ("items", f"{about.items:,}"),
        ("events", f"{events:,}"),
        ("time", _span(about)),
        ("train events", f"{about.train_events:,}{_moment(' before', about.valid_start)}"),
        ("validation events", f"{about.valid_events:,}{_moment(' from', about.valid_start)}"),
        ("test events", f"{tests:,}{_moment(' from', about.test_start)}"),
        ("train events used in training", f"{_of(seen['events'], about.train_events)} at {seen['with']}"),
        (
            "users used in training",
            f"{seen['users']:,} with two train {'events' if by_rows else 'times'} or more{late}",
        ),
        ("test events of users without history", _of(about.test_events_without_history, tests)),
        ("cold items", f"{_of(about.cold_items, about.items)} in no train event"),
        (
            "test events on cold items",
            f"{_of(about.cold_test_events, tests)}, whose vectors are not trained without a refit",
        ),
        ("repeats in test", f"{repeats} of the events of users with history: the user had the item before"),
        ("events at the same time as another of the user", _of(round(about.tie_share * events), events)),
    ]
    if about.weight is not None:
        facts.append(("weights", f"popularity in training and the loss count an event by column '{about.weight}'"))
    if about.dropped_cold_events:
        dropped = f"{about.dropped_cold_events:,} on {about.dropped_cold_items:,} items"
        facts.append(("cold events dropped", dropped))
    return Description(facts, [_cohort(name, about.cohorts[name], tests) for name in COHORTS])


def seen_in_training(data: Dataset, settings: RunSettings) -> dict[str, Any]:
    """What of the train part is seen in training: ``users`` who have a target, ``events`` that are an input or a
    target, and ``with`` which settings. With a horizon: those of all epochs together."""
    training, longest = settings.training, settings.model.max_length
    cuts, within = counting_cuts(training.targets), TrainWindow.of(data, training.train_window)
    first, ends = np.asarray(data.offsets[:-1]), np.asarray(data.train_ends)
    some = ends - first >= 2
    if within is not None:
        some[some] = data.times[ends[some] - 1] >= within.start
    first, ends = first[some], ends[some]
    stops = unknown_from(data.times, ends - 1, first, cuts)
    first, ends, stops = (each[stops > first] for each in (first, ends, stops))
    starts = np.maximum(first, stops - longest)
    if training.windows == "all":  # whole windows back from the last input to that of the first target
        target = predicted_from(data.times, first, ends, cuts)
        if within is not None:
            target = np.maximum(target, within.first(data.times, first, ends))
        state = unknown_from(data.times, target, first, cuts) - 1
        starts = np.maximum(first, stops - longest * ((stops - 1 - state) // longest + 1))
    how = f"max_length {longest}" + (", windows all" if training.windows == "all" else "")
    how += f", targets {training.targets}" if training.targets != "rows" else ""
    how += f", train_window {training.train_window:g}" if training.train_window is not None else ""
    return {"users": len(first), "events": int((ends - starts).sum()), "with": how}


def _cohort(name: str, facts: CohortFacts, tests: int) -> tuple[str, ...]:
    percents = (100 * facts.item_share, facts.mpu, 100 * facts.test_events / tests)
    return name, f"{facts.items:,}", *("none" if each is None else _significant(each) for each in percents)


def _of(count: int, total: int) -> str:
    return f"{count:,} ({_significant(100 * count / total)} %)"


def _significant(value: float) -> str:
    """``value`` with one decimal from 1 up, and with two significant digits below."""
    if value == 0 or value >= 1:
        return f"{value:.1f}" if value else "0"
    return f"{value:.{1 - math.floor(math.log10(value))}f}"


def _span(about: Manifest) -> str:
    if about.first_time is None or about.last_time is None:
        return "none: events have an order alone"
    return f"{about.first_time[:10]} to {about.last_time[:10]}"


def _moment(word: str, moment: str | None) -> str:
    return "" if moment is None else f"{word} {moment.removesuffix('T00:00:00').replace('T', ' ')}"
