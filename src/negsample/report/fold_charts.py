"""Charts over test windows that follow each other: a figure by window, and by the time since a window began."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from negsample.analysis.tables import TableRow
from negsample.report import encodings as enc
from negsample.report.formats import percent, when
from negsample.report.palette import Look


def window_chart(rows: Sequence[TableRow], looks: Mapping[str, Look]) -> alt.LayerChart | None:
    """NDCG@10 by test window, a line a method; ``rows``: of :func:`negsample.analysis.folds.folds_table`.

    None where there are no folds.
    """
    shown = [
        {
            **{"method": row["method"], "fold": row["fold"], "runs": row["runs"]},
            **{"y": 100 * row["ndcg@10"], "ndcg": percent(row["ndcg@10"]), "hr": percent(row["hr@10"])},
            **{
                "balance": percent(row["balance@10"], 1),
                "dates": f"{when(row['test_from'])} to {when(row['test_to'])}",
            },
        }
        for row in rows
        if row["ndcg@10"] is not None
    ]
    folds = sorted({row["fold"] for row in shown})
    if len(folds) < 2:
        return None
    x = alt.X("fold:Q").title("test window").axis(values=folds, format="d", grid=False).scale(zero=False, nice=False)
    told = (("dates", "window"), ("ndcg", "NDCG@10"), ("hr", "HR@10"), ("balance", "Balance@10"), ("runs", "runs"))
    return _lines(shown, x, told, looks)


def age_chart(rows: Sequence[Mapping[str, Any]], looks: Mapping[str, Look]) -> alt.LayerChart | None:
    """NDCG@10 by the days since the window began, a line a method; ``rows``: of
    :func:`negsample.analysis.folds.ndcg_by_time`. None where all is one moment."""
    if len({row["days"] for row in rows}) < 2:
        return None
    shown = [
        {
            **{"method": row["method"], "days": row["days"], "events": row["events"], "at": f"{row['days']:.1f} days"},
            **{"y": 100 * row["ndcg"], "ndcg": percent(row["ndcg"]), "hr": percent(row["hr"])},
        }
        for row in rows
    ]
    x = alt.X("days:Q").title("days since the test window began").axis(grid=False)
    told = (("at", "after"), ("ndcg", "NDCG@10"), ("hr", "HR@10"), ("events", "events"))
    return _lines(shown, x, told, looks)


def _lines(
    rows: Sequence[Mapping[str, Any]], x: alt.X, told: Sequence[tuple[str, str]], looks: Mapping[str, Look]
) -> alt.LayerChart:
    methods = list(dict.fromkeys(row["method"] for row in rows))
    base = enc.chart_of(rows).encode(
        x=x,
        y=alt.Y("y:Q").title("NDCG@10, %"),
        color=enc.colour(looks, methods, enc.legend_of(methods, "stroke")),
        opacity=enc.highlighted(1.0, 0.08),
        tooltip=enc.tooltips(("method", "method"), *told),
    )
    line = base.mark_line(strokeWidth=2).encode(strokeDash=enc.dash(looks, methods))
    return enc.sized([line.add_params(enc.CHOSEN), base.mark_point(filled=True, size=40)], 300)
