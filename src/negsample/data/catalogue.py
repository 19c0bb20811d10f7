"""From what a person names to a prepared dataset: a bundled name, a prepared folder, or a log."""

from __future__ import annotations

import os
from contextlib import ExitStack
from difflib import get_close_matches
from importlib.resources import as_file, files
from pathlib import Path
from typing import Literal

from negsample.config import InputError, PrepareSettings, checked, fingerprint
from negsample.data.log import read_log
from negsample.data.parts import find_parts, readable, stem
from negsample.data.prepare import prepare
from negsample.data.sequences import FORMAT, MANIFEST, Dataset, is_prepared, open_dataset

# Name: file in negsample/data/bundled.
BUNDLED = {"online-retail": "online-retail.parquet"}


def load_dataset(
    what: str | Path, settings: PrepareSettings | None = None, *, split: Literal["sound", "paper"] | None = None
) -> Dataset:
    """The dataset that ``what`` names; a log is prepared on the fly, once, into the cache.

    Args:
        what: a name in ``BUNDLED``, a prepared folder, or a log (a file or a folder of parts). What exists on
            disk goes before a bundled name only when written as a path (``./online-retail``).
        settings: how a log is prepared; None: the defaults.
        split: how a log is cut, in the place of what ``settings`` say; of a prepared folder it asks nothing.

    Raises:
        InputError: nothing is there of that name, it cannot be read, or settings are given that a prepared
            folder could not follow any more.
    """
    asked = settings or checked(PrepareSettings, {})
    with ExitStack() as stack:
        if str(what) in BUNDLED:
            path = stack.enter_context(as_file(files("negsample.data") / "bundled" / BUNDLED[str(what)]))
        else:
            path = Path(what)
            with readable(path):
                if not str(what) or not path.exists():
                    raise InputError(_unknown(str(what)))
            if (path / MANIFEST).is_file():
                return _as_prepared(path, asked)
        return _from_cache(path, asked if split is None else asked.model_copy(update={"split": split}))


def cache_folder() -> Path:
    """Where prepared logs are kept: ``$NEGSAMPLE_CACHE``, else ``negsample`` in the user's cache."""
    own, common = os.environ.get("NEGSAMPLE_CACHE"), os.environ.get("XDG_CACHE_HOME")
    return Path(own or Path(common or "~/.cache") / "negsample").expanduser()


def _as_prepared(folder: Path, asked: PrepareSettings) -> Dataset:
    defaults = checked(PrepareSettings, {}).model_dump()
    given = [name for name, value in asked.model_dump().items() if value != defaults[name]]
    if given:
        raise InputError(
            f"{folder} is prepared already, so {', '.join(given)} would do nothing; leave "
            f"{'it' if len(given) == 1 else 'them'} out, or prepare the log again with other settings"
        )
    return open_dataset(folder)


def _from_cache(path: Path, settings: PrepareSettings) -> Dataset:
    states = [(str(part.resolve()), part.stat().st_size, part.stat().st_mtime_ns) for part in find_parts(path)]
    key = fingerprint({"files": states, "settings": settings, "format": FORMAT})
    folder = cache_folder() / "datasets" / f"{stem(path)}-{key}"
    if is_prepared(folder):
        return open_dataset(folder)
    log = read_log(path, user=settings.user, item=settings.item, time=settings.time)
    return prepare(log, settings, folder)


def _unknown(what: str) -> str:
    near = list(get_close_matches(what, BUNDLED, n=1))
    folder = Path(what).parent
    if folder.is_dir():
        beside = {each.name: each for each in folder.iterdir()}
        near += [str(beside[name]) for name in get_close_matches(Path(what).name, beside, n=2)]
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    return (
        f"no dataset '{what}': it is no file or folder, and the bundled names are: {', '.join(BUNDLED)}; "
        f"give one of those, a folder made by `negsample prepare`, or a log file.{hint}"
    )
