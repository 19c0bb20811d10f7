"""The one file that is wanted, out of a zip archive."""

from __future__ import annotations

import shutil
import zlib
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile, is_zipfile

from negsample.errors import InputError


def is_archive(path: Path) -> bool:
    """Whether ``path`` is a zip archive."""
    return is_zipfile(path)


def extract(path: Path, name: str, folder: Path, *, shown: str) -> Path:
    """The file called ``name``, in whatever folder of the archive at ``path`` it lies, written to ``folder``.

    Args:
        shown: what the archive is called in a message.

    Raises:
        InputError: it is not in there, is there twice, or the archive is damaged.
        OSError: ``folder`` cannot be written.
    """
    target = folder / name
    try:
        with ZipFile(path) as archive:
            files = [each for each in archive.namelist() if not each.endswith("/")]
            wanted = [each for each in files if PurePosixPath(each).name == name]
            if len(wanted) != 1:
                listed = ", ".join(files[:10]) + (f" and {len(files) - 10} more" if len(files) > 10 else "")
                raise InputError(f"{shown} holds {len(wanted) or 'no'} {name}, it should be one; in it: {listed}")
            with archive.open(wanted[0]) as source, target.open("wb") as file:
                shutil.copyfileobj(source, file, 1 << 20)
    except (BadZipFile, EOFError, NotImplementedError, RuntimeError, zlib.error) as error:
        raise InputError(f"{shown} cannot be read ({error}); check that the archive is whole") from None
    return target
