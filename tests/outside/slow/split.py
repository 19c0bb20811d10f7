"""The global temporal split, and what a model is trained and measured on after it (FIELD, section 1)."""

from __future__ import annotations

from typing import Any, NamedTuple

from slow.logs import Rows

TRAIN, VALID, TEST = 0, 1, 2


class Event(NamedTuple):
    """One row of a user."""

    item: Any
    time: int
    part: int


def parts(times: list[int], rule: str) -> list[int]:
    """The part of each row. One in twenty, rounded up, is test, and as many before them are validation.

    ``paper`` cuts by count. ``timestamp`` cuts at times: test starts at the time of the first row that ``paper`` puts
    there, and validation at the time of the row that is one in twenty before that.
    """
    rows = len(times)
    share = (rows + 19) // 20
    order = sorted(range(rows), key=lambda row: times[row])  # stable: ties keep the order of the file
    test_at = rows - share
    if rule == "paper":
        place = {row: position for position, row in enumerate(order)}
        where = [place[row] for row in range(rows)]
        return [TEST if each >= test_at else VALID if each >= test_at - share else TRAIN for each in where]
    test_from = times[order[test_at]]
    first_test = min(position for position, row in enumerate(order) if times[row] == test_from)
    valid_from = times[order[first_test - share]]
    return [TEST if time >= test_from else VALID if time >= valid_from else TRAIN for time in times]


def users(rows: Rows, part_of: list[int]) -> dict[Any, list[Event]]:
    """The events of each user, by time and, at one time, in the order of the file."""
    found: dict[Any, list[Event]] = {}
    for row in sorted(range(len(rows.time)), key=lambda row: (rows.time[row], row)):
        found.setdefault(rows.user[row], []).append(Event(rows.item[row], rows.time[row], part_of[row]))
    return found


def of_part(events: list[Event], part: int) -> list[Any]:
    """The items of one part."""
    return [event.item for event in events if event.part == part]


def training(events: list[Event], longest: int) -> tuple[list[Any], list[Any]] | None:
    """Inputs and targets of a user: the last L + 1 train events; None for who has fewer than two."""
    items = of_part(events, TRAIN)[-longest - 1 :]
    return (items[:-1], items[1:]) if len(items) > 1 else None


def windows(events: list[Event], longest: int) -> list[tuple[list[Any], list[Any]]]:
    """All inputs and targets of a user, the latest first: each train event but the first is a target once."""
    items, found = of_part(events, TRAIN), []
    while len(items) > 1:
        found.append((items[-longest - 1 : -1], items[-longest:] if len(items) > longest else items[1:]))
        items = items[:-longest]
    return found


def measured(events: list[Event], part: int, history: str, longest: int) -> list[tuple[list[Any], Any, set[Any]]]:
    """(history, target, all that is known of the user) of each event of ``part`` with an earlier part before it.

    ``frozen``: what came before the part. ``rolling``: what is strictly earlier than the event. ``rolling-basket``:
    all that stands before the event, what is of its own moment included.
    """
    before = [event for event in events if event.part < part]
    found = []
    for place, event in enumerate(events):
        if event.part != part or not before:
            continue
        known = {
            "frozen": before,
            "rolling": [other for other in events if other.time < event.time],
            "rolling-basket": events[:place],
        }[history]
        items = [other.item for other in known]
        found.append((items[-longest:], event.item, set(items)))
    return found


def cold(found: dict[Any, list[Event]]) -> set[Any]:
    """Items of the log in no train event."""
    trained = {event.item for events in found.values() for event in events if event.part == TRAIN}
    return {event.item for events in found.values() for event in events} - trained
