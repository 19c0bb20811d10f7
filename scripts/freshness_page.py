"""The page and the chart of how a recommender ages, made of what `scripts.freshness` measured."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import altair as alt

from negsample.report.drawing import drawn
from negsample.report.palette import PAPER
from scripts.study_runs import Line

NOTHING, SENT, REFRESHED, ON, ANEW = "nothing", "histories sent", "refreshed", "trained on", "trained anew"
OFTEN, RECENT = "refreshed more often", "RecentPop, refreshed"
COLOURS = {
    NOTHING: "#858585",
    SENT: "#e69f00",
    REFRESHED: "#0072b2",
    OFTEN: "#56b4e9",
    ON: "#cc79a7",
    ANEW: "#d55e00",
    RECENT: "#009e73",
}
"""Of each way, in the order of the tables."""
KEY = ("log", "method", "seed", "way", "window")
CHART = "freshness.svg"
WIDTH, HEIGHT = 420, 240
Values = Sequence[float]
"""One for each seed."""


def of_window(lines: Sequence[Line], way: str, window: int, name: str) -> Values:
    """The figure ``name`` of a log's ``lines`` by seed; empty where it was not measured."""
    return [line[name] for line in lines if line["way"] == way and line["window"] == window]


def of_later(lines: Sequence[Line], way: str, name: str) -> Values:
    """The same over all events of the windows after the first; empty where one of them was not measured."""
    windows, found = {line["window"] for line in lines} - {1}, []
    for seed in sorted({line["seed"] for line in lines if line["way"] == way}):
        of = [line for line in lines if (line["way"], line["seed"]) == (way, seed) and line["window"] > 1]
        if {line["window"] for line in of} != windows or any(line[name] is None for line in of):
            return []
        found.append(sum(line["events"] * line[name] for line in of) / sum(line["events"] for line in of))
    return found


def seconds(lines: Sequence[Line], way: str) -> float | None:
    """Mean over seeds and windows after the first of what an update took; None where there is none."""
    found = [line["seconds"] for line in lines if line["way"] == way and line["window"] > 1 and line["seconds"]]
    return statistics.fmean(found) if found else None


def by_log(lines: Sequence[Line]) -> Mapping[str, Sequence[Line]]:
    """The lines of each log."""
    return {log: [line for line in lines if line["log"] == log] for log in dict.fromkeys(each["log"] for each in lines)}


def page(out: Path, lines: Sequence[Line]) -> str:
    """Markdown."""
    parts = [
        (out / "intro.md").read_text(encoding="utf-8").rstrip(),
        "",
        f"![NDCG@10 by window after the training, a line for each way, a panel for each log]({CHART})",
    ]
    for log, of in by_log(lines).items():
        seeds = len({line["seed"] for line in of})
        head = f"`{of[0]['method']}`, {seeds} seeds, windows of {_length(of[0]['days'])}."
        parts += ["", f"## {log}", "", head, *_windows(of)]
        for title, name in (("NDCG@10", "ndcg@10"), ("HR@10", "hr@10")):
            parts += ["", f"{title}, %:", "", *figures_table(of, name)]
        parts += ["", *seconds_table(of)]
    return "\n".join(parts) + "\n"


def _length(days: float) -> str:
    return f"{days:g} days" if days >= 1 else f"{24 * days:g} hour{'s' * (round(24 * days) > 1)}"


def _windows(of: Sequence[Line]) -> list[str]:
    some = [line for line in of if line["way"] == NOTHING and line["seed"] == of[0]["seed"]]
    rows = [
        ("begins", [line["start"].replace("T", " ") for line in some]),
        ("users", [f"{line['users']:,}" for line in some]),
        ("events", [f"{line['events']:,}" for line in some]),
        ("of them on items without an event before T0", [f"{line['events_on_new_items']:,}" for line in some]),
    ]
    return ["", *_head("window", of), *(f"| {name} | " + " | ".join(cells) + " |" for name, cells in rows)]


