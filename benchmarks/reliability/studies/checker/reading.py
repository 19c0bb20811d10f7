"""A text of the page, read sentence by sentence.

It is read from its start: the longest of the sentences that fits is taken, checked, and the rest is read on. What fits
none is a fault.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

from benchmarks.reliability.studies.checker import limits, sentences
from benchmarks.reliability.studies.checker.place import Faults, Place

Check = Callable[[Place, "re.Match[str]"], Faults]
ALWAYS = Path(__file__).with_name("always.txt")
"""Sentences that say nothing of a study's figures, and are true of every study; a line each."""


def read(text: str, place: Place) -> Faults:
    """The faults of a text."""
    rest = text.strip()
    while rest:
        found = [(each, check) for pattern, check in _compiled() if (each := pattern.match(rest))]
        length, at, check = max(
            ((each.end(), each, check) for each, check in found), default=(0, None, None), key=lambda one: one[0]
        )
        own = (*_always(), *place.notes, place.called)
        fixed = max((len(each) for each in own if f"{rest} ".startswith(f"{each} ")), default=0)
        if fixed > length:
            length = fixed
        elif at is None or check is None or not length:
            yield f"no sentence that is known: '{rest}'"
            return
        else:
            yield from (f"'{at[0]}': {fault}" for fault in check(place, at))
        rest = rest[length:].strip()


@cache
def _always() -> tuple[str, ...]:
    return tuple(line for line in ALWAYS.read_text("utf-8").splitlines() if line)


@cache
def _compiled() -> tuple[tuple[re.Pattern[str], Check], ...]:
    every = {**sentences.SENTENCES, **limits.SENTENCES}
    return tuple((re.compile(pattern + r"(?=\s|$)"), check) for pattern, check in every.items())
