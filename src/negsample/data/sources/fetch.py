"""An official file comes into the cache: it is downloaded or copied, compared with what is known of it, and read."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from negsample.data.log.files import readable
from negsample.data.sources.archive import is_archive
from negsample.data.sources.base import Source
from negsample.data.sources.convert import convert
from negsample.data.sources.download import Watch, download
from negsample.data.sources.kept import Fetched, fetched, folder_of, keep
from negsample.data.sources.known import SOURCES
from negsample.data.sources.official import Found, difference, is_official, look_at
from negsample.errors import InputError


def fetch(source: Source, given: Path | None = None, *, watch: Watch = lambda done, whole: None) -> Fetched:
    """The official file of ``source``, downloaded or copied into the cache; one that is there already stays.

    What is downloaded must be the official file. What a person gives need not be, but every line of it must be a row.

    Args:
        given: the archive, or the file with the events; None: download.
        watch: told the bytes that are there, and of the whole.

    Raises:
        InputError: it cannot be had, is not what it should be, or the cache cannot be written. Nothing is kept of
            it, but for the beginning of a download that was cut.
    """
    there = fetched(source)
    if there:
        return there
    if given is not None:
        _check_is_file(given)
    elif source.address is None:
        raise InputError(
            f"{source.name} is given out at {source.page}, which asks for an account: get {source.names()} there, "
            f"then `negsample data fetch {source.name} --from FILE`"
        )
    with _alone(source) as folder:
        there = fetched(source)  # by a process that was first
        if there:
            return there
        return _downloaded(source, folder, watch) if given is None else _copied(source, given, folder)


def _check_is_file(given: Path) -> None:
    with readable(given):
        if not given.is_file():
            what = "is no file" if given.exists() else "does not exist"
            raise InputError(f"{given} {what}; --from takes the official archive, or the file in it")
        given.open("rb").close()


@contextmanager
def _alone(source: Source) -> Iterator[Path]:
    """The folder of ``source``, for this process alone; gone if nothing is in it at the end."""
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


def _downloaded(source: Source, folder: Path, watch: Watch) -> Fetched:
    official = source.archive or source.file
    part = folder / f"{official.name}.part"
    way_out = f"`negsample data fetch {source.name} --from FILE` takes a file that you have"
    assert source.address is not None
    download(source.address, part, size=official.size, watch=watch, way_out=way_out)
    found = look_at(part)
    differs = difference(found, official)
    if differs:
        part.unlink()
        raise InputError(f"what came from {source.address} is not the official file: {differs}; {way_out}")
    convert(source, part, found.sha256, official.name)
    words = "" if is_official(found, official) else f"no checksum is known of {official.name}"
    return keep(source, part, official.name, found, is_official(found, official), words)


def _copied(source: Source, given: Path, folder: Path) -> Fetched:
    copy = folder / "copy"
    try:
        shutil.copyfile(given, copy)
        found = look_at(copy)
        _refuse_another(source, found, given)
        inner = convert(source, copy, found.sha256, str(given)).file
        if is_archive(copy):
            name = source.archive.name if source.archive else f"{source.file.name}.zip"
            whole = source.archive is not None and is_official(found, source.archive)
            official, words = (True, "") if whole else _compared(source, inner)
        else:
            name = source.file.name
            official, words = _compared(source, inner)
        return keep(source, copy, name, found, official, words)
    finally:
        copy.unlink(missing_ok=True)


def _refuse_another(source: Source, found: Found, given: Path) -> None:
    for other in SOURCES.values():
        if other.name != source.name and any(each and is_official(found, each) for each in (other.archive, other.file)):
            raise InputError(f"{given} is the official file of {other.name}; fetch that, or give {source.names()}")


def _compared(source: Source, found: Found) -> tuple[bool | None, str]:
    """Whether the file with the events is official; and if not, or if it cannot be told, why."""
    official = is_official(found, source.file)
    if official is None:
        size = "size agrees, its checksum" if source.file.size else "size and checksum"
        return None, f"its {size} cannot be compared: none is known of {source.file.name}"
    return official, difference(found, source.file)
