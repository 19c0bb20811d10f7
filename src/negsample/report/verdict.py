"""The verdict in words: a card for each purpose, and how far to trust it, a sentence for each reason.

Every sentence of it is made here, each from the numbers of one :class:`~negsample.analysis.verdict.Card` or
:class:`~negsample.analysis.trust.Reason`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from negsample.analysis.advice import ACCEPTABLE, DEFAULT, Purpose
from negsample.analysis.measures import ACCURACY, BALANCE, TAIL
from negsample.analysis.significance import POWER, Difference
from negsample.analysis.study import Study
from negsample.analysis.tables import TableRow
from negsample.analysis.trust import Reason, Trust
from negsample.analysis.verdict import Card, Gain, Verdict
from negsample.models.baselines import is_baseline
from negsample.report.claims import called, p_text
from negsample.report.formats import SPACE, commas, listed, percent, seconds
from negsample.report.next_command import next_command

TITLES = {
    ACCURACY: "Most accurate overall",
    TAIL: "Best for tail items",
    BALANCE: "Most even over head, mid and tail",
}
LIGHTS = {
    "green": "This study can be trusted with a choice.",
    "amber": "This study can guide a choice; the points below could change it.",
    "red": "This study cannot tell which method to take.",
}
KEPT = f"What is taken for tail items and evenness keeps {percent(ACCEPTABLE, 0)} of the best NDCG@10 on validation."
DIAL = "The dial is how much popularity is added to scores after training; below 0 it is taken away."
_KEEPS = f"keeps {percent(ACCEPTABLE, 0)} of the best NDCG@10"
_ABLE = {
    ACCURACY: "has a hit",
    TAIL: f"{_KEEPS} and hits tail items",
    BALANCE: f"{_KEEPS} and hits more than one cohort",
}
_NAMED = 3  # methods; more are counted
_MEASURE_NAMES = {ACCURACY: "NDCG@10", TAIL: "tail HR@10", BALANCE: "Balance"}


class ShownCard(NamedTuple):
    """A card as it is shown: ``method`` with its dial; ``figures`` on test, label and value; ``lines``: sentences."""

    title: str
    method: str
    figures: tuple[tuple[str, str], ...]
    lines: tuple[str, ...]


class ShownVerdict(NamedTuple):
    """``light``: of the trust, with its sentence, and ``reasons``: light and sentence of each. ``cards``: none where
    the light is red. ``next``: the command that would make it surer, empty where none would, or is known."""

    light: str
    sentence: str
    reasons: tuple[tuple[str, str], ...]
    cards: tuple[ShownCard, ...]
    next: str


def shown_verdict(study: Study, verdict: Verdict) -> ShownVerdict:
    """What is shown of ``verdict``."""
    trust = verdict.trust
    cards = tuple(_shown(card) for card in verdict.cards) if verdict.is_advice else ()
    reasons = tuple((each.light, reason_words(each)) for each in trust.reasons)
    return ShownVerdict(trust.light, LIGHTS[trust.light], reasons, cards, _next(study, trust))


def verdict_lines(study: Study, verdict: Verdict) -> list[str]:
    """The same for a terminal, a line each: what to take, the reasons for doubt, what to run next."""
    shown = shown_verdict(study, verdict)
    lines = [f"{card.title}: {card.method}. {' '.join(card.lines)}" for card in shown.cards]
    lines += [shown.sentence, *(f"  {light}: {words}" for light, words in shown.reasons if light != "green")]
    return [*lines, *([f"Run next: {shown.next}"] if shown.next else [])]


def _next(study: Study, trust: Trust) -> str:
    return "" if trust.next is None else next_command(study.about, trust.next)


def _shown(card: Card) -> ShownCard:
    row, names = card.row, (ACCURACY, "hr@10", TAIL, BALANCE)
    labels = ("NDCG@10", "HR@10", "Tail HR@10", "Balance")
    figures = tuple((label, figure(row, name)) for label, name in zip(labels, names, strict=True))
    accurate = card.purpose.measure == ACCURACY or card.default_keeps
    too_low = "" if accurate else f", which does not keep {percent(ACCEPTABLE, 0)} of the best NDCG@10"
    gains = (
        (card.over_default, f"than `{DEFAULT}`, the usual default{too_low}"),
        (card.over_rule, f"than {called(card.over_rule.over)}, the best simple rule here" if card.over_rule else ""),
        (card.cost, f"than {called(card.cost.over)}, the most accurate" if card.cost else ""),
    )
    told = dict.fromkeys(gain_words(gain, than) for gain, than in gains if gain is not None)
    return ShownCard(TITLES[card.purpose.measure], called(row), figures, (*told, _effort(row), why_words(card.purpose)))


def figure(row: TableRow, measure: str) -> str:
    """A figure of a row, or that there is none."""
    if row[measure] is None:
        return "undefined" if measure == BALANCE else "n/a"
    return percent(row[measure], 1 if measure == BALANCE else 2)


def gain_words(gain: Gain, than: str) -> str:
    """How much more or less it is, and whether that is significant."""
    name = _MEASURE_NAMES[gain.measure]
    if gain.points is None:
        return f"{name} cannot be compared with that of {than.removeprefix('than ')}: it is undefined."
    before = gain.over[gain.measure]
    relative = _relative(gain.points / before) if before and gain.points and gain.measure != BALANCE else ""
    amount = f"{100 * abs(gain.points):.2f}{SPACE}points {'more' if gain.points > 0 else 'less'} {name} {than}"
    if not gain.points:
        amount = f"As much {name} as {than.removeprefix('than ')}"
    return f"{amount}{relative}: {_tested(gain.test)}."


def _relative(share: float) -> str:
    return f" ({1 + share:.1f} times)" if share >= 1 else f" ({100 * share:+.0f}{SPACE}%)"


def _tested(test: Difference | None) -> str:
    if test is None or test.p_holm is None:
        return f"not tested ({'not compared' if test is None else test.untested})"
    if test.significant:
        return f"significant ({p_text(test.p_holm)})"
    return f"not significant ({p_text(test.p_holm)})"


def _effort(row: TableRow) -> str:
    took = seconds(row["train_seconds"] or 0.0)
    return f"A rule: nothing is trained ({took})." if is_baseline(row["method"]) else f"Training took {took} a run."


def why_words(purpose: Purpose) -> str:
    """Why this one: how validation has it."""
    chosen, highest, others = purpose.chosen, purpose.highest, len(purpose.able) - 1
    name = _MEASURE_NAMES[purpose.measure]
    assert chosen is not None
    assert highest is not None
    if not others:
        return f"On validation no other method {_ABLE[purpose.measure]}."
    if purpose.untested == others:
        told = f"Highest {name} on validation; nothing was tested there"
    elif not purpose.equals:
        some = f"none of the others{' that were tested' if purpose.untested else ''}"
        told = f"Highest {name} on validation; {some} is near: within a tenth, and not significantly lower"
        told += f" ({purpose.untested} not tested)" if purpose.untested else ""
    else:
        first = "It has" if chosen is highest else f"{called(highest)} has"
        count = f"{len(purpose.equals)} {'other is' if len(purpose.equals) == 1 else 'others are'}"
        told = f"{first} the highest {name} on validation; {count} near: within a tenth, and not significantly lower"
        kind = "a rule" if is_baseline(chosen["method"]) else "the best of the cheapest to train"
        told += f". This one is the simplest of them, {kind}"
    return f"{told}."


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


def _detectable(facts: Mapping[str, Any]) -> str:
    if facts["share"] >= 1:
        whole = f"{called(facts['chosen'])} ({figure(facts['chosen'], ACCURACY)})"
        return f"Even a difference as large as the NDCG@10 of {whole} is easily missed."
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
    "nothing trained": lambda facts: "No trained method has finished, so there is nothing to compare yet.",
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
    "users": _users,
    "hits": lambda facts: (
        f"{called(facts['chosen'])} hits {commas(facts['hits'])} of {commas(facts['events'])} test events, in the mean"
        " of its runs."
    ),
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
