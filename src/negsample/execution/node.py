"""Whether another machine can do a task as this one would: it sees the same folders and has the same versions."""

from __future__ import annotations

import platform
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from negsample.errors import InputError
from negsample.files.folders import writable


@contextmanager
def marked(folders: Iterable[Path]) -> Iterator[list[Path]]:
    """A file in each of ``folders``, which are made where they are not there, as long as the block lasts.

    Raises:
        InputError: a folder cannot be written to.
    """
    marks = [folder.absolute() / f".seen-{secrets.token_hex(8)}" for folder in dict.fromkeys(folders)]
    try:
        for mark in marks:
            with writable(mark.parent, "choose another --out"):
                mark.parent.mkdir(parents=True, exist_ok=True)
                mark.touch()
        yield marks
    finally:
        for mark in marks:
            mark.unlink(missing_ok=True)


class Needed(NamedTuple):
    """What a node needs to do a task as this machine would: to see the files ``marks``, and these ``versions``."""

    marks: Sequence[Path]
    versions: Mapping[str, str]

    def check(self) -> None:
        """Refuse the node where this is called, if it lacks something.

        Raises:
            InputError: it does not see the same folder, or has another version of a package.
        """
        node = f"node {platform.node()}"
        for mark in self.marks:
            if not mark.exists():
                raise InputError(
                    f"{node} does not see the same {mark.parent} as the machine that started it; put --out and the "
                    "data on a file system that all nodes share, under one path"
                )
        for package, theirs in versions(*self.versions).items():
            if theirs != self.versions[package]:
                raise InputError(
                    f"{node} has {package} {theirs}, the machine that started it {self.versions[package]}; numbers "
                    "could differ: install the same version on all nodes"
                )


def versions(*packages: str) -> dict[str, str]:
    """Those that numbers depend on; none named: those of a training."""
    return {name: version(name) for name in packages or ("negsample", "torch")}
