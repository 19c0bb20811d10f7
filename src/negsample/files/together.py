"""Files that are replaced together with their list, and read while another process replaces them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from negsample.errors import InputError
from negsample.files.atomic import is_settled, replacing_files, settle
from negsample.files.checksums import LIST, Checksums, DamagedError, read_list, write_list

T = TypeVar("T")


@contextmanager
def rewriting(folder: Path, kind: str, of: str = "", keep: Callable[[str], bool] = lambda name: True) -> Iterator[Path]:
    """Where to write files that take the place of those of ``folder``, with its list, all or none of them.

    Args:
        folder: with its list, or without one yet; a damaged one is a :class:`DamagedError`.
        kind: see :class:`Checksums`.
        of: see there.
        keep: whether the new list has a file of the old one that was not written.
    """
    with replacing_files(folder) as scratch:
        yield scratch
        new = {path.relative_to(scratch).as_posix() for path in scratch.rglob("*") if path.is_file()}
        old = read_list(folder / LIST, kind).files if (folder / LIST).exists() else {}
        known = {name: each for name, each in old.items() if keep(name) and name not in new}
        write_list(scratch / LIST, kind, of, known.keys() | new, known=known)


def settled(path: Path, kind: str, read: Callable[[Checksums], T]) -> T:
    """What ``read`` makes of the files that the list at ``path`` has.

    Files that another process replaces at this moment (:func:`negsample.files.atomic.replacing_files`) are read again.
    """
    while True:
        try:
            settle(path.parent)
        except OSError as error:
            raise InputError(f"cannot finish what a killed process wrote in {path.parent}: {error.strerror}") from None
        listed = read_list(path, kind)
        try:
            return read(listed)
        except DamagedError:
            if is_current(listed):
                raise


def is_current(listed: Checksums) -> bool:
    """Whether the files that ``listed`` has are not being replaced."""
    return is_settled(listed.folder) and read_list(listed.path, listed.kind) == listed
