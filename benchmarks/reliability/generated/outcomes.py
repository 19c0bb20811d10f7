"""What comes of a generated log: read right, at once or as a message advises; refused; or a fault."""

from __future__ import annotations

import re
import time
import traceback
from pathlib import Path
from typing import Any

from benchmarks.reliability.generated.case import Case
from benchmarks.reliability.made_logs import Event
from negsample import InputError
from negsample.data.log.files import readable
from negsample.data.log.read import Log, parts_of_log, read_here, read_log
from negsample.data.log.reading import Reading

SLOW = 30.0  # seconds
QUESTIONS = 6
"""The most messages that a person answers."""
RIGHT, REFUSED = "read right", "refused in one line"
ADVISED, CORRECTED = "read right as a message advises", "read right as a message advises, with other columns"
KEPT_OUT = "refused though it can be read"
_OPTION = re.compile(r"--([a-z][a-z-]*)(?:[ =]('[^']*'|\"[^\"]*\"|[^\s;,)-][^\s;,)]*))?")
_NUMBER = re.compile(r"--(user|item|time) (\d+(?:\+\d+)?)(?= |$)")


def outcome(case: Case, folder: Path) -> tuple[str, str]:
    """What comes of it, and the message or the difference."""
    for name, content in case.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    began = time.perf_counter()
    try:
        found, said = _tried(case, folder)
    except BaseException:  # a panic of Polars is no Exception
        return "traceback", traceback.format_exc()
    late = time.perf_counter() - began > SLOW
    return ("lost in time: more than 30 s", said) if late else (found, said)


def _tried(case: Case, folder: Path) -> tuple[str, str]:
    options, given, said, corrected = dict(case.options), case.log, list[str](), False
    for _ in range(QUESTIONS):
        try:
            log, events = _read(case, folder, given, options)
        except InputError as error:
            said.append(str(error))
            if len(str(error).splitlines()) > 1:
                return "traceback: a refusal of several lines", said[-1]
            more, address = _answers(case, str(error), options, given)
            if case.expect is None or not (more or address):
                break
            corrected |= any(
                number and case.answers.get(role) != number for role, number in _NUMBER.findall(str(error))
            )
            options, given = options | more, address or given
            continue
        found, told = _judged(case, log, events, said)
        return (CORRECTED if corrected and found == ADVISED else found), told
    return (KEPT_OUT if case.must_read else REFUSED), " | ".join(said)


def _read(case: Case, folder: Path, given: str, options: dict[str, Any]) -> tuple[Log, list[Event]]:
    if case.frame is not None:
        log = read_log(case.frame, **options)
    else:
        several = [folder / name for name in case.several]
        path = several or (folder / given if given else folder)
        log = read_here(*parts_of_log(path), Reading(**options))
    with readable(folder):  # as the preparation of a dataset does
        frame = log.frame.collect(engine="streaming")
    return log, [(str(user), str(item), moment) for user, item, moment in frame.rows()]


def _answers(case: Case, message: str, options: dict[str, Any], given: str) -> tuple[dict[str, Any], str]:
    """What a person says who does as the message asks, of what they know."""
    more: dict[str, Any] = {}
    for name, _ in _OPTION.findall(message):
        option = {"split": "ordered"}.get(name, name.replace("-", "_"))
        if option in case.answers and options.get(option) != case.answers[option]:
            more[option] = case.answers[option]
    asks = "::" in message.replace(given, "") and given != case.address
    return more, case.address if case.address and asks and not more else ""


def _judged(case: Case, log: Log, events: list[Event], said: list[str]) -> tuple[str, str]:
    notes = " ".join(log.notes)
    if case.ask and not said:
        return "silent: read without a question", notes
    if events not in (case.expect, case.also):
        return "silent difference", _difference(case, events, notes)
    if case.note and case.note not in notes:
        return f"silent: nothing is said of {case.note}", notes
    return (ADVISED if said else RIGHT), " | ".join([*said, notes])


def _difference(case: Case, events: list[Event], notes: str) -> str:
    expected = case.expect or []
    odd = next((pair for pair in zip(events, expected, strict=False) if pair[0] != pair[1]), None)
    count = None if case.expect is None else len(expected)
    return f"{len(events)} events, expected {count}; read and expected: {odd}; {notes}"
