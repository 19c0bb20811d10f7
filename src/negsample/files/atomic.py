"""The atomic writer: a file, a folder or several files appear whole or not at all.

They are written in a hidden folder beside, whose lock says whether its writer lives, and renamed. What the system
forbids is an ``OSError``.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

ENDING = ".writing"
"""How the names of hidden folders end that something is written in."""
_COMMITTED = ".replacing"
LAST = "checksums.json"
"""The name of the file that is put in its place last ends so: it says which of the others belong together."""


@contextmanager
def place_beside(path: Path) -> Iterator[Path]:
    """A hidden folder beside ``path``, of this process alone, gone when the block ends.

    Folders above it are made, and go if nothing came into them. What killed processes left there of theirs goes first.
    """
    made = [each for each in path.parents if not each.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent)
    try:
        place, lock = _locked_place(path)
        try:
            yield place
        finally:
            try:
                lock.release()
                shutil.rmtree(place, ignore_errors=True)
            except KeyboardInterrupt:  # it goes all the same
                shutil.rmtree(place, ignore_errors=True)
                raise
    finally:
        with suppress(OSError):  # what has something in it stays
            for each in made:
                each.rmdir()


def _locked_place(path: Path) -> tuple[Path, FileLock]:
    """A new hidden folder beside ``path``, and its lock, held.

    Before it is locked a sweep may take it for one that was left, and remove it: then another is made. A lock that is
    held guards the folder for good, since FileLock holds no file that was removed, and only who holds one removes it.
    """
    while True:
        place = Path(tempfile.mkdtemp(prefix=f".{path.name[:50]}.", suffix=ENDING, dir=path.parent))
        lock = FileLock(place / "lock")
        try:
            lock.acquire()
        except (FileNotFoundError, FileExistsError):  # the second when it goes while FileLock looks for the folder
            continue
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            raise
        return place, lock


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Where to write the file or folder that takes the place of ``path`` in one step when the block ends well."""
    with place_beside(path) as place:
        yield place / path.name
        (place / path.name).replace(path)


@contextmanager
def replacing_files(folder: Path) -> Iterator[Path]:
    """Where to write files, in folders too, that take the place of those in ``folder``: all of them or none.

    They are committed when the block ends well. A process that is killed after that leaves some of them in a hidden
    folder, from which :func:`settle` takes them.
    """
    with place_beside(folder / _COMMITTED) as place:
        scratch = place / "new"
        scratch.mkdir()
        yield scratch
        while True:
            settle(folder)
            try:
                scratch.rename(folder / _COMMITTED)
                break
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):  # somebody else has just committed: theirs first
                    raise
    settle(folder)


def settle(folder: Path) -> None:
    """Put into their places what :func:`replacing_files` committed in ``folder``; several processes may."""
    committed = folder / _COMMITTED
    waiting = [Path(where) / name for where, _, names in os.walk(committed) for name in names]
    for path in sorted(waiting, key=lambda each: (each.name.endswith(LAST), each)):
        target = folder / path.relative_to(committed)
        with suppress(FileNotFoundError):  # another process put it there
            target.parent.mkdir(exist_ok=True)
            path.replace(target)
    for where, _, _ in os.walk(committed, topdown=False):
        with suppress(OSError):  # gone, or somebody has committed there since: only what is empty may go
            os.rmdir(where)


def is_settled(folder: Path) -> bool:
    """Whether nothing that was committed in ``folder`` waits for its place."""
    return not (folder / _COMMITTED).exists()


def sweep(folder: Path, *, deep: bool = False) -> None:
    """Remove what killed processes were writing in ``folder`` (``deep``: and in those under it), and nothing else."""
    for where, names, _ in os.walk(folder):
        for name in [each for each in names if each.startswith(".") and each.endswith(ENDING)]:
            _remove_if_left(Path(where) / name)
        if not deep:
            return


def _remove_if_left(place: Path) -> None:
    """Remove ``place`` if nobody holds its lock, however young it is; the lock is held until it is gone."""
    lock = FileLock(place / "lock")
    try:
        place.stat()  # a folder that has gone would be made again by its lock
        lock.acquire(blocking=False)
    except (Timeout, OSError):  # its writer lives, or it is not ours to remove
        return
    shutil.rmtree(place, ignore_errors=True)
    lock.release()
