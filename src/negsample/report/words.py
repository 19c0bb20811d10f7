"""The few sentences of a report: the advice and whether the test bears it out, and the limits of a study."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from negsample.analysis.advice import ACCEPTABLE, Advice, advice_of
from negsample.analysis.analyse import DatasetAnalysis
from negsample.analysis.measures import BALANCE, TAIL
from negsample.analysis.significance import Comparisons
from negsample.analysis.study import POPULAR, Study
from negsample.analysis.tables import ALONE
from negsample.analysis.trainings import CutOff
from negsample.models.baselines import is_baseline
from negsample.report.claims import advice_claims, best_baseline, called
from negsample.report.formats import listed, percent, when
from negsample.rules.ease import LARGEST


def headline(found: DatasetAnalysis, events: Mapping[str, Any]) -> str:
    """The advice, and whether the test bears it out. ``events``: the test part of one run's metrics."""
    if not events["events"]:
        return "There are no test events, so nothing was measured."
    return f"{advice_words(found.advice)} {on_test(found.advice, found.tests)}".strip()


def advice_words(advice: Advice) -> str:
    """What to take for what, by validation alone: no figure of the test has a say in it."""
    if not advice.accuracy.rows:
        return "No trained method has finished, so there is nothing to compare yet."
    first = advice.accuracy.chosen
    if first is None:
        return "No method can be chosen: no trained method has a validation target in its top 10."
    if advice.baseline_leads:
        return (
            f"On validation no trained method has a higher NDCG@10 than {best_baseline(advice)}: as they are trained "
            f"here, there is no reason to take one. The best of them is {called(first)}."
        )
    if len(advice.accuracy.rows) == 1:
        return f"Only {called(first)} was trained, so there is nothing to compare yet."
    uses: dict[str, list[str]] = {called(first): ["total accuracy"]}
    if advice.tail.chosen is not None:
        uses.setdefault(called(advice.tail.chosen), []).append("tail items")
    if advice.balance.chosen is not None:
        kept = f"Balance at {percent(ACCEPTABLE, 0)} or more of the best NDCG@10"
        uses.setdefault(called(advice.balance.chosen), []).append(kept)
    taken = "; ".join(f"{who} for {listed(what)}" for who, what in uses.items())
    return f"{below_words(advice)} By validation, take {taken}.".strip()


def baseline_lines(study: Study) -> list[str]:
    """Which methods are below the best baseline, a line a dataset for under its table of test figures; nothing of one
    without a trained method."""
    lines = []
    for dataset in study.datasets():
        advice = advice_of(study, dataset)
        if advice.accuracy.rows and advice.baseline is not None:
            best = best_baseline(advice)
            none_is = f"On validation every method has a higher NDCG@10 than the best baseline there, {best}."
            said = f"{below_words(advice) or none_is} The table shows test figures."
            lines.append((f"{dataset}: " if len(study.datasets()) > 1 else "") + said)
    return lines


def left_out_words(manifest: Mapping[str, Any]) -> list[str]:
    """Which baseline a dataset is too large for, and from which size on."""
    if manifest["items"] <= LARGEST:
        return []
    return [f"EASE is left out: the catalogue has {manifest['items']:,} items, and EASE is for up to {LARGEST:,}."]


def below_words(advice: Advice) -> str:
    """Which methods are below the best baseline on validation; empty where none is."""
    if not advice.below:
        return ""
    names = listed([f"`{method}`" for method in advice.below])
    have = "has" if len(advice.below) == 1 else "have"
    return f"On validation {names} {have} no higher NDCG@10 than the best baseline there, {best_baseline(advice)}."


def on_test(advice: Advice, tests: Comparisons) -> str:
    """Whether the test confirms the first claim, on accuracy; empty where there is none."""
    claims = advice_claims(advice, tests)
    if advice.accuracy.chosen is None or not claims[0][1].others:
        return ""
    claim, found = claims[0]
    says = {"holds": "confirms that", "does not hold": "contradicts that", "undecided": "cannot tell whether"}
    return f"The test {says[found.verdict]} {claim}."


def limits(found: DatasetAnalysis, events: Mapping[str, Any]) -> list[str]:
    """What bounds the figures of a dataset and what they cannot tell, a sentence or two each."""
    if not events["events"]:
        return []
    return [*_cut_off(found.cut_off), *_undefined(found), *_untested(found.tests), *_fitted(found), *_unseen(events)]


def _cut_off(found: CutOff | None) -> list[str]:
    if found is None:
        return []
    where = "the last" if found.last == 1 else f"among the last {found.last}"
    how = f"the best epoch on validation is {where} of {found.epochs}"
    if found.stops:
        how = f"validation was still improving at the limit of {found.epochs} epochs"
    return [
        f"Training was cut off: in {found.late} of {found.runs} runs {how}, so more epochs could change"
        f" figures and order. Train longer (`--epochs {2 * found.epochs}`)"
        + ("." if found.tuned else " or tune each method first (`--tune-trials 20`).")
    ]


