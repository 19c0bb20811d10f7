"""What bounds a dataset's numbers, in plain words: the baseline and the ceiling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from negsample.analysis.claims import judged, told
from negsample.analysis.formats import listed, percent
from negsample.analysis.offers import ACCURACY, Row
from negsample.analysis.reading import POPULAR
from negsample.analysis.significance import Comparisons


def baseline(rows: Sequence[Row], tests: Comparisons) -> str:
    """How far recommending the most popular items to everybody comes, and which methods differ from it significantly.

    ``rows``: of the table.
    """
    popular = next((row for row in rows if row["method"] == POPULAR), None)
    if popular is None or popular[ACCURACY] is None:
        return "PopRec, the baseline that recommends the most popular items to everybody, has not finished."
    text = (
        "PopRec, which recommends the most popular items to everybody, has"
        f" NDCG@10 {percent(popular[ACCURACY])} and HR@10 {percent(popular['hr@10'])}."
    )
    trained = [row["method"] for row in rows if row["method"] != POPULAR and row[ACCURACY] is not None]
    if not trained:
        return text
    lower = [row["method"] for row in rows if row["method"] in trained and row[ACCURACY] < popular[ACCURACY]]
    if lower:
        text += f" In the table {listed([f'`{method}`' for method in lower])} {_have(lower)} a lower NDCG@10."
    found = judged({method: tests.of_table("ndcg@10", "all", POPULAR, method) for method in trained})
    return f"{text} PopRec's NDCG@10 in the table: {told(found)}." if tests else text


def _have(methods: Sequence[str]) -> str:
    return "has" if len(methods) == 1 else "have"


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