def _numbers(of: Sequence[Line]) -> list[int]:
    return sorted({line["window"] for line in of})


def _head(name: str, of: Sequence[Line], *more: str) -> list[str]:
    names = [name, *map(str, _numbers(of)), *more]
    return ["| " + " | ".join(names) + " |", "|---" * len(names) + "|"]


def figures_table(of: Sequence[Line], name: str) -> list[str]:
    """A way a row, a window a column: means over seeds in %, ± the standard deviation."""
    rows = []
    for way in COLOURS:
        cells = [of_window(of, way, window, name) for window in _numbers(of)]
        if any(cells):
            cells.append(of_later(of, way, name))
            rows.append(f"| {_named(of, way)} | " + " | ".join(map(_cell, cells)) + " |")
    return [*_head("way", of, "all but the first"), *rows]


def _named(of: Sequence[Line], way: str) -> str:
    often = {line["updates"] for line in of if line["way"] == OFTEN}
    return f"refreshed {max(often)} times a window" if way == OFTEN and often else way


def _cell(values: Values) -> str:
    if not values:
        return ""
    sd = f" ±{100 * statistics.stdev(values):.2f}" if len(set(values)) > 1 else ""
    return f"{100 * statistics.fmean(values):.2f}{sd}"


def seconds_table(of: Sequence[Line]) -> list[str]:
    """What an update takes, a way a row."""
    rows = [
        f"| {_named(of, way)} | {'0' if found is None else f'{found:.1f}'} | {epochs} |"
        for way in (NOTHING, SENT, REFRESHED, OFTEN, ON, ANEW)
        if any(line["way"] == way and line["window"] > 1 for line in of)
        for found, epochs in [(seconds(of, way), _epochs(of, way))]
    ]
    return ["| way | seconds of CPU an update | epochs until then |", "|---|---|---|", *rows]


def _epochs(of: Sequence[Line], way: str) -> str:
    found = sorted({line["epochs"] for line in of if line["way"] == way and line["window"] > 1})
    return f"{found[0]}" if len(found) == 1 else f"{found[0]} to {found[-1]}"


def chart(lines: Sequence[Line]) -> str:
    """An SVG with a panel for each log."""
    panels = [_panel(log, of) for log, of in by_log(lines).items()]
    (svg,) = drawn([alt.hconcat(*panels, spacing=36).resolve_scale(color="independent").to_dict()], PAPER)
    if svg is None:
        raise RuntimeError("the chart could not be drawn")
    return svg


def _panel(log: str, of: Sequence[Line]) -> alt.LayerChart | alt.FacetChart:
    rows: list[dict[str, Any]] = []
    for way in COLOURS:
        for window in _numbers(of):
            if values := of_window(of, way, window, "ndcg@10"):
                low, high = 100 * min(values), 100 * max(values)
                rows.append({"way": way, "window": window, "low": low, "high": high})
                rows[-1]["mean"] = 100 * statistics.fmean(values)
    ways = [way for way in COLOURS if any(line["way"] == way for line in of)]
    scale = alt.Scale(domain=ways, range=[COLOURS[way] for way in ways])
    legend = alt.Legend(orient="bottom", title=None, columns=3)
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X("window:O").title(f"window of {_length(of[0]['days'])} after T0").axis(labelAngle=0),
        color=alt.Color("way:N", scale=scale, legend=legend),
    )
    y = alt.Y("mean:Q").title("NDCG@10, %").scale(zero=True)
    layers = [
        base.mark_line(strokeWidth=2).encode(y=y),
        base.mark_point(filled=True, size=36, opacity=1).encode(y=y),
        base.mark_rule(strokeWidth=1.5).encode(y="low:Q", y2="high:Q"),
    ]
    title = alt.TitleParams(log, anchor="start", fontSize=13)
    return alt.layer(*layers).properties(width=WIDTH, height=HEIGHT, title=title)
