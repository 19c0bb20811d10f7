"""Logs of any format that are generated: each is read as the slow reader reads it, or refused for a reason."""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.reliability.generated import folders, text, typed
from benchmarks.reliability.generated.case import Case
from benchmarks.reliability.generated.file_faults import FILE_FAULTS
from benchmarks.reliability.generated.outcomes import KEPT_OUT, outcome
from benchmarks.reliability.generated.row_faults import ROW_FAULTS
from benchmarks.reliability.generated.text_faults import TEXT_FAULTS

Maker = Callable[[random.Random], Case]
SOUND: dict[str, Maker] = {
    "text with a header": text.any_text,
    "text without a header": text.any_without_header,
    "text with `::` or spaces": text.separated,
    "RecBole's .inter": text.inter,
    "a sequence a line": text.sequences,
    "JSON, an object a line": lambda chance: typed.json_lines(typed.any_log(chance), chance),
    "JSON, a list of objects": lambda chance: typed.json_list(typed.any_log(chance), chance),
    "JSON, a line for each user with events in it": typed.sessions,
    "JSON, a line for each user with lists": typed.json_of_lists,
    "Parquet": lambda chance: typed.parquet(typed.any_log(chance), chance),
    "Arrow, Feather": lambda chance: typed.arrow(typed.any_log(chance), chance),
    "columns of lists": typed.frame_of_lists,
    "a DataFrame": lambda chance: typed.data_frame(typed.any_log(chance), chance),
    "Excel": lambda chance: typed.excel(typed.any_log(chance), chance),
    "SQLite": lambda chance: typed.sqlite(typed.any_log(chance), chance),
    "a zip archive": folders.archive,
    "a folder of parts": folders.folder,
    "folders as of Hive": folders.hive,
    "a pattern, or several files": folders.pattern,
}
FAULTS: dict[str, Maker] = {**ROW_FAULTS, **TEXT_FAULTS, **FILE_FAULTS}
KINDS = {**SOUND, **FAULTS}
COUNT = 20_000
_MANY = 1000  # logs from which on processes pay
WHAT = (
    f"generated logs: {len(SOUND)} formats; any ids, times, delimiters, quotes, columns, compressions and options; "
    f"half of them with one of {len(FAULTS)} faults; against a reader made of the standard library, and what a message "
    f"advises is done"
)
TEST = "tests/data/log/test_generated_logs.py::test_generated_logs_are_read_right_or_refused"


def case(kind: str, seed: object) -> Case:
    """A log of this kind; the same one for the same seed."""
    made = KINDS[kind](random.Random(f"{kind} {seed}"))
    if made.recipe and made.must_read:
        assert made.slow() == made.expect, f"the slow reader and the generator differ: {kind}, {seed}"
    return made


def measure(count: int, seed: int) -> dict[str, dict[str, int]]:
    """By kind: how many came to which outcome. Many are shared among the cores."""
    found: dict[str, Counter[str]] = {name: Counter() for name in KINDS}
    numbers = [(number, seed) for number in range(count)]
    if count < _MANY:
        outcomes = [_numbered(each) for each in numbers]
    else:
        with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
            outcomes = list(pool.map(_numbered, numbers, chunksize=_MANY // 10))
    for kind, outcome_ in outcomes:
        found[kind][outcome_] += 1
    return {name: dict(each) for name, each in found.items() if each}


def _numbered(asked: tuple[int, int]) -> tuple[str, str]:
    """The kind of the log of this number and seed, and what comes of it."""
    number, seed = asked
    names = list(FAULTS if number % 2 else SOUND)
    kind = names[number // 2 % len(names)]
    return kind, tried(kind, f"{seed} {number}")


def tried(kind: str, seed: object) -> str:
    """What comes of one log; a fault is printed."""
    with TemporaryDirectory() as folder:
        result, said = outcome(case(kind, seed), Path(folder))
    if result.startswith(("silent", "traceback", "lost", KEPT_OUT)):
        print(f"{kind}, {seed}: {result}: {said}", file=sys.stderr)
    return result
