"""What validation advises, found again: which setting of which method is highest, and what it does not differ from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from benchmarks.reliability.studies.checker.raw import BASELINES
from benchmarks.reliability.studies.checker.t_test import holm, tested
from benchmarks.reliability.studies.checker.users import Users

if TYPE_CHECKING:
    from benchmarks.reliability.studies.checker.place import Place

FIGURES = ("ndcg@10", "tail_hr@10", "balance@10", "hr@10")
FAMILY = {
    "ndcg@10": ("NDCG@10 in total", ("ndcg@10", "all")),
    "tail_hr@10": ("HR@10 by cohort", ("hr@10", "tail")),
    "balance@10": ("Balance", ("balance@10", "all")),
}


class Setting(NamedTuple):
    """A method at a setting of the dial: its figures on validation and on test, by name."""

    method: str
    beta: float
    valid: Mapping[str, float | None]
    test: Mapping[str, float | None]
    seconds: float

    def on_valid(self, figure: str) -> float:
        """For comparing; what is undefined is below all."""
        value = self.valid[figure]
        return -1.0 if value is None else value

    @property
    def called(self) -> str:
        """As the page calls it."""
        return self.method + (f" at dial {self.beta:+g}" if self.beta else "")

    @property
    def dial(self) -> str:
        """As `significance.csv` has it."""
        return "" if self.method in BASELINES else f"{self.beta:g}"


class Taken(NamedTuple):
    """For a purpose, on validation: the highest; ``equals``: those within a tenth of it that do not differ from it;
    ``untested``: the others that were not tested; ``near``: all within a tenth; the one to take, the best baseline, and
    all that it is chosen among."""

    measure: str
    chosen: Setting
    highest: Setting
    equals: list[str]
    untested: list[str]
    near: list[str]
    rule: Setting | None
    able: list[Setting]


class Advised:
    """Of a log."""

    def __init__(self, place: Place) -> None:
        self.place = place

    @cached_property
    def settings(self) -> dict[str, list[Setting]]:
        """By method, at each setting that all its runs have."""
        raw, log = self.place.raw, self.place.log
        found: dict[str, list[Setting]] = {}
        for method in self.place.methods:
            seconds = raw.mean_sd(log, method, [run.metrics["train_seconds"] for run in raw.of(log, method)])[0]
            for beta in raw.betas(log, method):
                valid, test = (
                    {name: raw.mean(log, method, name, beta, part) for name in FIGURES} for part in ("valid", "test")
                )
                found.setdefault(method, []).append(Setting(method, beta, valid, test, seconds or 0.0))
        return found

    @cached_property
    def default(self) -> Setting | None:
        """`random` as it was trained."""
        return next((each for each in self.settings.get("random", []) if each.beta == 0), None)

    def able(self, measure: str) -> list[Setting]:
        """Of each method that is able, the setting that validation prefers, the highest first."""
        best = max((each.on_valid("ndcg@10") for some in self.settings.values() for each in some), default=-1.0)
        then = "balance@10" if measure == "ndcg@10" else "ndcg@10"
        least = {"ndcg@10": 0.0, "tail_hr@10": 0.0, "balance@10": 1 / 3 + 1e-9}[measure]
        found = []
        for some in self.settings.values():
            points = [(each.on_valid("ndcg@10"), each.on_valid("balance@10")) for each in some]
            kept = [
                each
                for each, own in zip(some, points, strict=True)
                if not any(o != own and o[0] >= own[0] and o[1] >= own[1] for o in points)
                and each.on_valid(measure) > least
                and (measure == "ndcg@10" or (best > 0 and each.on_valid("ndcg@10") >= 0.9 * best))
            ]
            if kept:
                found.append(max(kept, key=lambda each: (each.on_valid(measure), each.on_valid(then), -abs(each.beta))))
        return sorted(found, key=lambda each: (each.on_valid(measure), each.on_valid(then)), reverse=True)

    @cached_property
    def purposes(self) -> dict[str, Taken]:
        """By measure; of those that validation has something for."""
        return {measure: taken for measure in FAMILY if (taken := self._taken(measure, self.able(measure)))}

    @cached_property
    def by_user(self) -> str | None:
        """What would be taken for accuracy if every user counted alike; None where nothing can be told."""
        taken = self._taken("ndcg@10", self.able("ndcg@10"), by_user=True)
        return None if taken is None else taken.chosen.method

    def _taken(self, measure: str, able: Sequence[Setting], by_user: bool = False) -> Taken | None:
        if not able:
            return None
        highest, equals, untested, near = self._alike(measure, able, by_user)
        rule = next((each for each in able if each.method in BASELINES), None)
        alike = [highest, *(each for each in able if each.method in equals)]
        rules = [each for each in alike if each.method in BASELINES]
        cheapest = min(each.seconds for each in alike)
        chosen = rules[0] if rules else next(each for each in alike if each.seconds <= 1.5 * cheapest)
        return Taken(measure, chosen, highest, equals, untested, near, rule, list(able))

    def _alike(
        self, measure: str, able: Sequence[Setting], by_user: bool
    ) -> tuple[Setting, list[str], list[str], list[str]]:
        place, (family, key) = self.place, FAMILY[measure]
        users = Users(place.raw, place.log, "valid", by_user)
        whole = [each for each in able if place.raw.whole(place.log, each.method)]
        if not users.measured or not whole:
            return able[0], [], [each.method for each in able[1:]], []

        def entry(each: Setting) -> tuple[str, tuple[float, ...]]:
            return each.method, (each.beta,) * len(place.runs(each.method))

        figures = {each.method: float(users.moved(entry(each), *key).figure_S.mean()) for each in whole}
        highest = max(whole, key=lambda each: figures[each.method]) if by_user else whole[0]
        others = [each for each in whole if each is not highest]
        if not others:
            return highest, [], [], []
        found = tested(users, family, key, [(entry(highest), entry(each)) for each in others])
        adjusted = holm([np.nan if why else test.p for test, why in found])
        near = [each for each in others if figures[each.method] >= 0.9 * figures[highest.method]]
        p_of = {each.method: p for each, p in zip(others, adjusted, strict=True)}
        equals = [each.method for each in near if not np.isnan(p_of[each.method]) and p_of[each.method] >= 0.05]
        untested = [method for method, p in p_of.items() if np.isnan(p)]
        return highest, equals, untested, [each.method for each in near]
