"""What the paper found, asked of a study's data: three verdicts, by tests and not by means alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from negsample.analysis.claims import Verdict, judged, told
from negsample.analysis.formats import percent
from negsample.analysis.offers import Row
from negsample.analysis.reading import POPULAR
from negsample.analysis.significance import Comparisons
from negsample.analysis.verdicts import repeat

BY_POPULARITY = ("popularity", "in-batch")


class Finding(NamedTuple):
    """``claim``: the paper's, in a sentence. ``told``: on what the verdict stands."""

    claim: str
    verdict: Verdict
    told: str


def findings(rows: Sequence[Row], tests: Comparisons) -> list[Finding]:
    """The paper's findings that can be asked of one dataset's methods, each run at the dial of the table.

    ``rows``: of the table. A finding ``holds`` where every difference that it says is significant, ``does not hold``
    where one of them is significant the other way round, else it cannot be told on these data.
    """
    trained = {row["method"]: row for row in rows if row["method"] != POPULAR}
    if "random" not in trained or len(trained) < 2:
        return []
    found = [_random_favours_the_head(trained, tests)]
    if any(method in trained for method in BY_POPULARITY):
        found.append(_popularity_trades(trained, tests))
    if "adaptive-mixed" in trained:
        found.append(_adaptive_mixed_leads(trained, tests))
    return found


def _random_favours_the_head(rows: Mapping[str, Row], tests: Comparisons) -> Finding:
    others = [method for method in rows if method != "random"]
    found = judged({method: tests.of_table("balance@10", "all", "random", method) for method in others}, "lower")
    head, tail = rows["random"]["head_ndcg@10"], rows["random"]["tail_ndcg@10"]
    verdict: Verdict = found.verdict
    if verdict == "holds" and not (head or 0.0) > (tail or 0.0):
        verdict = "cannot be told here"  # uneven, but not for the head
    text = (
        f"On the head items its NDCG@10 is {percent(head)}, on the tail items {percent(tail)}."
        f" Its Balance ({percent(rows['random']['balance@10'], 1)}): {told(found, 'lower')}{repeat(found)}."
    )
    return Finding("Random negatives favour the head: no other method has as little Balance.", verdict, text)


def _popularity_trades(rows: Mapping[str, Row], tests: Comparisons) -> Finding:
    there = [method for method in BY_POPULARITY if method in rows]
    parts, verdicts = [], []
    for method in there:
        more = judged({"random": tests.of_table("balance@10", "all", method, "random")})
        less = judged({"random": tests.of_table("ndcg@10", "all", method, "random")}, "lower")
        verdicts += [more.verdict, less.verdict]
        parts.append(
            f"`{method}`: Balance {percent(rows[method]['balance@10'], 1)} against"
            f" {percent(rows['random']['balance@10'], 1)}, {told(more)}; NDCG@10 {percent(rows[method]['ndcg@10'])}"
            f" against {percent(rows['random']['ndcg@10'])}, {told(less, 'lower')}{repeat(less)}."
        )
    verdict: Verdict = "cannot be told here"
    if "does not hold" in verdicts:
        verdict = "does not hold"
    elif set(verdicts) == {"holds"}:
        verdict = "holds"
    claim = "Negatives by popularity give more Balance than random ones, and take total accuracy."
    return Finding(claim, verdict, " ".join(parts))


def _adaptive_mixed_leads(rows: Mapping[str, Row], tests: Comparisons) -> Finding:
    others = [method for method in rows if method != "adaptive-mixed"]
    found = judged({method: tests.of_table("ndcg@10", "all", "adaptive-mixed", method) for method in others})
    text = f"Its NDCG@10 ({percent(rows['adaptive-mixed']['ndcg@10'])}): {told(found)}{repeat(found)}."
    best = max(rows, key=lambda method: rows[method]["ndcg@10"] or 0.0)
    if (rows[best]["ndcg@10"] or 0.0) > (rows["adaptive-mixed"]["ndcg@10"] or 0.0):
        text += f" The highest is that of `{best}` ({percent(rows[best]['ndcg@10'])})."
    return Finding("Adaptive with mixed has the highest accuracy.", found.verdict, text)
