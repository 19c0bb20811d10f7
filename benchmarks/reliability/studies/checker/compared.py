"""What was compared on a log: `significance.csv` row by row, each test done again."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import combinations
from typing import NamedTuple

import numpy as np

from benchmarks.reliability.studies.checker.raw import BASELINES, Raw, same
from benchmarks.reliability.studies.checker.t_test import FAMILIES, Test, beyond, holm, tested, within
from benchmarks.reliability.studies.checker.users import Entry, Users


class Compared(NamedTuple):
    """``a`` less ``b`` by our own arithmetic; ``untested``: whether and why not. ``p``: after Holm's correction."""

    family: str
    measure: str
    scope: str
    a: str
    dial_a: str
    b: str
    dial_b: str
    difference: float | None
    p: float | None
    detectable: float | None
    untested: str
    low: float | None = None
    high: float | None = None
    margin: float | None = None
    p_equivalent: float | None = None
    error: float | None = None
    freedom: float | None = None

    @property
    def verdict(self) -> str:
        """The words of a table, with why it is not tested."""
        if self.kind == "not tested":
            return f"not tested: {self.untested}"
        return f"{self.kind}, within the margin" if self.equivalent and self.significant else self.kind

    @property
    def equivalent(self) -> bool:
        """Whether it is within the margin, at 5 % after Holm's correction."""
        return self.p_equivalent is not None and self.p_equivalent < 0.05

    @property
    def kind(self) -> str:
        """What was found of ``a``, in the words of the page."""
        if self.p is None or self.difference is None:
            return "not tested"
        if self.significant:
            return f"significantly {'higher' if self.difference > 0 else 'lower'}"
        return "practically equivalent" if self.equivalent else "undecided"

    @property
    def significant(self) -> bool:
        """At 5 %."""
        return self.p is not None and self.p < 0.05

    @property
    def borderline(self) -> bool:
        """Whether the adjusted p is between 0.04 and 0.06."""
        return self.p is not None and 0.04 <= round(self.p, 12) <= 0.06


