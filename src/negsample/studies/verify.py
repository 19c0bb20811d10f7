"""Whether every file of what has a list (a dataset, a run, a study, a model and more) is as it was written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from negsample.data.manifest import MANIFEST
from negsample.errors import InputError
from negsample.files.checksums import GROWING, LIST, Checksums, DamagedError
from negsample.files.together import is_current, settled

_KINDS = {
    MANIFEST: "dataset",
    "study.json": "study",
    "studies.json": "report",
    "config.json": "run",
    "model.json": "model",
    "state.pt": "training",
    "items.parquet": "export",
}
"""What has a list, by the file that says so."""


class Verified(NamedTuple):
    """What came of one list. ``damaged``: a sentence a file; ``size``: of all files, in bytes."""

    path: Path
    kind: str
    files: int
    size: int
    damaged: list[str]


def verify(folder: Path) -> Iterator[Verified]:
    """Compare every file under ``folder`` with the list that was written with it, reading all of them.

    Raises:
        InputError: there is nothing that has a list, or should have one.
    """
    lists = {path for path in folder.rglob(f"*{LIST}") if path.is_file()} | set(_expected(folder))
    if not lists:
        raise InputError(
            f"{folder} holds no dataset, run, study, tuning, model or export ({LIST}); give the --out of a command"
        )
    for path in sorted(lists):
        yield _verified(path, _kind(path))


def _verified(path: Path, kind: str) -> Verified:
    def compare(listed: Checksums) -> Verified:
        damaged, size = [], sum(each.size for each in listed.files.values())
        for name in listed.files:
            try:
                listed.check(name)
            except DamagedError as error:
                damaged.append(error)
        if damaged and not is_current(listed):
            raise damaged[0]
        return Verified(path, kind, len(listed.files), size, [str(each) for each in damaged])

    try:
        return settled(path, kind, compare)
    except DamagedError as error:
        return Verified(path, kind, 0, 0, [str(error)])


def _expected(folder: Path) -> Iterator[Path]:
    """Lists that must be there, since what they belong to is."""
    for about in _KINDS:
        yield from (path.with_name(LIST) for path in folder.rglob(about))
    yield from (each.with_name(f"{each.name.removesuffix(GROWING)}.{LIST}") for each in folder.rglob(f"*{GROWING}"))
    yield from (each / LIST for each in folder.glob("runs/[!.]*") if each.is_dir())


def _kind(path: Path) -> str:
    found = [kind for about, kind in _KINDS.items() if (path.parent / about).exists()]
    if path.name != LIST:
        return "tuning"
    return found[0] if found else "run"
