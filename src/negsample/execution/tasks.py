"""Tasks, and the loop that gives them to workers until every one is done."""

from __future__ import annotations

import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from negsample.errors import InputError

PATIENCE = 1.0  # seconds until a task that another process has is tried again
BUSY = "busy"
"""The last message of a task that another process has."""

OnMessage = Callable[[int, Any], None]
"""Called with a task's number and what it reports; at last with None, when it is done, or with :class:`Lost`."""


class Lost(NamedTuple):
    """The process of a task was killed, and the task is not done; ``reason``: how."""

    reason: str


class Task(Protocol):
    """Some work that is done in one piece, in this process or another: it can be pickled, with absolute paths."""

    @property
    def name(self) -> str:
        """What a person calls it."""
        ...

    @property
    def folder(self) -> Path:
        """Where its results go."""
        ...

    def run(self, report: Callable[[Any], None]) -> bool:
        """Do it, and ``report`` what happens; False: another process has it, and it is to be tried again later."""
        ...


class Workers(Protocol):
    """Who does tasks, each known by its number."""

    def start(self, number: int) -> None:
        """Begin a task."""
        ...

    def messages(self) -> Iterable[tuple[int, bool, Any]]:
        """Wait a little for what the tasks report: a task's number, whether this is its last message, and the message.

        The last one is None (done), ``BUSY``, :class:`Lost`, or the error that ended it.
        """
        ...


def run_with(
    workers: Workers, tasks: Sequence[Task], at_once: int, on_message: OnMessage, on_line: Callable[[str], None]
) -> None:
    """Do every task, ``at_once`` at a time; what another process has comes last, and is done if that one is stopped.

    Raises:
        InputError: a task raised it.
        OSError: a task raised it.
        RuntimeError: a task failed in another way; with its traceback.
    """
    todo, running, waiting = deque(range(len(tasks))), 0, set[int]()
    while todo or running:
        while todo and running < at_once:
            workers.start(todo.popleft())
            running += 1
        for number, last, message in workers.messages():
            running -= last
            if not (last and message == BUSY):
                on_message(number, _checked(tasks[number], message))
                continue
            todo.append(number)
            if number not in waiting:
                waiting.add(number)
                on_line(f"{tasks[number].name} is being done by another process; its result is waited for")


def _checked(task: Task, message: Any) -> Any:
    if isinstance(message, RuntimeError):
        raise RuntimeError(f"{task.name} failed in a worker process:\n{message}")
    if isinstance(message, Exception):
        raise message
    return message


def last_message(run: Callable[[Callable[[Any], None]], bool], report: Callable[[Any], None]) -> Any:
    """``run`` a task in a worker, and give its last message."""
    try:
        if run(report):
            return None
    except InputError as error:
        return InputError(str(error))  # whatever its kind
    except OSError as error:
        return error
    except Exception:
        return RuntimeError(traceback.format_exc())
    time.sleep(PATIENCE)
    return BUSY


class ThisProcess:
    """Does one task at a time, here; its errors are raised as they are."""

    def __init__(self, tasks: Sequence[Task], on_message: OnMessage) -> None:
        self._tasks, self._on_message, self._number = tasks, on_message, 0

    def start(self, number: int) -> None:
        """See :class:`Workers`."""
        self._number = number

    def messages(self) -> Iterable[tuple[int, bool, Any]]:
        """See :class:`Workers`."""
        number = self._number
        done = self._tasks[number].run(lambda message: self._on_message(number, message))
        if not done:
            time.sleep(PATIENCE)
        yield number, True, None if done else BUSY
