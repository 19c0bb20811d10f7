"""Which differences are real, in plain words."""

from __future__ import annotations

from collections.abc import Sequence

from negsample.report.formats import SPACE, listed, whole
from negsample.report.noise import Row
from negsample.report.offers import Offers
from negsample.report.significance import LEAST_USERS, Difference
from negsample.report.verdicts import ACCURACY, TAIL, best_of, called

_LEVEL = f"5{SPACE}%"


def significance(found: Sequence[Difference], rows: Sequence[Row], at: Offers, popular: Row | None) -> str:
    """From whom the best differs, for each purpose and cohort; how many differences are real; how that was tested.

    ``rows``: of the table. ``found``: of one dataset, not empty.
    """
    baseline = [] if popular is None else [popular]
    parts = [
        _standing(found, "accuracy", ACCURACY, "all", "In total NDCG@10", [*at.accuracy, *baseline]),
        _standing(found, "tail", TAIL, "tail", "In tail HR@10", [*at.tail, *baseline]),
        _standing(found, "balance", "balance@10", "all", "In Balance", [*at.balance, *baseline]),
    ]
    for cohort in ("head", "mid"):
        where = f"In {cohort} HR@10, at the dial of the table,"
        parts.append(_standing(found, "table", f"{cohort}_hr@10", cohort, where, rows, dialled=False))
    counts = []
    for name, measure in (("NDCG@10", "ndcg@10"), ("HR@10", "hr@10"), ("Balance", "balance@10")):
        family = [each for each in found if each.at == "table" and each.measure == measure]
        counts.append(f"{sum(each.real for each in family)} of {len(family)} in {name}")
    parts.append(
        f"Of all differences between two methods there, in total and by cohort, these are real: {listed(counts)}."
        f" Real means told apart from chance at {_LEVEL}, Holm-corrected over all pairs and cohorts of the measure."
    )
    return " ".join([*(part for part in parts if part), _how(found)])


def untested(rows: Sequence[Row]) -> str:
    """For studies that cannot be tested; empty where there is nothing to tell apart."""
    if len(rows) < 2:
        return ""
    return (
        "Not tested: these runs have no ranks by event. What is said of leads goes by the spread of the repeats, which"
        " is no test; the same `negsample compare` as before measures the runs again."
    )


def _how(found: Sequence[Difference]) -> str:
    users, seeds = max(each.users for each in found), max(each.seeds for each in found)
    if seeds > 1:
        lone = any(each.seeds == 1 for each in found)
        single = ", over users alone where a method ran once" if lone else ""
        how = f"a paired bootstrap over {whole(users)} users and {seeds} seeds{single}."
    else:
        how = (
            f"a paired bootstrap over {whole(users)} users alone: with one run a method nothing is known of other"
            " seeds; repeat with `--repeats 3` or more."
        )
    few = sorted({each.scope for each in found if each.users < LEAST_USERS and each.measure != "balance@10"})
    lacking = f" Not tested: {listed(few)}, for want of {LEAST_USERS} users with an event there." if few else ""
    return f"Tested by {how}{lacking} Every difference with its interval is in `significance.csv`."


def _standing(
    found: Sequence[Difference],
    at: str,
    measure: str,
    scope: str,
    where: str,
    rows: Sequence[Row],
    dialled: bool = True,
) -> str:
    """How the best of ``rows`` stands to the others in one scope; empty where nobody has anything."""
    rows = [row for row in rows if row[measure] is not None]
    if len(rows) < 2 or not any(row[measure] for row in rows):
        return ""
    best = best_of(rows, measure)
    name = called(best) if dialled else f"`{best['method']}`"
    kind = measure.split("_")[-1]
    tests = {
        each.b if each.a == best["method"] else each.a: each
        for each in found
        if (each.at, each.measure, each.scope) == (at, kind, scope) and best["method"] in (each.a, each.b)
    }
    others = [row["method"] for row in rows if row is not best]
    if all(tests[other].p is None for other in others):
        return f"{where} nothing was tested."
    ahead = [f"`{other}`" for other in others if tests[other].real]
    level = [f"`{other}`" for other in others if not tests[other].real]
    if not ahead:
        return f"{where} {name} is not told apart from {_any(level)}."
    if not level:
        return f"{where} {name} is really ahead of {'all others' if len(ahead) > 1 else ahead[0]}."
    return f"{where} {name} is really ahead of {listed(ahead)}, and not told apart from {listed(level)}."


def _any(names: list[str]) -> str:
    return f"any of the {len(names)} others" if len(names) > 1 else names[0]
