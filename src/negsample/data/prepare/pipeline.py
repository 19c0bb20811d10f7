"""Prepare a log: flat arrays and a manifest in a folder, written as a whole or not at all.

Memory holds one value for each user or item, and a block of events; the rest lies in files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
from numpy.typing import NDArray

from negsample.data.arrays import Arrays, arrays_of, content_fingerprint
from negsample.data.dataset import Dataset, ids_path, is_prepared, open_dataset
from negsample.data.log.read import Log, read_log
from negsample.data.log.table import Frame
from negsample.data.manifest import FORMAT, MANIFEST, Fold, Manifest
from negsample.data.names import fold_name, printable, safe_name
from negsample.data.prepare.events import EventColumns
from negsample.data.prepare.facts import check_useful, count_events, notes_on_events
from negsample.data.prepare.order import write_sorted
from negsample.data.prepare.selection import Selection, select, select_folds
from negsample.errors import InputError, guarded
from negsample.files.checksums import LIST, write_list
from negsample.files.folders import atomic_folder, write_json
from negsample.settings import PrepareSettings


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
    if folder.exists() and not is_prepared(folder) and not (folder.is_dir() and not any(folder.iterdir())):
        raise InputError(f"{folder} exists and is no prepared dataset; choose another folder, or empty this one")
    if not isinstance(log, Log):
        log = read_log(log, **settings.reading())
    _check_weight(log, settings)

    def write(made: Path) -> Manifest:
        with TemporaryDirectory(dir=made) as scratch:
            return _write(select(log, settings, Path(scratch)), log, settings, made, Path(scratch))

    return _kept(folder, write)


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
                write = partial(_write, chosen, log, settings, scratch=Path(scratch) / "fold", fold=fold)
                found.append(_kept(folders[number - 1], write))
    except OSError as error:
        raise _unwritable(place, error) from None
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
        raise _unwritable(folder, error) from None
    return open_dataset(folder, verify=False)


def _unwritable(folder: Path, error: OSError) -> InputError:
    return InputError(
        f"cannot write {folder}: {error.strerror or error}; choose another folder (for the cache: $NEGSAMPLE_CACHE)"
    )


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
    chosen: Selection, log: Log, settings: PrepareSettings, folder: Path, scratch: Path, fold: Fold | None = None
) -> Manifest:
    """The dataset's files in ``folder``."""
    arrays, user_ids, item_ids = _flatten(chosen, folder, scratch)
    counts = count_events(arrays, log.has_times)
    loudest = [chosen.facts["not_in_time"]] if "not_in_time" in chosen.facts else []
    notes = [printable(note) for note in (*loudest, *log.notes, *chosen.notes)]
    manifest = Manifest(
        format=FORMAT,
        name=fold_name(log.name, fold.number, fold.folds) if fold else safe_name(log.name),
        fingerprint=content_fingerprint(arrays, user_ids, item_ids),
        source=printable(log.source or log.name),
        settings=settings,
        notes=notes + notes_on_events(counts["duplicate_events"], arrays, user_ids),
        **counts,
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


def _flatten(chosen: Selection, folder: Path, scratch: Path) -> tuple[Arrays, pl.Series, pl.Series]:
    """The arrays of a :class:`~negsample.data.dataset.Dataset`, saved in ``folder`` and mapped, and the ids."""
    parts_UP = np.zeros((len(chosen.user_ids), 3), np.int64)
    items_kept = np.zeros(len(chosen.item_ids), np.int64)
    for some in chosen.events.blocks():
        stay = some.take(chosen.kept[some.items])
        np.add.at(parts_UP.ravel(), 3 * stay.users.astype(np.int64) + stay.parts, 1)
        np.add.at(items_kept, stay.items, 1)
    users, items = _in_order(chosen.user_ids, parts_UP.sum(1) > 0), _in_order(chosen.item_ids, items_kept > 0)
    parts_UP = parts_UP[users]
    offsets = np.append(0, np.cumsum(parts_UP.sum(1)))
    events = _numbered(chosen, users, items)
    weighted = chosen.events.weights is not None
    write_sorted(events, int(offsets[-1]), len(chosen.events.times), folder, scratch, weighted=weighted)
    train_ends = offsets[:-1] + parts_UP[:, 0]
    small = {
        "offsets": offsets,
        "train_ends": train_ends,
        "valid_ends": train_ends + parts_UP[:, 1],
        "train_counts": np.append(0, chosen.train_counts[items]),
        "item_offsets": np.append([0, 0], np.cumsum(items_kept[items])),
    }
    for name, array in small.items():
        np.save(folder / f"{name}.npy", array)
    arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in arrays_of(weighted)}
    return arrays, chosen.user_ids.gather(users), chosen.item_ids.gather(items)


def _in_order(ids: pl.Series, used: NDArray[np.bool_]) -> NDArray[np.uint32]:
    """The codes in use, by their ids: numbers by value, text by bytes."""
    order: NDArray[np.uint32] = ids.arg_sort().to_numpy()
    return order[used[order]]


def _numbered(chosen: Selection, users: NDArray[np.uint32], items: NDArray[np.uint32]) -> Iterator[EventColumns]:
    """The rows that are kept; for codes their positions in ``users`` and ``items``, from 0 and from 1."""
    number_U, number_V = np.zeros(len(chosen.user_ids), np.uint32), np.zeros(len(chosen.item_ids), np.uint32)
    number_U[users] = np.arange(len(users))
    number_V[items] = np.arange(1, len(items) + 1)
    for some in chosen.events.blocks():
        stay = some.take(chosen.kept[some.items])
        yield stay._replace(users=number_U[stay.users], items=number_V[stay.items])
