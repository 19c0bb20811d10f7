"""A file that a process makes once for itself, in a folder that goes with it; if it is killed, with the next one's."""

from __future__ import annotations

import atexit
import errno
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from negsample.errors import InputError
from negsample.files.atomic import place_beside

FULL = (errno.ENOSPC, errno.EDQUOT)
_made: dict[tuple[Any, ...], Path] = {}


def once(key: tuple[Any, ...], name: str, make: Callable[[Path], None]) -> Path:
    """The file ``name`` that ``make`` wrote for ``key``, in this process.

    Raises:
        InputError: there is no space for it.
    """
    if key not in _made or not _made[key].exists():
        place = _folder() / str(len(_made))
        place.mkdir(exist_ok=True)
        try:
            make(place / name)
        except OSError as error:
            if error.errno not in FULL:
                raise
            where = f"no space is left in {gettempdir()} to unpack {name}"
            raise InputError(f"{where}; free some, or name another folder with $TMPDIR") from None
        _made[key] = place / name
    return _made[key]


@cache
def _folder() -> Path:
    place = place_beside(Path(gettempdir(), "negsample"))
    atexit.register(place.__exit__, None, None, None)
    return place.__enter__()
