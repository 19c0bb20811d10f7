"""The page of reliability is what the committed results make of it, and nothing happened that never must."""

from __future__ import annotations

from pathlib import Path

from benchmarks.reliability import faults
from benchmarks.reliability.page import PAGE, page, results

ROOT = Path(__file__).parents[2]


def test_the_page_is_up_to_date():
    assert PAGE.read_text("utf-8") == page(), "run python -m benchmarks.reliability"


def test_nothing_happened_that_never_must():
    for name, found in results().items():
        assert not faults(found["outcomes"]), name
        assert sum(found["outcomes"].values()) == found["tried"], name


def test_each_row_names_a_test_that_is_there():
    for found in results().values():
        path, _, test = found["test"].partition("::")
        assert f"def {test}(" in (ROOT / path).read_text("utf-8"), found["test"]


def test_an_outcome_that_must_not_happen_is_a_fault():
    assert faults({"refused in a line": 3, "silent change": 1, "traceback": 0, "lost": 2}) == {
        "silent change": 1,
        "lost": 2,
    }
    assert faults({"the same numbers": 9}) == {}
