"""What is fetched of a public dataset: ``CACHE/sources/NAME/`` holds the file and, written last, ``fetched.json``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from negsample.data.cache import cache_folder
from negsample.data.sources.base import Source
from negsample.data.sources.official import Found
from negsample.errors import InputError
from negsample.files.folders import write_json

ABOUT = "fetched.json"
_FACTS = {"file": str, "size": int, "sha256": str, "words": str}


class Fetched(NamedTuple):
    """What is in the cache of a source.

    ``path``: the file, as it came. ``official``: whether it is its publisher's; None: cannot be told. ``words``: in
    what it differs, or why it cannot be told.
    """

    source: Source
    path: Path
    sha256: str
    official: bool | None
    words: str

    def said(self) -> str:
        """All of it, in a sentence."""
        known = {True: "the official file", False: "NOT THE OFFICIAL FILE", None: "perhaps the official file"}
        words = f": {self.words}" if self.words else ""
        return f"From {self.path.name} (sha256 {self.sha256[:12]}), {known[self.official]}{words}."


def folder_of(source: Source) -> Path:
    """Where what is fetched of ``source`` lies."""
    return cache_folder() / "sources" / source.name


def fetched(source: Source) -> Fetched | None:
    """What is in the cache of ``source``, if anything is.

    Raises:
        InputError: it is damaged.
    """
    folder = folder_of(source)
    way_out = f"delete it, and fetch {source.name} again"
    try:
        about = json.loads((folder / ABOUT).read_text("utf-8"))
        if any(not isinstance(about[key], kind) for key, kind in _FACTS.items()):
            raise ValueError("a value of another kind")
        found = Fetched(source, folder / about["file"], about["sha256"], about["official"], about["words"])
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise InputError(f"{folder} is damaged ({ABOUT}); {way_out}") from None
    if not found.path.is_file() or found.path.stat().st_size != about["size"]:
        raise InputError(f"{folder} is damaged ({about['file']}); {way_out}")
    return found


def keep(source: Source, path: Path, name: str, found: Found, official: bool | None, words: str) -> Fetched:
    """``path``, in the folder of ``source``, takes its ``name`` there, and counts as fetched.

    Raises:
        OSError: the folder cannot be written.
    """
    final = path.with_name(name)
    path.replace(final)
    facts = {"source": source.name, "file": name, **found._asdict(), "official": official, "words": words}
    write_json(final.with_name(ABOUT), facts)
    return Fetched(source, final, found.sha256, official, words)
