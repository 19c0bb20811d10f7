"""Where the prepared dataset of a run lies: where it was then, or in the study around the run."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from negsample.data.dataset import Dataset, is_prepared, open_dataset
from negsample.errors import InputError
from negsample.files.checksums import LIST, Checksums, DamagedError, read_list
from negsample.files.folders import atomic_folder
from negsample.runs.folder import Run

KEPT = "data"
"""Where a study's folder keeps its datasets."""


def keep_dataset(data: Dataset, study: Path) -> bool:
    """Keep ``data`` in the folder of a ``study`` by hard links to its files, which take no space: they are never
    written in place. Returns whether the file system allowed it."""
    folder, listed = study / KEPT / data.name, read_list(data.folder / LIST, "dataset")
    try:
        if folder.exists() and (folder.samefile(data.folder) or _is_whole(folder, listed)):
            return True
        shutil.rmtree(folder, ignore_errors=True)
        with atomic_folder(folder) as scratch:
            for name in (*listed.files, LIST):
                os.link(os.path.realpath(data.folder / name), scratch / name)
    except OSError:
        return False
    return True


def _is_whole(folder: Path, listed: Checksums) -> bool:
    """Whether it has the files of ``listed``, by their sizes."""
    try:
        there = read_list(folder / LIST, "dataset")
        for name in there.files:
            there.check_size(name)
    except DamagedError:
        return False
    return there.files == listed.files


def dataset_of(run: Run) -> Dataset:
    """The dataset that ``run`` was made on: where it was then, or in the study around it.

    Raises:
        InputError: it is in neither place, or is damaged.
    """
    was = Path(run.config.get("dataset_folder", ""))
    kept = run.folder.resolve().parent.parent / KEPT / run.config["dataset"]
    for place in (was, kept):
        if _holds(place, run.config["dataset_fingerprint"]):
            return open_dataset(place)
    raise InputError(
        f"the dataset of {run.folder} is neither in {was}, where it was made, nor in {kept}; give its log as --data "
        f"LOG, or move a study as a whole, with its folder {KEPT}"
    )


def _holds(place: Path, fingerprint: str) -> bool:
    with suppress(OSError):  # a folder that may not be looked into
        return is_prepared(place) and read_list(place / LIST, "dataset").of == fingerprint
    return False
