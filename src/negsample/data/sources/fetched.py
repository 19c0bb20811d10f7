"""A fetched dataset: ``CACHE/sources/NAME/`` holds its file, the log made of it, and ``fetched.json``."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from pydantic import BaseModel, ConfigDict

from negsample.data.log.read import Log
from negsample.data.sources.source import Source
from negsample.errors import InputError
from negsample.files.checksums import LIST, read_list
from negsample.files.folders import cache_folder

ABOUT, LOG = "fetched.json", "log.parquet"
KIND = "fetched dataset"
_OFFICIAL = {True: "the official file", False: "NOT THE OFFICIAL FILE", None: "perhaps the official file"}


class Fetched(BaseModel):
    """What was fetched of a public dataset.

    ``rule``: of the source, by which the log was made. ``file``: its name. ``official``: whether it is its
    publisher's; None: it cannot be known. ``why``: if not official, why. ``notes``: a sentence on each step from the
    file to the log. Where a dataset is several files, ``file`` is the folder of them, and ``sha256`` that of the list
    that ``sha256sum`` prints of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    source: str
    rule: int
    file: str
    sha256: str
    official: bool | None
    why: str
    notes: list[str]

    @property
    def path(self) -> Path:
        """Where the file lies."""
        return folder_of(self.source) / self.file

    def note(self) -> str:
        """A sentence on the file."""
        why = f": {self.why}" if self.why else ""
        return f"From {self.file} (sha256 {self.sha256[:12]}), {_OFFICIAL[self.official]}{why}."


def folder_of(name: str) -> Path:
    """Where what is fetched of the source ``name`` lies."""
    return cache_folder() / "sources" / name


def fetched(source: Source) -> Fetched | None:
    """What the cache has of ``source``, if anything; refused where sizes differ, or its log is by another rule."""
    folder = folder_of(source.name)
    if not folder.is_dir() or not any(folder.iterdir()):
        return None
    listed = read_list(folder / LIST, KIND)
    for name in listed.files:
        listed.check_size(name)
    found = listed.read_as(Fetched, ABOUT)
    if found.rule != source.rule:
        raise InputError(
            f"the log in {folder} is of an earlier version of {source.name}; delete it, and fetch it again"
        )
    return found


def log_of(source: Source) -> tuple[Log, str]:
    """The log of ``source``, fetched and undamaged, and a key that changes with it."""
    found = fetched(source)
    if not found:
        way_out = f"`negsample data fetch {source.name} --from FILE` takes {source.names()}"
        if source.address is None:
            way_out += f" from {source.page}, which {source.gate}"
        else:
            download = f"`negsample data fetch {source.name}` downloads it from {source.address}"
            way_out = f"{download}; without a network {way_out}"
        raise InputError(f"{source.name} is not fetched yet: {way_out}")
    read_list(folder_of(source.name) / LIST, KIND).check(LOG)
    frame = pl.scan_parquet(folder_of(source.name) / LOG, glob=False)
    return Log(frame, source.name, [found.note(), *found.notes], found.file), f"{found.rule}-{found.sha256}"
