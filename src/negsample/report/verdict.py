"""The verdict in words: a card for each purpose, how far to trust it, and what to run next."""

from __future__ import annotations

from typing import NamedTuple

from negsample.analysis.advice import ACCEPTABLE
from negsample.analysis.study import Study
from negsample.analysis.trust import Trust
from negsample.analysis.verdict import Verdict
from negsample.report.cards import ShownCard, shown_cards
from negsample.report.formats import percent
from negsample.report.next_command import next_command
from negsample.report.reasons import reason_words

LIGHTS = {
    "green": "This study can be trusted with a choice.",
    "amber": "This study gives hints and no proof; the points marked below could change the choice.",
    "red": "This study cannot tell which method to take.",
}
KEPT = f"What is taken for tail items and evenness keeps {percent(ACCEPTABLE, 0)} of the best NDCG@10 on validation."
DIAL = "The dial is how much popularity is added to scores after training; below 0 it is taken away."
BALANCE = (
    "Balance is how alike the hit rates on head, mid and tail items are: from 33 % where only one has hits to 100 %."
)
COHORTS = (
    "Head, mid and tail are cohorts of items, the most frequent in training first, each with a third of the train"
    " events."
)
COVERAGE = "Coverage is the share of all items that are in anybody's first ten."


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
    cards = shown_cards(verdict.cards) if verdict.is_advice else ()
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
