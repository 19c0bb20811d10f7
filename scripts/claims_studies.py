"""What `docs/studies/README.md` says in figures, from the studies beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from statistics import fmean

from negsample.methods import PAPER_SIX
from scripts.figures_in_docs import ROOT, Claim, Measured, Stated, pick, result
from scripts.terms_lines import AFTER, ALONG, BOTH, CONTENDER

BEAUTY, PUBLISHED, RETAIL = "beauty-5core", "beauty-published", "online-retail"
MOVIES, GLOBO = "movielens-100k", "globo-clicks"


def of(study: str, *asked: str, digits: int = 2) -> Callable[[], Sequence[str]]:
    """Figures of a study in %; each asked for as `method measure`."""

    def values() -> list[str]:
        table = result(f"study:{study}")["table"]
        pairs = [each.split() for each in asked]
        return [f"{100 * pick(table, method=method)[measure]:.{digits}f}" for method, measure in pairs]

    return values


def _ratio(study: str) -> Callable[[], Sequence[str]]:
    def values() -> list[str]:
        row = pick(result(f"study:{study}")["table"], method="random")
        return [f"{row['head_ndcg@10'] / row['tail_ndcg@10']:.1f}"]

    return values


def _most_on_tail() -> Sequence[str]:
    return [f"{100 * max(row['tail_hr@10'] for row in result(f'study:{BEAUTY}')['table']):.2f}"]


def _balance(study: str) -> Measured:
    text = "`popularity` and `in-batch` have Balance {} and {} % where `random` has {} %"
    return Measured(text, of(study, *(f"{each} balance@10" for each in ("popularity", "in-batch", "random")), digits=1))


def _ndcg(study: str) -> Measured:
    text = "and NDCG@10 {} and {} % where `random` has {} %"
    return Measured(text, of(study, *(f"{each} ndcg@10" for each in ("popularity", "in-batch", "random"))))


def _initial() -> Sequence[str]:
    found = result("initial.json")
    assert (found["first"], found["taken"]) == ("normal", "normal")
    ranks, against = found["mean_rank"], found["against_default"]["glorot"]
    seeds = len({run["seed"] for run in found["runs"]})
    return [f"{seeds}", *(f"{ranks[name]:.2f}" for name in ranks), f"{against['ratio']:.2f}", f"{against['p']:.2f}"]


def _higher() -> Sequence[str]:
    """The logs where one of the two has the higher mean with every method, normal first."""
    higher: dict[str, set[str]] = {}
    for cell in result("initial.json")["cells"]:
        higher.setdefault(cell["log"], set()).add(
            "normal" if cell["mean"]["normal"] > cell["mean"]["glorot"] else "glorot"
        )
    return [" and ".join(log for log, best in higher.items() if best == {name}) for name in ("normal", "glorot")]


def _with_terms(way: str) -> Callable[[], Sequence[str]]:
    """NDCG@10 of the contender in %, on Online Retail and MovieLens."""
    return lambda: [_percent(log, way, CONTENDER) for log in (RETAIL, MOVIES)]


def _both_ways(log: str) -> Sequence[str]:
    return [_percent(log, way, CONTENDER) for way in (BOTH, AFTER)]


def _six_along() -> Sequence[str]:
    """The highest NDCG@10 of the six in %, likewise."""
    return [max((_percent(log, ALONG, each) for each in PAPER_SIX), key=float) for log in (RETAIL, MOVIES)]


def _percent(log: str, way: str, method: str) -> str:
    kept = (ROOT / "docs/studies/terms/runs.jsonl").read_text("utf-8").splitlines()
    asked = {"log": log, "way": way, "method": method}
    found = [line["test_ndcg@10"] for line in map(json.loads, kept) if asked.items() <= line.items()]
    return f"{100 * fmean(found):.2f}"


CLAIMS: Sequence[Claim] = (
    Measured(
        "over four logs and {} seeds, by a rule that was fixed in advance ([initial.json], `python -m "
        "benchmarks.initial`). The mean ranks of N(0, 0.02) and Glorot are {} and {}, and Glorot has {} times the "
        "NDCG@10 in the mean (p {}). There is no significant difference, so the default stays.",
        _initial,
    ),
    Measured("with both methods N(0, 0.02) has the higher mean on {}, and Glorot on {}.", _higher),
    Stated("p below 5 % after Holm's correction"),
    Stated("the last 2 % of clicks are test and the 2 % before them validation"),
    Measured("`adaptive-mixed` (HR@10 {} %, Balance", of(BEAUTY, "adaptive-mixed hr@10")),
    Measured("Balance {} %) has significantly higher NDCG@10", of(BEAUTY, "adaptive-mixed balance@10", digits=1)),
    Measured("`adaptive` has HR@10 {} %, with more hits on the head and fewer on mid", of(BEAUTY, "adaptive hr@10")),
    Measured(
        "{} % of head events against {} %, and {} % of mid events against {} %.",
        of(
            BEAUTY,
            *("adaptive head_hr@10", "adaptive-mixed head_hr@10", "adaptive mid_hr@10", "adaptive-mixed mid_hr@10"),
        ),
    ),
    Measured("NDCG@10 on the head is {} times that on the tail", _ratio(BEAUTY)),
    _balance(BEAUTY),
    _ndcg(BEAUTY),
    Measured("no method hits more than {} % of tail events", _most_on_tail),
    Measured("has the highest NDCG@10** ({} %)", of(PUBLISHED, "adaptive-mixed ndcg@10")),
    Measured("the difference from `random` ({} %) is not significant", of(PUBLISHED, "random ndcg@10")),
    Measured("NDCG@10 {} %, below PopRec ({} %)", of(PUBLISHED, "adaptive-in-batch ndcg@10", "PopRec ndcg@10")),
    Measured(
        "HR@10 on the tail is {} % with `mixed` and {} % with `adaptive-mixed`, and {} % with `random`, which has {} % "
        "on the head",
        of(
            PUBLISHED,
            *("mixed tail_hr@10", "adaptive-mixed tail_hr@10", "random tail_hr@10", "random head_hr@10"),
        ),
    ),
    _balance(RETAIL),
    _ndcg(RETAIL),
    Measured(
        "NDCG@10 {} against {} %, significant; {} against {} % of head events are hit",
        of(
            RETAIL,
            *("adaptive ndcg@10", "adaptive-mixed ndcg@10", "adaptive head_hr@10", "adaptive-mixed head_hr@10"),
        ),
    ),
    Measured("NDCG@10 there is {} times that on the tail", _ratio(RETAIL)),
    *(
        Measured(
            f"On {name} `mixed-log-q` has {{}} % with both (two seeds), and {{}} % with terms after training alone",
            partial(_both_ways, log),
        )
        for name, log in (("Globo", GLOBO), ("Beauty", "amazon-beauty-5core"))
    ),
    Measured("MovieLens 100K `mixed-log-q` has {} and {} % with both, and", _with_terms(BOTH)),
    Measured("with both, and {} and {} % with terms after training alone", _with_terms(AFTER)),
    Measured("learns what repeats are worth: {} and {} %", _with_terms(ALONG)),
    Measured("the six at most {} and {} %.", _six_along),
    Measured("nor to PopRec ({} %)", of(MOVIES, "PopRec ndcg@10")),
    Measured(
        "`random` hits {} % of the head's clicks, {} % of the mid items' and {} % of the tail's; `in-batch` {}, {} "
        "and {} %.",
        of(
            GLOBO,
            *(f"{method} {cohort}_hr@10" for method in ("random", "in-batch") for cohort in ("head", "mid", "tail")),
        ),
    ),
    Measured("`random` has NDCG@10 {} against {} %", of(GLOBO, "random ndcg@10", "in-batch ndcg@10")),
    Measured("and Balance {} against {} %; all", of(GLOBO, "random balance@10", "in-batch balance@10", digits=1)),
    Measured("**PopRec hits {} %**", of(GLOBO, "PopRec hr@10")),
    Measured("NDCG@10 {} %, where `random` has {} %.", of(GLOBO, "adaptive-mixed ndcg@10", "random ndcg@10")),
)
