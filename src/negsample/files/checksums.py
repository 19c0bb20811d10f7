"""The list of a folder's files with their sizes and SHA-256: written last, and compared whenever one is read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from negsample.errors import InputError
from negsample.files.atomic import LAST, is_settled, replacing_files, settle
from negsample.settings import canonical_json

LIST = LAST
"""Its name; of a folder with several lists, how their names end."""
WAYS_OUT = {
    "run": "delete {folder} and run the same command again",
    "run/dial.json": "`negsample evaluate {folder}` makes it again",
    "run/ranks.npz": "`negsample evaluate {folder}` makes it again",
    "dataset": "delete {folder} and prepare it again",
    "fetched dataset": "delete {folder} and fetch it again",
    "study": "`negsample report {folder}` makes it again",
    "study/datasets": "the same `negsample compare` makes it again",
    "study/study.json": "delete it and {list}: the same `negsample compare` makes it again, and keeps the runs",
    "study/checksums.json": "delete it and study.json: the same `negsample compare` makes it again, and keeps the runs",
    "tuning": "delete {list} and {files}: the same command searches anew",
    "training": "delete {folder}: the same command trains this run anew",
}
"""By what it is that has a list, and for some of its files by their names or folders."""
GROWING = ".optuna.log"
"""How the name of a file ends that is appended to: what was appended since the list was made is not compared."""
_FORMAT = 1
T = TypeVar("T")


class DamagedError(InputError):
    """A file is not as it was written."""


class Sum(NamedTuple):
    """Of a file: bytes, and SHA-256 in hex."""

    size: int
    sha256: str


class Checksums(NamedTuple):
    """``path``: of the list. ``kind``: a key of ``WAYS_OUT``. ``of``: fingerprint of what this is, '' where it has
    none. ``files``: by their paths from the list's folder."""

    path: Path
    kind: str
    of: str
    files: dict[str, Sum]

    @property
    def folder(self) -> Path:
        """Where the files lie."""
        return self.path.parent

    def read(self, name: str) -> bytes:
        """The content of a file, compared.

        Raises:
            DamagedError: it is not what was written.
        """
        path = self.folder / name
        listed = self._listed(name)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise self.damaged(name, error.strerror or "it cannot be read") from None
        if len(content) != listed.size:
            raise self.damaged(name, f"{len(content):,} bytes, {listed.size:,} were written")
        if hashlib.sha256(content).hexdigest() != listed.sha256:
            raise self.damaged(name, "its checksum is another than when it was written")
        return content

    def read_json(self, name: str) -> Any:
        """The same of a JSON file, parsed."""
        return parsed(self.read(name), lambda what: self.damaged(name, what))

    def check_size(self, name: str) -> None:
        """Compare the size of a file, which takes no time.

        Raises:
            DamagedError: it is another, or there is no such file.
        """
        listed = self._listed(name)
        try:
            size = (self.folder / name).stat().st_size
        except OSError as error:
            raise self.damaged(name, error.strerror or "it cannot be read") from None
        if size < listed.size or (size > listed.size and not name.endswith(GROWING)):
            raise self.damaged(name, f"{size:,} bytes, {listed.size:,} were written")

    def check(self, name: str) -> None:
        """Compare the whole content of a file, however large.

        Raises:
            DamagedError: it is not what was written.
        """
        self.check_size(name)
        listed = self._listed(name)
        if name.endswith(GROWING):
            with (self.folder / name).open("rb") as file:
                found = hashlib.sha256(file.read(listed.size)).hexdigest()
        else:
            found = sum_of(self.folder / name).sha256
        if found != listed.sha256:
            raise self.damaged(name, "its checksum is another than when it was written")

    def damaged(self, name: str, what: object) -> DamagedError:
        """What to raise of a file; with the way out."""
        files = " and ".join(str(self.folder / each) for each in self.files)
        way = WAYS_OUT.get(f"{self.kind}/{name.split('/')[0]}", WAYS_OUT[self.kind])
        out = way.format(folder=self.folder, list=self.path, files=files)
        return DamagedError(f"{self.folder / name} is damaged ({what}); {out}")

    def _listed(self, name: str) -> Sum:
        if name not in self.files:
            raise self.damaged(name, f"{self.path.name} does not list it")
        return self.files[name]


