"""The MODEL that is served: loaded anew, beside the one that answers, when another lies in its folder."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from pathlib import Path
from threading import Event, Lock, Thread

from negsample.data.dataset import Dataset
from negsample.errors import InputError
from negsample.serving.load import load_model
from negsample.serving.model import is_model
from negsample.serving.respond import Responder

SECONDS = 1.0
"""Between two looks at the folder."""

_Seen = tuple[tuple[str, int, int, int], ...]


class Live:
    """What answers now.

    Attributes:
        responder: it; replaced by another in one step.
        refused: why the MODEL that lies in the folder does not answer; '' where it does.
    """

    def __init__(
        self, folder: Path, say: Callable[[str], None], watch: Callable[[bool], None], data: Dataset | None = None
    ) -> None:
        """Of ``folder``, loaded before this returns. ``say``: called with a line at each change; ``watch``: with
        whether it was loaded; ``data``: what a run was trained on, where a run lies there and not a MODEL.

        Raises:
            InputError: there is no MODEL, or it is damaged.
        """
        self.folder, self._say, self._watch, self._data = folder, say, watch, data
        self._tried = self._last = _seen(folder)
        self.responder, self.refused = self._loaded(), ""
        self._lock, self._woken, self._ended = Lock(), Event(), False
        self._thread = Thread(target=self._look_on, name="model", daemon=True)

    def start(self) -> None:
        """Begin to look at the folder."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._ended = True
        self._woken.set()
        self._thread.join()

    def wake(self) -> None:
        """Load it anew soon, whatever lies there."""
        self._tried = None
        self._woken.set()

    def reload(self) -> bool:
        """Load what lies in the folder; whether it answers now. A damaged one is refused, and the last one answers."""
        with self._lock:
            self._tried = _seen(self.folder)
            try:
                responder = self._loaded()
                if _seen(self.folder) != self._tried:
                    raise InputError(f"{self.folder} was changed while it was read")
            except Exception as error:  # whatever is wrong with the new one, the old one answers
                self.refused = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
                self._say(f"Not loaded, the last model goes on: {self.refused}")
            else:
                self.responder, self.refused = responder, ""
                self._say(f"Loaded {self.folder}: {responder.recommender.summary}")
            self._watch(not self.refused)
            gc.collect()  # what answered before
            return not self.refused

    def _loaded(self) -> Responder:
        return Responder(load_model(self.folder, None if is_model(self.folder) else self._data))

    def _look_on(self) -> None:
        while not self._ended:
            self._woken.wait(SECONDS)
            self._woken.clear()
            if not self._ended:
                self.look()

    def look(self) -> None:
        """Load what lies in the folder, where it is another than was tried, and has been the same for two looks."""
        seen, self._last, last = _seen(self.folder), self._last, self._last
        self._last = seen
        if seen is not None and seen == last and seen != self._tried:
            self.reload()


def _seen(folder: Path) -> _Seen | None:
    """What tells one MODEL from another: of its files the names, the times of the last change (copies may keep those of
    the content), numbers and sizes; None: there is none."""
    try:
        with os.scandir(folder) as entries:
            files = [(each.name, each.stat()) for each in entries]
    except OSError:
        return None
    return tuple(sorted((name, of.st_ctime_ns, of.st_ino, of.st_size) for name, of in files)) or None
