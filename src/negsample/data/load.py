"""Load a dataset by its name, from a prepared folder, or from a log, which is prepared once and cached."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import polars as pl

from negsample.data import blocks
from negsample.data.bundled import BUNDLED
from negsample.data.dataset import Dataset, is_prepared, open_dataset
from negsample.data.log.files import log_name, readable
from negsample.data.log.read import Log, parts_of_log, read_log
from negsample.data.log.table import QUERY, Frame
from negsample.data.log.unpack import is_elsewhere
from negsample.data.manifest import FORMAT
from negsample.data.names import fold_name, safe_name
from negsample.data.prepare.pipeline import prepare, prepare_folds
from negsample.data.sources.catalogue import SOURCES, families
from negsample.data.sources.fetched import log_of
from negsample.data.sources.source import Source
from negsample.errors import InputError, guarded, whole
from negsample.files.checksums import sum_of
from negsample.files.folders import cache_folder
from negsample.settings import PrepareSettings, Split, checked, fingerprint

FOLDS = 100
"""The most folds of a log."""


@guarded
def load_dataset(
    dataset: str | Path | Frame,
    settings: PrepareSettings | None = None,
    *,
    split: Split | None = None,
    name: str | None = None,
) -> Dataset:
    """The dataset that ``dataset`` names or holds; a log is prepared once, into the cache.

    Args:
        dataset: a name in ``BUNDLED`` or, once it is fetched, in ``SOURCES``; a prepared folder; a log, which is a
            file, a folder of parts or a DataFrame. A name takes precedence over a file of that name, which is written
            as a path (``./online-retail``).
        settings: how a log is prepared; None: the defaults.
        split: how a log is split; it takes precedence over ``settings``, and does not concern a prepared folder.
        name: what reports call a DataFrame; None: "log".

    Raises:
        InputError: there is nothing of that name, it is not fetched or cannot be read, or an argument has no effect.
    """
    (found,) = _load(dataset, settings or checked(PrepareSettings, {}), split, name, None)
    return found


def load_as(log: str, prepare: Mapping[str, Any]) -> Dataset:
    """The dataset that ``log`` names or holds, in the place of another one, prepared by the same settings.

    How the other one was read does not concern a known name, and a prepared folder stays as it is.

    Raises:
        InputError: as of :func:`load_dataset`.
    """
    with readable(Path(log)):
        if is_prepared(Path(log)):
            return load_dataset(log)
    of_a_file = PrepareSettings().reading() if log in (*BUNDLED, *SOURCES) else ()
    return load_dataset(log, checked(PrepareSettings, {key: prepare[key] for key in prepare if key not in of_a_file}))


@guarded
def load_folds(
    dataset: str | Path | Frame,
    folds: int,
    settings: PrepareSettings | None = None,
    *,
    split: Split | None = None,
    name: str | None = None,
) -> list[Dataset]:
    """The folds of a log, the earliest first: K test windows that follow each other in time.

    Each is a dataset of its own, prepared once into the cache: train and validation are what was before its test
    window, and what came later is not in it. The other arguments are those of :func:`load_dataset`.

    Raises:
        InputError: as :func:`load_dataset`, or ``dataset`` is prepared already, or too short for so many folds.
    """
    whole("folds", folds, 2, FOLDS)
    return _load(dataset, settings or checked(PrepareSettings, {}), split, name, folds)


def _load(
    dataset: str | Path | Frame, asked: PrepareSettings, split: Any, name: str | None, folds: int | None
) -> list[Dataset]:
    """The dataset, or its ``folds``; see :func:`load_dataset`."""
    cut = asked if split is None else checked(PrepareSettings, asked.model_dump() | {"split": split})
    if not isinstance(dataset, str | Path):
        return _from_frame(dataset, cut, name, folds)
    if name is not None:
        raise InputError(f"name is for a DataFrame; {dataset} has a name, so leave name={name!r} out")
    if str(dataset) in SOURCES:
        return _from_source(SOURCES[str(dataset)], cut, folds)
    if str(dataset) in BUNDLED:
        with BUNDLED[str(dataset)].path() as path:
            return _from_files(path, cut, folds)
    path = Path(dataset)
    with readable(path):
        if not str(dataset) or not (path.exists() or is_elsewhere(str(dataset))):
            raise InputError(_unknown(str(dataset)))
    if not is_prepared(path):
        return _from_files(dataset, cut, folds)
    if folds:
        raise InputError(f"{path} is prepared already, and folds are made of a log; give the log itself")
    given = [*asked.model_dump(exclude_defaults=True)]
    _check_no_effect(given, f"{path} is prepared already", ", or prepare the log again with other settings")
    return [open_dataset(path)]


def _from_files(log: str | Path, settings: PrepareSettings, folds: int | None) -> list[Dataset]:
    path, parts = parts_of_log(log)
    with readable(path):
        contents = [(part.path.name, part.inside, part.keys, sum_of(part.file).sha256) for part in parts]
    name = log_name(path)
    content = {"files": contents, "name": name}
    return _from_cache(name, content, lambda: read_log(log, **settings.reading()), settings, folds)


def _from_frame(frame: Frame, settings: PrepareSettings, name: str | None, folds: int | None) -> list[Dataset]:
    log = read_log(frame, name=name, **settings.reading())
    with readable(Path(log.source), QUERY):
        content = {"rows": _rows_digest(log.frame), "name": log.name, "notes": log.notes, "source": log.source}
    return _from_cache(log.name, content, lambda: log, settings, folds)


def _rows_digest(frame: pl.LazyFrame) -> str:
    """The SHA-256 of the rows of ``frame`` in their order; some of them are held at a time."""
    digest = hashlib.sha256(str(frame.collect_schema()).encode())

    def add(rows: pl.DataFrame) -> None:
        digest.update(rows.write_csv(include_header=False).encode())

    frame.sink_batches(add, chunk_size=blocks.BLOCK, maintain_order=True, engine="streaming")
    return digest.hexdigest()


def _from_source(source: Source, asked: PrepareSettings, folds: int | None) -> list[Dataset]:
    """Its own rule and the settings hold both: the larger of two minima is taken."""
    given = [name for name, value in asked.reading().items() if value and name in PrepareSettings.model_fields]
    _check_no_effect(given, f"{source.name} has columns of its own")
    least = {name: max(getattr(asked, name), source.at_least) for name in ("min_user_events", "min_item_events")}
    log, key = log_of(source)
    if asked.split == "given" and "part" not in log.frame.collect_schema():
        raise InputError(f"split=given: the publisher of {source.name} gives no split; take another --split")
    settings = checked(PrepareSettings, asked.model_dump() | least)
    return _from_cache(source.name, {"log": key}, lambda: log, settings, folds)


def _from_cache(
    name: str, content: Mapping[str, Any], read: Callable[[], Log], settings: PrepareSettings, folds: int | None
) -> list[Dataset]:
    place, made_of = cache_folder() / "datasets", {**content, "settings": settings, "format": FORMAT}
    if folds is None:
        folder = place / f"{safe_name(name)}-{fingerprint(made_of)}"
        return [open_dataset(folder) if is_prepared(folder) else prepare(read(), settings, folder)]
    numbers = range(1, folds + 1)
    folders = [place / f"{fold_name(name, each, folds)}-{fingerprint(made_of)}" for each in numbers]
    if all(is_prepared(each) for each in folders):
        return [open_dataset(each) for each in folders]
    return prepare_folds(read(), settings, folders)


def _check_no_effect(given: list[str], why: str, way_out: str = "") -> None:
    if given:
        them = "it" if len(given) == 1 else "them"
        raise InputError(f"{why}, so {', '.join(given)} would have no effect; leave {them} out{way_out}")


def public_dataset(name: str) -> Source:
    """The public dataset of that name, if there is one."""
    if name not in SOURCES:
        near = get_close_matches(name, SOURCES, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise InputError(f"no public dataset '{name}'; the names are: {', '.join(families())}{hint}")
    return SOURCES[name]


def _unknown(given: str) -> str:
    near = list(get_close_matches(given, [*BUNDLED, *SOURCES], n=1))
    folder = Path(given).parent
    if folder.is_dir():
        beside = {each.name: each for each in folder.iterdir()}
        near += [str(beside[name]) for name in get_close_matches(Path(given).name, beside, n=2)]
    hint, names = f" Did you mean {' or '.join(near)}?" if near else "", [*BUNDLED, *families()]
    return (
        f"no dataset '{given}': it is no file or folder, and the known names are: {', '.join(names)}; "
        f"give one of those, a folder made by `negsample prepare`, or a log file.{hint}"
    )
