"""The verdict on a dataset: one method for each purpose, what it gains and costs on test, how far to trust it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from negsample.analysis.advice import Advice, Alike, Offer, Purpose, advise, offers_of, simplest
from negsample.analysis.measures import ACCURACY
from negsample.analysis.significance import Comparisons, Difference, differences
from negsample.analysis.study import Study
from negsample.analysis.tables import TableRow, dialled_rows
from negsample.analysis.trust import Trust, trust_in
from negsample.analysis.validation import alike_on_validation


class Gain(NamedTuple):
    """What the row ``of`` has more than the row ``over`` by a measure, on test: ``points``, a fraction, None where one
    of them has none; ``test``: how it was tested, None where it was not compared."""

    measure: str
    of: TableRow
    over: TableRow
    points: float | None
    test: Difference | None


class Card(NamedTuple):
    """What to take for one purpose: ``over_default`` and ``over_rule``, by its measure, against `random` and the best
    baseline for this purpose; ``default_keeps``: whether the default keeps enough NDCG@10 to be taken; ``cost``: in
    NDCG@10 against what is taken for accuracy. A gain is None where it is that itself, or there is none."""

    purpose: Purpose
    row: TableRow
    over_default: Gain | None
    default_keeps: bool
    over_rule: Gain | None
    cost: Gain | None


class Verdict(NamedTuple):
    """``cards``: for accuracy, tail items and Balance, of those for which validation has something to prefer. They are
    advice only where ``trust`` is not red."""

    dataset: str
    cards: tuple[Card, ...]
    trust: Trust
    advice: Advice
    tests: Comparisons

    @property
    def is_advice(self) -> bool:
        """Whether the cards may be followed."""
        return bool(self.cards) and self.trust.light != "red"


def advice_of(study: Study, dataset: str) -> Advice:
    """Which methods of ``dataset`` to take."""
    return _advised(study, dataset, dialled_rows(study, dataset))[0]


def verdict_of(study: Study, dataset: str, dialled: Sequence[TableRow]) -> Verdict:
    """The verdict on ``dataset``, whose rows on test are ``dialled``; the same study gives the same one."""
    advice, offers = _advised(study, dataset, dialled)
    tests = differences(study, dataset, advice)
    by_user = _taken(offers[0], alike_on_validation(study, dataset, offers[:1], by_user=True))
    cards = tuple(_card(purpose, advice, tests) for purpose in advice.purposes if purpose.chosen is not None)
    return Verdict(dataset, cards, trust_in(study, dataset, advice, tests, by_user), advice, tests)


def _advised(study: Study, dataset: str, dialled: Sequence[TableRow]) -> tuple[Advice, Sequence[Offer]]:
    valid = dialled_rows(study, dataset, "valid")
    offers = offers_of(valid)
    return advise(valid, dialled, alike_on_validation(study, dataset, offers)), offers


def _taken(offer: Offer, alike: Mapping[str, Alike]) -> str | None:
    """The method that would be taken by :func:`~negsample.analysis.validation.alike_on_validation`."""
    found = alike.get(offer.measure)
    rows = {row["method"]: row for row in offer.rows}
    return found and str(simplest([rows[name] for name in (found.highest, *found.equals)])["method"])


def _card(purpose: Purpose, advice: Advice, tests: Comparisons) -> Card:
    row, accurate = purpose.chosen, advice.accuracy.chosen
    assert row is not None
    over_default, over_rule = (_gain(purpose.measure, row, other, tests) for other in (advice.default, purpose.rule))
    return Card(purpose, row, over_default, advice.default_keeps, over_rule, _gain(ACCURACY, row, accurate, tests))


def _gain(measure: str, of: TableRow, over: TableRow | None, tests: Comparisons) -> Gain | None:
    if over is None or (of["method"], of["dial"]) == (over["method"], over["dial"]):
        return None
    points = None if None in (of[measure], over[measure]) else float(of[measure] - over[measure])
    return Gain(measure, of, over, points, tests.between(measure, of, over))
