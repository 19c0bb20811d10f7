"""What the paper found, tested on a study's data: three verdicts, by tests and not by means alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from negsample.analysis.claims import Judged, Verdict, judged
from negsample.analysis.measures import ACCURACY, BALANCE
from negsample.analysis.significance import Comparisons
from negsample.analysis.tables import TableRow
from negsample.models.baselines import is_baseline

BY_POPULARITY = ("popularity", "in-batch")


class Finding(NamedTuple):
    """``claim``: the paper's, in a sentence. ``evidence``: what was tested for it, each with its own verdict."""

    claim: str
    verdict: Verdict
    evidence: list[tuple[str, Judged]]


def findings(rows: Sequence[TableRow], tests: Comparisons) -> list[Finding]:
    """The paper's findings that can be tested on one dataset's methods, each run at the dial of the table.

    ``rows``: of the table. A finding ``holds`` where every difference that it says is significant, ``does not hold``
    where one of them is significant the other way round, else it is undecided.
    """
    trained = {row["method"]: row for row in rows if not is_baseline(row["method"])}
    if "random" not in trained or len(trained) < 2:
        return []
    found = [_random_favours_the_head(trained, tests)]
    if any(method in trained for method in BY_POPULARITY):
        found.append(_popularity_trades(trained, tests))
    if "adaptive-mixed" in trained:
        found.append(_adaptive_mixed_leads(trained, tests))
    return found


def _random_favours_the_head(rows: Mapping[str, TableRow], tests: Comparisons) -> Finding:
    others = [method for method in rows if method != "random"]
    found = judged({method: tests.of_table(BALANCE, "all", "random", method) for method in others}, "lower")
    head, tail = rows["random"]["head_ndcg@10"], rows["random"]["tail_ndcg@10"]
    favoured = (head or 0.0) > (tail or 0.0)  # or it is uneven, but not for the head
    verdict: Verdict = found.verdict if favoured or found.verdict != "holds" else "undecided"
    claim = "Random negatives favour the head: no other method has as little Balance."
    return Finding(claim, verdict, [("`random` has less Balance", found)])


def _popularity_trades(rows: Mapping[str, TableRow], tests: Comparisons) -> Finding:
    evidence = []
    for method in (each for each in BY_POPULARITY if each in rows):
        more = judged({"random": tests.of_table(BALANCE, "all", method, "random")})
        less = judged({"random": tests.of_table(ACCURACY, "all", method, "random")}, "lower")
        evidence += [(f"`{method}` has more Balance", more), (f"`{method}` has a lower NDCG@10", less)]
    verdicts = {each.verdict for _, each in evidence}
    verdict: Verdict = "holds" if verdicts == {"holds"} else "undecided"
    claim = "Negatives by popularity give more Balance than random ones, and take total accuracy."
    return Finding(claim, "does not hold" if "does not hold" in verdicts else verdict, evidence)


def _adaptive_mixed_leads(rows: Mapping[str, TableRow], tests: Comparisons) -> Finding:
    others = [method for method in rows if method != "adaptive-mixed"]
    found = judged({method: tests.of_table(ACCURACY, "all", "adaptive-mixed", method) for method in others})
    evidence = [("`adaptive-mixed` has a higher NDCG@10", found)]
    return Finding("Adaptive with mixed has the highest accuracy.", found.verdict, evidence)
