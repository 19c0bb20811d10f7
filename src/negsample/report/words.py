"""What a dataset's numbers say, in plain words, and no more than they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from negsample.analysis import limits
from negsample.analysis.claims import told
from negsample.analysis.cutoff import CutOff, cut_off_words
from negsample.analysis.formats import SPACE, listed, percent, seconds
from negsample.analysis.frontier import Standing
from negsample.analysis.offers import ACCEPTABLE, ACCURACY, BALANCE, TAIL, Offers, Purpose, Row
from negsample.analysis.reading import POPULAR
from negsample.analysis.significance import Comparisons
from negsample.analysis.verdicts import advice, below, best_of, called, judged_purpose, names, on_test, ranked, repeat
from negsample.report.significance_words import significance


class Words(NamedTuple):
    """``headline``: the advice. ``grounds``: (subject, sentences). Methods stand in backticks."""

    headline: str
    grounds: tuple[tuple[str, str], ...]


def dataset_words(
    rows: Sequence[Row], events: Mapping[str, Any], offered: Offers, tests: Comparisons, cut: CutOff | None = None
) -> Words:
    """The words for one dataset.

    ``rows``: its rows of the table, in the study's order. ``events``: the test part of one run's metrics, for
    ``events`` and ``cold_events``. ``offered``: what the methods offer and what is advised. ``tests``: what was tested.
    ``cut``: whether training was cut off, which is said before anything.
    """
    if not events["events"]:
        return Words("There are no test events, so nothing was measured.", ())
    scored = [row for row in offered.accuracy.rows if row[ACCURACY] is not None]
    headline = " ".join(each for each in (cut_off_words(cut), advice(offered), on_test(offered, tests)) if each)
    grounds: list[tuple[str, str]] = []
    if scored and not any(row[ACCURACY] for row in scored):
        grounds = [("Accuracy", "On test HR@10 and NDCG@10 are 0 for every trained method; Balance is undefined.")]
    elif scored:
        grounds = [
            ("Frontier", _frontier(offered.standings)),
            ("Accuracy", _accuracy(offered)),
            ("Tail", _tail(offered, tests)),
            ("Balance", _balance(offered, tests)),
            ("Significance", significance(tests, [row for row in rows if row["method"] != POPULAR])),
            ("Time", _time([row for row in rows if row["method"] != POPULAR])),
        ]
    grounds += [("Baseline", limits.baseline(rows, tests)), ("Ceiling", limits.ceiling(events))]
    return Words(headline, tuple((subject, text) for subject, text in grounds if text))


def _accuracy(offered: Offers) -> str:
    rows, chosen = offered.accuracy.rows, offered.accuracy.chosen
    best, *others = ranked([row for row in rows if row[ACCURACY] is not None], ACCURACY)
    text = f"{_highest(best, others, ACCURACY, 'NDCG@10')}, HR@10 {percent(best['hr@10'])}, {_evenness(best)}."
    behind = [row for row in others if row[ACCURACY] < best[ACCURACY]]
    if behind:
        text += f" The next, {called(behind[0])}, has {below(behind[0], best)}."
    first = best_of(rows, "hr@10")
    if first["hr@10"] > best["hr@10"]:
        text += f" HR@10 is highest for {called(first)}: {percent(first['hr@10'])}."
    if chosen is not None and chosen is not best:
        text += f" {_advised(chosen)} has {below(chosen, best)}."
    return text


def _tail(offered: Offers, tests: Comparisons) -> str:
    rows = [row for row in offered.tail.rows if row[TAIL] is not None]
    if not rows:
        return "No test event is on a tail item, so nothing can be said about the tail."
    best, *others = ranked(rows, TAIL)
    if not best[TAIL]:
        return "No trained method put a single tail target of the test in its top 10."
    text = f"On tail items: {_highest(best, others, TAIL, 'HR@10')}."
    chosen, accurate = offered.tail.chosen, offered.accuracy.chosen
    if chosen is None:
        return text
    if chosen is not best:
        text += f" {_advised(chosen)} has {percent(chosen[TAIL])} there."
    if accurate is not None and called(chosen) != called(accurate):
        text += (
            f" {called(chosen)} compared with {called(accurate)}, advised for accuracy: HR@10 on tail items"
            f" {percent(chosen[TAIL])} against {percent(accurate[TAIL])}{_told(tests, TAIL, chosen, accurate)}, total"
            f" NDCG@10 {percent(chosen[ACCURACY])} against {percent(accurate[ACCURACY])}"
            f"{_told(tests, ACCURACY, chosen, accurate)}."
        )
    return text + _verdict(offered.tail, TAIL, "tail HR@10", offered, tests)


def _balance(offered: Offers, tests: Comparisons) -> str:
    rows, chosen = offered.balance.rows, offered.balance.chosen
    undefined = [row for row in rows if row[BALANCE] is None]
    lack = ""
    if undefined:
        reason = "no hit in any cohort, or a cohort without test events"
        lack = f"On test Balance is undefined for {names(undefined)} ({reason})."
    if len(rows) < 2:
        return lack
    if chosen is None:
        none = f"On validation no setting that keeps {percent(ACCEPTABLE, 0)} of the best NDCG@10 has a defined Balance"
        return f"{none} above 33.3{SPACE}%, which is what hits in one cohort alone give. {lack}".strip()
    able = len(offered.balance.able)
    who = f"of the {able} methods that keep" if able > 1 else "the only method that keeps"
    text = (
        f"{_advised(chosen)}, {who} {percent(ACCEPTABLE, 0)} of the best NDCG@10 on validation, has"
        f" {_evenness(chosen)} on test, with NDCG@10 {percent(chosen[ACCURACY])}."
    )
    if able > 1:
        text += _verdict(offered.balance, BALANCE, "Balance of these", offered, tests)
    more = [row for row in rows if row[BALANCE] is not None and row[BALANCE] > (chosen[BALANCE] or 0.0)]
    if more:
        best = best_of(more, BALANCE)
        text += (
            f" {called(best)} has more Balance, {percent(best[BALANCE], 1)}, with NDCG@10 {percent(best[ACCURACY])}."
        )
    return f"{text} {lack}".strip()


def _highest(best: Row, others: Sequence[Row], measure: str, name: str) -> str:
    """Who has the highest figure on test, alone or with others."""
    equal = [row for row in others if row[measure] == best[measure]]
    if equal:
        return f"{names([best, *equal])} share the highest {name} on test, {percent(best[measure])}"
    if not others:
        return f"{called(best)} has {name} {percent(best[measure])} on test"
    return f"{called(best)} has the highest {name} on test, {percent(best[measure])}"


def _advised(row: Row) -> str:
    return f"The advised {called(row)}"


def _verdict(purpose: Purpose, measure: str, name: str, offered: Offers, tests: Comparisons) -> str:
    """Whether what was advised is above all others in ``measure``."""
    chosen, found = purpose.chosen, judged_purpose(purpose, measure, offered, tests)
    if chosen is None or not found.asked:
        return ""
    claim = f"That {called(chosen)} has the highest {name}"
    return f" {claim} {found.verdict}: {told(found)}{repeat(found)}."


def _told(tests: Comparisons, measure: str, a: Row, b: Row) -> str:
    """In brackets, whether two rows differ significantly."""
    each = tests.between(measure, a, b)
    if each is None or each.p_holm is None:
        return " (not tested)"
    return f" ({'' if each.significant else 'not '}significant{', borderline' if each.borderline else ''})"


def _frontier(standings: Sequence[Standing]) -> str:
    """Who offers most over all settings, who leads where, and who is dominated."""
    trained = [each for each in standings if each.method != POPULAR]
    if len(trained) < 2 or not any(each.hypervolume for each in trained):
        return ""
    best = max(trained, key=lambda each: each.hypervolume)
    text = f"Over all settings of the dial `{best.method}` offers most: {percent(best.hypervolume)} NDCG@10 on average"
    text += " over all demands on Balance"
    text += "." if best.best is None else f", the largest of all in {percent(best.best, 0)} of resamples."
    ahead = sorted((each for each in standings if each.leads), key=lambda each: -each.share)
    if len(ahead) == 1:
        text += f" `{ahead[0].method}` has the highest NDCG@10 at every demand on Balance."
    elif ahead:
        parts = [f"`{each.method}` for {percent(each.share, 0)}" for each in ahead]
        text += (
            f" The highest NDCG@10 at a demand on Balance is that of {listed(parts)} of the demands (of those that keep"
            " half of the best NDCG@10)."
        )
    behind = [each for each in standings if not each.leads]
    if behind:
        listed_behind = [
            f"`{each.method}`" + ("" if each.ahead is None else f" ({percent(1 - each.ahead, 0)} of resamples)")
            for each in behind
        ]
        text += f" Dominated at every demand: {listed(listed_behind)}."
    return text + " These are shares of resamples, and no test."


def _time(rows: Sequence[Row]) -> str:
    timed = [row for row in rows if row["train_seconds"]]
    if len(timed) < 2:
        return ""
    best, fastest = best_of(rows, ACCURACY), min(timed, key=lambda row: row["train_seconds"])
    if best not in timed:
        return ""
    own = f"A run of `{best['method']}` trained for {seconds(best['train_seconds'])}"
    if best["train_seconds"] == fastest["train_seconds"]:
        return f"{own}, the shortest here."
    times = best["train_seconds"] / fastest["train_seconds"]
    longer = f"{times:.1f} times the shortest" if times >= 1.05 else "hardly longer than the shortest"
    return f"{own}, {longer} (`{fastest['method']}`, {seconds(fastest['train_seconds'])})."


def _evenness(row: Row) -> str:
    balance = row[BALANCE]
    return "Balance undefined" if balance is None else f"Balance {percent(balance, 1)}"
