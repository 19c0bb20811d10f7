"""What is said of several studies together: which method is best over logs, and what changed between two studies."""

from __future__ import annotations

from collections.abc import Sequence

from negsample.analysis.difference import LEVEL, Difference
from negsample.analysis.measures import ACCURACY
from negsample.analysis.over_logs import TIED, OverLogs
from negsample.analysis.two_studies import Change
from negsample.report.formats import SPACE, listed, percent

_NAMED = 6  # methods; more are counted
_CANNOT = "Methods cannot be compared over the logs"


def over_logs_words(one: OverLogs) -> list[str]:
    """Which method has the highest NDCG@10 over the logs, from which it differs, and what follows for other logs."""
    count = len(one.counted)
    if count < 2:
        return [f"{_CANNOT}: that takes two on which a method has a hit, and there {_are(count)}."]
    others = [f"`{log}`" for log in one.logs if log not in one.counted]
    left_out = [f"No method has a hit on {listed(others)}, so it does not count here."] if others else []
    if len(one.methods) < 2:
        alone = f"`{one.methods[0]}` alone" if one.methods else "no method"
        return [*left_out, f"{_CANNOT}: {alone} was measured on all of them."]
    return [*left_out, _highest(one), _other_logs(one)]


def _are(count: int) -> str:
    return "is one" if count == 1 else "is none"


def _highest(one: OverLogs) -> str:
    first, *rest = one.methods
    top = one.mean_share(first)
    leaders = [first, *(name for name in rest if top - one.mean_share(name) < TIED)]
    share = f"{percent(top, 1)} of each log's highest, in the mean"
    if len(leaders) > 1:
        return f"{_who(leaders)} have the highest NDCG@10 over these {len(one.counted)} logs, as much each: {share}."
    return f"`{first}` has the highest NDCG@10 over these {len(one.counted)} logs: {share}.{_told(one, first, rest)}"


def _told(one: OverLogs, first: str, rest: Sequence[str]) -> str:
    """From whom the first differs."""
    found = {name: one.between(first, name) for name in rest}
    groups = {
        "Significantly lower": [name for name, each in found.items() if each and each.significant],
        "No significant difference": [name for name, each in found.items() if each and _undecided(each)],
        "Not tested": [name for name, each in found.items() if each is None or each.p_holm is None],
    }
    return "".join(f" {words}: {_who(names)}." for words, names in groups.items() if names)


def _undecided(each: Difference) -> bool:
    return each.p_holm is not None and not each.significant


def _other_logs(one: OverLogs) -> str:
    count, pairs = len(one.counted), len(one.signs)
    if one.least_sign_p >= LEVEL:
        return (
            f"That is of these logs. Nothing follows for others: by a sign test over {count} logs, a method that is"
            f" higher on all of them has p{SPACE}{one.least_sign_p:g}."
        )
    if not pairs:
        return "That is of these logs; for others nothing was tested."
    apart = sum(p < LEVEL for p in one.signs.values())
    return (
        f"For other logs too, a sign test over these {count} finds {apart} of {pairs} pairs of methods significantly"
        " different."
    )


def change_words(one: Change) -> list[str]:
    """Which methods changed significantly, and what the studies record differently."""
    pair = f"From {one.before.label} to {one.after.label}"
    return [*_what_it_did(one, pair), _what_differs(one), *_in_one(one)]


def _what_it_did(one: Change, pair: str) -> list[str]:
    if not one.methods:
        return [f"{pair} nothing can be compared: no method is in both."]
    if one.why:
        return [f"{pair} no difference is tested, since the test events are not the same: {one.why}."]
    found = {name: one.tests.get(ACCURACY, {}).get(name) for name in one.methods}
    groups = {
        "significantly higher": [name for name, each in found.items() if each and each.kind == "better"],
        "significantly lower": [name for name, each in found.items() if each and each.kind == "worse"],
        "not significantly different": [name for name, each in found.items() if each and _undecided(each)],
        "not tested": [name for name, each in found.items() if each is None or each.p_holm is None],
    }
    said = [f"{words} for {_who(names)}" for words, names in groups.items() if names]
    return [f"{pair}, NDCG@10 on test is {listed(said)}."]


def _what_differs(one: Change) -> str:
    names = list(dict.fromkeys(each.name for each in one.settings))
    if not names:
        return "All that both record is the same: data, settings, seeds, versions and machine."
    many = (
        f"{listed(names[:_NAMED])}"
        if len(names) <= _NAMED
        else f"{', '.join(names[:_NAMED])} and {len(names) - _NAMED} more"
    )
    return f"They differ in {many}."


def _in_one(one: Change) -> list[str]:
    sides = ((one.before, one.after), (one.after, one.before))
    only = [(side.label, [name for name in side.rows if name not in other.rows]) for side, other in sides]
    return [f"In {label} alone: {_who(names)}." for label, names in only if names]


def _who(names: Sequence[str]) -> str:
    return listed([f"`{name}`" for name in names]) if len(names) <= _NAMED else f"{len(names)} methods"
