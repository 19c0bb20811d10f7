"""Whether another machine sees the files that this one sees."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from negsample.errors import InputError

Seen = Mapping[str, str]
"""Absolute paths of files, each with the SHA-256 of its content as this machine has it."""


@contextmanager
def shown(written: Sequence[Path], read: Sequence[Path]) -> Iterator[Seen]:
    """What every machine must see, as long as the block lasts: a token in each folder of ``written``, and ``read``.

    Args:
        written: folders; they are made where they are not there.
        read: files.

    Raises:
        InputError: a folder cannot be written to.
    """
    tokens = [folder.absolute() / f".seen-{secrets.token_hex(8)}" for folder in dict.fromkeys(written)]
    try:
        for token in tokens:
            try:
                token.parent.mkdir(parents=True, exist_ok=True)
                token.write_text(token.name, encoding="utf-8")
            except OSError as error:
                raise InputError(f"cannot write to {token.parent}: {error.strerror}; choose another --out") from None
        yield {str(path): _digest(path) for path in [*tokens, *(each.absolute() for each in dict.fromkeys(read))]}
    finally:
        for token in tokens:
            token.unlink(missing_ok=True)


def unseen(seen: Seen) -> list[str]:
    """Folders of ``seen`` that are not the same where this is called."""
    return [str(Path(path).parent) for path, digest in seen.items() if _digest(Path(path)) != digest]


def check_seen(node: str, folders: Sequence[str]) -> None:
    """Refuse a node by what :func:`unseen` gave there.

    Raises:
        InputError: it gave any; names the node and the first folder.
    """
    if folders:
        raise InputError(
            f"node {node} does not see the same {folders[0]} as this machine; put the study (--out) and the prepared "
            "datasets on a file system that all nodes share, under one path"
        )


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return "none"
