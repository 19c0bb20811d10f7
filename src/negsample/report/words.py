"""What a dataset's numbers say, in plain words, and no more than they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from negsample.report import limits, verdicts
from negsample.report.formats import SPACE, listed, percent, seconds
from negsample.report.frontier import Standing
from negsample.report.noise import BY_SPREAD, Judge, Row
from negsample.report.offers import Offers, alike
from negsample.report.reading import POPULAR
from negsample.report.significance import Difference, judge_by
from negsample.report.significance_words import significance, untested
from negsample.report.verdicts import ACCURACY, TAIL, below, best_of, called, names, not_told_apart, ranked

_MANY = 5  # methods that are counted and not named: the section on significance names them


class Words(NamedTuple):
    """``headline``: the advice. ``grounds``: (subject, sentences). Methods stand in backticks."""

    headline: str
    grounds: tuple[tuple[str, str], ...]


def dataset_words(
    rows: Sequence[Row],
    events: Mapping[str, Any],
    offered: Offers | None = None,
    found: Sequence[Difference] = (),
) -> Words:
    """The words for one dataset.

    ``rows``: its rows of the table, in the study's order. ``events``: the test part of one run's metrics, for
    ``events`` and ``cold_events``. ``offered``: what the methods offer over their settings of the dial; None: what
    stands in the table. ``found``: what was tested; where nothing was, the spread of the repeats has to tell methods
    apart, and the words say so.
    """
    trained = [row for row in rows if row["method"] != POPULAR]
    popular = next((row for row in rows if row["method"] == POPULAR), None)
    scored = [row for row in trained if row[ACCURACY] is not None]
    at = offered or alike(scored)
    judge = judge_by(found) if found else BY_SPREAD
    grounds: list[tuple[str, str]] = []
    if not events["events"]:
        headline = "There are no test events, so nothing was measured."
    elif not scored:
        headline = "No trained method has finished, so there is nothing to choose between yet."
    elif max(row[ACCURACY] for row in at.accuracy) == 0:
        headline = "Nothing to choose by: no trained method put a single test target in its top 10."
        grounds = [("Accuracy", "HR@10 and NDCG@10 are 0 for every trained method, and Balance is undefined.")]
    else:
        headline = verdicts.headline(at.accuracy, at.tail, at.balance, popular, judge)
        grounds = [("Frontier", _frontier(at.standings)), ("Accuracy", _accuracy(at.accuracy, judge))]
        grounds += [("Tail", _tail(at.tail, best_of(at.accuracy, ACCURACY), judge))]
        grounds += [("Balance", _balance(at.balance, best_of(at.accuracy, ACCURACY), judge))]
        told = significance(found, rows, at, popular) if found else untested(scored)
        grounds += [("Significance", told), ("Time", _time(scored))]
    if events["events"]:
        grounds += [("Baseline", limits.baseline(at.accuracy, popular, judge)), ("Ceiling", limits.ceiling(events))]
        grounds += [("Noise", "" if found else limits.repeats(trained))]
    return Words(headline, tuple((subject, text) for subject, text in grounds if text))


def _accuracy(rows: Sequence[Row], judge: Judge) -> str:
    best, *others = ranked(rows, ACCURACY)
    figures = f"NDCG@10 {percent(best[ACCURACY])}, HR@10 {percent(best['hr@10'])}"
    if not others:
        return f"Only {called(best)} was trained: {figures}, {_evenness(best)}."
    equal = [row for row in others if row[ACCURACY] == best[ACCURACY]]
    if equal:
        text = f"{names([best, *equal])} share the highest NDCG@10, {percent(best[ACCURACY])}."
    else:
        text = f"Most accurate in total is {called(best)}: {figures}, {_evenness(best)}."
    close = not_told_apart(best, others, ACCURACY, judge)
    if close:
        text += f" {_close(close, 'NDCG@10', judge)}"
    behind = [row for row in others if row not in close and row not in equal]
    if behind:
        of_those = "The next" if not close else "The first beyond that"
        text += f" {of_those}, {called(behind[0])}, has {below(behind[0], best)}."
    first = best_of(rows, "hr@10")
    if first["hr@10"] > best["hr@10"]:
        text += f" HR@10 alone is highest for {called(first)}: {percent(first['hr@10'])}."
    return text


def _tail(rows: Sequence[Row], leader: Row, judge: Judge) -> str:
    scored = [row for row in rows if row[TAIL] is not None]
    if not scored:
        return "No test event is on a tail item, so nothing can be said about the tail."
    best, *others = ranked(scored, TAIL)
    if best[TAIL] == 0:
        return "No trained method put a single tail target in its top 10."
    if not others:
        return f"On tail items its HR@10 is {percent(best[TAIL])}."
    equal = [row for row in others if row[TAIL] == best[TAIL]]
    if equal:
        text = f"On tail items {names([best, *equal])} share the highest HR@10, {percent(best[TAIL])}."
    elif called(best) == called(leader):
        text = f"On tail items too {called(best)} has the highest HR@10, {percent(best[TAIL])}."
    else:
        text = f"On tail items {called(best)} has the highest HR@10: {percent(best[TAIL])}"
        if leader[TAIL] is not None:
            text += f" against {percent(leader[TAIL])} for {called(leader)}{_surely(best, leader, judge)}"
        text += "." if best[ACCURACY] == leader[ACCURACY] else _cost(best, leader, judge)
    close = not_told_apart(best, others, TAIL, judge)
    return f"{text} {_close(close, 'tail HR@10', judge)}" if close else text


def _surely(best: Row, leader: Row, judge: Judge) -> str:
    price = judge.price(best["method"], leader["method"])
    if price is None:
        return ""
    if price.low is None or price.high is None:
        return " (not tested)"
    ends = f"95{SPACE}% interval of the difference {100 * price.low:.2f} to {percent(price.high)}"
    return f" ({ends}{'' if price.gain_real else ': it may be chance'})"


def _cost(best: Row, leader: Row, judge: Judge) -> str:
    price = judge.price(best["method"], leader["method"])
    doubt = "" if price is None or price.cost_real else "; that difference may be chance"
    return f". In total it has {below(best, leader)}{doubt}."


def _balance(rows: Sequence[Row], leader: Row, judge: Judge) -> str:
    defined = [row for row in rows if row["balance@10"] is not None]
    undefined = [row for row in rows if row["balance@10"] is None]
    lack = ""
    if undefined:
        reason = "no hit in any cohort, or a cohort without test events"
        lack = f"Balance is undefined for {names(undefined)} ({reason})."
    if len(rows) < 2 or not defined:
        return lack
    able = verdicts.able(defined, leader)
    floor = percent(verdicts.ACCEPTABLE, 0)
    if not able:
        return f"No method with a defined Balance keeps {floor} of the best trained NDCG@10. {lack}".strip()
    even, evenest = best_of(able, "balance@10"), best_of(defined, "balance@10")
    parts = []
    if len(able) == 1:
        parts.append(f"No method but {called(even)} keeps {floor} of the best trained NDCG@10.")
    else:
        text = f"Of the {len(able)} methods that keep {floor} of the best trained NDCG@10, {called(even)}"
        parts.append(f"{text} is the most even: {_evenness(even)}, with NDCG@10 {percent(even[ACCURACY])}.")
    close = not_told_apart(even, able, "balance@10", judge)
    if close:
        parts.append(_close(close, "Balance", judge))
    if evenest["balance@10"] > even["balance@10"]:
        more = f"More even is {called(evenest)}, {_evenness(evenest)}"
        parts.append(f"{more}, bought with {below(evenest, leader)}.")
    return " ".join([*parts, lack]).strip()


def _frontier(standings: Sequence[Standing]) -> str:
    """Who offers most over all settings, who is ahead where, and who nowhere."""
    trained = [each for each in standings if each.method != POPULAR]
    if len(trained) < 2 or not any(each.hypervolume for each in trained):
        return ""
    best = max(trained, key=lambda each: each.hypervolume)
    text = f"Over all settings of the dial `{best.method}` offers most: {percent(best.hypervolume)} NDCG@10 in the mean"
    text += " over all demands on Balance"
    text += "." if best.best is None else f", the largest of all in {percent(best.best, 0)} of resamples."
    ahead = sorted((each for each in standings if each.leads), key=lambda each: -each.share)
    if len(ahead) == 1:
        text += f" `{ahead[0].method}` is ahead whatever Balance is asked for."
    else:
        parts = [f"`{each.method}` for {percent(each.share, 0)}" for each in ahead]
        text += f" Of the demands on Balance that leave half of the best NDCG@10, ahead are {listed(parts)}."
    behind = [each for each in standings if not each.leads]
    if behind:
        told = [
            f"`{each.method}`" + ("" if each.ahead is None else f" ({percent(1 - each.ahead, 0)} of resamples)")
            for each in behind
        ]
        text += f" Ahead nowhere: {listed(told)}."
    return text


def _time(rows: Sequence[Row]) -> str:
    timed = [row for row in rows if row["train_seconds"]]
    best = best_of(rows, ACCURACY)
    if len(timed) < 2 or best not in timed:
        return ""
    fastest = min(timed, key=lambda row: row["train_seconds"])
    own = f"A run of {called(best)} trained for {seconds(best['train_seconds'])}"
    if best["train_seconds"] == fastest["train_seconds"]:
        return f"{own}, the shortest here."
    times = best["train_seconds"] / fastest["train_seconds"]
    longer = f"{times:.1f} times the shortest" if times >= 1.05 else "hardly longer than the shortest"
    return f"{own}, {longer} (`{fastest['method']}`, {seconds(fastest['train_seconds'])})."


def _close(rows: Sequence[Row], measure: str, judge: Judge) -> str:
    who = names(rows) if len(rows) < _MANY else f"{len(rows)} others"
    return f"The lead over {who} in {measure} {judge.why}."


def _evenness(row: Row) -> str:
    balance = row["balance@10"]
    return "Balance undefined" if balance is None else f"Balance {percent(balance, 1)}"
