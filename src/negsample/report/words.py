"""The few sentences of a report beside its verdict: the limits of a study, its windows, its dial."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from negsample.analysis.analyse import DatasetAnalysis
from negsample.analysis.measures import ACCURACY, ALONE, BALANCE, TAIL
from negsample.analysis.significance import Comparisons
from negsample.analysis.study import POPULAR, Study
from negsample.models.baselines import is_baseline
from negsample.report.claims import called
from negsample.report.formats import listed, percent, when
from negsample.rules.ease import LARGEST


def left_out_words(manifest: Mapping[str, Any]) -> list[str]:
    """Which baseline a dataset is too large for, and from which size on."""
    if manifest["items"] <= LARGEST:
        return []
    return [f"EASE is left out: the catalogue has {manifest['items']:,} items, and EASE is for up to {LARGEST:,}."]


def limits(found: DatasetAnalysis, events: Mapping[str, Any]) -> list[str]:
    """What bounds the figures of a dataset and what they cannot tell, a sentence or two each."""
    if not events["events"]:
        return []
    return [*_undefined(found), *_untested(found.tests), *_fitted(found), *_unseen(events)]


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


def other_dial_words(study: Study, found: DatasetAnalysis) -> str:
    """Where the verdict shows methods at other settings of the dial than the table does: which, and at which the table
    is; empty where it does not."""
    in_table = {row["method"]: row for row in found.rows}
    cards = found.verdict.cards if found.verdict.is_advice else ()
    taken = [card.row for card in cards]
    others = [called(row) for row in taken if row[ACCURACY] != in_table[row["method"]][ACCURACY]]
    if not others:
        return ""
    choice = str(study.about.get("dial", "none"))
    own = choice.partition(":")[0] in ("auto", "balance")
    begins = "with each run at its own dial" if own else f"at dial {'0' if choice == 'none' else choice}"
    return f"Shown above: {listed(list(dict.fromkeys(others)))}. This table begins {begins}."


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
