"""A difference of two methods: what was tested of it, and what was found."""

from __future__ import annotations

from typing import Literal, NamedTuple

LEVEL = 0.05
_BORDER = 0.2  # of LEVEL: how near to it an adjusted p may be for another approximation to fall on the other side
Kind = Literal["better", "worse", "equivalent", "undecided", "untested"]


class Difference(NamedTuple):
    """``a`` less ``b``, in fractions, on test. ``dial_a``, ``dial_b``: as of :func:`dial_text`.

    ``error``, ``freedom``: see :func:`~negsample.analysis.t_test.t_tests`. ``low``, ``high``: the 95 % interval, and
    ``p``, of this one alone; ``p_holm``: over its family. All are None where nothing was tested: ``untested`` says why.
    ``detectable``: the smallest difference that would have been found with a probability of 80 %, at 5 % after Holm's
    first step. ``users`` with an event in the scope; ``runs`` of the method that has fewer. ``margin``: within which a
    difference makes none in practice; ``p_equivalent``: of TOST for it, and over the family ``p_equivalent_holm``.
    """

    dataset: str
    family: str
    measure: str
    scope: str
    a: str
    dial_a: str
    b: str
    dial_b: str
    difference: float | None
    error: float | None
    freedom: float | None
    low: float | None
    high: float | None
    p: float | None
    p_holm: float | None
    detectable: float | None
    users: int
    runs: int
    untested: str
    margin: float | None = None
    p_equivalent: float | None = None
    p_equivalent_holm: float | None = None

    @property
    def kind(self) -> Kind:
        """What was found of ``a``; a significant difference takes precedence over one that is within the margin."""
        if self.p_holm is None or self.difference is None:
            return "untested"
        if self.significant:
            return "better" if self.difference > 0 else "worse"
        return "equivalent" if self.equivalent else "undecided"

    @property
    def equivalent(self) -> bool:
        """Practically equivalent: at 5 %, after Holm's correction, the difference is within the margin."""
        return self.p_equivalent_holm is not None and self.p_equivalent_holm < LEVEL

    @property
    def significant(self) -> bool:
        """At 5 %, after Holm's correction."""
        return self.p_holm is not None and self.p_holm < LEVEL

    @property
    def borderline(self) -> bool:
        """Whether the adjusted p is so near to 5 % that another approximation could fall on the other side."""
        return self.p_holm is not None and abs(self.p_holm - LEVEL) <= _BORDER * LEVEL

    @property
    def verdict(self) -> str:
        """In words, for the file."""
        if self.p_holm is None:
            return f"not tested: {self.untested}"
        return ("" if self.significant else "not ") + "significant" + (", borderline" if self.borderline else "")

    @property
    def reversed(self) -> Difference:
        """``b`` less ``a``."""
        difference, high, low = (None if each is None else -each for each in (self.difference, self.low, self.high))
        swapped = self._replace(a=self.b, dial_a=self.dial_b, b=self.a, dial_b=self.dial_a)
        return swapped._replace(difference=difference, low=low, high=high)
