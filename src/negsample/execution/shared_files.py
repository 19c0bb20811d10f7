"""Whether another machine sees the folders that this one sees."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from negsample.errors import InputError


@contextmanager
def marked(folders: Iterable[Path]) -> Iterator[list[Path]]:
    """A file in each of ``folders``, which are made where they are not there, as long as the block lasts.

    Raises:
        InputError: a folder cannot be written to.
    """
    marks = [folder.absolute() / f".seen-{secrets.token_hex(8)}" for folder in dict.fromkeys(folders)]
    try:
        for mark in marks:
            try:
                mark.parent.mkdir(parents=True, exist_ok=True)
                mark.touch()
            except OSError as error:
                raise InputError(f"cannot write to {mark.parent}: {error.strerror}; choose another --out") from None
        yield marks
    finally:
        for mark in marks:
            mark.unlink(missing_ok=True)


def check_seen(marks: Sequence[Path], node: str) -> None:
    """Refuse the machine ``node``, where this is called, if it does not see the ``marks`` of another machine.

    Raises:
        InputError: it does not see one; names the node and the folder.
    """
    unseen = [mark.parent for mark in marks if not mark.exists()]
    if unseen:
        raise InputError(
            f"node {node} does not see the same {unseen[0]} as the machine that started it; put the study (--out) and "
            "the prepared datasets on a file system that all nodes share, under one path"
        )
