"""Any format for a log that is given."""

from __future__ import annotations

import random
from collections.abc import Callable

from benchmarks.reliability.generated import text, typed
from benchmarks.reliability.generated.case import Case
from benchmarks.reliability.generated.logs import Log

Writer = Callable[[Log, random.Random], Case]
TEXTS: list[Writer] = [text.with_header, text.without_header]
OBJECTS: list[Writer] = [typed.json_lines, typed.json_list]
TABLES: list[Writer] = [typed.parquet, typed.arrow, typed.data_frame, typed.sqlite, typed.excel]


def written(log: Log, chance: random.Random, writers: list[Writer] | None = None) -> Case:
    """In one of the formats; half of the time in text."""
    return chance.choice(writers or [*TEXTS, *TEXTS, *OBJECTS, *TABLES])(log, chance)
