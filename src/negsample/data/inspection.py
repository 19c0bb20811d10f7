"""What one should know of a log before anything is trained on it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from negsample.data.log.columns import guesses_of, listed, named
from negsample.data.log.files import readable
from negsample.data.log.read import Log, are_files, columns_of_log, read_log
from negsample.data.log.table import Frame
from negsample.data.log.times import iso
from negsample.data.log.where import option
from negsample.data.names import safe_name
from negsample.errors import guarded
from negsample.settings import BY_SHARES, PrepareSettings

_DAY = 86_400_000_000  # microseconds
_MANY = 20  # users, of whom none should have much
_MUCH = 0.05  # of all events, that one user has


class Inspection(NamedTuple):
    """``facts``: what it is called, and what it is. ``notes``: how it was read. ``questions``: what only its owner can
    answer, each with the option that says so. ``command``: the study to begin with."""

    facts: list[tuple[str, str]]
    notes: list[str]
    questions: list[str]
    command: str


@guarded
def inspect(log: str | Path | Sequence[str | Path] | Frame, settings: PrepareSettings | None = None) -> Inspection:
    """What is in ``log``, in one look; nothing is prepared or kept.

    Args:
        log: as of :func:`negsample.read_log`.
        settings: how it is read.

    Example:
        >>> print(inspect("log.csv").command)  # doctest: +SKIP
        negsample compare log.csv --out out/log

    Raises:
        InputError: it cannot be read.
    """
    asked = settings or PrepareSettings()
    found = read_log(log, **asked.reading() | {"ordered": True})
    with readable(Path(found.source or found.name)):
        counts = _counts(found)
    files = [] if not are_files(log) else [log] if isinstance(log, str | Path) else [*log]
    columns = columns_of_log(files, asked.reading()) if files else []
    questions = _questions(counts, found, columns, asked)
    by_order = not found.has_times or _at_one_time(counts, found, asked)
    command = _command([*map(str, files)], safe_name(found.name), asked, by_order)
    return Inspection(_facts(counts, found, asked), found.notes, questions, command)


def _counts(log: Log) -> dict[str, Any]:
    """All at once: each is a pass of Polars that holds one row a user, an item or a pair."""
    frame, count = log.frame, pl.len().alias("n")
    whole = frame.select(
        events=pl.len(),
        first=pl.col("time").min(),
        last=pl.col("time").max(),
        cut=pl.col("time").quantile(1 - 0.05, "nearest"),
        of_days=(pl.col("time") % _DAY == 0).mean(),
    )
    sizes = {role: frame.group_by(role).agg(count) for role in ("user", "item")}
    moments = frame.group_by("user", "time").agg(count, kinds=pl.col("item").n_unique())
    pairs = frame.group_by("user", "item").agg(count)
    some = pl.col("n")
    collected = pl.collect_all(
        [
            whole,
            sizes["user"].select(
                users=pl.len(),
                median=some.median(),
                most=some.max(),
                single=(some == 1).sum(),
                largest=pl.col("user").get(some.arg_max()).cast(pl.String),
                numbers=pl.col("user").cast(pl.String).cast(pl.Float64, strict=False).is_not_null().all(),
            ),
            sizes["item"].select(items=pl.len(), once=(some == 1).sum(), top=some.top_k(100).sum()),
            moments.select(tied=some.filter(some > 1).sum(), duplicates=(some - pl.col("kinds")).sum()),
            pairs.select(pairs=pl.len()),
        ],
        engine="streaming",
    )
    return {name: value for part in collected for name, value in part.row(0, named=True).items()}


def _at_one_time(of: Mapping[str, Any], log: Log, asked: PrepareSettings) -> bool:
    """Whether no moment splits the log."""
    return log.has_times and asked.split in BY_SHARES and bool(of["first"] == of["last"])


def _facts(of: Mapping[str, Any], log: Log, asked: PrepareSettings) -> list[tuple[str, str]]:
    events, days = of["events"], (of["last"] - of["first"]) / _DAY
    facts = [
        ("events", f"{events:,}"),
        ("users", f"{of['users']:,}, with {of['median']:g} events in the middle and {of['most']:,} at most"),
        (
            "users with one event",
            f"{of['single']:,} ({_share(of['single'], of['users'])}); nothing is learned from them",
        ),
        ("items", f"{of['items']:,}, {of['once']:,} of them ({_share(of['once'], of['items'])}) in one event alone"),
        ("the 100 items with most events", f"{_share(of['top'], events)} of the events"),
        ("repeats", f"{_share(events - of['pairs'], events)} of the events are on an item that the user had before"),
    ]
    if not log.has_times:
        return [*facts, ("time", "none: the order of the rows is the order")]
    facts += [
        ("time", f"{iso(of['first'])} to {iso(of['last'])} ({days:,.1f} days)"),
        ("events at the time of another of their user", _share(of["tied"], events)),
    ]
    if asked.split in BY_SHARES:
        facts.append(("the last 5 % of the events, to test on", f"from about {iso(int(of['cut']))}"))
    return facts


def _share(count: float, total: float) -> str:
    percent = 100 * count / total
    return f"{percent:.0f} %" if percent >= 10 or not percent else f"{percent:.2g} %"


def _questions(of: Mapping[str, Any], log: Log, columns: list[str], asked: PrepareSettings) -> list[str]:
    found = []
    if not log.has_times and asked.split in BY_SHARES:
        among = f" The columns are: {listed(columns)}." if columns else ""
        found.append(
            f"No column looks like a time by its name.{among} Is there one: --time COL? If not, is the order of the "
            "rows that of the events? Then --split leave-one-out, which says nothing about the future."
        )
    for role in ("user", "item", "time"):
        others = guesses_of(role, columns)[1:]
        if others and getattr(asked, role) is None:
            shown = ", ".join(f"'{name}'" for name in others[:4])
            found.append(f"Is the {role} in '{guesses_of(role, columns)[0]}'? {shown} may be it too: --{role} COL.")
    if _at_one_time(of, log, asked):
        found.append(
            "All events have one time, so that no moment is between train and test. Is the order of the rows that of "
            "the events? Then --split leave-one-out, which says nothing about the future."
        )
    if of["duplicates"]:
        found.append(
            f"Events that are there already, with the same user, item and time: {of['duplicates']:,} "
            f"({_share(of['duplicates'], of['events'])}). Are they events of their own? If not: --drop-duplicates."
        )
    if of["users"] >= _MANY and of["most"] > _MUCH * of["events"]:
        column = named(columns, asked.user) or next(iter(guesses_of("user", columns)), None)
        way_out = option(column, "<>", of["largest"], of["numbers"]) if column else "--where"
        found.append(
            f"Is '{of['largest']}', with {_share(of['most'], of['events'])} of the events, one user? If it stands for "
            f"all who are not known, leave it out: {way_out}."
        )
    if log.has_times and of["of_days"] > 0.99:
        found.append(
            "The times are days. Is the order of the rows within a day that of the events? If it is not, let a "
            "model know only the days before: --set targets=moments."
        )
    elif log.has_times and of["tied"] > of["events"] / 4:
        found.append(
            f"{_share(of['tied'], of['events'])} of the events are at the time of another of their user, as in "
            "baskets. If you recommend before a basket and not within it: --set targets=moments."
        )
    if of["median"] <= 2:
        found.append(
            f"Half of the users have {of['median']:g} event{'s' * (of['median'] != 1)} or fewer. Are they people, or "
            "sessions and orders? If there is a column of people: --user COL."
        )
    return found


def _command(files: list[str], log: str, asked: PrepareSettings, by_order: bool) -> str:
    words = []
    for name, value in asked.model_dump(exclude_defaults=True).items():
        words += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    if by_order and "--split" not in words:
        words += ["--split", "leave-one-out"]
    study = ["--out", f"out/{log}"]
    if len(files) < 2:
        return shlex.join(["negsample", "compare", *(files or ["LOG"]), *words, *study])
    prepared = f"prepared/{log}"  # `compare` takes several files as several datasets
    first = shlex.join(["negsample", "prepare", *files, *words, "--out", prepared])
    return f"{first} && {shlex.join(['negsample', 'compare', prepared, *study])}"
