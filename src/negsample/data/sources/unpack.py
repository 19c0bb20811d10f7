"""The files of a dataset, out of an archive (.zip, .tar, .tar.gz, .gz) or a folder."""

from __future__ import annotations

import gzip
import shutil
import tarfile
import zlib
from collections.abc import Callable, Iterable
from gzip import BadGzipFile
from pathlib import Path, PurePosixPath
from typing import Protocol, TypeVar
from zipfile import BadZipFile, ZipFile, is_zipfile

from negsample.errors import InputError

T = TypeVar("T")
_BLOCK = 1 << 20
_TAR = slice(257, 262)  # where a tar file says what it is
_TARS = (".tar", ".tgz", ".tar.gz")
_BROKEN = (BadGzipFile, BadZipFile, EOFError, NotImplementedError, RuntimeError, tarfile.TarError, zlib.error)


class _Readable(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


def container(path: Path) -> str:
    """The ending of an archive such as the file at ``path``; '' where it is none."""
    if is_zipfile(path):
        return ".zip"
    with path.open("rb") as file:
        begin = file.read(512)
    if begin[_TAR] == b"ustar":
        return ".tar"
    if begin[:2] != b"\x1f\x8b":
        return ""
    try:
        with gzip.open(path) as inner:
            return ".tar.gz" if inner.read(512)[_TAR] == b"ustar" else ".gz"
    except _BROKEN:
        return ".gz"


def beginning(path: Path) -> bytes:
    """Some bytes of the file at ``path``, or of the one that is compressed there; none where that is broken."""
    try:
        with gzip.open(path) if container(path) == ".gz" else path.open("rb") as file:
            return file.read(4096)
    except _BROKEN:
        return b""


def files_of(folder: Path, names: Iterable[str]) -> list[Path]:
    """The files ``names`` from anywhere in ``folder``; refused where one is not there, or is there twice."""
    return [_only(name, list(folder.rglob(name)), lambda: map(str, folder.rglob("*")), str(folder)) for name in names]


def unpacked(given: Path, names: list[str], folder: Path, shown: str) -> list[tuple[Path, str]]:
    """The files ``names`` from any folder of the archive ``given``, extracted to ``folder``, and how each is shown.

    A file that is no archive is itself the one that is wanted. An archive may hold another that holds the files.
    """
    kind = container(given)
    if not kind and len(names) == 1:
        return [(given, shown)]
    try:
        if kind == ".zip":
            _from_zip(given, names, folder, shown)
        elif kind.startswith(".tar"):
            _from_tar(given, names, folder, shown)
        elif kind and len(names) == 1:
            with gzip.open(given) as source:
                _copy(source, folder / names[0])
        else:
            raise InputError(f"{shown} is one file; {len(names)} are needed, {names[0]} to {names[-1]}")
    except _BROKEN as error:
        raise InputError(f"{shown} cannot be read ({error}); check that the archive is complete") from None
    return [(folder / name, f"{name} of {shown}") for name in names]


def _from_zip(given: Path, names: list[str], folder: Path, shown: str) -> None:
    with ZipFile(given) as archive:
        files = [each for each in archive.namelist() if not each.endswith("/")]
        inner = [each for each in files if each.endswith(_TARS) and not PurePosixPath(each).name.startswith("._")]
        if len(inner) == 1 and not any(PurePosixPath(each).name in names for each in files):
            tar = folder / "inner.tar"
            with archive.open(inner[0]) as source:
                _copy(source, tar)
            _from_tar(tar, names, folder, f"{PurePosixPath(inner[0]).name} of {shown}")
            tar.unlink()
            return
        for name in names:
            there = _only(name, [each for each in files if PurePosixPath(each).name == name], lambda: files, shown)
            with archive.open(there) as source:
                _copy(source, folder / name)


def _from_tar(given: Path, names: list[str], folder: Path, shown: str) -> None:
    """In one pass, as a compressed file has no other."""
    files = list[str]()
    with tarfile.open(given, "r|*") as archive:
        for member in archive:
            if not member.isfile():
                continue
            files.append(member.name)
            source, name = archive.extractfile(member), PurePosixPath(member.name).name
            if source and name in names and not (folder / name).exists():
                _copy(source, folder / name)
    for name in names:
        _only(name, [each for each in files if PurePosixPath(each).name == name], lambda: files, shown)


def _only(name: str, there: list[T], others: Callable[[], Iterable[str]], shown: str) -> T:
    if len(there) != 1:
        files = list(others())
        listed = ", ".join(files[:10]) + (f" and {len(files) - 10} more" if len(files) > 10 else "")
        raise InputError(f"{shown} holds {len(there) or 'no'} {name}, it should be one; in it: {listed}")
    return there[0]


def _copy(source: _Readable, target: Path) -> None:
    with target.open("wb") as file:
        shutil.copyfileobj(source, file, _BLOCK)
