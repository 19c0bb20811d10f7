"""Whether a file is the official one."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

from negsample.data.sources.base import Official

_BLOCK = 1 << 20


class Found(NamedTuple):
    """What a file is: ``size`` in bytes, checksums in hex digits."""

    size: int
    md5: str
    sha256: str


def look_at(path: Path) -> Found:
    """Size and checksums of the file at ``path``."""
    md5, sha256, size = hashlib.md5(usedforsecurity=False), hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            md5.update(block)
            sha256.update(block)
            size += len(block)
    return Found(size, md5.hexdigest(), sha256.hexdigest())


def difference(found: Found, official: Official) -> str:
    """In words, what tells ``found`` from ``official``, by all that is known of that; empty: nothing."""
    if official.size not in (None, found.size):
        return f"it has {found.size:,} bytes, {official.name} has {official.size:,}"
    for name in ("sha256", "md5"):
        ours, theirs = getattr(found, name), getattr(official, name)
        if theirs not in (None, ours):
            return f"its {name} is {ours}, that of {official.name} is {theirs}"
    return ""


def is_official(found: Found, official: Official) -> bool | None:
    """Whether they are the same file; None: no checksum says so, and nothing speaks against it."""
    if difference(found, official):
        return False
    return True if official.sha256 or official.md5 else None
