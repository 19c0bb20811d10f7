"""Fetch an official file into the cache: it is downloaded or copied, compared with what is known of it, and read."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from negsample.data.log.files import readable
from negsample.data.sources.catalogue import SOURCES
from negsample.data.sources.convert import write_log
from negsample.data.sources.download import Progress, download
from negsample.data.sources.fetched import ABOUT, KIND, LOG, Fetched, fetched, folder_of
from negsample.data.sources.source import Edition, Source
from negsample.data.sources.unpack import beginning, container, files_of
from negsample.errors import InputError
from negsample.files.checksums import LIST, Sum, sum_of, write_list
from negsample.files.folders import atomic_folder, writable, write_json


def fetch(source: Source, given: Path | None = None, *, progress: Progress = lambda done, total: None) -> Fetched:
    """The official file of ``source``, downloaded or copied into the cache; one that is there already stays.

    A downloaded file must be the official one. A given file need not be, but everything in it must be a row.

    Args:
        given: the archive, the file with the events, or where these are several the folder that has them; None:
            download.
        progress: called with the bytes that are there, and the total.

    Raises:
        InputError: the file cannot be had or is not what it should be, or the cache cannot be written. Nothing is kept
            of it, except the beginning of an interrupted download.
    """
    if there := fetched(source):
        return there
    if given is not None:
        _check_given(source, given)
    elif source.address is None:
        raise InputError(
            f"{source.page} {source.gate}: get {source.names()} there, "
            f"then `negsample data fetch {source.name} --from FILE`"
        )
    with _locked(source.name):
        if there := fetched(source):  # by a process that was first
            return there
        return _downloaded(source, progress) if given is None else _copied(source, given)


def _check_given(source: Source, given: Path) -> None:
    with readable(given):
        if not given.exists():
            raise InputError(f"{given} does not exist; --from takes {source.names()}")
        if (given.is_dir() and len(source.edition.files) == 1) or not (given.is_dir() or given.is_file()):
            raise InputError(f"{given} is no file; --from takes {source.names()}")
        if given.is_file():
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
    official = source.edition.archive or source.edition.files[0]
    part = folder_of(source.name).with_name(f"{source.name}.part")
    way_out = f"`negsample data fetch {source.name} --from FILE` takes a file that you have"
    assert source.address is not None
    download(source.address, part, size=official.size, progress=progress, way_out=way_out)
    is_official, why = official.verdict(sum_of(part), part)
    if not is_official:
        part.unlink()
        raise InputError(f"the download from {source.address} is not the official file: {why}; {way_out}")
    return _stored(source, part, official.name)


def _copied(source: Source, given: Path) -> Fetched:
    copy = folder_of(source.name).with_name(f"{source.name}.copy")
    try:
        if given.is_dir():
            shutil.rmtree(copy, ignore_errors=True)
            copy.mkdir()
            for file in files_of(given, [each.name for each in source.edition.files]):
                shutil.copyfile(file, copy / file.name)
        else:
            shutil.copyfile(given, copy)
        return _stored(source, copy, str(given))
    finally:
        if copy.is_dir():
            shutil.rmtree(copy)
        copy.unlink(missing_ok=True)


def _stored(source: Source, file: Path, shown: str) -> Fetched:
    """Moves ``file``, or a folder of files, to its folder, with the log made of it; ``shown``: its name in messages."""
    sums = {each.name: sum_of(each) for each in sorted(file.iterdir())} if file.is_dir() else {"": sum_of(file)}
    for found in sums.values():
        _check_not_of_another(source, found, shown)
    edition = _edition(source, file)
    kind, archive = "" if file.is_dir() else container(file), edition.archive
    with atomic_folder(folder_of(source.name)) as folder:
        inner, notes = write_log(source, edition, file, folder / LOG, shown)
        verdicts = [official.verdict(each) for official, each in zip(edition.files, inner, strict=True)]
        is_official, why = min(verdicts, key=lambda each: (False, None, True).index(each[0]))
        of_archive = archive.verdict(sums[""], file) if kind and archive else (None, "")
        if of_archive[0] or (is_official is None and of_archive[0] is False):
            is_official, why = of_archive
        name = "files" if file.is_dir() else edition.files[0].name + kind
        if kind and archive:
            name = archive.name
        made = Fetched(
            source=source.name,
            rule=source.rule,
            file=name,
            sha256=sums[""].sha256 if "" in sums else _sha256_of(sums),
            official=is_official,
            why=why,
            notes=notes,
        )
        write_json(folder / ABOUT, made.model_dump())
        file.replace(folder / name)
        known = {f"{name}/{each}" if each else name: found for each, found in sums.items()}
        write_list(folder / LIST, KIND, "", [*known, ABOUT, LOG], known=known)
    return made


def _edition(source: Source, file: Path) -> Edition:
    """Which one ``file`` is of: JSON lines begin with a brace."""
    is_json = source.records and file.is_file() and beginning(file).lstrip(b"\xef\xbb\xbf\r\n ").startswith(b"{")
    return source.records if source.records and is_json else source.edition


def _check_not_of_another(source: Source, found: Sum, shown: str) -> None:
    mine = {official for edition in source.editions() for official in (edition.archive, *edition.files)}
    for other in SOURCES.values():
        theirs = {official for edition in other.editions() for official in (edition.archive, *edition.files)}
        if any(each and each.sha256 == found.sha256 for each in theirs - mine):
            raise InputError(f"{shown} is the official file of {other.name}; fetch that, or give {source.names()}")


def _sha256_of(sums: Mapping[str, Sum]) -> str:
    """Of the list that ``sha256sum`` prints of the files."""
    return hashlib.sha256("".join(f"{each.sha256}  {name}\n" for name, each in sums.items()).encode()).hexdigest()
