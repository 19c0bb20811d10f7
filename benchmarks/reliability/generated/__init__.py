"""Logs of any format that are generated: each is read as the slow reader reads it, or refused for a reason."""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from shutil import rmtree
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
    "a pattern": folders.pattern,
}
FAULTS: dict[str, Maker] = {**ROW_FAULTS, **TEXT_FAULTS, **FILE_FAULTS}
KINDS = {**SOUND, **FAULTS}
COUNT = 20_000
WHAT = "generated logs"
TEST = "tests/data/log/test_generated_logs.py::test_generated_logs_are_read_right_or_refused"


def case(seed: int, number: int) -> tuple[str, Case]:
    """The kind and the log of this number; the same ones for the same seed."""
    names = list(FAULTS if number % 2 else SOUND)
    kind = names[number // 2 % len(names)]
    made = KINDS[kind](random.Random(f"{seed}-{number}"))
    if made.recipe and made.must_read and made.frame is None:
        slow = made.slow()
        assert slow == made.expect, f"the slow reader and the generator differ: {kind}, seed {seed}, number {number}"
    return kind, made


def measure(count: int, seed: int) -> dict[str, dict[str, int]]:
    """By kind: how many came to which outcome."""
    found: dict[str, Counter[str]] = {name: Counter() for name in KINDS}
    with TemporaryDirectory() as scratch:
        for number in range(count):
            kind, made = case(seed, number)
            folder = Path(scratch) / str(number)
            folder.mkdir()
            result, said = outcome(made, folder)
            found[kind][result] += 1
            rmtree(folder)
            if result.startswith(("silent", "traceback", "lost", KEPT_OUT)):
                print(f"{seed}-{number} {kind}: {result}: {said}", file=sys.stderr)
    return {name: dict(outcomes) for name, outcomes in found.items() if outcomes}
