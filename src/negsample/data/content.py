"""What is in a file, as its SHA-256: read once for each state of the file."""

from __future__ import annotations

import hashlib
import json
import os
import time
from contextlib import suppress
from pathlib import Path

from negsample.data.cache import cache_folder
from negsample.data.log.files import readable
from negsample.errors import InputError
from negsample.files.folders import write_json
from negsample.settings import fingerprint

_SETTLED = 2 * 10**9  # nanoseconds after which a further change shows in the time of the change, on any file system


def content_of(path: Path) -> str:
    """The SHA-256 of the file at ``path``, in hex digits.

    It is kept in the cache by the file's identity and the time of its last change (ctime), which no program sets.

    Raises:
        InputError: it cannot be read, or changes while it is read.
    """
    with readable(path):
        before = _state(path)
        kept = cache_folder() / "contents" / f"{fingerprint({'state': before})}.json"
        with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
            return str(json.loads(kept.read_text("utf-8"))["sha256"])
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if _state(path) != before:
            raise InputError(f"{path} changed while it was read; wait until it is written")
    if time.time_ns() - before[-1] > _SETTLED:
        with suppress(OSError):
            kept.parent.mkdir(parents=True, exist_ok=True)
            write_json(kept, {"sha256": digest})
    return digest


def _state(path: Path) -> tuple[int, ...]:
    found = os.stat(path)
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