def _undefined(found: DatasetAnalysis) -> list[str]:
    texts, trained = [], [row for row in found.rows if not is_baseline(row["method"])]
    if trained and all(row["hr@10"] == 0 for row in trained):
        texts.append("No trained method has a hit on test.")
    elif trained and all(row[TAIL] is None for row in trained):
        texts.append("No test event is on a tail item, so nothing can be said about the tail, nor about Balance.")
    elif undefined := [f"`{row['method']}`" for row in trained if row[BALANCE] is None]:
        texts.append(f"Balance is undefined for {listed(undefined)}: no hit, or a cohort without test events.")
    if not any(row["method"] == POPULAR for row in found.rows):
        texts.append("PopRec, which recommends the most popular items to everybody, has not finished.")
    return texts


def _untested(tests: Comparisons) -> list[str]:
    """Why how many comparisons were not tested, and the way out."""
    texts = []
    reasons = Counter(each.untested for each in tests.found if each.untested)
    for why, count in reasons.items():
        many = "No comparison is tested" if count == len(tests.found) else f"{count} comparisons are not tested"
        if why.startswith("one run"):
            texts.append(
                f"{many}: a method has one run, so nothing is known of other seeds. Repeat with `--repeats 3` or more."
            )
            continue
        scopes = dict.fromkeys(each.scope for each in tests.found if each.untested == why and each.scope != "all")
        where = f" ({listed(list(scopes))})" if scopes and why.startswith("fewer") else ""
        texts.append(f"{many}: {why}{where}.")
    return texts


def _fitted(found: DatasetAnalysis) -> list[str]:
    """That a model's figures are not of the model alone."""
    if all(row.get(ALONE) is None for row in found.rows):
        return []
    return [
        "After training, what is popular lately, what the user had before and what goes with it were added to each"
        " model's scores, with weights fitted to validation. All figures are with them, so those of validation are a"
        " little too good; further down is what each model has alone."
    ]


def _unseen(events: Mapping[str, Any]) -> list[str]:
    """The share of test events that can never be hit, and of those on items that no train event shows."""
    left_out, cold = (events[name] / events["events"] for name in ("left_out_events", "cold_events"))
    texts = []
    if left_out:
        texts.append(
            f"{percent(left_out, 1)} of the test events are on items that the user had before. `filter_seen` leaves"
            f" these out of the ranking: HR@10 has a ceiling of {percent(1 - left_out, 1)}."
        )
    if cold:
        texts.append(
            f"{percent(cold, 1)} of the test events are on items in no train event. Where no refit saw them in"
            " validation, their vectors are not trained, and they are hit only by chance (more often in a small"
            " catalogue)."
        )
    return texts


def windows(folds: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]) -> str:
    """Which test windows a dataset has, and who is first in how many; ``folds``: their manifests, ``rows``: of
    :func:`negsample.analysis.folds.folds_table`."""
    spans = [f"{when(each['test_start'])} to {when(each['last_time'])}" for each in folds]
    return (
        f"{len(folds)} test windows that follow each other in time, each with all that came before it as train and"
        f" validation: {'; '.join(spans)}. The figures above are means over them; facts of the dataset are those of the"
        f" last one. {_first(rows)}"
    ).strip()


def _first(rows: Sequence[Mapping[str, Any]]) -> str:
    """Which methods have the highest NDCG@10 in how many windows; empty where nothing is hit."""
    counts: Counter[str] = Counter()
    for fold in sorted({row["fold"] for row in rows}):
        known = [row for row in rows if row["fold"] == fold and row["ndcg@10"]]
        best = max((row["ndcg@10"] for row in known), default=0.0)
        counts.update(row["method"] for row in known if row["ndcg@10"] == best)
    told = [f"`{method}` in {count}" for method, count in counts.most_common()]
    return f"Highest NDCG@10: {listed(told)} of {len({row['fold'] for row in rows})} windows." if told else ""


def dial_words(study: Study) -> str:
    """At which setting of the dial the table's figures were measured, and which runs could not be set so."""
    choice = str(study.about.get("dial", "none"))
    kind, _, number = choice.partition(":")
    at = {
        "none": "At dial 0: the ranking as it was trained.",
        "auto": "Each run at the dial with its best NDCG@10 on validation.",
        "balance": f"Each run at the dial with its best NDCG@10 among those with a Balance of at least {number} on"
        " validation.",
    }
    return f"{at.get(kind, f'All runs at dial {choice}.')} {unreached_words(study)}".strip()


def unreached_words(study: Study) -> str:
    """Which runs no setting of the dial brings to the Balance that was asked for; empty where there is none."""
    missed = study.unreached()
    if not missed:
        return ""
    asked = float(str(study.about["dial"]).partition(":")[2])
    most = max(
        (figures[BALANCE] or 0.0, run.config["method"])
        for run in missed
        for figures in study.figures(run, "valid").values()
    )
    counts = Counter(f"{run.config['method']} on {run.config['dataset']}" for run in missed)
    methods = listed([f"{name} ({count} {'run' if count == 1 else 'runs'})" for name, count in counts.items()])
    return (
        f"No setting of the dial reaches Balance {asked:g} on validation for {methods}; the most among"
        f" these is {most[0]:.3f} ({most[1]}). These runs are kept, at dial 0: ask for less, or for --dial auto."
    )
