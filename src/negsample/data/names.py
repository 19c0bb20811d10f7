"""Names that come from outside, made safe to be a file, a line on a terminal or a text in a picture."""

from __future__ import annotations

_CHARACTERS, _BYTES = 100, 200  # a file system allows 255 bytes, and a run's folder adds its own


def safe_name(name: str) -> str:
    """What a dataset is called whose file, or log, is called ``name``.

    Characters that are not seen (control, direction, of no meaning) and separators of paths become ``_``; it begins
    with neither a dot nor a dash nor white space, ends with no white space, and has at most 100 characters and 200
    bytes. A name that is safe stays as it is.
    """
    return _cut(name, _CHARACTERS, _BYTES)


def fold_name(log: str, number: int, folds: int) -> str:
    """What fold ``number`` of ``folds`` of the log of that name is called; a long name is cut."""
    ending = f".fold-{number}-of-{folds}"
    return _cut(log, _CHARACTERS - len(ending), _BYTES - len(ending)) + ending


def _cut(name: str, characters: int, size: int) -> str:
    seen = "".join(each if each.isprintable() and each not in "/\\" else "_" for each in name)
    short = seen.lstrip(" .-")[:characters].encode()[:size].decode(errors="ignore").rstrip(" ")
    return short or "log"


def printable(text: str) -> str:
    """``text`` on one line, each character that is not seen as its escape (``\\x07``)."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)
