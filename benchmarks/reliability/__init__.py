"""What happens to negsample when its input, its settings, its files or its processes are bad: tried by the thousand.

Each part is a module with

- ``WHAT``: what is tried, in plain English, for the page;
- ``COUNT``: how many of it the committed result has;
- ``TEST``: the test that tries a few of it in CI, ``tests/...py::name``;
- ``measure(count, seed) -> {outcome: how many}``, or ``{kind of input: {outcome: how many}}``: tries that many; the
  same seed tries the same ones.

An outcome that begins with a word of ``NEVER`` must not happen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

NEVER = ("silent", "traceback", "lost", "unnamed")
"""A wrong number without a word, an error that is no sentence, a result that is gone or other than it would be, a
damaged file that is not named."""


def total(measured: Mapping[str, int | Mapping[str, int]]) -> dict[str, int]:
    """How many came to each outcome, whatever the kind of input."""
    found: Counter[str] = Counter()
    for name, counts in measured.items():
        found.update({name: counts} if isinstance(counts, int) else counts)
    return dict(found)


def faults(outcomes: dict[str, int]) -> dict[str, int]:
    """Those of ``outcomes`` that must not happen, and did."""
    return {name: count for name, count in outcomes.items() if count and name.startswith(NEVER)}
