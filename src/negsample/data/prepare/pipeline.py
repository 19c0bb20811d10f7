"""Prepare a log: flat arrays and a manifest in a folder, written as a whole or not at all.

Memory holds one value for each user or item, and a block of events; the rest lies in files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from negsample.data import blocks
from negsample.data.arrays import arrays_of, content_fingerprint
from negsample.data.dataset import Dataset, is_prepared, open_dataset
from negsample.data.each import Each, here
from negsample.data.ids import ids_path
from negsample.data.log.apart import read_apart
from negsample.data.log.files import Part
from negsample.data.log.read import Log, read_log
from negsample.data.log.reading import Reading
from negsample.data.log.table import Frame
from negsample.data.manifest import FORMAT, MANIFEST, Fold, Manifest
from negsample.data.names import fold_name, printable, safe_name
from negsample.data.prepare.exchange import pieces_of
from negsample.data.prepare.facts import check_useful, count_events, notes_on_events
from negsample.data.prepare.selection import Selection, check_times, select, select_folds, select_of
from negsample.data.prepare.writing import write_arrays
from negsample.errors import InputError, guarded
from negsample.files.checksums import LIST, write_list
from negsample.files.folders import atomic_folder, unwritable, write_json
from negsample.settings import PrepareSettings

_WAY_OUT = "choose another folder (for the cache: $NEGSAMPLE_CACHE)"


@guarded
def prepare(log: Log | str | Path | Frame, settings: PrepareSettings, folder: str | Path) -> Dataset:
    """Filters, splits, numbers and sorts the events of ``log``, and writes them to ``folder``.

    A folder that already holds this very dataset is opened as it is; any other folder that exists and holds
    something is left alone.

    Args:
        log: of :func:`~negsample.data.log.read.read_log`, or what that takes.
        settings: how it is read and prepared.
        folder: a new one, or one that holds this dataset.

    Raises:
        InputError: the folder holds something else, or the log cannot be read, or leaves nothing to train on or to
            measure on.
    """
    folder = Path(folder)
    check_folder(folder)
    if not isinstance(log, Log):
        log = read_log(log, **settings.reading())
    _check_weight(log, settings)

    def write(made: Path) -> Manifest:
        with TemporaryDirectory(dir=made) as scratch:
            return _write(select(log, settings, Path(scratch)), log, settings, made)

    return _kept(folder, write)


def prepare_apart(
    path: Path,
    parts: Sequence[Part],
    settings: PrepareSettings,
    folder: Path,
    each: Each,
    most: int = blocks.BLOCK,
) -> Dataset:
    """:func:`prepare` of files, in pieces, by other processes that see the same files: the same bytes in ``folder``.

    Args:
        path: of the log.
        parts: its files, of :func:`~negsample.data.log.apart.files_apart`.
        settings: how it is read and prepared.
        folder: as of :func:`prepare`; all processes see it, and what is beside it.
        each: calls a function for each file, piece, or stretch of an array.
        most: events that a process holds.

    Raises:
        InputError: as of :func:`prepare`.
    """
    check_folder(folder)
    found = read_apart(path, parts, Reading(**settings.reading()), each)
    check_times(found, settings)

    def write(made: Path) -> Manifest:
        with TemporaryDirectory(dir=made) as scratch:
            pieces, item_ids = pieces_of(found, settings.split == "given", Path(scratch), each, most)
            return _write(select_of(pieces, item_ids, found, settings, each), found, settings, made, None, each, most)

    return _kept(folder, write)


def check_folder(folder: Path) -> None:
    """Refuses a folder with something in it that is no prepared dataset."""
    if folder.exists() and not is_prepared(folder) and not (folder.is_dir() and not any(folder.iterdir())):
        raise InputError(f"{folder} exists and is no prepared dataset; choose another folder, or empty this one")


def prepare_folds(log: Log, settings: PrepareSettings, folders: Sequence[Path]) -> list[Dataset]:
    """The same of the folds of ``log``, the earliest first, each in a folder of its own; the log is read once.

    A fold is what :func:`prepare` would make of the events before the end of its test window, and nothing of it depends
    on later ones but where that window lies: see :func:`~negsample.data.split.find_windows`. The last one is the
    dataset that :func:`prepare` makes.

    Args:
        log: to be split.
        settings: how it is prepared.
        folders: new ones, or those that hold these datasets; as many as folds.

    Raises:
        InputError: as :func:`prepare`, or the split is one by rows.
    """
    if settings.split != "timestamp":
        raise InputError(
            f"folds need split=timestamp, got {settings.split}: a window begins and ends between two times"
        )
    _check_weight(log, settings)
    place, found = folders[0].parent, list[Dataset]()
    try:
        place.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=place) as scratch:
            for number, chosen in enumerate(select_folds(log, settings, len(folders), Path(scratch)), 1):
                fold = Fold(log=safe_name(log.name), number=number, folds=len(folders))
                write = partial(_write, chosen, log, settings, fold=fold)
                found.append(_kept(folders[number - 1], write))
    except OSError as error:
        raise unwritable(place, error, _WAY_OUT) from None
    return found


def _check_weight(log: Log, settings: PrepareSettings) -> None:
    if settings.weight is not None and log.weight is None:
        raise InputError(f"log {log.name} was read without weights; give weight={settings.weight!r} to read_log, too")


def _kept(folder: Path, write: Callable[[Path], Manifest]) -> Dataset:
    """The dataset that ``write`` makes, in ``folder``; see :func:`prepare`."""
    made = None
    try:
        with atomic_folder(folder) as scratch:
            made = write(scratch)
    except OSError as error:
        if made and is_prepared(folder):  # it was before, or another process was first
            return _same_or_refused(folder, made)
        raise unwritable(folder, error, _WAY_OUT) from None
    return open_dataset(folder, verify=False)


def _same_or_refused(folder: Path, made: Manifest) -> Dataset:
    there = open_dataset(folder)
    reading = set(made.settings.reading())
    before, now = (each.settings.model_dump(exclude=reading) for each in (there.manifest, made))
    if there.fingerprint == made.fingerprint and before == now:
        return there
    changes = [f"{key}: {before[key]}, now {now[key]}" for key in now if before[key] != now[key]]
    raise InputError(
        f"{folder} holds another prepared dataset ({there.name}, {'; '.join(changes) or 'of other events'}); "
        f"choose another folder, or delete this one"
    )


def _write(
    chosen: Selection,
    log: Log,
    settings: PrepareSettings,
    folder: Path,
    fold: Fold | None = None,
    each: Each = here,
    most: int = blocks.BLOCK,
) -> Manifest:
    """The dataset's files in ``folder``."""
    weighted = log.weight is not None
    places, user_ids, item_ids = write_arrays(chosen, folder, weighted, each, most)
    arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in arrays_of(weighted)}
    facts = count_events(arrays, places, folder, log.has_times, each)
    loudest = [chosen.facts["not_in_time"]] if "not_in_time" in chosen.facts else []
    notes = [printable(note) for note in (*loudest, *log.notes, *chosen.notes)]
    manifest = Manifest(
        format=FORMAT,
        name=fold_name(log.name, fold.number, fold.folds) if fold else safe_name(log.name),
        fingerprint=content_fingerprint(arrays, user_ids, item_ids),
        source=printable(log.source or log.name),
        settings=settings,
        notes=notes + notes_on_events(facts),
        **facts.counts,
        **chosen.facts,
        fold=fold,
        weight=log.weight,
    )
    check_useful(manifest)
    for role, ids in (("user", user_ids), ("item", item_ids)):
        ids.alias(role).to_frame().write_parquet(ids_path(folder, role))
    write_json(folder / MANIFEST, manifest.model_dump(mode="json"))
    write_list(
        folder / LIST,
        "dataset",
        manifest.fingerprint,
        {path.name for path in folder.iterdir() if path.is_file()} - {"lock"},
    )
    return manifest
