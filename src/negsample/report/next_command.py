"""The command of a study with other options: what to run next, to be copied."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

_ADDS = {"--repeats"}
"""Options that add runs to a study; with any other it is another study, which needs a folder of its own."""
_ANEW = {"--replace"}


def next_command(about: Mapping[str, Any], options: Mapping[str, str]) -> str:
    """The command of the study ``about`` with ``options`` in place of its own; an option without a value is a switch.

    Empty for a study that was made by no ``negsample compare``.
    """
    words = shlex.split(str(about.get("command", "")))
    if words[:2] != ["negsample", "compare"]:
        return ""
    words = [word for word in words if word not in _ANEW]
    for name, value in options.items():
        words = _with(words, name, value)
    if options.keys() - _ADDS:
        folder = _value(words, "--out")
        if folder:
            path = PurePath(folder)
            suffix = "-".join(name.strip("-") for name in options)
            words = _with(words, "--out", str(path.with_name(f"{path.name}-{suffix}")))
    return shlex.join(words)


def _value(words: Sequence[str], name: str) -> str | None:
    for at, word in enumerate(words):
        if word == name and at + 1 < len(words):
            return words[at + 1]
        if word.startswith(f"{name}="):
            return word.partition("=")[2]
    return None


def _with(words: Sequence[str], name: str, value: str) -> list[str]:
    """``words`` with the option ``name``, in its place where it is there already."""
    contrary = f"--no-{name.removeprefix('--')}"
    found, skip, put = [], False, False
    for word in words:
        if skip:
            skip = False
            continue
        if word == name or word.startswith(f"{name}="):
            skip, put = word == name and bool(value), True
            found += [name, *([value] if value else [])]
        elif word != contrary:
            found.append(word)
    return found if put else [*found, name, *([value] if value else [])]
