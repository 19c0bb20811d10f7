"""The next batches, made by a thread while the present one is worked on."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import TypeVar

T = TypeVar("T")
_PATIENCE = 0.1  # seconds between checks whether the iterator was closed


def prefetched(source: Iterator[T], depth: int = 2) -> Iterator[T]:
    """The items of ``source``, in the same order, up to ``depth`` of them made in advance by a thread.

    What ``source`` raises is raised here, in its place. The thread ends when this iterator is closed.
    """
    ready: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue(depth)
    closed = threading.Event()

    def put(thing: T | None, error: BaseException | None) -> bool:
        while not closed.is_set():
            try:
                ready.put((thing, error), timeout=_PATIENCE)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        try:
            for thing in source:
                if not put(thing, None):
                    return
            put(None, StopIteration())
        except BaseException as error:
            put(None, error)

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    try:
        while True:
            thing, error = ready.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield thing  # type: ignore[misc]
    finally:
        closed.set()
        worker.join()
