"""Who does a run, and what lies of it until it is finished: a folder beside it, with a lock and a checkpoint."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from negsample.errors import InputError

_LONGEST = 200  # bytes of a name; file systems allow 255, and this one gets longer
_PATIENCE = 0.05  # seconds until a claim of another process is tried again


def place_of(folder: Path) -> Path:
    """Where the unfinished run that will be ``folder`` lies."""
    name = folder.name
    if len(name.encode()) > _LONGEST:
        name = hashlib.sha256(name.encode()).hexdigest()
    return folder.with_name(f".{name}.unfinished")


@contextmanager
def claimed(folders: Sequence[Path]) -> Iterator[list[Path] | None]:
    """The places of the runs that will be ``folders``, for this process alone as long as the block lasts.

    None when another process has one of them. The system takes a claim back when its process dies.
    A place that cannot be made or locked is an :class:`InputError`.
    """
    with ExitStack() as claims:
        places = []
        for folder in folders:
            place = place_of(folder)
            lock = FileLock(place / "lock")
            try:
                place.mkdir(parents=True, exist_ok=True)
                lock.acquire(blocking=False)
            except (Timeout, FileNotFoundError):  # not found: its owner has just finished, and cleaned up
                yield None
                return
            except (OSError, NotImplementedError) as error:
                raise InputError(f"cannot lock {place}: {error}; choose another --out") from None
            claims.callback(lock.release)
            places.append(place)
        yield places


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """For as long as the block lasts no other process has ``path``; waits for that. See :func:`claimed`."""
    while True:
        with claimed([path]) as places:
            if places is not None:
                try:
                    yield
                finally:
                    clear(places[0])
                return
        time.sleep(_PATIENCE)


def clear_finished(folders: Sequence[Path]) -> None:
    """Remove what lies of finished runs ``folders`` if a process was killed before it could."""
    for folder in folders:
        if place_of(folder).exists():
            with claimed([folder]) as places:
                for place in places or ():
                    clear(place)


def scratch_in(place: Path) -> Path:
    """An empty folder in ``place``, to be filled and renamed."""
    scratch = place / "run"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    return scratch


def empty(place: Path) -> None:
    """Remove what lies there, by whom it is claimed: the state first, since it needs the rest. The claim stays."""
    for state in place.rglob("state.pt"):
        state.unlink(missing_ok=True)
    for path in place.glob("*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != "lock":
            path.unlink(missing_ok=True)


def clear(place: Path) -> None:
    """The same, and the lock last."""
    empty(place)
    shutil.rmtree(place, ignore_errors=True)
