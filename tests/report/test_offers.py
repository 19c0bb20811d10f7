"""What a method offers: chosen on validation, and what becomes of a choice that does not hold on test."""

from __future__ import annotations

from typing import Any

import pytest

from negsample.report import offers as room


def rows(*figures: tuple[str, float, float, float]) -> list[dict[str, Any]]:
    """Method, dial, NDCG@10, Balance@10."""
    return [
        {"method": method, "dial": dial, "ndcg@10": ndcg, "balance@10": balance, "tail_hr@10": balance * ndcg}
        for method, dial, ndcg, balance in figures
    ]


VALID = rows(
    ("a", -1.0, 0.092, 0.80),
    ("a", 0.0, 0.100, 0.60),
    ("b", -1.0, 0.060, 0.90),
    ("b", 0.0, 0.093, 0.40),
)


def offered(test, monkeypatch):
    monkeypatch.setattr(room, "dialled_rows", lambda study, dataset, part="test": VALID if part == "valid" else test)
    found = room.offers(None, "any", [])
    return {purpose: {row["method"]: row["dial"] for row in getattr(found, purpose)} for purpose in found._fields[:3]}


def test_validation_chooses(monkeypatch):
    """Whatever test says, as long as what is chosen for balance keeps its accuracy there."""
    test = rows(("a", -1.0, 0.095, 0.5), ("a", 0.0, 0.1, 0.9), ("b", -1.0, 0.2, 0.9), ("b", 0.0, 0.095, 0.1))
    assert offered(test, monkeypatch) == {
        "accuracy": {"a": 0.0, "b": 0.0},
        "tail": {"a": -1.0, "b": -1.0},
        "balance": {"a": -1.0, "b": 0.0},
    }


@pytest.mark.parametrize(("ndcg", "dial"), [(0.0901, -1.0), (0.0899, 0.0)])
def test_a_choice_for_balance_that_loses_its_accuracy_on_test_falls_back(ndcg, dial, monkeypatch):
    """Else the most accurate method would not even be among those that keep 90 % of its own accuracy."""
    test = rows(("a", -1.0, ndcg, 0.8), ("a", 0.0, 0.1, 0.6), ("b", -1.0, 0.06, 0.9), ("b", 0.0, 0.091, 0.4))
    assert offered(test, monkeypatch)["balance"] == {"a": dial, "b": 0.0}
