"""Prepare a log here, or on a Ray cluster."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from negsample.data.dataset import Dataset
from negsample.data.log.apart import files_apart
from negsample.data.log.read import Log, are_files, read_log
from negsample.data.log.reading import Reading
from negsample.data.log.table import Frame
from negsample.data.prepare import pipeline
from negsample.errors import InputError, guarded, shown
from negsample.execution.backend import parse_backend
from negsample.settings import PrepareSettings


@guarded
def prepare(
    log: Log | str | Path | Sequence[str | Path] | Frame,
    settings: PrepareSettings,
    folder: str | Path,
    *,
    on: str = "local",
) -> Dataset:
    """Filters, splits, numbers and sorts the events of ``log``, and writes them to ``folder``.

    A folder that already holds this very dataset is opened as it is; any other folder that exists and holds
    something is left alone. Where it is done changes no byte of the files::

        data = prepare("clicks/", PrepareSettings(min_item_events=5), "prepared")
        data = prepare("/shared/clicks/", PrepareSettings(min_item_events=5), "/shared/prepared", on="ray")

    Args:
        log: of :func:`~negsample.data.log.read.read_log`, or what that takes; on Ray the file, several that are its
            parts, or a folder of them.
        settings: how it is read and prepared.
        folder: a new one, or one that holds this dataset.
        on: ``local``, ``ray`` or ``ray=ADDRESS``: here, or on a Ray cluster whose nodes see the files of the log and
            ``folder`` under the same paths. Each file is read by one task.

    Raises:
        InputError: the folder holds something else, or the log cannot be read, or leaves nothing to train on or to
            measure on; or on Ray, the log is no file that tasks can read as it is, or tasks are lost too often.
    """
    backend, folder = parse_backend(on), Path(folder)
    if not backend.ray:
        read = log if isinstance(log, Log) else read_log(log, **settings.reading())
        return pipeline.prepare(read, settings, folder)
    if not are_files(log):
        raise InputError(
            f"on={on} prepares files that all nodes see, got {shown(type(log).__name__)}; write the rows as Parquet "
            f"files in a folder that they share, or leave out on"
        )
    from negsample.execution.ray_each import each_on_ray  # Ray is an extra

    pipeline.check_folder(folder)
    folder = folder.absolute()
    path, parts = files_apart(log, Reading(**settings.reading()))
    with each_on_ray(backend.address, folder.parent, [part.file for part in parts]) as each:
        return pipeline.prepare_apart(path, parts, settings, folder, each)
