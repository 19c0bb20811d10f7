"""Whether "this method is above the others" holds: three verdicts, each from tests and never from means alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from negsample.analysis.significance import Difference

Verdict = Literal["holds", "does not hold", "undecided"]
Way = Literal["higher", "lower"]


class Judged(NamedTuple):
    """The verdict on a claim that a method is above (or below) each of some others.

    ``agree``, ``contrary``: the methods from which it differs significantly, as claimed or the other way.
    ``undecided``: no significant difference. ``untested``: methods by the reason.
    """

    way: Way
    verdict: Verdict
    agree: dict[str, Difference]
    contrary: dict[str, Difference]
    undecided: dict[str, Difference]
    untested: dict[str, list[str]]

    @property
    def others(self) -> int:
        """How many other methods there are."""
        return len(self.agree) + len(self.contrary) + len(self.undecided) + sum(map(len, self.untested.values()))

    @property
    def detectable(self) -> float | None:
        """The smallest difference that would have been found against every undecided method."""
        return max((each.detectable for each in self.undecided.values() if each.detectable), default=None)


def judged(tests: Mapping[str, Difference | None], way: Way = "higher") -> Judged:
    """``holds`` where every other method is tested and significantly on the claimed side, ``does not hold`` where one
    is significantly on the other side, else it is undecided.

    Args:
        tests: by the name of the other method, what the claim is about less that method; None: never compared.
        way: whether the claim is that it is higher, or lower.
    """
    found = Judged(way, "undecided", {}, {}, {}, {})
    for other, each in tests.items():
        if each is None or each.p_holm is None or each.difference is None:
            found.untested.setdefault("never compared" if each is None else each.untested, []).append(other)
        elif not each.significant:
            found.undecided[other] = each
        elif (each.difference > 0) == (way == "higher"):
            found.agree[other] = each
        else:
            found.contrary[other] = each
    if found.contrary:
        return found._replace(verdict="does not hold")
    return found._replace(verdict="holds") if tests and len(found.agree) == len(tests) else found
