"""Tables of several studies: each method's figures by log with ranks, what is taken on each log, what changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from negsample.analysis.advice import MEASURES
from negsample.analysis.analyse import DatasetAnalysis
from negsample.analysis.difference import Difference
from negsample.analysis.measures import BALANCE
from negsample.analysis.over_logs import OverLogs
from negsample.analysis.two_studies import Change
from negsample.report.cards import TITLES
from negsample.report.claims import called, p_text
from negsample.report.effects import verdict
from negsample.report.formats import listed, named, signed, value_text
from negsample.report.significance_charts import FIGURES
from negsample.report.table import ShownTable

_FIGURES = {measure: figure for figure, measure in FIGURES.items()}


def over_logs_tables(found: Sequence[OverLogs]) -> list[ShownTable]:
    """Of each figure: the methods, the highest mean share first, with figure and rank on each log."""
    return [_over_logs(one) for one in found]


def _over_logs(one: OverLogs) -> ShownTable:
    order = [*one.methods, *(name for name in one.figures if name not in one.methods)]
    first = one.methods[0] if len(one.methods) > 1 else None
    headings = ["Method", *(f"{log}, % (rank)" for log in one.logs), "Mean rank", "Mean share, %"]
    headings += [f"Less {first}, points", "95 % interval", "p", "Verdict"] if first else []
    lines = []
    for name in order:
        ranks = one.ranks.get(name, (None,) * len(one.logs))
        cells = [_figure(one.measure, *each) for each in zip(one.figures[name], ranks, strict=True)]
        means = (f"{one.mean_rank(name):.3g}", f"{100 * one.mean_share(name):.1f}") if name in one.shares else ("", "")
        test = one.between(name, first) if first and name != first else None
        lines.append((name, *cells, *means, *(_tested(test) if first else ())))
    return ShownTable(f"{_FIGURES[one.measure]} by log", headings, lines, methods=True)


def _figure(measure: str, figure: float | None, rank: float | None) -> str:
    if figure is None:
        return "n/a"
    return f"{100 * figure:.{1 if measure == BALANCE else 2}f}" + ("" if rank is None else f" ({rank:g})")


def _tested(test: Difference | None) -> tuple[str, str, str, str]:
    """Difference, interval, adjusted p and verdict."""
    if test is None:
        return "", "", "", ""
    apart = "" if test.difference is None else signed(test.difference)
    ends = "" if test.low is None or test.high is None else f"{signed(test.low)} to {signed(test.high)}"
    return apart, ends, "" if test.p_holm is None else p_text(test.p_holm)[2:], verdict(test)


def taken_table(found: Mapping[str, DatasetAnalysis]) -> ShownTable:
    """What the verdict of each log takes for each purpose."""
    lines = []
    for measure in MEASURES:
        cards = [{card.purpose.measure: card for card in each.verdict.cards} for each in found.values()]
        advice = [each.verdict.is_advice for each in found.values()]
        cells = [
            called(own[measure].row) if may and measure in own else "none"
            for own, may in zip(cards, advice, strict=True)
        ]
        lines.append((TITLES[measure], *cells))
    return ShownTable("What the verdicts take, by log", ["Purpose", *found], lines, kind="text")


def change_tables(one: Change) -> list[ShownTable]:
    """What NDCG@10 was before and after, what the studies record differently; then the other figures."""
    first, *others = (_changes(one, figure, measure) for figure, measure in FIGURES.items())
    return [first, _settings(one), *others]


def _changes(one: Change, figure: str, measure: str) -> ShownTable:
    before, after = one.before, one.after
    headings = [
        "Method",
        f"{before.label}, %",
        f"{after.label}, %",
        "Difference, points",
        "95 % interval",
        "p",
        "Verdict",
    ]
    lines = []
    for name in one.methods:
        cells = [_figure(measure, side.rows[name][measure], None) for side in (before, after)]
        lines.append((name, *cells, *_tested(one.tests.get(measure, {}).get(name))))
    return ShownTable(f"{figure}: {after.label} less {before.label}", headings, lines, methods=True)


def _settings(one: Change) -> ShownTable:
    lines = [(each.name, _value(each.before), _value(each.after), _of(each.of, one.methods)) for each in one.settings]
    headings = ("Record", one.before.label, one.after.label, "Of")
    return ShownTable(f"What {one.before.label} and {one.after.label} record differently", headings, lines, kind="text")


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return listed([f"{name} {_value(each)}" for name, each in value.items()]) if value else "none"
    return listed([value_text(each) for each in value]) if isinstance(value, list) and value else value_text(value)


def _of(methods: Sequence[str], every: Sequence[str]) -> str:
    if not methods:
        return "the studies"
    return "all methods in both" if len(methods) == len(every) > 1 else named(list(methods))
