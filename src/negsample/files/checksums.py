"""The list of a folder's files with their sizes and SHA-256: written last, and compared whenever one is read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from negsample.errors import InputError
from negsample.files.atomic import LAST
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
    "report": "delete {folder}: `negsample report` of the same studies makes it again",
    "tuning": "delete {list} and {files}: the same command searches anew",
    "model": "delete {folder}: `negsample final` makes it again",
    "export": "delete {folder} and export again",
    "training": "delete {folder}: the same command trains this run anew",
}
"""By what it is that has a list, and for some of its files by their names or folders."""
GROWING = ".optuna.log"
"""How the name of a file ends that is appended to: what was appended since the list was made is not compared."""
_FORMAT = 1
M = TypeVar("M", bound=BaseModel)


class DamagedError(InputError):
    """A file is not as it was written."""


class Sum(NamedTuple):
    """Of a file: bytes, and SHA-256 in hex."""

    size: int
    sha256: str


class Checksums(NamedTuple):
    """A list; a file that is not as it was written is a :class:`DamagedError`, whatever is asked of it.

    ``path``: of the list. ``kind``: a key of ``WAYS_OUT``. ``of``: fingerprint of what this is, '' where it has none.
    ``files``: by their paths from the list's folder.
    """

    path: Path
    kind: str
    of: str
    files: dict[str, Sum]

    @property
    def folder(self) -> Path:
        """Where the files lie."""
        return self.path.parent

    def read(self, name: str) -> bytes:
        """The content of a file, compared."""
        self.check_size(name)
        try:
            content = (self.folder / name).read_bytes()
        except OSError as error:
            raise self.damaged(name, error.strerror or "it cannot be read") from None
        self._compare(name, hashlib.sha256(content).hexdigest())
        return content

    def read_json(self, name: str) -> Any:
        """The same of a JSON file, parsed."""
        return parsed(self.read(name), lambda what: self.damaged(name, what))

    def read_as(self, model: type[M], name: str) -> M:
        """The same of a JSON file that was written from a ``model``."""
        value = self.read_json(name)  # pydantic's own parser takes no path whose bytes are no text
        try:
            return model.model_validate(value)
        except ValidationError as error:
            raise self.damaged(name, first_fault(error)) from None

    def check_size(self, name: str) -> None:
        """Compare the size of a file, which takes no time."""
        if name not in self.files:
            raise self.damaged(name, f"{self.path.name} does not list it")
        written = self.files[name].size
        try:
            size = (self.folder / name).stat().st_size
        except OSError as error:
            raise self.damaged(name, error.strerror or "it cannot be read") from None
        if size < written or (size > written and not name.endswith(GROWING)):
            raise self.damaged(name, f"{size:,} bytes, {written:,} were written")

    def check(self, name: str) -> None:
        """Compare the whole content of a file, however large."""
        self.check_size(name)
        if name.endswith(GROWING):
            with (self.folder / name).open("rb") as file:
                self._compare(name, hashlib.sha256(file.read(self.files[name].size)).hexdigest())
        else:
            self._compare(name, sum_of(self.folder / name).sha256)

    def damaged(self, name: str, what: object) -> DamagedError:
        """What to raise of a file; with the way out."""
        files = " and ".join(str(self.folder / each) for each in self.files)
        way = WAYS_OUT.get(f"{self.kind}/{name.split('/')[0]}", WAYS_OUT[self.kind])
        out = way.format(folder=self.folder, list=self.path, files=files)
        said = " ".join(str(what).split())  # what torch says has several lines
        return DamagedError(f"{self.folder / name} is damaged ({said}); {out}")

    def _compare(self, name: str, sha256: str) -> None:
        if sha256 != self.files[name].sha256:
            raise self.damaged(name, "its checksum is another than when it was written")


def sum_of(path: Path) -> Sum:
    """Size and SHA-256 of a file, which is not held in memory."""
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


def read_list(path: Path, kind: str) -> Checksums:
    """The list at ``path``; one that is missing, damaged, or not of this ``kind`` is a :class:`DamagedError`."""

    def damaged(what: str) -> DamagedError:
        return Checksums(path, kind, "", {}).damaged(path.name, what)

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
    for name in files:
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise damaged(f"{name!r} lies outside the folder")
    if found.kind != kind:
        raise DamagedError(
            f"{path} is the list of files of a {found.kind}, not of a {kind}; give the folder of a {kind}"
        )
    return found


def _digest(about: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical_json(about).encode()).hexdigest()


def parsed(content: bytes, damaged: Callable[[str], InputError]) -> Any:
    """JSON; where it is none, what ``damaged`` makes of the reason is raised."""
    try:
        return json.loads(content.decode("utf-8"))
    except RecursionError:
        raise damaged("nested too deeply") from None
    except ValueError as error:
        raise damaged(str(error)) from None


def first_fault(error: ValidationError) -> str:
    """Which field breaks which rule."""
    first = error.errors(include_url=False)[0]
    where = ".".join(map(str, first["loc"]))
    rule = first["msg"].removeprefix("Value error, ")
    return f"{where}: {rule}" if where else rule
