"""The advice, chosen on validation, and whether the test bears it out."""

from __future__ import annotations

from collections.abc import Sequence

from negsample.analysis.claims import Judged, Way, judged, told
from negsample.analysis.formats import listed, percent
from negsample.analysis.offers import ACCEPTABLE, ACCURACY, Offers, Purpose, Row
from negsample.analysis.reading import POPULAR
from negsample.analysis.significance import Comparisons


def ranked(rows: Sequence[Row], measure: str) -> list[Row]:
    """``rows`` with ``measure`` falling; equal ones in their own order."""
    return sorted(rows, key=lambda row: -1.0 if row[measure] is None else -row[measure])


def best_of(rows: Sequence[Row], measure: str) -> Row:
    """The row with the highest ``measure``, the first of equals."""
    return max(rows, key=lambda row: -1.0 if row[measure] is None else row[measure])


def below(row: Row, best: Row) -> str:
    """``NDCG@10 0.78 %, 33 % below `mixed```; a digit more where it is little."""
    loss = 1 - row[ACCURACY] / best[ACCURACY] if best[ACCURACY] else 0.0
    if loss <= 0:
        return f"NDCG@10 {percent(row[ACCURACY])}, no less than {called(best)}"
    return f"NDCG@10 {percent(row[ACCURACY])}, {percent(loss, 0 if loss >= 0.1 else 1)} below {called(best)}"


def advice(offered: Offers) -> str:
    """What to take for what, by validation alone: no figure of the test has a say in it."""
    if not offered.accuracy.rows:
        return "No trained method has finished, so there is nothing to choose between yet."
    first = offered.accuracy.chosen
    if first is None:
        return "Nothing to choose by: no trained method put a single validation target in its top 10."
    if offered.baseline_leads:
        return (
            f"On validation no trained method has a higher NDCG@10 than PopRec, {called(first)} as the best of them "
            "included: as they are trained here, there is no reason to take one."
        )
    if len(offered.accuracy.rows) == 1:
        return f"Only {called(first)} was trained: there is nothing to choose between yet."
    uses: dict[str, list[str]] = {called(first): ["total accuracy"]}
    if offered.tail.chosen is not None:
        uses.setdefault(called(offered.tail.chosen), []).append("tail items")
    if offered.balance.chosen is not None:
        kept = f"Balance at {percent(ACCEPTABLE, 0)} or more of the best NDCG@10"
        uses.setdefault(called(offered.balance.chosen), []).append(kept)
    return f"By validation, take {'; '.join(f'{who} for {listed(what)}' for who, what in uses.items())}."


def on_test(offered: Offers, tests: Comparisons) -> str:
    """Whether the advised method has the highest NDCG@10 on test too; empty where nothing is advised."""
    first = offered.accuracy.chosen
    found = judged_purpose(offered.accuracy, ACCURACY, offered, tests)
    if first is None or not found.asked:
        return ""
    claim = f"On test, that {called(first)} has the highest NDCG@10"
    if offered.baseline_leads and offered.baseline is not None:
        claim = f"On test, that {called(first)} has a lower NDCG@10 than PopRec"
        found = judged({POPULAR: tests.between(ACCURACY, first, offered.baseline)}, "lower")
    way: Way = "lower" if offered.baseline_leads else "higher"
    return f"{claim} {found.verdict}: {told(found, way)}{repeat(found)}."


def judged_purpose(purpose: Purpose, measure: str, offered: Offers, tests: Comparisons) -> Judged:
    """The advised method of ``purpose`` against all that it is claimed to be above."""
    chosen = purpose.chosen
    others = offered.rivals(purpose) if chosen else []
    return judged({row["method"]: tests.between(measure, chosen, row) for row in others if chosen})


def repeat(found: Judged) -> str:
    """What to do where single runs are why nothing is told."""
    return "; repeat with `--repeats 3` or more" if any(why.startswith("one run") for why in found.untested) else ""


def names(rows: Sequence[Row], last: str = "and") -> str:
    """The methods of ``rows``, as they stand in a sentence."""
    return listed([called(row) for row in rows], last)


def called(row: Row) -> str:
    """A method as it stands in a sentence, with its dial where that is turned."""
    return f"`{row['method']}`" + (f" at dial {row['dial']:+g}" if row.get("dial") else "")
