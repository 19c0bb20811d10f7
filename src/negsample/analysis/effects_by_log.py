"""How much more each method has than another one, log by log and over the logs, as shares of each log's highest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from negsample.analysis.advice import DEFAULT
from negsample.analysis.analyse import DatasetAnalysis
from negsample.analysis.difference import Difference
from negsample.analysis.measures import KEYS
from negsample.analysis.over_logs import BEST_RULE, TOGETHER, OverLogs, together
from negsample.analysis.significance import corrected


class Effect(NamedTuple):
    """Of ``method`` on ``log`` (or over all that count): ``share`` more than ``over``, of the log's highest figure.

    ``low``, ``high``: the 95 % interval of this one alone; None where nothing was tested, and ``why``.
    """

    log: str
    method: str
    over: str
    share: float
    low: float | None
    high: float | None
    why: str


def effects_by_log(found: Mapping[str, DatasetAnalysis], one: OverLogs) -> list[Effect]:
    """Against `random`, where it is on every log that counts, and against the best baseline of each log by its
    validation, where each has one: of every method that was compared with it on all of these logs."""
    overs: dict[str, list[str]] = {DEFAULT: [DEFAULT] * len(one.counted)} if DEFAULT in one.methods else {}
    rules = [found[log].verdict.advice.baseline for log in one.counted]
    if rules and None not in rules:
        overs[BEST_RULE] = [rule["method"] for rule in rules if rule is not None]
    effects = []
    for over, names in overs.items():
        for method in one.methods:
            effects += _of(found, one, method, over, names)
    return effects


def _of(found: Mapping[str, DatasetAnalysis], one: OverLogs, method: str, over: str, names: list[str]) -> list[Effect]:
    highest = dict(zip(one.logs, one.highest_L, strict=True))
    each: dict[str, Difference] = {}
    for log, name in zip(one.counted, names, strict=True):
        if (test := found[log].tests.of_table(*KEYS[one.measure], method, name)) is None or test.difference is None:
            return []  # the two are the same here, or are rules both
        each[log] = test
    effects = [_effect(log, method, over, test, highest[log]) for log, test in each.items()]
    weighed = [(log, found[log].tests, 1 / (len(each) * highest[log])) for log in each]
    over_all = together(one.measure, weighed, method, names)
    assert over_all is not None, "every log compares the two"
    return [*effects, _effect(TOGETHER, method, over, corrected([over_all])[0], 1.0)]


def _effect(log: str, method: str, over: str, test: Difference, highest: float) -> Effect:
    share, low, high = (None if each is None else each / highest for each in (test.difference, test.low, test.high))
    assert share is not None, "both have a figure"
    return Effect(log, method, over, share, low, high, test.untested)
