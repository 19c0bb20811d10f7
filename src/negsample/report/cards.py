"""What to take for each purpose in words: the figures of a card, what it gains and costs, and why it is that one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from negsample.analysis.advice import ACCEPTABLE, DEFAULT, Purpose
from negsample.analysis.measures import ACCURACY, BALANCE, TAIL
from negsample.analysis.significance import Difference
from negsample.analysis.tables import TableRow
from negsample.analysis.verdict import Card, Gain
from negsample.models.baselines import is_baseline
from negsample.report.claims import called, p_text
from negsample.report.formats import SPACE, listed, percent, seconds

TITLES = {
    ACCURACY: "Most accurate overall",
    TAIL: "Best for tail items",
    BALANCE: "Most even over head, mid and tail",
}
_KEEPS = f"keeps {percent(ACCEPTABLE, 0)} of the best NDCG@10"
_ABLE = {
    ACCURACY: "has a hit",
    TAIL: f"{_KEEPS} and hits tail items",
    BALANCE: f"{_KEEPS} and hits more than one cohort",
}
_NAMED = 3  # methods that are near; more are counted
_SURE = 0.995
_MEASURE_NAMES = {ACCURACY: "NDCG@10", TAIL: "tail HR@10", BALANCE: "Balance"}


class ShownCard(NamedTuple):
    """A card as it is shown: ``title``: for what; ``method`` with its dial; ``figures`` on test, label and value;
    ``lines``: sentences; ``purposes``: of how many it is."""

    title: str
    method: str
    figures: tuple[tuple[str, str], ...]
    lines: tuple[str, ...]
    purposes: int


def shown_cards(cards: Sequence[Card]) -> tuple[ShownCard, ...]:
    """What is shown of ``cards``; what is taken for several purposes at one dial has one card, and says nothing
    twice."""
    of_one: dict[tuple[str, float | None], list[Card]] = {}
    for card in cards:
        of_one.setdefault((card.row["method"], card.row["dial"]), []).append(card)
    return tuple(_shown(some) for some in of_one.values())


def _shown(cards: Sequence[Card]) -> ShownCard:
    row, names = cards[0].row, (ACCURACY, "hr@10", TAIL, BALANCE)
    labels = ("NDCG@10", "HR@10", "Tail HR@10", "Balance")
    figures = tuple((label, figure(row, name)) for label, name in zip(labels, names, strict=True))
    first, *others = (TITLES[card.purpose.measure] for card in cards)
    title = "; ".join([first, *(each[0].lower() + each[1:] for each in others)])
    gains = [line for card in cards for line in _gains(card)]
    lines = dict.fromkeys([*gains, _effort(row), *(why_words(card.purpose) for card in cards)])
    return ShownCard(title, called(row), figures, tuple(lines), len(cards))


def _gains(card: Card) -> list[str]:
    """What it gains and costs."""
    row = card.row
    accurate = card.purpose.measure == ACCURACY or card.default_keeps
    too_low = "" if accurate else f", which does not keep {percent(ACCEPTABLE, 0)} of the best NDCG@10"
    as_trained = " at dial 0" if row["method"] == DEFAULT else ""
    gains = (
        (card.over_default, f"than `{DEFAULT}`{as_trained}, the usual default{too_low}"),
        (card.over_rule, f"than {called(card.over_rule.over)}, the best simple rule here" if card.over_rule else ""),
        (card.cost, f"than {called(card.cost.over)}, the most accurate" if card.cost else ""),
    )
    none = ["On test it hits no tail item."] if card.purpose.measure == TAIL and row[TAIL] == 0 else []
    return [*none, *(gain_words(gain, than) for gain, than in gains if gain is not None)]


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
    chance = p_text(test.p_holm) if test.p_holm < _SURE else f"p{SPACE}above{SPACE}0.99"
    return f"not significant ({chance})"


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
        told = f"Highest {name} on validation; {some} is within a tenth of it without being significantly lower"
        told += f" ({purpose.untested} not tested)" if purpose.untested else ""
    else:
        first = "It has" if chosen is highest else f"{called(highest)} has"
        near = [f"`{each}`" for each in purpose.equals]
        names = listed(near) if len(near) <= _NAMED else f"{len(near)} others"
        told = f"{first} the highest {name} on validation; near it, within a tenth and not significantly lower: {names}"
        kind = "a rule" if is_baseline(chosen["method"]) else "the best of those that train fastest"
        told += f". This one is the simplest of them, {kind}"
    return f"{told}."
