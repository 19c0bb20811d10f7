"""What the searches for settings brought: a chart of their course, and a table of what mattered in them."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from negsample.analysis.searches import Share, best_so_far, importance_of
from negsample.report import encodings as enc
from negsample.report.formats import percent
from negsample.report.palette import Look
from negsample.report.table import ShownTable
from negsample.runs.tunings import TuningSummary

IMPORTANCE = (
    "Importance: of each setting, its share in telling the best quarter of a method's trials from all of "
    "them, by HR@10 (PED-ANOVA). By chance: no more than shuffling the results among the trials can give (99 shuffles)."
)
_IMPORTANCE = "Importance of"


def search_chart(tunings: Sequence[TuningSummary], looks: Mapping[str, Look]) -> alt.LayerChart | None:
    """Validation NDCG@10 of the trial that would be taken after so many trials, a line a method, which steps where
    another trial is taken. None where no search has a complete trial, or none has two trials."""
    rows = [row for tuning in tunings for row in _steps(tuning)]
    last = max((row["trials"] for row in rows), default=0)
    if last < 2:
        return None
    methods = list(dict.fromkeys(row["method"] for row in rows))
    told = (("trials", "after trials"), ("ndcg", "validation NDCG@10"), ("hr", "validation HR@10"))
    x = alt.X("trials:Q").title("trials").axis(format="d", tickMinStep=1, grid=False).scale(zero=False, nice=False)
    base = enc.chart_of(rows).encode(
        x=x,
        y=alt.Y("y:Q").title("validation NDCG@10, %").scale(zero=False, padding=10),
        color=enc.colour(looks, methods, enc.legend_of(methods, "stroke")),
        opacity=enc.highlighted(1.0, 0.08),
        tooltip=enc.tooltips(("method", "method"), *told),
    )
    line = base.mark_line(strokeWidth=2, interpolate="step-after").encode(strokeDash=enc.dash(looks, methods))
    return enc.sized([line.add_params(enc.CHOSEN), base.mark_point(filled=True, size=40)], 300)


def _steps(tuning: TuningSummary) -> list[dict[str, Any]]:
    """The first trial that is taken, each that takes its place, and the end."""
    course = best_so_far(tuning)
    kept = [
        each
        for at, each in enumerate(course)
        if at in (0, len(course) - 1) or each.taken.number != course[at - 1].taken.number
    ]
    return [
        {
            **{"method": tuning.method, "trials": each.trials, "y": 100 * (each.taken.ndcg or 0.0)},
            **{"ndcg": percent(each.taken.ndcg), "hr": percent(each.taken.value)},
        }
        for each in kept
    ]


def searches_table(tunings: Sequence[TuningSummary]) -> ShownTable:
    """A line a method: since when the search has found nothing better, what it found, and what mattered in it."""
    importances = {tuning.method: importance_of(tuning) for tuning in tunings}
    names = list(dict.fromkeys(name for each in importances.values() for name in each.shares))
    headings = ("Method", "Best since trial", "HR@10, median complete trial", "HR@10, best trial")
    shares = tuple(f"{_IMPORTANCE} {name}" for name in names)
    lines = []
    for tuning in tunings:
        values, found = [trial.value or 0.0 for trial in tuning.of_state("complete")], importances[tuning.method]
        course = best_so_far(tuning)
        since = next((each.trials for each in course if each.taken is course[-1].taken), None)
        lines.append(
            (
                tuning.method,
                f"{since} of {len(tuning.trials)}" if since else "none is complete",
                percent(statistics.median(values)) if values else "",
                percent(max(values)) if values else "",
                *(_share(found.shares.get(name)) for name in names),
                found.why,
            )
        )
    return ShownTable("What the searches brought", (*headings, *shares, "No importance"), lines, methods=True)


def _share(found: Share | None) -> str:
    if found is None:
        return ""
    return f"{100 * found.share:.0f} %" if found.told else "by chance"


def importance_words(table: ShownTable) -> str:
    """What importance is, where the table of :func:`searches_table` has some."""
    return IMPORTANCE if any(heading.startswith(_IMPORTANCE) for heading in table.headings) else ""
