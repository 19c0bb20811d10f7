"""What bounds a dataset's numbers, in plain words: the baseline, the ceiling and the noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from negsample.report.formats import percent
from negsample.report.noise import BY_SPREAD, Judge, Row
from negsample.report.verdicts import ACCURACY, names, not_told_apart


def baseline(trained: Sequence[Row], popular: Row | None, judge: Judge = BY_SPREAD) -> str:
    """How far recommending the most popular items to everybody comes, and which methods stay behind it."""
    if popular is None or popular[ACCURACY] is None:
        return "PopRec, the baseline that recommends the most popular items to everybody, has not finished."
    text = (
        "PopRec, which recommends the most popular items to everybody, reaches"
        f" NDCG@10 {percent(popular[ACCURACY])} and HR@10 {percent(popular['hr@10'])}."
    )
    losers = [row for row in trained if row[ACCURACY] < popular[ACCURACY]]
    level = [row for row in trained if row[ACCURACY] == popular[ACCURACY] > 0]
    if losers:
        which = f"All {len(losers)} trained methods" if len(losers) == len(trained) > 1 else names(losers)
        text += f" {which} {'lose' if len(losers) > 1 else 'loses'} to PopRec on NDCG@10."
    if level:
        text += f" {names(level)} {'equal' if len(level) > 1 else 'equals'} it on NDCG@10."
    close = not_told_apart(popular, trained, ACCURACY, judge)
    if close:
        text += f" For {names(close)} the difference from PopRec {judge.of_baseline}."
    return text


def ceiling(events: Mapping[str, Any]) -> str:
    """The share of test events that can never be hit, and of those on items that no training event shows."""
    left_out, cold = (events[name] / events["events"] for name in ("left_out_events", "cold_events"))
    text = ""
    if left_out:
        text = (
            f"{percent(left_out, 1)} of the test events are on items that the user had before. `filter_seen` leaves"
            f" these out of the ranking, so they are never hit: HR@10 has a ceiling of {percent(1 - left_out, 1)}. "
        )
    if not cold:
        return f"{text}Every test event is on an item that was seen in training."
    return (
        f"{text}{percent(cold, 1)} of the test events are on items never seen in training. Their vectors are not"
        " trained: they are hit by chance, which is more where the catalogue is small."
    )


def repeats(trained: Sequence[Row]) -> str:
    """What single runs cannot tell; nothing where every method ran more than once."""
    once = [row for row in trained if row["runs"] == 1]
    if not once:
        return ""
    who = "Every method" if len(once) == len(trained) > 1 else names(once)
    return f"{who} ran once: one run cannot tell a difference from noise; repeat with `--repeats 3` or more."
