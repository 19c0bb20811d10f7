"""The page's table on who is served: users alike, new and repeated items, cohorts as of the cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from negsample.analysis.measures import BALANCE, COHORTS
from negsample.analysis.tables import TableRow
from negsample.report.formats import commas
from negsample.report.table import FigureColumn, FiguresTable, figures_table, label

_SCOPES = {"": "all events", "user_": "over users", "new_": "new items", "repeat_": "repeats"}


def served_table(rows: Sequence[TableRow]) -> FiguresTable:
    """HR and NDCG at 10 over events and over users, on new and on repeated items; HR by cohorts as of the cut; Balance
    by both kinds of cohorts. No columns where the runs are of before these were measured."""
    columns = [
        FigureColumn(f"{scope}{metric}@10", f"{label(metric)}@10, %", heading)
        for metric in ("hr", "ndcg")
        for scope, heading in _SCOPES.items()
    ]
    columns += [FigureColumn(f"cut_{cohort}_hr@10", "HR@10 as of the cut, %", cohort) for cohort in COHORTS]
    columns += [
        FigureColumn(name, "Balance, %", heading, 1)
        for name, heading in ((BALANCE, "by training"), (f"cut_{BALANCE}", "as of the cut"))
    ]
    if not any(row.get("user_hr@10") is not None for row in rows):
        return FiguresTable([], [])
    return figures_table(rows, [each for each in columns if any(row.get(each.name) is not None for row in rows)])


def served_words(test: Mapping[str, Any]) -> list[str]:
    """What each column says, with the number of its events; ``test``: a run's figures on test."""
    if "effective_users" not in test:
        return []
    cut = ", ".join(f"{commas(test[f'cut_{cohort}_events'])} {cohort}" for cohort in COHORTS)
    return [
        f"Over users: each user's own mean, then the mean over the {commas(test['users'])} users. In a mean over the"
        f" {commas(test['events'])} events users with many of them weigh most: it is as steady as one over"
        f" {commas(test['effective_users'] or 0)} users with equally many events (effective number of users).",
        f"Repeats: the {commas(test['repeat_events'])} events on an item that the user has in the history which the"
        f" model knows; new items: the other {commas(test['new_events'])}.",
        f"As of the cut: cohorts by all events before the test part, validation included, where those of the other"
        f" tables are by training alone. Test events: {cut}.",
    ]
