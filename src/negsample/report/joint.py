"""What stands first on a page of several studies or logs: the logs together, and what changed between two studies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import altair as alt
import polars as pl

from negsample.analysis.analyse import DatasetAnalysis
from negsample.analysis.effects_by_log import effects_by_log
from negsample.analysis.over_logs import over_logs, over_logs_significance, over_logs_table
from negsample.analysis.two_studies import Change, changes_table
from negsample.report import joint_charts
from negsample.report.figures import Figure, figure_of
from negsample.report.joint_tables import change_tables, over_logs_tables, taken_table
from negsample.report.joint_words import change_words, over_logs_words
from negsample.report.palette import Look
from negsample.report.table import ShownTable


class Joint(NamedTuple):
    """A part of the page: ``title``, sentences, charts, tables, and a ``note`` on how to read those; ``files``: tables
    beside the page, by file name."""

    title: str
    lines: Sequence[str]
    figures: Sequence[Figure]
    tables: Sequence[ShownTable]
    files: Mapping[str, pl.DataFrame]
    note: str = ""


_LOGS_NOTE = (
    "Share: of the highest figure of all methods on the log. Ranks are among the methods that were measured on every"
    " log that counts. Intervals are of each difference alone; p is Holm-adjusted over all pairs of methods."
)
_CHANGES_NOTE = "Intervals are of each difference alone; p is Holm-adjusted over the methods in both studies."


def joint_of_logs(found: Mapping[str, DatasetAnalysis], looks: Mapping[str, Look]) -> list[Joint]:
    """Which method is best over the logs; nothing where there is one. ``found``: by the name of each log."""
    if len(found) < 2:
        return []
    each = over_logs(found)
    accuracy = each[0]
    charts = {
        "over-logs": joint_charts.over_logs_line(accuracy, looks),
        "effects-by-log": joint_charts.effects_by_log(effects_by_log(found, accuracy), looks),
    }
    files = {"over_logs.csv": over_logs_table(each), "over_logs_significance.csv": over_logs_significance(each)}
    first, *others = over_logs_tables(each)
    tables = [first, taken_table(found), *others]
    return [
        Joint("Over the logs", over_logs_words(accuracy), figures_of(charts, "all logs"), tables, files, _LOGS_NOTE)
    ]


def joint_of_changes(changes: Sequence[Change], looks: Mapping[str, Look]) -> list[Joint]:
    """What changed from one study to another, a part a pair; the file is of all pairs and stands with the first."""
    parts = []
    for number, one in enumerate(changes, 1):
        title = f"{one.before.label} and {one.after.label} on {one.after.found.dataset}"
        name = "changes" if len(changes) == 1 else f"changes--{number}"
        figures = figures_of({name: joint_charts.changes(one, looks)}, title)
        files = {"changes.csv": changes_table(changes)} if number == 1 else {}
        parts.append(
            Joint(
                title,
                change_words(one),
                figures,
                change_tables(one),
                files,
                _CHANGES_NOTE if any(one.tests.values()) else "",
            )
        )
    return parts


def figures_of(charts: Mapping[str, alt.LayerChart | None], of: str) -> list[Figure]:
    """The charts with their texts, where they have something to show."""
    found = {name: chart for name, chart in charts.items() if chart is not None}
    return [
        figure_of(name.partition("--")[0], chart, of, "".join(name.partition("--")[1:]))
        for name, chart in found.items()
    ]
