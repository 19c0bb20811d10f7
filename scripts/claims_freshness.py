"""What `docs/freshness.md` says in figures, from what `scripts.freshness` and `benchmarks.ensemble` measured."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cache
from statistics import fmean

from scripts.figures_in_docs import ROOT, Claim, Measured, result
from scripts.freshness_page import (
    ANEW,
    NOTHING,
    OFTEN,
    ON,
    REFRESHED,
    SENT,
    by_log,
    figures_table,
    of_later,
    of_window,
    seconds,
)
from scripts.study_runs import Line

BEAUTY, GLOBO = "amazon-beauty-5core", "globo-clicks"
NDCG = "ndcg@10"


@cache
def lines(log: str) -> Sequence[Line]:
    """Of a log, all that was measured."""
    kept = ROOT / "docs/studies/freshness/runs.jsonl"
    return by_log([json.loads(line) for line in kept.read_text("utf-8").splitlines()])[log]


def _of(log: str, way: str, window: int) -> float:
    return fmean(of_window(lines(log), way, window, NDCG))


def _later(log: str, way: str) -> float:
    return fmean(of_later(lines(log), way, NDCG))


def _shares(log: str, way: str, of: str, *windows: int) -> Callable[[], Sequence[str]]:
    """In %, by window."""
    return lambda: [f"{100 * _of(log, way, window) / _of(log, of, window):.0f}" for window in windows]


def _later_shares(log: str, of: str, *ways: str) -> Callable[[], Sequence[str]]:
    """In %, over all windows but the first."""
    return lambda: [f"{100 * _later(log, way) / _later(log, of):.0f}" for way in ways]


def _more_often() -> Sequence[str]:
    """On Globo, with its first seed: in %, over all windows but the first."""
    first = [line for line in lines(GLOBO) if line["seed"] == 0]
    often, once = (fmean(of_later(first, way, NDCG)) for way in (OFTEN, REFRESHED))
    return [f"{100 * often / once:.0f}"]


def _seconds(log: str, *ways: str) -> Callable[[], Sequence[str]]:
    return lambda: [f"{seconds(lines(log), way) or 0:.{1 if way == REFRESHED else 0}f}" for way in ways]


def _on() -> Sequence[str]:
    """Epochs before and after, and what the last update took of a training anew."""
    first, last = (next(each for each in lines(BEAUTY) if (each["way"], each["window"]) == (ON, at)) for at in (1, 5))
    on, anew = (fmean(of_window(lines(BEAUTY), way, 5, "seconds")) for way in (ON, ANEW))
    return [f"{first['epochs']}", f"{last['epochs']}", f"{100 * on / anew:.0f}"]


def _new_items() -> Sequence[str]:
    (line, *_) = [each for each in lines(BEAUTY) if each["window"] == 5]
    return [f"{100 * line['events_on_new_items'] / line['events']:.0f}"]


def _table(log: str) -> Measured:
    return Measured("{}", lambda: ["\n".join(figures_table(lines(log), NDCG))])


def _ensemble(part: str, name: str) -> Callable[[], Sequence[str]]:
    def values() -> list[str]:
        rows = [row for row in result("ensemble.json")["rows"] if row["part"] == part]
        return [f"{100 * row[f'{name}_more']['mean']:.2f}" for row in rows]

    return values


def _ensemble_times() -> Sequence[str]:
    ratios = [row["3_ms"] / row["1_ms"] for row in result("ensemble.json")["times"]]
    return [f"{min(ratios):.1f}", f"{max(ratios):.1f}"]


CLAIMS: Sequence[Claim] = (
    Measured(
        "Left alone, a model of Beauty has {}, {}, {} and {} % of the NDCG@10 of one trained anew in its second to "
        "fifth week.",
        _shares(BEAUTY, NOTHING, ANEW, 2, 3, 4, 5),
    ),
    Measured(
        "Left alone, a model of Globo's news has {} % of the NDCG@10 of a refreshed one in its second hour, {} % in "
        "its fourth and {} % in its eighth.",
        _shares(GLOBO, NOTHING, REFRESHED, 2, 4, 8),
    ),
    Measured(
        "Over the four weeks after the first, nothing has {} % of the NDCG@10 of training anew, histories sent with "
        "the request {} %, refreshing {} %, training on {} %.",
        _later_shares(BEAUTY, ANEW, NOTHING, SENT, REFRESHED, ON),
    ),
    Measured(
        "where the model was trained anew, after two and five hours, refreshing has {} and {} % of its NDCG@10",
        _shares(GLOBO, REFRESHED, ANEW, 3, 6),
    ),
    Measured("In the fifth week {} % of Beauty's events are on items without an event before T0", _new_items),
    _table(BEAUTY),
    _table(GLOBO),
    Measured(
        "On Beauty (200,000 events) a refresh takes {} s, training on {} s in the mean, training anew {} s;",
        _seconds(BEAUTY, REFRESHED, ON, ANEW),
    ),
    Measured(
        "on Globo (3 million events) a refresh takes {} s and training anew {} s", _seconds(GLOBO, REFRESHED, ANEW)
    ),
    Measured(
        "Over the windows after the first, seven refreshes a week instead of one give Beauty {} % of the NDCG@10, four "
        "an hour instead of one give Globo {} % (one seed).",
        lambda: [*_later_shares(BEAUTY, REFRESHED, OFTEN)(), *_more_often()],
    ),
    Measured(
        "NDCG@10 is higher by {}, {} and {} points on validation and by {}, {} and {} points on test",
        lambda: [*_ensemble("valid", NDCG)(), *_ensemble("test", NDCG)()],
    ),
    Measured("An answer takes {} to {} times the CPU time", _ensemble_times),
    Measured("trained on four times, a model of {} epochs had {}, and the last time took {} % of training anew", _on),
)
