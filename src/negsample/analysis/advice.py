"""Which method to take for which purpose: chosen on validation alone, shown with its figures on test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from negsample.analysis.frontier import Standing
from negsample.analysis.measures import ACCURACY, BALANCE, TAIL, known
from negsample.analysis.study import Study
from negsample.analysis.tables import TableRow, dialled_rows
from negsample.models.baselines import is_baseline

ACCEPTABLE = 0.9
"""Accuracy is acceptable from this share of the best NDCG@10 on."""
_LEAST = 1 / 3 + 1e-9  # Balance where one cohort has all hits, which nobody wants for its Balance


class Purpose(NamedTuple):
    """What one may want a method for.

    ``measure``: what is to be highest. ``rows``: what each trained method has for it, in the study's order: its
    figures on test, at the ``dial`` that validation prefers. ``advised``: the method that validation prefers, None
    where it has nothing to prefer. ``able``: the methods that validation chose among.
    """

    measure: str
    rows: list[TableRow]
    advised: str | None
    able: tuple[str, ...]

    @property
    def chosen(self) -> TableRow | None:
        """The row of the advised method."""
        return next((row for row in self.rows if row["method"] == self.advised), None)


class Advice(NamedTuple):
    """``accuracy``: the best NDCG@10; ``tail``: the best HR@10 on tail items; ``balance``: the best Balance@10 that
    keeps ``ACCEPTABLE`` of the best NDCG@10 of all trained methods.

    All of it is chosen on validation. A setting with no more NDCG@10 and no more Balance than another, and less of one
    of them, is dominated and never chosen: of a method where it has the other itself, in the advice by anybody.
    ``baselines``: all of them, on test; ``baseline``: the one with the highest NDCG@10 on validation; ``below``: the
    trained methods that are nowhere above it there, whatever their dial.
    ``standings``: over all settings, on test.
    """

    accuracy: Purpose
    tail: Purpose
    balance: Purpose
    baselines: Sequence[TableRow] = ()
    baseline: TableRow | None = None
    below: tuple[str, ...] = ()
    standings: Sequence[Standing] = ()

    @property
    def baseline_leads(self) -> bool:
        """Whether no trained method is above the best baseline on validation."""
        return bool(self.accuracy.rows) and len(self.below) == len(self.accuracy.rows)

    @property
    def purposes(self) -> tuple[Purpose, Purpose, Purpose]:
        """All three."""
        return self.accuracy, self.tail, self.balance

    def rivals(self, purpose: Purpose) -> list[TableRow]:
        """The rows that the advised method of ``purpose`` is claimed to be above: of those that validation chose among,
        and, but for Balance, the baselines."""
        rows = [row for row in purpose.rows if row["method"] in purpose.able and row["method"] != purpose.advised]
        return rows if purpose is self.balance else [*rows, *self.baselines]


def advice_of(study: Study, dataset: str, standings: Sequence[Standing] = ()) -> Advice:
    """Which methods of ``dataset`` to take."""
    return advise(dialled_rows(study, dataset, "valid"), dialled_rows(study, dataset), standings)


def advise(valid: Sequence[TableRow], test: Sequence[TableRow], standings: Sequence[Standing] = ()) -> Advice:
    """The advice by rows of (method, dial) on validation, shown by those on test."""
    trained: dict[str, list[TableRow]] = {}
    for row in valid:
        if not is_baseline(row["method"]):
            trained.setdefault(row["method"], []).append(row)
    shown = {(row["method"], row["dial"]): row for row in test}
    best = max((known(row, ACCURACY) for rows in trained.values() for row in rows), default=-1.0)
    undominated = [_undominated(rows) for rows in trained.values()]
    everybody = _undominated([row for rows in trained.values() for row in rows])

    def keeps(row: TableRow) -> bool:
        return known(row, ACCURACY) >= ACCEPTABLE * best

    def purpose(
        measure: str, wish: _Wish, above: float, able: Callable[[TableRow], bool] = lambda row: True
    ) -> Purpose:
        worthy = [row for row in everybody if known(row, measure) > above and able(row)]
        advised = _preferred(worthy, wish) if worthy else None
        rows = [_preferred(some, wish) for some in undominated]
        # What is advised is what that method has: the same wish over fewer rivals.
        rows = [advised if advised and advised["method"] == row["method"] else row for row in rows]
        return Purpose(
            measure,
            [shown[row["method"], row["dial"]] for row in rows],
            None if advised is None else advised["method"],
            tuple(method for method, some in trained.items() if any(able(row) for row in some)),
        )

    def even(row: TableRow) -> tuple[float, ...]:
        return (True, known(row, BALANCE), known(row, ACCURACY)) if keeps(row) else (False, known(row, ACCURACY))

    rules = [row for row in valid if is_baseline(row["method"])]
    leading = max(rules, key=lambda row: known(row, ACCURACY), default=None)
    reached = {method: max(known(row, ACCURACY) for row in some) for method, some in trained.items()}
    return Advice(
        purpose(ACCURACY, lambda row: (known(row, ACCURACY), known(row, BALANCE)), 0),
        purpose(TAIL, lambda row: (known(row, TAIL), known(row, ACCURACY)), 0),
        purpose(BALANCE, even, _LEAST, keeps),
        [row for row in test if is_baseline(row["method"])],
        None if leading is None else shown[leading["method"], leading["dial"]],
        tuple(method for method, own in reached.items() if leading is not None and known(leading, ACCURACY) >= own),
        standings,
    )


_Wish = Callable[[TableRow], tuple[float, ...]]


def _preferred(rows: Sequence[TableRow], wish: _Wish) -> TableRow:
    """The one that is wished for most; of equals that with the dial nearest to 0, then the first."""
    return max(rows, key=lambda row: (wish(row), -abs(row["dial"])))


def _undominated(rows: Sequence[TableRow]) -> list[TableRow]:
    """Those that no other has at least as much NDCG@10 and Balance as, and more of one."""
    points = [(known(row, ACCURACY), known(row, BALANCE)) for row in rows]

    def dominated(own: tuple[float, float]) -> bool:
        return any(other != own and other[0] >= own[0] and other[1] >= own[1] for other in points)

    return [row for row, own in zip(rows, points, strict=True) if not dominated(own)]
