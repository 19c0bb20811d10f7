"""Which method to take for which purpose: chosen on validation alone, shown with its figures on test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from negsample.analysis.measures import ACCURACY, BALANCE, TAIL, known
from negsample.analysis.tables import TableRow
from negsample.models.baselines import is_baseline

ACCEPTABLE = 0.9
"""Accuracy is acceptable from this share of the best NDCG@10 on, and a figure near to the highest from this share of
it."""
CHEAP = 1.5
"""Methods whose training takes up to so many times that of the cheapest count as equally cheap."""
_LEAST = 1 / 3 + 1e-9  # Balance where one cohort has all hits, which nobody wants for its Balance
MEASURES = (ACCURACY, TAIL, BALANCE)
"""What is to be highest for each purpose: accuracy, tail items, Balance."""


class Alike(NamedTuple):
    """What validation tells apart: the method that is ``highest`` there; ``equals``: those that have at least
    ``ACCEPTABLE`` of its figure and do not differ from it significantly (the p of Holm's correction over the other
    methods is 0.05 or more); ``untested``: how many of the others were not tested."""

    highest: str
    equals: tuple[str, ...]
    untested: int


class Offer(NamedTuple):
    """What validation has for a purpose: of each method that is able, its row at the dial that it prefers, the highest
    first. Of a measure that is to be highest."""

    measure: str
    rows: list[TableRow]


class Purpose(NamedTuple):
    """What to take for a purpose.

    ``measure``: what is to be highest. ``chosen``: the row on test of the method to take, at the dial that validation
    prefers; None where validation has nothing to prefer. ``highest``: the row on test of the method that is highest on
    validation. ``equals``, ``untested``: of the others, as of :class:`Alike`. ``rule``: the row on test of the baseline
    that is highest on validation. ``able``: the methods that validation chose among, the highest first.
    """

    measure: str
    chosen: TableRow | None
    highest: TableRow | None
    equals: tuple[str, ...]
    untested: int
    rule: TableRow | None
    able: tuple[str, ...]

    @property
    def advised(self) -> str | None:
        """The name of the method to take."""
        return None if self.chosen is None else str(self.chosen["method"])


class Advice(NamedTuple):
    """``accuracy``: the best NDCG@10; ``tail``: the best HR@10 on tail items; ``balance``: the best Balance@10; the
    latter two of what keeps ``ACCEPTABLE`` of the best NDCG@10. Baselines are methods here as any other.

    All of it is chosen on validation. A setting with no more NDCG@10 and no more Balance than another of its method,
    and less of one of them, is dominated and never chosen. Of the method that is highest there and those that are
    alike, the simplest is chosen: a baseline, else the highest of the cheapest to train.

    ``trained``: the same as ``accuracy``, of trained methods alone. ``default``: the row on test of `random`, the
    field's default, as it is trained; None where the study has none; ``default_keeps``: whether it has enough NDCG@10
    for the tail or Balance.
    """

    accuracy: Purpose
    tail: Purpose
    balance: Purpose
    trained: Purpose
    default: TableRow | None = None
    default_keeps: bool = False

    @property
    def purposes(self) -> tuple[Purpose, Purpose, Purpose]:
        """All three."""
        return self.accuracy, self.tail, self.balance

    @property
    def baseline(self) -> TableRow | None:
        """The row on test of the baseline that has the highest NDCG@10 on validation."""
        return self.accuracy.rule


def offers_of(valid: Sequence[TableRow]) -> tuple[Offer, Offer, Offer]:
    """What validation has for each purpose, from its rows by (method, dial)."""
    methods: dict[str, list[TableRow]] = {}
    for row in valid:
        methods.setdefault(row["method"], []).append(row)
    undominated = [_undominated(rows) for rows in methods.values()]
    best = max((known(row, ACCURACY) for row in valid), default=-1.0)

    def offer(measure: str, wish: _Wish, able: Callable[[TableRow], bool]) -> Offer:
        some = [[row for row in rows if able(row)] for rows in undominated]
        return Offer(measure, sorted((_preferred(rows, wish) for rows in some if rows), key=wish, reverse=True))

    def wish(measure: str, then: str) -> _Wish:
        return lambda row: (known(row, measure), known(row, then))

    return (
        offer(ACCURACY, wish(ACCURACY, BALANCE), lambda row: known(row, ACCURACY) > 0),
        offer(TAIL, wish(TAIL, ACCURACY), lambda row: _keeps(row, best) and known(row, TAIL) > 0),
        offer(BALANCE, wish(BALANCE, ACCURACY), lambda row: _keeps(row, best) and known(row, BALANCE) > _LEAST),
    )


def advise(valid: Sequence[TableRow], test: Sequence[TableRow], alike: Mapping[str, Alike] | None = None) -> Advice:
    """The advice by rows of (method, dial) on validation, shown by those on test.

    ``alike``: what validation tells apart, by the measure of each of :func:`offers_of` and :data:`TRAINED`; without it
    nothing was tested.
    """
    shown, told = {(row["method"], row["dial"]): row for row in test}, alike or {}

    def purpose(name: str, offer: Offer) -> Purpose:
        if not offer.rows:
            return Purpose(offer.measure, None, None, (), 0, None, ())
        found = told.get(name, Alike(offer.rows[0]["method"], (), len(offer.rows) - 1))
        able = {row["method"]: row for row in offer.rows}
        rules = [row for row in offer.rows if is_baseline(row["method"])]
        taken = simplest([able[method] for method in (found.highest, *found.equals)])
        chosen, highest, rule = (
            row and shown[row["method"], row["dial"]]
            for row in (taken, able[found.highest], rules[0] if rules else None)
        )
        return Purpose(offer.measure, chosen, highest, found.equals, found.untested, rule, tuple(able))

    accuracy, tail, balance = offers_of(valid)
    most = max((known(row, ACCURACY) for row in valid), default=-1.0)
    trained = Offer(ACCURACY, [row for row in accuracy.rows if not is_baseline(row["method"])])
    default = [row for row in test if row["method"] == DEFAULT and row["dial"] == 0]
    return Advice(
        purpose(ACCURACY, accuracy),
        purpose(TAIL, tail),
        purpose(BALANCE, balance),
        purpose(TRAINED, trained),
        default=default[0] if default else None,
        default_keeps=any(_keeps(row, most) for row in valid if row["method"] == DEFAULT and row["dial"] == 0),
    )


DEFAULT = "random"
"""Uniform negatives: what SASRec was published with, and what most libraries do where nobody says otherwise."""
TRAINED = "trained"
"""Stands beside the measures for the highest NDCG@10 of the trained methods alone."""


def simplest(rows: Sequence[TableRow]) -> TableRow:
    """Of rows that are alike, the highest first: the first baseline; without one, the first of the cheapest to
    train."""
    rules = [row for row in rows if is_baseline(row["method"])]
    if rules:
        return rules[0]
    cheapest = min(row["train_seconds"] or 0.0 for row in rows)
    return next(row for row in rows if (row["train_seconds"] or 0.0) <= CHEAP * cheapest)


_Wish = Callable[[TableRow], tuple[float, ...]]


def _keeps(row: TableRow, best: float) -> bool:
    """Whether it has enough of the best NDCG@10."""
    return known(row, ACCURACY) >= ACCEPTABLE * best and best > 0


def _preferred(rows: Sequence[TableRow], wish: _Wish) -> TableRow:
    """The one that is wished for most; of equals that with the dial nearest to 0, then the first."""
    return max(rows, key=lambda row: (wish(row), -abs(row["dial"] or 0.0)))


def _undominated(rows: Sequence[TableRow]) -> list[TableRow]:
    """Those that no other has at least as much NDCG@10 and Balance as, and more of one."""
    points = [(known(row, ACCURACY), known(row, BALANCE)) for row in rows]

    def dominated(own: tuple[float, float]) -> bool:
        return any(other != own and other[0] >= own[0] and other[1] >= own[1] for other in points)

    return [row for row, own in zip(rows, points, strict=True) if not dominated(own)]
