"""Fetch an official file into the cache: it is downloaded or copied, compared with what is known of it, and read."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from zipfile import is_zipfile

from filelock import FileLock, Timeout

from negsample.data.log.files import readable
from negsample.data.sources.all_sources import SOURCES
from negsample.data.sources.convert import convert
from negsample.data.sources.download import Progress, download
from negsample.data.sources.fetched import Fetched, fetched, folder_of
from negsample.data.sources.source import Source
from negsample.errors import InputError
from negsample.files.checksums import Sum, sum_of


def fetch(source: Source, given: Path | None = None, *, progress: Progress = lambda done, whole: None) -> Fetched:
    """The official file of ``source``, downloaded or copied into the cache; one that is there already stays.

    A downloaded file must be the official one. A given file need not be, but every line of it must be a row.

    Args:
        given: the archive, or the file with the events; None: download.
        progress: called with the bytes that are there, and those of the whole.

    Raises:
        InputError: the file cannot be had or is not what it should be, or the cache cannot be written. Nothing is kept
            of it, except the beginning of an interrupted download.
    """
    there = fetched(source)
    if there:
        return there
    if given is not None:
        _check_is_file(given)
    elif source.address is None:
        raise InputError(
            f"{source.page} asks for an account: get {source.names()} there, "
            f"then `negsample data fetch {source.name} --from FILE`"
        )
    with _locked(source) as folder:
        there = fetched(source)  # by a process that was first
        if there:
            return there
        return _downloaded(source, folder, progress) if given is None else _copied(source, given, folder)


def _check_is_file(given: Path) -> None:
    with readable(given):
        if not given.is_file():
            what = "is no file" if given.exists() else "does not exist"
            raise InputError(f"{given} {what}; --from takes the official archive, or the file in it")
        given.open("rb").close()


@contextmanager
def _locked(source: Source) -> Iterator[Path]:
    """The folder of ``source``, for this process alone; removed if nothing is in it at the end."""
    folder = folder_of(source)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.parent / f".{source.name}.lock", timeout=0):
            yield folder
    except Timeout:
        raise InputError(f"another process is fetching {source.name} just now; wait for it") from None
    except OSError as error:
        raise InputError(
            f"cannot write to {folder}: {error.strerror or error}; choose another cache ($NEGSAMPLE_CACHE)"
        ) from None
    finally:
        with suppress(OSError):
            folder.rmdir()


def _downloaded(source: Source, folder: Path, progress: Progress) -> Fetched:
    official = source.archive or source.file
    part = folder / f"{official.name}.part"
    way_out = f"`negsample data fetch {source.name} --from FILE` takes a file that you have"
    assert source.address is not None
    download(source.address, part, size=official.size, progress=progress, way_out=way_out)
    found = sum_of(part)
    is_official, why = official.verdict(found)
    if not is_official:
        part.unlink()
        raise InputError(f"the download from {source.address} is not the official file: {why}; {way_out}")
    convert(source, part, found, official.name)
    return _fetched(source, official.name, found, (True, "")).keep(part)


def _copied(source: Source, given: Path, folder: Path) -> Fetched:
    copy = folder / "copy"
    try:
        shutil.copyfile(given, copy)
        found = sum_of(copy)
        _check_is_no_other(source, found, given)
        inner = convert(source, copy, found, str(given)).file
        name, verdict = source.file.name, source.file.verdict(inner)
        if is_zipfile(copy):
            name = source.archive.name if source.archive else f"{name}.zip"
            if source.archive and source.archive.verdict(found)[0]:
                verdict = True, ""
        return _fetched(source, name, found, verdict).keep(copy)
    finally:
        copy.unlink(missing_ok=True)


def _fetched(source: Source, file: str, found: Sum, verdict: tuple[bool | None, str]) -> Fetched:
    official, why = verdict
    return Fetched(source=source.name, file=file, **found._asdict(), official=official, why=why)


def _check_is_no_other(source: Source, found: Sum, given: Path) -> None:
    for other in SOURCES.values():
        known = [each for each in (other.archive, other.file) if each]
        if other.name != source.name and any(each.verdict(found)[0] for each in known):
            raise InputError(f"{given} is the official file of {other.name}; fetch that, or give {source.names()}")
