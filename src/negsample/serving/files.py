"""Answers for many people as a file, and lists of items from files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from negsample.errors import InputError
from negsample.evaluation.evaluate import QUERIES_AT_ONCE
from negsample.files.atomic import replacing
from negsample.files.folders import writable
from negsample.parallel.processes import current
from negsample.serving.histories import Histories
from negsample.serving.ranker import Ask
from negsample.serving.recommender import Recommender

ENDINGS = (".parquet", ".csv", ".jsonl")


def check_answers(path: Path) -> None:
    """Refuses a name of a file whose ending says no format.

    Raises:
        InputError: as it says.
    """
    if path.is_dir():
        raise InputError(f"{path} is a folder; answers are one file, which ends in {', '.join(ENDINGS)}")
    if path.suffix not in ENDINGS:
        raise InputError(f"the ending of '{path.name}' names no format of answers; give one of {', '.join(ENDINGS)}")


def write_answers(
    recommender: Recommender, people: Histories, ask: Ask, path: Path, advance: Callable[[int], None]
) -> int:
    """Write what ``people`` get, some thousand at a time, in place of what was at ``path`` in one step; returns how
    many rows. ``advance``: called with the number of people that are done.

    Raises:
        InputError: it cannot be written.
    """
    processes = current()
    if processes is not None and not processes.is_first:  # which have a part of what the first one writes
        return sum(map(len, recommender.answers(people, ask)))
    rows = done = 0
    with (
        writable(path, "choose another --out"),
        replacing(path) as temporary,
        TemporaryDirectory(dir=temporary.parent) as parts,
    ):
        for number, frame in enumerate(recommender.answers(people, ask)):
            if path.suffix == ".parquet":
                frame.write_parquet(Path(parts) / f"{number:06}.parquet")
            else:
                with temporary.open("ab") as file:
                    if path.suffix == ".jsonl":
                        frame.write_ndjson(file)
                    else:
                        frame.write_csv(file, include_header=number == 0)
            rows += len(frame)
            done = min(done + QUERIES_AT_ONCE, len(people.keys))
            advance(done)
        if path.suffix == ".parquet":
            pl.scan_parquet(sorted(Path(parts).iterdir()), glob=False).sink_parquet(temporary)
    return rows


def ids_in(path: Path) -> list[str]:
    """The ids in a text file, one a line.

    Raises:
        InputError: it cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path} cannot be read ({error}); give a text file (UTF-8) with an item id on each line"
        ) from None
    return [line.strip() for line in lines if line.strip()]
