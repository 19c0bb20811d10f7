"""Several logs together, found again: shares of each log's highest figure, ranks, and tests of their means."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import combinations

import numpy as np
from scipy.special import betainc  # type: ignore[import-untyped]
from scipy.stats import binom  # type: ignore[import-untyped]

from benchmarks.reliability.studies.checker.compared import Compared
from benchmarks.reliability.studies.checker.effects import KEYS
from benchmarks.reliability.studies.checker.place import Place
from benchmarks.reliability.studies.checker.t_test import Test, beyond, holm, within

FIGURES = {"NDCG@10": "ndcg@10", "tail HR@10": "tail_hr@10", "Balance@10": "balance@10"}
"""By what a table calls it, the name of a figure in a run's metrics."""
_NEAR = 5e-10


class Together:
    """The logs of ``places`` by one figure, in the order of the page."""

    def __init__(self, places: Sequence[Place], figure: str) -> None:
        self.places, self.figure, self.key = places, figure, KEYS[figure]
        names = dict.fromkeys(name for place in places for name in place.methods)
        self.figures = {
            name: [place.mean(name, FIGURES[figure]) if name in place.methods else None for place in places]
            for name in names
        }
        known = [[some[at] for some in self.figures.values() if some[at] is not None] for at in range(len(places))]
        self.highest = [max((each for each in some if each is not None), default=0.0) for some in known]
        self.counted = [at for at, highest in enumerate(self.highest) if highest > _NEAR]

    @cached_property
    def methods(self) -> list[str]:
        """With a figure on every log that counts, the highest mean share first."""
        if len(self.counted) < 2:
            return []
        able = [name for name, some in self.figures.items() if all(some[at] is not None for at in self.counted)]
        return sorted(able, key=lambda name: -round(self.share(name), 9))

    def _value(self, name: str, at: int) -> float:
        value = self.figures[name][at]
        assert value is not None
        return value

    def share(self, name: str) -> float:
        """Of each log's highest, in the mean."""
        return float(np.mean([self._value(name, at) / self.highest[at] for at in self.counted]))

    def rank(self, name: str, at: int) -> float:
        """From 1 on a log, the mean where methods tie."""
        own, others = self._value(name, at), [self._value(other, at) for other in self.methods if other != name]
        return 1 + sum(each > own + _NEAR for each in others) + sum(abs(each - own) <= _NEAR for each in others) / 2

    @cached_property
    def tests(self) -> dict[tuple[str, str], Compared]:
        """Of pairs that the logs compare, their mean shares; after Holm's correction over all of them."""
        names = [name for name in self.figures if name in self.methods]
        found = {pair: self.over(pair[0], [pair[1]] * len(self.counted)) for pair in combinations(names, 2)}
        known = {pair: each for pair, each in found.items() if each is not None}
        corrected = {}
        adjusted = holm([np.nan if each.p is None else each.p for each in known.values()])
        alike = holm([np.nan if each.p_equivalent is None else each.p_equivalent for each in known.values()])
        for (pair, each), p, same in zip(known.items(), adjusted, alike, strict=True):
            corrected[pair] = each if each.p is None else each._replace(p=p, p_equivalent=same)
        return corrected

    def over(self, a: str, others: Sequence[str]) -> Compared | None:
        """``a`` less the method of each log, in the mean share; None where no log compares them. Not corrected."""
        logs = [self.places[at] for at in self.counted]
        each = [place.compared.of_table(*self.key, a, b) for place, b in zip(logs, others, strict=True)]
        if all(one is None for one in each):
            return None
        weights = [1 / len(logs) / self.highest[at] for at in self.counted]
        named = ("", *self.key, a, "", others[0], "")
        for place, one in zip(logs, each, strict=True):
            if one is None or one.untested:
                why = f"{'not compared' if one is None else one.untested} on {place.log}"
                apart = [None if test is None else test.difference for test in each]
                known = [one for one in apart if one is not None]
                whole = len(known) == len(logs)
                difference = sum(w * d for w, d in zip(weights, known, strict=True)) if whole else None
                return Compared(*named, difference, None, None, why)
        parts = [(w, one) for w, one in zip(weights, each, strict=True) if one is not None]
        difference = sum(w * (one.difference or 0.0) for w, one in parts)
        squares = [(w * (one.error or 0.0)) ** 2 for w, one in parts]
        variance = sum(squares)
        freedom = min(one.freedom or 0.0 for _, one in parts)
        if variance:
            of_parts = (square**2 / (one.freedom or 0.0) for square, (_, one) in zip(squares, parts, strict=True))
            freedom = variance**2 / sum(of_parts)
        p = 1.0
        if variance and difference:
            p = float(betainc(freedom / 2, 0.5, freedom / (freedom + difference**2 / variance)))
        error = float(np.sqrt(variance))
        reach, same = beyond(0.025, freedom) * error, within(Test(difference, error, freedom, p), 0.05)
        found = Compared(*named, difference, p, None, "", difference - reach, difference + reach, 0.05, same)
        return found._replace(error=error, freedom=freedom)

    def between(self, a: str, b: str) -> Compared | None:
        """The mean share of ``a`` less that of ``b``."""
        if (found := self.tests.get((a, b))) is not None:
            return found
        if (found := self.tests.get((b, a))) is None:
            return None
        difference, high, low = (None if each is None else -each for each in (found.difference, found.low, found.high))
        return found._replace(a=a, b=b, difference=difference, low=low, high=high)

    def signs(self) -> list[float]:
        """Of the same pairs, p of the sign test over the logs, after Holm's correction."""
        found = []
        for a, b in self.tests:
            apart = [self._value(a, at) - self._value(b, at) for at in self.counted]
            higher, lower = sum(each > _NEAR for each in apart), sum(each < -_NEAR for each in apart)
            found.append(
                min(1.0, 2 * float(binom.cdf(min(higher, lower), higher + lower, 0.5))) if higher + lower else 1.0
            )
        return holm(found)
