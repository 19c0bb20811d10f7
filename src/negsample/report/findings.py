"""What the paper found, asked of a study's data: does it hold, by tests and not by means alone?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from negsample.report.formats import listed, percent
from negsample.report.reading import POPULAR
from negsample.report.significance import Difference

Row = Mapping[str, Any]
Verdict = Literal["holds", "holds in part", "does not hold"]
BY_POPULARITY = ("popularity", "in-batch")


class Finding(NamedTuple):
    """``claim``: the paper's, in a sentence. ``told``: on what the verdict stands."""

    claim: str
    verdict: Verdict
    told: str


def findings(rows: Sequence[Row], tested: Sequence[Difference]) -> list[Finding]:
    """The paper's findings that can be asked of one dataset's methods, each run at the dial of the table.

    ``rows``: of the table. ``tested``: what was compared; empty: nothing is asked. A finding ``holds`` where all that
    it says is told apart from chance; ``in part`` where some of it is and nothing really goes the other way, or the
    figures go its way without being told apart; else it does not hold.
    """
    trained = {row["method"]: row for row in rows if row["method"] != POPULAR}
    if not tested or "random" not in trained or len(trained) < 2:
        return []
    signs = _Signs(tested)
    found = [_random_favours_the_head(trained, signs)]
    if any(method in trained for method in BY_POPULARITY):
        found.append(_popularity_trades(trained, signs))
    if "adaptive-mixed" in trained:
        found.append(_adaptive_mixed_leads(trained, signs))
    return found


class _Signs:
    """Who is really above whom."""

    def __init__(self, tested: Sequence[Difference]) -> None:
        self._known = {
            (each.measure, each.scope, each.a, each.b): each
            for each in tested
            if each.at == "table" and each.difference is not None
        }

    def sign(self, measure: str, a: str, b: str, scope: str = "all") -> int:
        """1: ``a`` is really above ``b``; -1: really below; 0: not told apart."""
        for first, second, way in ((a, b, 1), (b, a, -1)):
            each = self._known.get((measure, scope, first, second))
            if each is not None and each.difference is not None:
                return 0 if not each.real else way if each.difference > 0 else -way
        return 0


def _random_favours_the_head(rows: Mapping[str, Row], signs: _Signs) -> Finding:
    others = [method for method in rows if method != "random"]
    lower = [method for method in others if signs.sign("balance@10", "random", method) < 0]
    higher = [method for method in others if signs.sign("balance@10", "random", method) > 0]
    head = {method: row["head_ndcg@10"] for method, row in rows.items()}
    tail = {method: row["tail_ndcg@10"] for method, row in rows.items()}
    ratio = _ratio(head["random"], tail["random"])
    steepest = all(_ratio(head[method], tail[method]) <= ratio for method in others)
    verdict: Verdict = "does not hold"
    if len(lower) == len(others) and ratio > 1:
        verdict = "holds"
    elif ratio > 1 and not higher and (lower or steepest):
        verdict = "holds in part"
    told = (
        "It hits nothing on the tail."
        if ratio == float("inf")
        else f"Its NDCG@10 is {_times(ratio)} times on the head what it is on the tail"
        + (", the most of all methods." if steepest else f", not the most: {_steepest(head, tail)} has more.")
    )
    told += f" Its Balance ({percent(rows['random']['balance@10'], 1)}) is {_against(lower, higher, others, 'lower')}."
    return Finding("Random negatives favour the head.", verdict, told)


def _popularity_trades(rows: Mapping[str, Row], signs: _Signs) -> Finding:
    there = [method for method in BY_POPULARITY if method in rows]
    balance = {method: signs.sign("balance@10", method, "random") for method in there}
    total = {method: signs.sign("ndcg@10", method, "random") for method in there}
    verdict: Verdict = "does not hold"
    if all(balance[method] > 0 > total[method] for method in there):
        verdict = "holds"
    elif any(balance[m] > 0 for m in there) and any(total[m] < 0 for m in there) and not _contrary(balance, total):
        verdict = "holds in part"
    told = " ".join(
        f"`{method}` has {_word(balance[method])} Balance than `random` and {_word(total[method])} NDCG@10"
        f" ({percent(rows[method]['balance@10'], 1)} against {percent(rows['random']['balance@10'], 1)},"
        f" {percent(rows[method]['ndcg@10'])} against {percent(rows['random']['ndcg@10'])})."
        for method in there
    )
    return Finding("Negatives by popularity give Balance and take total accuracy.", verdict, told)


def _adaptive_mixed_leads(rows: Mapping[str, Row], signs: _Signs) -> Finding:
    others = [method for method in rows if method != "adaptive-mixed"]
    ahead = [method for method in others if signs.sign("ndcg@10", "adaptive-mixed", method) > 0]
    behind = [method for method in others if signs.sign("ndcg@10", "adaptive-mixed", method) < 0]
    best = max(rows, key=lambda method: rows[method]["ndcg@10"] or 0.0)
    verdict: Verdict = "does not hold"
    if len(ahead) == len(others):
        verdict = "holds"
    elif not behind and (ahead or best == "adaptive-mixed"):
        verdict = "holds in part"
    told = f"Its NDCG@10 ({percent(rows['adaptive-mixed']['ndcg@10'])}) is {_against(ahead, behind, others, 'higher')}."
    if best != "adaptive-mixed":
        told += f" The highest is of `{best}` ({percent(rows[best]['ndcg@10'])})."
    return Finding("Adaptive with mixed has the highest accuracy.", verdict, told)


def _against(with_it: list[str], contrary: list[str], others: list[str], way: str) -> str:
    """``really lower than that of 3 of 5 others (...)``, and who is really the other way."""
    opposite = {"lower": "higher", "higher": "lower"}[way]
    if len(with_it) == len(others):
        return f"really {way} than that of all {len(others)} others"
    some = f"really {way} than that of {len(with_it)} of {len(others)} others" + _names(with_it)
    text = some if with_it else f"not really {way} than that of any of {len(others)} others"
    return text + (f", and really {opposite} than that of {len(contrary)}{_names(contrary)}" if contrary else "")


def _names(methods: list[str]) -> str:
    return f" ({listed([f'`{method}`' for method in methods])})" if methods else ""


def _contrary(balance: Mapping[str, int], total: Mapping[str, int]) -> bool:
    return any(each < 0 for each in balance.values()) or any(each > 0 for each in total.values())


def _word(sign: int) -> str:
    return {1: "really more", 0: "not really another", -1: "really less"}[sign]


def _ratio(head: float | None, tail: float | None) -> float:
    if not head:
        return 0.0
    return float("inf") if not tail else head / tail


def _times(ratio: float) -> str:
    return "more than 1,000" if ratio >= 1000 else f"{ratio:.3g}"


def _steepest(head: Mapping[str, float | None], tail: Mapping[str, float | None]) -> str:
    return f"`{max(head, key=lambda method: _ratio(head[method], tail[method]))}`"
