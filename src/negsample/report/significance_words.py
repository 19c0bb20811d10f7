"""How differences were tested and how many are significant, in plain words."""

from __future__ import annotations

from collections.abc import Sequence

from negsample.analysis.claims import p_text
from negsample.analysis.formats import SPACE, listed, whole
from negsample.analysis.offers import Row
from negsample.analysis.significance import FAMILIES, Comparisons, Difference


def significance(tests: Comparisons, trained: Sequence[Row]) -> str:
    """How many differences of each family are significant, which are borderline, and how that was tested."""
    if not tests:
        return untested() if len(trained) > 1 else ""
    tested = [each for each in tests.found if each.p is not None]
    if not tested:
        return f"No difference was tested: {_reasons(tests.found)}."
    counts = []
    for family in FAMILIES:
        of_family = [each for each in tested if each.family == family]
        if of_family:
            counts.append(f"{sum(each.significant for each in of_family)} of {len(of_family)} in {family}")
    text = f"Significant differences, by family: {listed(counts)}."
    near = [each for each in tested if each.borderline]
    if near:
        text += f" Borderline, within a fifth of the 5{SPACE}% line: {listed([_named(each) for each in near])}."
    text += (
        f" Significant means a Holm-adjusted p below 5{SPACE}% over all comparisons of the family: all pairs of"
        " methods in the table, and those that the advice speaks of. p is that of Student's t, with the variance of"
        f" {whole(max(each.users for each in tested))} users and of {_runs(tested)} a method; it does not depend on"
        " random numbers."
    )
    reasons = _reasons([each for each in tests.found if each.p is None])
    if reasons:
        text += f" Not tested: {reasons}."
    return f"{text} Every difference with its interval is in `significance.csv`."


def untested() -> str:
    """For studies without ranks by event."""
    return (
        "No difference was tested: these runs have no ranks by event. The same `negsample compare` as before measures"
        " the runs again."
    )


def _runs(tested: Sequence[Difference]) -> str:
    counts = sorted({each.runs for each in tested})
    return f"{counts[0]} runs" if len(counts) == 1 else f"{counts[0]} to {counts[-1]} runs"


def _reasons(found: Sequence[Difference]) -> str:
    """Why how many comparisons were not tested, and the way out."""
    parts = []
    for why in dict.fromkeys(each.untested for each in found):
        some = [each for each in found if each.untested == why]
        where = dict.fromkeys(each.scope for each in some if each.scope != "all")
        told = f"{len(some)} {'comparison' if len(some) == 1 else 'comparisons'}, {why}"
        if why.startswith("one run"):
            told += ", so that nothing is known of other seeds (repeat with `--repeats 3` or more)"
        elif where and why.startswith("fewer"):
            told += f" with an event there ({listed(list(where))})"
        parts.append(told)
    return "; ".join(parts)


def _named(each: Difference) -> str:
    where = {"ndcg@10": "NDCG@10", "hr@10": "HR@10", "balance@10": "Balance"}[each.measure]
    scope = "" if each.scope == "all" else f"{each.scope} "
    names = [f"`{name}`" + (f" at dial {dial}" if dial not in ("", "0") else "") for name, dial in
             ((each.a, each.dial_a), (each.b, each.dial_b))]  # fmt: skip
    return f"{names[0]} and {names[1]} in {scope}{where} ({p_text(each.p_holm or 0.0)})"


def cells_not_tested(tests: Comparisons) -> list[str]:
    """What of the table's columns has no test, in words: methods with one run, and cohorts with too few users."""
    tested = [each for each in tests.found if each.p is not None]
    known = {name for each in tested for name in (each.a, each.b)}
    methods = dict.fromkeys(name for each in tests.found for name in (each.a, each.b) if name not in known)
    scopes = dict.fromkeys(each.scope for each in tests.found if each.untested.startswith("fewer"))
    columns = ["Balance" if scope == "all" else scope for scope in scopes]
    return [*(f"{name} (one run)" for name in methods), *(f"{name} (too few users)" for name in columns)]
