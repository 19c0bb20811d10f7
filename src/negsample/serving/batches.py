"""Requests that wait are answered together, in a thread of their own."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from threading import Thread

from negsample.errors import InputError
from negsample.serving.questions import Answer, Question

WAITING = 256
"""Questions that may wait."""
AT_ONCE = 64
"""Questions that are answered together."""

Results = list[Answer | InputError]
_Asked = tuple[Question, "Future[Answer | InputError]"]


class BusyError(Exception):
    """As many questions wait as may."""


class Batches:
    """A queue of questions, and the thread that answers all that wait in one pass after another.

    ``answer``: what answers some of them. ``watch``: called with the number of questions of a pass, and its seconds.
    """

    def __init__(self, answer: Callable[[Sequence[Question]], Results], watch: Callable[[int, float], None]) -> None:
        self._answer, self._watch = answer, watch
        self._queue: queue.Queue[_Asked | None] = queue.Queue(WAITING)
        self._thread = Thread(target=self._work, name="answers", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answer what waits, and end."""
        self._queue.put(None)
        self._thread.join()

    @property
    def alive(self) -> bool:
        """Whether it answers."""
        return self._thread.is_alive()

    @property
    def waiting(self) -> int:
        """Questions that wait."""
        return self._queue.qsize()

    def ask(self, question: Question) -> Future[Answer | InputError]:
        """The answer to come.

        Raises:
            BusyError: as it says.
        """
        future: Future[Answer | InputError] = Future()
        try:
            self._queue.put_nowait((question, future))
        except queue.Full:
            raise BusyError from None
        return future

    def _work(self) -> None:
        going = True
        while going:
            asked = [self._queue.get()]
            while len(asked) < AT_ONCE and not self._queue.empty():
                asked.append(self._queue.get())
            going = None not in asked
            wanted = [each for each in asked if each is not None and each[1].set_running_or_notify_cancel()]
            if wanted:
                self._pass(wanted)

    def _pass(self, asked: Sequence[_Asked]) -> None:
        began = time.perf_counter()
        try:
            answers = self._answer([question for question, _ in asked])
        except Exception as error:  # the thread outlives whatever it is: who asked is told, the next are answered
            for _, future in asked:
                future.set_exception(error)
            return
        for (_, future), answer in zip(asked, answers, strict=True):
            future.set_result(answer)
        self._watch(len(asked), time.perf_counter() - began)
