"""What each method offers for a purpose, and what is advised: chosen on validation, shown on test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from negsample.analysis.frontier import Standing
from negsample.analysis.reading import POPULAR, Study
from negsample.analysis.tables import dialled_rows

Row = Mapping[str, Any]
"""A row of the study's table, by column."""

ACCURACY = "ndcg@10"
TAIL = "tail_hr@10"
BALANCE = "balance@10"
ACCEPTABLE = 0.9
"""Accuracy is acceptable from this share of the best NDCG@10 on; the words say so where they use it."""
_LEAST = 1 / 3 + 1e-9  # Balance where one cohort has all hits, which nobody wants for its Balance


class Purpose(NamedTuple):
    """What one may want a method for. ``rows``: what each trained method offers, in the study's order: its figures on
    test, at the ``dial`` that validation prefers. ``advised``: the method that validation prefers, None where it has
    nothing to prefer. ``able``: the methods that validation chose among."""

    rows: list[Row]
    advised: str | None
    able: tuple[str, ...]

    @property
    def chosen(self) -> Row | None:
        """The row of the advised method."""
        return next((row for row in self.rows if row["method"] == self.advised), None)


class Offers(NamedTuple):
    """``accuracy``: the best NDCG@10; ``tail``: the best HR@10 on tail items; ``balance``: the best Balance@10 that
    keeps ``ACCEPTABLE`` of the best NDCG@10 of all trained methods.

    All of it is chosen on validation. A setting with no more NDCG@10 and no more Balance than another, and less of one
    of them, is dominated and never offered: by a method where it has the other itself, in the advice by anybody.
    ``baseline``: PopRec on test; ``baseline_leads``: whether no trained method is above it on validation.
    ``standings``: who leads where, over all settings, on test.
    """

    accuracy: Purpose
    tail: Purpose
    balance: Purpose
    baseline: Row | None = None
    baseline_leads: bool = False
    standings: Sequence[Standing] = ()

    def rivals(self, purpose: Purpose) -> list[Row]:
        """The rows that the advised method of ``purpose`` is claimed to be above: of those that validation chose among,
        and, but for Balance, PopRec."""
        rows = [row for row in purpose.rows if row["method"] in purpose.able and row["method"] != purpose.advised]
        return rows if self.baseline is None or purpose is self.balance else [*rows, self.baseline]


def offers(study: Study, dataset: str, standings: Sequence[Standing]) -> Offers:
    """What the methods of ``dataset`` offer."""
    return chosen_on(dialled_rows(study, dataset, "valid"), dialled_rows(study, dataset), standings)


def chosen_on(valid: Sequence[Row], test: Sequence[Row], standings: Sequence[Standing] = ()) -> Offers:
    """What is offered by rows of (method, dial) on validation, shown by those on test."""
    trained = _by_method(valid)
    shown = {(row["method"], row["dial"]): row for row in test}
    best = max((_of(row, ACCURACY) for rows in trained.values() for row in rows), default=-1.0)
    floor = ACCEPTABLE * best

    def keeps(row: Row) -> bool:
        return _of(row, ACCURACY) >= floor

    def purpose(
        wish: Callable[[Row], tuple[float, ...]],
        worth: Callable[[Row], bool],
        able: Callable[[Row], bool] = lambda row: True,
    ) -> Purpose:
        rows = [_preferred(_undominated(some), wish) for some in trained.values()]
        everybody = _undominated([row for some in trained.values() for row in some])
        worthy = [row for row in everybody if worth(row) and able(row)]
        advised = _preferred(worthy, wish) if worthy else None
        # What is advised is what that method offers: the same wish over fewer rivals.
        rows = [advised if advised and advised["method"] == row["method"] else row for row in rows]
        return Purpose(
            [shown[row["method"], row["dial"]] for row in rows],
            None if advised is None else advised["method"],
            tuple(method for method, some in trained.items() if any(able(row) for row in some)),
        )

    def even(row: Row) -> tuple[float, ...]:
        return (True, _of(row, BALANCE), _of(row, ACCURACY)) if keeps(row) else (False, _of(row, ACCURACY))

    baseline = next((row for row in test if row["method"] == POPULAR), None)
    known = next((row for row in valid if row["method"] == POPULAR), None)
    return Offers(
        purpose(lambda row: (_of(row, ACCURACY), _of(row, BALANCE)), lambda row: _of(row, ACCURACY) > 0),
        purpose(lambda row: (_of(row, TAIL), _of(row, ACCURACY)), lambda row: _of(row, TAIL) > 0),
        purpose(even, lambda row: _of(row, BALANCE) > _LEAST, keeps),
        baseline,
        known is not None and _of(known, ACCURACY) >= best,
        standings,
    )


def _preferred(rows: Sequence[Row], wish: Callable[[Row], tuple[float, ...]]) -> Row:
    """The one that is wished for most; of equals that with the dial nearest to 0, then the first."""
    return max(rows, key=lambda row: (wish(row), -abs(row["dial"])))


def _undominated(rows: Sequence[Row]) -> list[Row]:
    """Those that no other has at least as much NDCG@10 and Balance as, and more of one."""

    def point(row: Row) -> tuple[float, float]:
        return _of(row, ACCURACY), _of(row, BALANCE)

    points = [point(row) for row in rows]
    return [row for row, own in zip(rows, points, strict=True) if not any(_dominates(other, own) for other in points)]


def _dominates(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one != other and one[0] >= other[0] and one[1] >= other[1]


def _by_method(rows: Sequence[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        if row["method"] != POPULAR:
            found.setdefault(row["method"], []).append(row)
    return found


def _of(row: Row, measure: str) -> float:
    """An undefined figure counts below all others."""
    return -1.0 if row[measure] is None else float(row[measure])
