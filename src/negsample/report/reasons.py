"""How far to trust a verdict in words: a sentence for each reason, from its numbers alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from negsample.analysis.measures import ACCURACY
from negsample.analysis.significance import POWER
from negsample.analysis.trust import Reason
from negsample.report.cards import figure
from negsample.report.claims import called
from negsample.report.formats import SPACE, commas, listed, percent

_NAMED = 3  # methods; more are counted


def reason_words(reason: Reason) -> str:
    """The sentence of a reason."""
    return _WORDS[reason.what](reason.facts)


def _repeats(facts: Mapping[str, Any]) -> str:
    count = facts["repeats"]
    if count == 0:
        return "A trained method has no seed that finished every window."
    if count == 1:
        return "A trained method has one run: nothing is known of other seeds."
    if count == 2:
        return "A trained method has two runs only: little is known of other seeds."
    return f"Every trained method has {count} runs or more."


def _cut_off(facts: Mapping[str, Any]) -> str:
    where = "the last" if facts["last"] == 1 else f"among the last {facts['last']}"
    how = f"the best epoch on validation is {where} of {facts['epochs']}"
    if facts["stops"]:
        how = f"validation was still improving at the limit of {facts['epochs']} epochs"
    return f"Training was cut off: in {facts['late']} of {facts['runs']} runs {how}."


def _tuned(facts: Mapping[str, Any]) -> str:
    text = f"All {facts['methods']} trained methods were tuned" if facts["methods"] > 1 else "The method was tuned"
    ends = [f"`{method}` ({', '.join(names)})" for method, names in facts["at_end"].items()]
    if not ends:
        return f"{text}; none of what was chosen is at an end of the range that was searched."
    who = listed(ends) if len(ends) <= _NAMED else f"{len(ends)} methods"
    return f"{text}; chosen at an end of the range that was searched: {who}."


def _users(facts: Mapping[str, Any]) -> str:
    return (
        f"{commas(facts['events'])} test events of {commas(facts['users'])} users; as some have many, they tell as much"
        f" as {commas(facts['effective'])} users with equally many."
    )


def _by_user(facts: Mapping[str, Any]) -> str:
    if facts["by_user"] == facts["by_event"]:
        return f"If every user counted alike, `{facts['by_user']}` would be taken for accuracy too."
    return f"If every user counted alike, `{facts['by_user']}` would be taken for accuracy, not `{facts['by_event']}`."


def _blind(facts: Mapping[str, Any]) -> str:
    whole = f"{called(facts['chosen'])} ({figure(facts['chosen'], ACCURACY)})"
    return f"Even a difference as large as the NDCG@10 of {whole} is easily missed."


def _detectable(facts: Mapping[str, Any]) -> str:
    return (
        f"Differences in NDCG@10 below {100 * facts['detectable']:.2f}{SPACE}points are easily missed"
        f" (larger ones are found with a probability of {percent(POWER, 0)} or more); {called(facts['chosen'])} has"
        f" {figure(facts['chosen'], ACCURACY)}."
    )


def _windows(facts: Mapping[str, Any]) -> str:
    count = facts["windows"]
    return "Tested on one window of time; others may differ." if count == 1 else f"Tested on {count} windows of time."


_WORDS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "no test events": lambda facts: "There are no test events, so nothing was measured.",
    "nothing trained": lambda facts: (
        "No trained method has finished, so there is nothing to compare yet."
        if facts["asked"]
        else "All methods of the study are rules without training: whether a model is better is not known."
    ),
    "no hit on validation": lambda facts: "No method has a hit on validation, so none can be chosen.",
    "unfinished": lambda facts: f"{facts['missing']} of {facts['listed']} runs are missing.",
    "failed": lambda facts: f"Runs that failed: {facts['failed']}.",
    "repeats": _repeats,
    "converged": lambda facts: (
        "Training converged: in at least half of the runs validation stopped improving before the end."
    ),
    "cut off": _cut_off,
    "published settings": lambda facts: "The settings are those that the paper published.",
    "untuned": lambda facts: (
        f"Trained methods that were not tuned on this log: {facts['untuned']} of {facts['methods']}; tuning can change"
        " their order."
    ),
    "tuned": _tuned,
    "nothing hit": lambda facts: (
        f"{'The trained method hits' if facts['methods'] == 1 else 'The trained methods hit'} no test event, at any"
        " setting of the dial: something may be wrong with the ids, the split or the training."
    ),
    "users": _users,
    "hits": lambda facts: (
        f"{called(facts['chosen'])} hits {commas(facts['hits'])} of {commas(facts['events'])} test events, in the mean"
        " of its runs."
    ),
    "blind": _blind,
    "detectable": _detectable,
    "contradicted": lambda facts: (
        f"On test {called(facts['chosen'])} has a significantly lower NDCG@10 than"
        f" {listed([f'`{name}`' for name in facts['by']])}."
    ),
    "by user": _by_user,
    "dial": lambda facts: (
        "Taken at an end of the dial's range, beyond which could be better:"
        f" {listed([called(row) for row in facts['at_end']])}."
    ),
    "dial not reached": lambda facts: f"Runs that no dial brings to the Balance that was asked for: {facts['runs']}.",
    "not in time": lambda facts: "The split is not in time, so nothing can be said of the future.",
    "windows": _windows,
    "age": lambda facts: (
        f"Half of the test events are {facts['days']:.3g} days or more after the last event that a model was trained"
        " on."
    ),
}
"""The sentence of each reason of :mod:`negsample.analysis.trust`."""
