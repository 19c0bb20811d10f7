"""What is logged of a run: a pure function of its folder, in words that MLflow takes."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from negsample.files.checksums import LIST
from negsample.runs.folder import LOG, REFIT_LOG, read_run

_FILES = ("config.json", LOG, REFIT_LOG, "metrics.json")
_OF_LINE = ("epoch", "refit")  # its step, and how many there are


class Point(NamedTuple):
    """A value of a metric: ``when`` in milliseconds since 1970."""

    name: str
    value: float
    when: int
    step: int


class Entry(NamedTuple):
    """A finished run as MLflow has it.

    ``name``: of its folder, and ``key``, a digest of that. ``content``: a digest of all its files. ``params``: its
    configuration. ``tags``: words on its figures. ``points``: figures by epoch, and those of the finished run.
    ``began`` and ``ended``: milliseconds since 1970. ``files``: to be kept with it.
    """

    name: str
    key: str
    content: str
    params: dict[str, str]
    tags: dict[str, str]
    points: list[Point]
    began: int
    ended: int
    files: list[Path]


def entry_of(folder: Path) -> Entry:
    """The entry of the finished run in ``folder``.

    Times are those of the files: a training ended when its log was written, and began its seconds earlier. The curves
    of a refit are ``refit/epoch/...``; they begin where those before it end.

    Raises:
        InputError: there is no finished run, or it is damaged.
    """
    content = (folder / LIST).read_bytes()  # before the figures: another choice of the dial changes them
    run = read_run(folder)
    ended, measured = (int(1000 * (folder / name).stat().st_mtime) for name in (LOG, "metrics.json"))
    began = ended - int(1000 * run.metrics["train_seconds"])
    refitted = began + int(1000 * run.log[-1]["seconds"]) if run.refit else began
    curves = [*_curves(run.log, began, "epoch/"), *_curves(run.refit, refitted, "refit/epoch/")]
    figures = [Point(name, value, measured, 0) for name, value in _numbers(run.metrics)]
    return Entry(
        name=text(folder.name),
        key=_digest(folder.name.encode(errors="surrogateescape")),
        content=_digest(content),
        params=dict(_params(run.config)),
        tags={f"negsample.{key}": _plain(value) for key, value in run.metrics.items() if isinstance(value, str | bool)},
        points=[*curves, *figures],
        began=began,
        ended=ended,
        files=[path for path in map(folder.joinpath, _FILES) if path.exists() and path.stat().st_size],
    )


def metric_name(name: str) -> str:
    """``name`` in letters that MLflow allows: ``hr@10`` is ``hr_at_10``, as MLflow's own metrics at k are called."""
    return re.sub(r"[^\w.\-]", "_", name.replace("@", "_at_"))


def text(value: str) -> str:
    """``value`` as text that can be sent: what is no letter (of a file name, say) is written as its code."""
    return value.encode("utf-8", "backslashreplace").decode()


def _params(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Settings by the names that ``--set`` knows, the rest by theirs; what is no text as JSON."""
    for key, value in config.items():
        if isinstance(value, Mapping):
            prefix = "" if key in ("settings", "negatives") else f"{key}."
            yield from ((prefix + name, _plain(each)) for name, each in value.items())
        else:
            yield key, _plain(value)


def _plain(value: Any) -> str:
    return text(value) if isinstance(value, str) else json.dumps(value, allow_nan=False)


def _numbers(metrics: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """All numbers, those of a part as ``part/name``; null is a number that is undefined."""
    for key, value in metrics.items():
        if isinstance(value, Mapping):
            yield from _numbers(value, f"{prefix}{metric_name(key)}/")
        elif value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
            yield prefix + metric_name(key), math.nan if value is None else float(value)


def _curves(log: Sequence[Mapping[str, Any]], began: int, prefix: str) -> Iterator[Point]:
    for line in log:
        when = began + int(1000 * line["seconds"])
        for name, value in _numbers({key: value for key, value in line.items() if key not in _OF_LINE}, prefix):
            yield Point(name, value, when, line["epoch"])


def _digest(content: bytes) -> str:
    """20 hex digits, that any filter of a search can quote."""
    return hashlib.sha256(content).hexdigest()[:20]