class Comparisons:
    """All of a log. ``faults``: where the file says another thing."""

    def __init__(self, raw: Raw, log: str) -> None:
        self.raw, self.log = raw, log
        self.faults: list[str] = []
        with (raw.folder / "significance.csv").open(encoding="utf-8", newline="") as file:
            self._rows = [row for row in csv.DictReader(file) if row["dataset"] == log]
        self.found = [each for family in FAMILIES for each in self._family(family)]
        self.faults += list(self._incomplete())

    @cached_property
    def _by_key(self) -> dict[tuple[str, ...], Compared]:
        return {(each.measure, each.scope, each.a, each.dial_a, each.b, each.dial_b): each for each in self.found}

    @cached_property
    def users(self) -> Users:
        """Of the log."""
        return Users(self.raw, self.log)

    def between(self, measure: str, scope: str, a: str, dial_a: str, b: str, dial_b: str) -> Compared | None:
        """A comparison, either way round: its difference is ``a`` less ``b``."""
        if (found := self._by_key.get((measure, scope, a, dial_a, b, dial_b))) is not None:
            return found
        if (found := self._by_key.get((measure, scope, b, dial_b, a, dial_a))) is not None:
            difference, high, low = (None if x is None else -x for x in (found.difference, found.low, found.high))
            turned = found._replace(a=a, dial_a=dial_a, b=b, dial_b=dial_b)
            return turned._replace(difference=difference, low=low, high=high)
        return None

    def of_table(self, measure: str, scope: str, a: str, b: str) -> Compared | None:
        """Of two methods as the table shows them."""
        return self.between(measure, scope, a, self.own(a), b, self.own(b))

    def own(self, method: str) -> str:
        """The dials of the runs of a method, as text."""
        return dial_text(method, [run.metrics["dial"] for run in self.raw.of(self.log, method)])

    def _entry(self, method: str, text: str) -> Entry:
        runs = self.raw.of(self.log, method)
        dials = [float(each) for each in text.split()] or [0.0]
        return method, tuple(dials * len(runs) if len(dials) == 1 else dials)

    def _family(self, family: str) -> Iterator[Compared]:
        rows = [row for row in self._rows if row["family"] == family]
        tests: list[Test] = []
        reasons: list[str] = []
        margins: list[float] = []
        for key in FAMILIES[family]:
            own = [row for row in rows if (row["measure"], row["scope"]) == key]
            pairs = [(self._entry(row["a"], row["dial_a"]), self._entry(row["b"], row["dial_b"])) for row in own]
            both = tested(self.users, family, key, pairs) if pairs else []
            tests += [test for test, _ in both]
            reasons += [why for _, why in both]
            margins += [0.05 * self._highest(key)] * len(both)
        ordered = [row for key in FAMILIES[family] for row in rows if (row["measure"], row["scope"]) == key]
        adjusted = holm([np.nan if why else test.p for test, why in zip(tests, reasons, strict=True)])
        alike = [np.nan if why else within(each, m) for each, why, m in zip(tests, reasons, margins, strict=True)]
        many = max(sum(not why for why in reasons), 1)
        for row, test, why, p, margin, same_p, same_holm in zip(
            ordered, tests, reasons, adjusted, margins, alike, holm(alike), strict=True
        ):
            found = self._compared(row, test, why, p, many)
            if not why and not np.isnan(margin):
                found = found._replace(margin=margin, p_equivalent=same_holm)
                self._stated(row, {"margin": margin, "p_equivalent": same_p, "p_equivalent_holm": same_holm})
            yield found

    def _highest(self, key: tuple[str, str]) -> float:
        """The highest figure of the methods as the table shows them; NaN where none has one."""
        means = []
        for method in self.raw.methods(self.log):
            if self.raw.whole(self.log, method):
                entry = self._entry(method, self.own(method))
                means.append(float(self.users.moved(entry, *key).figure_S.mean()))
        known = [mean for mean in means if not np.isnan(mean)]
        return max(known, default=np.nan)

    def _compared(self, row: dict[str, str], test: Test, why: str, p: float, many: int) -> Compared:
        difference = None if np.isnan(test.difference) else test.difference
        expected = dict.fromkeys(("p", "p_holm", "detectable", "error", "freedom", "low", "high"))
        known: dict[str, float | None] = {"difference": difference, **expected}
        if not why:
            least = (beyond(0.05 / many / 2, test.freedom) + beyond(0.2, test.freedom)) * test.error
            reach = beyond(0.025, test.freedom) * test.error
            known |= {"p": test.p, "p_holm": p, "detectable": least, "error": test.error, "freedom": test.freedom}
            known |= {"low": test.difference - reach, "high": test.difference + reach}
        self._stated(row, known)
        key = (row["family"], row["measure"], row["scope"], row["a"], row["dial_a"], row["b"], row["dial_b"])
        found = Compared(*key, difference, known["p_holm"], known["detectable"], why, known["low"], known["high"])
        found = found._replace(error=known["error"], freedom=known["freedom"])
        verdict = f"not tested: {why}" if why else ("" if found.significant else "not ") + "significant"
        verdict += ", borderline" if found.borderline else ""
        for name, value in (("untested", why), ("verdict", verdict)):
            if row[name] != value:
                self.faults.append(f"significance.csv, {_named(row)}: {name} {row[name]!r}, by the runs {value!r}")
        return found

    def _stated(self, row: dict[str, str], expected: Mapping[str, float | None]) -> None:
        """Notes where a row of the file says another number."""
        for name, value in expected.items():
            stated = float(row[name]) if row[name] else None
            if not same(stated, value, 1e-6):
                self.faults.append(f"significance.csv, {_named(row)}: {name} {stated}, by the runs {value}")

    def _incomplete(self) -> Iterator[str]:
        """Pairs of the table that the file lacks, though both have been measured."""
        methods = [name for name in self.raw.methods(self.log) if self.raw.whole(self.log, name)]
        pairs = [pair for pair in combinations(methods, 2) if not set(pair) <= set(BASELINES)]
        for key in (key for keys in FAMILIES.values() for key in keys):
            for a, b in pairs if self.users.measured else []:
                if self.of_table(*key, a, b) is None:
                    yield f"significance.csv lacks {a} and {b} by {key}"


def _named(row: Mapping[str, str]) -> str:
    return " ".join(filter(None, (row[name] for name in ("measure", "scope", "a", "dial_a", "b", "dial_b"))))


def dial_text(method: str, dials: list[float]) -> str:
    """``0.5``, or ``0 0.5 0.5`` of runs at several settings; empty for a baseline."""
    texts = ["" if method in BASELINES else f"{dial:g}" for dial in dials]
    return texts[0] if len(set(texts)) == 1 else " ".join(texts)
