"""Settings at the edges of numbers and of wrong kinds: a result, or one line."""

from __future__ import annotations

from benchmarks.reliability import faults
from benchmarks.reliability.settings import DONE, REFUSED, measure


def test_settings_end_in_a_result_or_in_one_line():
    """Sixty of those that ``python -m benchmarks.reliability settings`` tries by the thousand."""
    ill = []

    def say(number, tried, found):
        if faults({found: 1}):
            ill.append((number, tried, found))

    outcomes = measure(60, 1, say)
    assert not ill
    assert sum(outcomes.values()) == 60
    assert outcomes[DONE] >= 5
    assert outcomes[REFUSED] >= 20
