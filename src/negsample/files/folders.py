"""Folders and the plain files in them: made, checked before work begins, written whole."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from negsample.errors import InputError
from negsample.files.atomic import place_beside, replacing
from negsample.files.checksums import Checksums


def cache_folder() -> Path:
    """Where what is made once is kept: ``$NEGSAMPLE_CACHE``, else ``negsample`` in the user's cache."""
    own, common = os.environ.get("NEGSAMPLE_CACHE"), os.environ.get("XDG_CACHE_HOME")
    return Path(own or Path(common or "~/.cache") / "negsample").expanduser()


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """``value`` as JSON, in place of what was there in one step; NaN is written as null."""
    text = json.dumps(finite(value), indent=1, allow_nan=False) + "\n"
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """``arrays`` compressed in one ``.npz``, in place of what was there in one step."""
    with replacing(path) as temporary:
        np.savez_compressed(temporary, **dict(arrays))  # type: ignore[arg-type]


def finite(value: Any) -> Any:
    """``value`` with None for every number that JSON cannot say: NaN (a figure that is undefined) and infinity."""
    if isinstance(value, Mapping):
        return {key: finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite(each) for each in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value


@contextmanager
def writable(folder: Path, way_out: str) -> Iterator[None]:
    """Turns what the system says against writing to ``folder`` into one line, an :class:`InputError`."""
    try:
        yield
    except OSError as error:
        raise unwritable(folder, error, way_out) from None


def unwritable(folder: Path, error: OSError, way_out: str) -> InputError:
    """What the system says against writing to ``folder``, in one line."""
    if error.errno in (errno.EMFILE, errno.ENFILE):
        way_out = "let it have more open files (ulimit -n 1024)"
    return InputError(f"cannot write to {folder}: {error.strerror or error}; {way_out}")


def check_place(folder: Path, *, new: bool = False) -> None:
    """Refuses a folder for results that cannot be made or written in, before the work for it is done.

    ``new``: it must be empty or not be there yet.
    """
    with writable(folder, "choose another --out"):
        if new and folder.exists() and (folder.samefile(Path.cwd()) or not folder.is_dir() or any(folder.iterdir())):
            raise InputError(f"{folder} exists already; choose another --out, a new folder")
        there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
        if not there.is_dir():
            inside = "" if there == folder else f", so {folder} cannot be made"
            raise InputError(f"{there} is a file{inside}; choose another --out")
        if new or folder != there:
            with place_beside(folder):
                pass
        elif not os.access(folder, os.W_OK | os.X_OK):
            raise InputError(f"{folder} cannot be written in; choose another --out")


def make_folders(folder: Path, *names: str) -> None:
    """Make ``folder`` and those in it, where they are not there yet; what the system forbids is refused."""
    with writable(folder, "choose another --out"):
        for name in names:
            (folder / name).mkdir(parents=True, exist_ok=True)


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """A scratch folder beside ``folder`` that becomes it when the block ends well, and vanishes otherwise."""
    with replacing(folder) as scratch:
        scratch.mkdir()
        yield scratch


def arrays_of(listed: Checksums, file: str, names: Iterable[str], maybe: Iterable[str] = ()) -> dict[str, NDArray[Any]]:
    """The arrays ``names`` of an ``.npz``, and those of ``maybe`` that it has; one that is damaged or lacks one of the
    first is a ``DamagedError``."""
    content = listed.read(file)
    try:
        with np.load(BytesIO(content), allow_pickle=False) as stored:
            return {name: stored[name] for name in (*names, *(each for each in maybe if each in stored))}
    except Exception as error:  # zipfile, zlib and numpy each have errors of their own
        raise listed.damaged(file, error) from None