def parsed(content: bytes, damaged: Callable[[str], InputError]) -> Any:
    """JSON, however it is damaged.

    Raises:
        InputError: what ``damaged`` makes of the reason.
    """
    try:
        return json.loads(content.decode("utf-8"))
    except RecursionError:
        raise damaged("nested too deeply") from None
    except ValueError as error:
        raise damaged(str(error)) from None


def sum_of(path: Path) -> Sum:
    """Size and SHA-256 of a file, which is not held in memory.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
        return Sum(file.tell(), digest.hexdigest())


def write_list(
    path: Path, kind: str, of: str, names: Iterable[str], *, known: Mapping[str, Sum] | None = None
) -> Checksums:
    """The list at ``path`` of the files ``names`` beside it; those of ``known`` are not read, and may lie elsewhere."""
    sums = {name: (known or {}).get(name) or sum_of(path.parent / name) for name in sorted(names)}
    written = Checksums(path, kind, of, sums)
    about = {"format": _FORMAT, "kind": kind, "of": of, "files": {name: each._asdict() for name, each in sums.items()}}
    text = json.dumps(about | {"list": _digest(about)}, indent=1, allow_nan=False) + "\n"
    path.write_text(text, encoding="utf-8")
    return written


@contextmanager
def rewriting(folder: Path, kind: str, of: str = "", keep: Callable[[str], bool] = lambda name: True) -> Iterator[Path]:
    """Where to write files that take the place of those of ``folder``, with its list, all or none of them.

    Args:
        folder: with its list, or without one yet.
        kind: see :class:`Checksums`.
        of: see there.
        keep: whether the new list has a file of the old one that was not written.

    Raises:
        DamagedError: the list is damaged.
        OSError: the system forbids it.
    """
    with replacing_files(folder) as scratch:
        yield scratch
        new = {path.relative_to(scratch).as_posix() for path in scratch.rglob("*") if path.is_file()}
        old = read_list(folder / LIST, kind).files if (folder / LIST).exists() else {}
        known = {name: each for name, each in old.items() if keep(name) and name not in new}
        write_list(scratch / LIST, kind, of, known.keys() | new, known=known)


def read_list(path: Path, kind: str) -> Checksums:
    """The list at ``path``, of a ``kind``.

    Raises:
        DamagedError: it is missing, damaged, or of another kind.
    """
    empty = Checksums(path, kind, "", {})

    def damaged(what: str) -> DamagedError:
        return empty.damaged(path.name, what)

    try:
        content = path.read_bytes()
    except OSError as error:
        raise damaged(error.strerror or "it cannot be read") from None
    about = parsed(content, damaged)
    try:
        digest = about.pop("list")
        files = {name: Sum(**each) for name, each in about["files"].items()}
        found = Checksums(path, about["kind"], about["of"], files)
        whole = about["format"] == _FORMAT and digest == _digest(about)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise damaged("it is no list of checksums") from None
    if not whole:
        raise damaged("its own checksum is another than when it was written")
    if found.kind != kind:
        raise damaged(f"it is the list of a {found.kind}")
    return found


def settled(path: Path, kind: str, read: Callable[[Checksums], T]) -> T:
    """What ``read`` makes of the files that the list at ``path`` has.

    Files that another process replaces at this moment (:func:`negsample.files.atomic.replacing_files`) are read again.

    Raises:
        DamagedError: a file is damaged.
        InputError: what ``read`` raises.
    """
    while True:
        try:
            settle(path.parent)
        except OSError as error:
            raise InputError(f"cannot finish what a killed process wrote in {path.parent}: {error.strerror}") from None
        listed = read_list(path, kind)
        try:
            return read(listed)
        except DamagedError:
            if is_current(listed):
                raise


def is_current(listed: Checksums) -> bool:
    """Whether the files that ``listed`` has are not being replaced."""
    return is_settled(listed.folder) and read_list(listed.path, listed.kind) == listed


def _digest(about: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical_json(about).encode()).hexdigest()
