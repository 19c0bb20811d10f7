"""What each method offers for a purpose: its figures at the setting of the dial that validation prefers for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from negsample.report.frontier import Standing
from negsample.report.noise import Row
from negsample.report.reading import POPULAR, Study
from negsample.report.tables import dialled_rows
from negsample.report.verdicts import ACCEPTABLE, ACCURACY, TAIL


class Offers(NamedTuple):
    """A row a trained method for each purpose: figures on test, ``dial`` chosen on validation.

    ``accuracy``: best NDCG@10; ``tail``: best HR@10 on tail items; ``balance``: best Balance@10 among settings that
    keep ``ACCEPTABLE`` of the best NDCG@10 of all methods (where a method has none, or what validation prefers does
    not keep it on test: as for accuracy).
    ``standings``: who is ahead where, over all settings.
    """

    accuracy: list[Row]
    tail: list[Row]
    balance: list[Row]
    standings: Sequence[Standing] = ()


def alike(rows: Sequence[Row]) -> Offers:
    """Offers of methods that were measured at one setting each."""
    return Offers(list(rows), list(rows), list(rows))


def offers(study: Study, dataset: str, standings: Sequence[Standing]) -> Offers:
    """What the trained methods of ``dataset`` offer."""
    valid = _by_method(dialled_rows(study, dataset, "valid"))
    test = _by_method(dialled_rows(study, dataset))
    floor = ACCEPTABLE * max((_of(row, ACCURACY) for rows in valid.values() for row in rows), default=0.0)

    def chosen(wish: Callable[[Row], Any]) -> list[Row]:
        found = []
        for method, rows in valid.items():
            best = max(rows, key=lambda row: (wish(row), -abs(row["dial"])))
            found.append(next(row for row in test[method] if row["dial"] == best["dial"]))
        return found

    def able(row: Row) -> tuple[bool, float]:
        keeps = _of(row, ACCURACY) >= floor
        return keeps, _of(row, "balance@10") if keeps else _of(row, ACCURACY)

    accuracy, tail = chosen(lambda row: _of(row, ACCURACY)), chosen(lambda row: _of(row, TAIL))
    least = ACCEPTABLE * max((_of(row, ACCURACY) for row in accuracy), default=0.0)
    balance = [
        even if _of(even, ACCURACY) >= least else accurate
        for even, accurate in zip(chosen(able), accuracy, strict=True)
    ]
    return Offers(accuracy, tail, balance, standings)


def _by_method(rows: Sequence[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        if row["method"] != POPULAR:
            found.setdefault(row["method"], []).append(row)
    return found


def _of(row: Row, measure: str) -> float:
    """An undefined figure counts below all others."""
    return -1.0 if row[measure] is None else float(row[measure])
