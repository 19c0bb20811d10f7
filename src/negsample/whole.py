"""What appears whole or not at all: it is written in a place beside, whose lock says whether its writer lives."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

_ENDING = ".writing"
_NEW = 1.0  # seconds: a place so young may not be locked yet


@contextmanager
def place_beside(path: Path) -> Iterator[Path]:
    """A hidden folder beside ``path``, of this process alone, gone when the block ends.

    What processes that were killed left there of theirs goes first.

    Raises:
        OSError: it cannot be made.
    """
    sweep(path.parent)
    place = Path(tempfile.mkdtemp(prefix=f".{path.name[:50]}.", suffix=_ENDING, dir=path.parent))
    try:
        with FileLock(place / "lock"):
            yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Where to write what takes the place of ``path`` in one step when the block ends well.

    Raises:
        OSError: the system forbids it.
    """
    with place_beside(path) as place:
        yield place / path.name
        (place / path.name).replace(path)


def sweep(folder: Path, *, deep: bool = False) -> None:
    """Remove what killed processes were writing in ``folder`` (``deep``: and in those under it), and nothing else."""
    for where, names, _ in os.walk(folder):
        for name in [each for each in names if each.startswith(".") and each.endswith(_ENDING)]:
            _remove_if_left(Path(where) / name)
        if not deep:
            return


def _remove_if_left(place: Path) -> None:
    lock = FileLock(place / "lock")
    try:
        if time.time() - place.stat().st_mtime < _NEW:
            return
        lock.acquire(blocking=False)
    except (Timeout, OSError):  # its writer lives, or it is not ours to remove
        return
    shutil.rmtree(place, ignore_errors=True)
    lock.release()
