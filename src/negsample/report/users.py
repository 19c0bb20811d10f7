"""The page's section on single users: whom two methods serve most differently, with what both answered."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from negsample.analysis.analyse import Analysis
from negsample.analysis.user_cases import DatasetUsers, Event, Item, UserCase, UserPair, UsersFile
from negsample.analysis.users import key_of, pairs_of, users_of
from negsample.errors import InputError
from negsample.files.checksums import LIST, DamagedError
from negsample.files.together import settled
from negsample.report.formats import commas, when

FILE = "users.json"
NOT_AT_HAND = (
    "Nobody is shown: the dataset or the models of this study are not at hand or cannot be read. With them, "
    "`negsample report STUDY` shows for whom the methods differ most."
)
_BEGIN, _END = 24, 8  # of an id that is too long
_ESCAPED = 200  # characters of an id that are looked at from either end


class ShownUser(NamedTuple):
    """``told``: their figures in words. ``targets``: their test items in a list, ``others``: how many are in neither.
    ``rows``: place, an event of the history, an item of each list; each with its id, a cohort, what stands beside it,
    and whether it is a test item."""

    user: str
    told: str
    targets: list[tuple[str, str, str]]
    others: str
    rows: list[tuple[int, Any, Any, Any]]


class ShownPair(NamedTuple):
    """``names``: both methods, with dial. ``sides``: a sentence on those with more of each, and some of them.
    ``left_out``: a sentence, empty where none was."""

    names: tuple[str, str]
    sides: list[tuple[str, list[ShownUser]]]
    left_out: str


def users_file(found: Analysis) -> tuple[UsersFile, set[str]]:
    """The users of each dataset, those of an earlier report where nothing has changed; and the datasets that lack them,
    as their models or events are not at hand."""
    earlier, users, lacking = _earlier(found.study.folder), dict[str, DatasetUsers](), set[str]()
    for dataset, one in found.datasets.items():
        pairs = pairs_of(found.study, dataset, one.verdict.advice)
        if not pairs:
            continue
        key = key_of(pairs)
        if dataset in earlier.datasets and earlier.datasets[dataset].key == key:
            users[dataset] = earlier.datasets[dataset]
            continue
        try:
            users[dataset] = DatasetUsers(key=key, pairs=users_of(found.study, dataset, pairs))
        except InputError:
            lacking.add(dataset)
    return UsersFile(datasets=users), lacking


def _earlier(folder: Path) -> UsersFile:
    """What an earlier report found; nothing where there is none that is whole."""
    try:
        return settled(folder / LIST, "study", lambda listed: listed.read_as(UsersFile, FILE))
    except DamagedError:
        return UsersFile()


def users_section(users: UsersFile, lacking: set[str], dataset: str) -> dict[str, Any]:
    """What the page's section of ``dataset`` has of users."""
    pairs = users.datasets[dataset].pairs if dataset in users.datasets else []
    return {"users": [_pair(each) for each in pairs], "users_lacking": NOT_AT_HAND if dataset in lacking else ""}


def _pair(pair: UserPair) -> ShownPair:
    names = [
        f"`{method}`" + (f" at dial {dial:+g}" if dial else "")
        for method, dial in zip(pair.methods, pair.dials, strict=True)
    ]
    sides = []
    for at, (more, cases) in enumerate(zip(pair.more, pair.cases, strict=True)):
        than = f"more NDCG@10 by {names[at]} than by {names[1 - at]}"
        told = f"{commas(more)} of {commas(pair.users)} users have {than}." if more else f"No user has {than}."
        if more == 1:
            told = f"1 of {commas(pair.users)} users has {than}."
        if 1 < len(cases) < more:
            told += f" The {len(cases)} with the largest difference:"
        sides.append((told, [_user(case, pair.methods) for case in cases]))
    many = pair.differing
    words = f"Not shown: {many} {'user' if many == 1 else 'users'}, to whom the saved models answer otherwise here than"
    return ShownPair((names[0], names[1]), sides, f"{words} when the study was measured." if many else "")


def _user(case: UserCase, methods: list[str]) -> ShownUser:
    tested = {each.item for each in case.targets}
    told = f"{case.events} test {'event' if case.events == 1 else 'events'}, NDCG@10 in all " + " and ".join(
        f"{value:.2f} by {method}" for value, method in zip(case.ndcg, methods, strict=True)
    )
    listed = {each.item for top in case.tops for each in top}
    seen: dict[str, tuple[str, str, str]] = {}
    for each in case.targets:
        if each.item in listed:
            ranks = " and ".join("left out" if rank is None else f"{rank:,g}" for rank in each.ranks)
            seen.setdefault(each.item, (short(each.item), each.cohort, ranks))
    others = len(tested - listed)
    times = [None, *(each.time for each in case.history)]
    moments = ["" if time in (None, later) else when(time) for later, time in pairwise(times)]
    history = [(*_cell(each), moment, False) for each, moment in zip(case.history, moments, strict=True)]
    tops = [[(*_cell(each), "", each.item in tested) for each in top] for top in case.tops]
    length = max(map(len, (history, *tops)))
    columns = [[*some, *[None] * (length - len(some))] for some in (history, *tops)]
    rows = [(at, *each) for at, each in enumerate(zip(*columns, strict=True), 1)]
    words = f"{others} {'other' if seen else 'test item'}{'s' * (others != 1)} in neither list" if others else ""
    return ShownUser(short(case.user), told, list(seen.values()), words, rows)


def _cell(item: Item | Event) -> tuple[str, str]:
    return short(item.item), item.cohort


def short(text: str) -> str:
    """An id for people: what cannot be seen, or turns the direction of writing, as its code; a long one without its
    middle."""
    ends = text if len(text) <= 2 * _ESCAPED else text[:_ESCAPED] + text[-_ESCAPED:]
    plain = "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in ends)
    cut = len(plain) > _BEGIN + _END + 1 or len(text) > 2 * _ESCAPED
    return f"{plain[:_BEGIN]}…{plain[-_END:]}" if cut else plain
