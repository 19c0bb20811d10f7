"""Fetch an official file into the cache: it is downloaded or copied, compared with what is known of it, and read."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zipfile import is_zipfile

from filelock import FileLock, Timeout

from negsample.data.log.files import readable
from negsample.data.sources.convert import write_log
from negsample.data.sources.download import Progress, download
from negsample.data.sources.fetched import ABOUT, KIND, LOG, Fetched, fetched, folder_of
from negsample.data.sources.source import SOURCES, Source
from negsample.errors import InputError
from negsample.files.checksums import LIST, sum_of, write_list
from negsample.files.folders import atomic_folder, writable, write_json


def fetch(source: Source, given: Path | None = None, *, progress: Progress = lambda done, total: None) -> Fetched:
    """The official file of ``source``, downloaded or copied into the cache; one that is there already stays.

    A downloaded file must be the official one. A given file need not be, but every line of it must be a row.

    Args:
        given: the archive, or the file with the events; None: download.
        progress: called with the bytes that are there, and the total.

    Raises:
        InputError: the file cannot be had or is not what it should be, or the cache cannot be written. Nothing is kept
            of it, except the beginning of an interrupted download.
    """
    if there := fetched(source):
        return there
    if given is not None:
        _check_is_file(given)
    elif source.address is None:
        raise InputError(
            f"{source.page} asks for an account: get {source.names()} there, "
            f"then `negsample data fetch {source.name} --from FILE`"
        )
    with _locked(source.name):
        if there := fetched(source):  # by a process that was first
            return there
        return _downloaded(source, progress) if given is None else _copied(source, given)


def _check_is_file(given: Path) -> None:
    with readable(given):
        if not given.is_file():
            what = "is no file" if given.exists() else "does not exist"
            raise InputError(f"{given} {what}; --from takes the official archive, or the file in it")
        given.open("rb").close()


@contextmanager
def _locked(name: str) -> Iterator[None]:
    """This process alone fetches the source ``name`` as long as the block lasts."""
    folder = folder_of(name)
    with writable(folder, "choose another cache ($NEGSAMPLE_CACHE)"):
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(folder.with_name(f".{name}.lock"), timeout=0):
                yield
        except Timeout:
            raise InputError(f"another process is fetching {name} just now; wait for it") from None


def _downloaded(source: Source, progress: Progress) -> Fetched:
    official = source.archive or source.file
    part = folder_of(source.name).with_name(f"{source.name}.part")
    way_out = f"`negsample data fetch {source.name} --from FILE` takes a file that you have"
    assert source.address is not None
    download(source.address, part, size=official.size, progress=progress, way_out=way_out)
    is_official, why = official.verdict(sum_of(part))
    if not is_official:
        part.unlink()
        raise InputError(f"the download from {source.address} is not the official file: {why}; {way_out}")
    return _stored(source, part, official.name)


def _copied(source: Source, given: Path) -> Fetched:
    copy = folder_of(source.name).with_name(f"{source.name}.copy")
    try:
        shutil.copyfile(given, copy)
        return _stored(source, copy, str(given))
    finally:
        copy.unlink(missing_ok=True)


def _stored(source: Source, file: Path, shown: str) -> Fetched:
    """Moves ``file`` to its folder, with the log made of it; ``shown``: its name in a message."""
    found, official, name = sum_of(file), source.file, source.file.name
    for other in SOURCES.values():
        known = {other.archive, other.file} - {source.archive, source.file, None}
        if any(each.verdict(found)[0] for each in known if each):
            raise InputError(f"{shown} is the official file of {other.name}; fetch that, or give {source.names()}")
    with atomic_folder(folder_of(source.name)) as folder:
        inner, notes = write_log(source, file, folder / LOG, shown)
        if is_zipfile(file):
            name = source.archive.name if source.archive else f"{name}.zip"
            if source.archive and source.archive.verdict(found)[0]:
                official, inner = source.archive, found
        is_official, why = official.verdict(inner)
        made = Fetched(
            source=source.name,
            rule=source.rule,
            file=name,
            sha256=found.sha256,
            official=is_official,
            why=why,
            notes=notes,
        )
        write_json(folder / ABOUT, made.model_dump())
        file.replace(folder / name)
        write_list(folder / LIST, KIND, "", [name, ABOUT, LOG], known={name: found})
    return made
