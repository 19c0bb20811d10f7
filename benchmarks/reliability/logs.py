"""Logs that are not right: each is read right, left out and counted, or refused in one line; never read wrong."""

from __future__ import annotations

import random
import time
import traceback
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.reliability.made_logs import Event, Made, valid_log
from benchmarks.reliability.mutations import MUTATIONS
from negsample import InputError
from negsample.data.log.files import readable
from negsample.data.log.read import parts_of_log, read_here, read_log
from negsample.data.log.reading import Reading
from negsample.data.prepare.pipeline import prepare
from negsample.settings import PrepareSettings

WHAT = f"logs in CSV, TSV and Parquet, each changed in one of {len(MUTATIONS)} ways (the table below)"
COUNT = 10_000
TEST = "tests/data/log/test_mutated_logs.py::test_mutated_logs_are_read_right_or_refused_in_one_line"
_SLOW = 30.0  # seconds


def measure(count: int, seed: int) -> dict[str, dict[str, int]]:
    """By mutation: how many came to which outcome."""
    chance = random.Random(seed)
    found: dict[str, Counter[str]] = {name: Counter() for name in MUTATIONS}
    with TemporaryDirectory() as scratch:
        for number in range(count):
            name = list(MUTATIONS)[number % len(MUTATIONS)]
            made = MUTATIONS[name](valid_log(chance), chance)
            found[name][outcome(made, Path(scratch) / str(number))] += 1
    return {name: dict(outcomes) for name, outcomes in found.items() if outcomes}


def outcome(made: Made, folder: Path) -> str:
    """What comes of a log; what it is that went wrong is printed by its traceback or events."""
    folder.mkdir()
    for name, content in made.files.items():
        (folder / name).write_bytes(content)
    began = time.perf_counter()
    try:
        said = _read(made, folder if len(made.files) > 1 else folder / next(iter(made.files)))
    except InputError as error:
        if "\n" in str(error):
            return "traceback: a refusal of several lines"
        said = "refused though it can be read" if made.must_read else "refused in one line"
    except BaseException:  # a panic of Polars is no Exception
        traceback.print_exc()
        return "traceback"
    return said if time.perf_counter() - began < _SLOW else "lost in time: more than 30 s"


def _read(made: Made, path: Path) -> str:
    # The process of its own that Parquet files are tried in takes a second; only flipped bits may need it.
    log = read_log(path) if made.note == "damage" else read_here(*parts_of_log(path), Reading())
    with readable(path):  # as the preparation of a dataset does
        frame = log.frame.collect(engine="streaming")
    events = [(str(user), str(item), moment) for user, item, moment in frame.rows()]
    if events not in (made.expect, made.unchanged):
        return "damage that cannot be detected" if made.note == "damage" else _wrong(made, events, path)
    told = made.note not in ("", "damage")
    if told and not any(made.note in note for note in log.notes):
        return "silent: nothing is said of it"
    if len(set(events)) == len(events) // 2 and len(events) > 20:
        return _twice(log, events, path)
    return "read, with a note" if told else "read right"


def _twice(log: Any, events: list[Event], path: Path) -> str:
    notes = prepare(log, PrepareSettings(), path.parent / "prepared").manifest.notes
    told = any(f"{len(events) - len(set(events)):,} of {len(events):,} events" in note for note in notes)
    return "read, with a note" if told else "silent: nothing is said of duplicates"


def _wrong(made: Made, events: list[Event], path: Path) -> str:
    expected = made.expect or []
    odd = next((pair for pair in zip(events, expected, strict=False) if pair[0] != pair[1]), None)
    print(f"{path}: {len(events)} events, expected {len(expected) if made.expect is not None else None}; {odd}")
    return "silent change"
