"""Which method is best at what, and by how much: the choices behind the words."""

from __future__ import annotations

from collections.abc import Sequence

from negsample.report.formats import listed, percent
from negsample.report.noise import BY_SPREAD, Judge, Row

ACCURACY = "ndcg@10"
TAIL = "tail_hr@10"
ACCEPTABLE = 0.9
"""Accuracy is acceptable from this share of the best NDCG@10 on; the words say so where they use it."""
_NAMED = 4  # in the headline, of those not told apart from the best; more are counted


def ranked(rows: Sequence[Row], measure: str) -> list[Row]:
    """``rows`` with ``measure`` falling; equal ones in their own order."""
    return sorted(rows, key=lambda row: -row[measure])


def best_of(rows: Sequence[Row], measure: str) -> Row:
    """The row with the highest ``measure``, the first of equals."""
    return max(rows, key=lambda row: -1.0 if row[measure] is None else row[measure])


def not_told_apart(best: Row, others: Sequence[Row], measure: str, judge: Judge = BY_SPREAD) -> list[Row]:
    """Those of ``others`` whose difference from ``best`` may be chance."""
    return [row for row in others if row is not best and judge.close(best, row, measure)]


def able(rows: Sequence[Row], leader: Row) -> list[Row]:
    """Those of ``rows`` that keep ACCEPTABLE of the leader's accuracy."""
    return [row for row in rows if row[ACCURACY] >= ACCEPTABLE * leader[ACCURACY]]


def below(row: Row, best: Row) -> str:
    """``NDCG@10 0.78 %, 33 % below `mixed```; a digit more where it is little."""
    loss = 1 - row[ACCURACY] / best[ACCURACY]
    if loss <= 0:
        return f"NDCG@10 {percent(row[ACCURACY])}, no less than {called(best)}"
    return f"NDCG@10 {percent(row[ACCURACY])}, {percent(loss, 0 if loss >= 0.1 else 1)} below {called(best)}"


def headline(
    rows: Sequence[Row],
    tails: Sequence[Row],
    evens: Sequence[Row],
    popular: Row | None,
    judge: Judge = BY_SPREAD,
) -> str:
    """The advice: what to take for total accuracy, for the tail and for balance at acceptable accuracy.

    ``rows``, ``tails``, ``evens``: what the trained methods offer for each, at least one with some accuracy.
    """
    best = best_of(rows, ACCURACY)
    if popular is not None and popular[ACCURACY] is not None and popular[ACCURACY] >= best[ACCURACY]:
        text = (
            f"No trained method beats PopRec here: NDCG@10 {percent(popular[ACCURACY])} for PopRec, "
            f"{percent(best[ACCURACY])} for {called(best)}, the best trained one."
        )
        return text + (f" The difference {judge.of_baseline}." if judge.close(popular, best, ACCURACY) else "")
    if len(rows) == 1:
        return f"Only {called(best)} was trained: there is nothing to choose between yet."
    uses: dict[str, list[str]] = {}
    uses.setdefault(_take(best, rows, ACCURACY, judge), []).append("total accuracy")
    tail = best_of(tails, TAIL)
    if tail[TAIL]:
        who = _take(tail, tails, TAIL, judge)
        uses.setdefault(who, []).append("tail items" + _in_brackets(tail, best, judge, who != called(tail)))
    even = best_of(able(evens, best) or [best], "balance@10")
    if even["balance@10"] is not None:
        uses.setdefault(called(even), []).append(f"balance at {percent(ACCEPTABLE, 0)} or more of the best NDCG@10")
    advice = f"Take {'; '.join(f'{who} for {listed(what)}' for who, what in uses.items())}."
    if popular is not None and judge.close(best, popular, ACCURACY):
        advice += f" The lead of {called(best)} over PopRec {judge.of_baseline}."
    return advice


def _take(best: Row, rows: Sequence[Row], measure: str, judge: Judge) -> str:
    peers = [row for row in rows if row is not best and row[measure] == best[measure]]
    peers += not_told_apart(best, rows, measure, judge)
    if len(peers) > _NAMED:
        return f"{called(best)} or any of {len(peers)} others not told apart from it"
    return names([best, *peers], "or")


def _in_brackets(tail: Row, best: Row, judge: Judge, among_others: bool) -> str:
    """What the best for the tail costs, where that was tested and there is something to pay or to doubt."""
    price = judge.price(tail["method"], best["method"])
    if price is None:
        return ""
    loss = 1 - tail[ACCURACY] / best[ACCURACY]
    which = "the first " if among_others else ""
    parts = [f"{which}costs {percent(loss, 0 if loss >= 0.1 else 1)} of total NDCG@10"] if loss > 0 else []
    if not price.gain_real:
        parts.append(f"its gain over {called(best)} may be chance")
    return f" ({', '.join(parts)})" if parts else ""


def names(rows: Sequence[Row], last: str = "and") -> str:
    """The methods of ``rows``, as they stand in a sentence."""
    return listed([called(row) for row in rows], last)


def called(row: Row) -> str:
    """A method as it stands in a sentence, with its dial where that is turned."""
    return f"`{row['method']}`" + (f" at dial {row['dial']:+g}" if row.get("dial") else "")
