"""What is fetched of a public dataset: ``CACHE/sources/NAME/`` holds the file and, written last, ``fetched.json``."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from negsample.data.cache import cache_folder
from negsample.data.sources.source import Source
from negsample.errors import InputError
from negsample.files.folders import write_json

ABOUT = "fetched.json"
_OFFICIAL = {True: "the official file", False: "NOT THE OFFICIAL FILE", None: "perhaps the official file"}


class Fetched(BaseModel):
    """The file of a public dataset in the cache.

    ``file``: its name. ``official``: whether it is its publisher's; None: it cannot be known. ``why``: if not
    official, why.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    source: str
    file: str
    size: int
    sha256: str
    official: bool | None
    why: str

    @property
    def path(self) -> Path:
        """Where it lies."""
        return _folder(self.source) / self.file

    def note(self) -> str:
        """A sentence on it."""
        why = f": {self.why}" if self.why else ""
        return f"From {self.file} (sha256 {self.sha256[:12]}), {_OFFICIAL[self.official]}{why}."

    def keep(self, file: Path) -> Fetched:
        """Moves ``file``, which lies in the folder of its source, to its place; it counts as fetched then.

        Raises:
            OSError: the folder cannot be written.
        """
        file.replace(self.path)
        write_json(self.path.with_name(ABOUT), self.model_dump())
        return self


def folder_of(source: Source) -> Path:
    """Where what is fetched of ``source`` lies."""
    return _folder(source.name)


def _folder(name: str) -> Path:
    return cache_folder() / "sources" / name


def fetched(source: Source) -> Fetched | None:
    """What is in the cache of ``source``, if anything is.

    Raises:
        InputError: it is damaged.
    """
    folder, damaged = folder_of(source), ABOUT
    try:
        found = Fetched.model_validate_json((folder / ABOUT).read_bytes())
        damaged = found.file
        if found.source == source.name and found.path.stat().st_size == found.size:
            return found
    except (FileNotFoundError, NotADirectoryError):
        if damaged == ABOUT:
            return None
    except (OSError, ValidationError):
        pass
    raise InputError(f"{folder} is damaged ({damaged}); delete it, and fetch {source.name} again")
