"""Tasks one after another, or several at once on one machine: processes that share out its cores."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Protocol

import torch

from negsample.config import InputError

PATIENCE = 1.0  # seconds between looks: whether workers are alive, whether another process is done
BUSY = "busy"
"""What comes of a task that another process has."""

Heed = Callable[[int, Any], None]
"""Called with a task's number and what it says, and with None when it is done."""


class Task(Protocol):
    """Some work that is done in one piece, in this process or another: it can be pickled, with absolute paths."""

    @property
    def name(self) -> str:
        """What a person calls it."""
        ...

    @property
    def writes(self) -> Path:
        """The folder that its results go to."""
        ...

    @property
    def reads(self) -> Sequence[Path]:
        """Files that are what they are here wherever it is done."""
        ...

    def do(self, say: Callable[[Any], None]) -> bool:
        """Do it, and ``say`` what happens; False: another process has it, and it is to be tried again later."""
        ...


class Waiting:
    """Tells once of each task that another process does."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._told: set[str] = set()

    def on(self, task: Task) -> None:
        """``task`` is waited for."""
        if task.name not in self._told:
            self._told.add(task.name)
            self._tell(f"{task.name} is being done by another process; its result is waited for")


def one_by_one(tasks: Sequence[Task], heed: Heed, tell: Callable[[str], None]) -> None:
    """Do every task here; what another process has comes last, and is done here if that process is stopped."""
    waiting = Waiting(tell)
    left = list(enumerate(tasks))
    while left:
        busy = []
        for number, task in left:
            if task.do(lambda message, number=number: heed(number, message)):  # type: ignore[misc]
                heed(number, None)
            else:
                busy.append((number, task))
        if len(busy) == len(left):
            for _, task in busy:
                waiting.on(task)
            time.sleep(PATIENCE)
        left = busy


def in_processes(tasks: Sequence[Task], at_once: int, heed: Heed, tell: Callable[[str], None]) -> None:
    """Do every task, ``at_once`` at a time, each with its share of the cores.

    A small model gains little from a second core, so N tasks on N cores should take less than N times one. ``heed``
    is called here. When this process is interrupted or dies, or a task fails, the workers stop.

    Raises:
        InputError: a task raised it, or a worker was killed.
        RuntimeError: a task failed in another way; with its traceback.
    """
    context = multiprocessing.get_context("spawn")
    todo, said = context.Queue(), context.Queue()
    for number in range(len(tasks)):
        todo.put(number)
    threads = max(1, cores() // at_once)  # however few tasks are left: sums depend on how many threads add them up
    workers = [
        context.Process(target=_work, args=(tasks, todo, said, threads), daemon=True)
        for _ in range(min(at_once, len(tasks)))
    ]
    try:
        for worker in workers:
            worker.start()
        _listen(tasks, workers, todo, said, heed, Waiting(tell))
        for _ in workers:
            todo.put(None)
    except BaseException:
        for worker in workers:
            if worker.is_alive():
                worker.terminate()
        raise
    finally:
        for worker in workers:
            if worker.pid is not None:
                worker.join()


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _listen(
    tasks: Sequence[Task], workers: Sequence[BaseProcess], todo: Any, said: Any, heed: Heed, waiting: Waiting
) -> None:
    left = len(tasks)
    while left:
        try:
            number, message = said.get(timeout=PATIENCE)
        except queue.Empty:
            dead = [worker.exitcode for worker in workers if worker.exitcode]
            if dead:
                raise InputError(
                    f"a worker process ended with exit code {dead[0]} (was it killed for memory?); what is finished "
                    "is kept: the same command carries on, with fewer --jobs if memory was short"
                ) from None
            continue
        if message == BUSY:
            waiting.on(tasks[number])
            todo.put(number)
        else:
            left -= heed_outcome(tasks[number], number, message, heed)


def heed_outcome(task: Task, number: int, message: Any, heed: Heed) -> bool:
    """Heed ``message`` of a task that is done elsewhere; returns whether it was its last.

    Raises:
        InputError: the task raised it.
        RuntimeError: it failed in another way.
    """
    if isinstance(message, InputError):
        raise message
    if isinstance(message, _Failure):
        raise RuntimeError(f"{task.name} failed in a worker process:\n{message.traceback}")
    heed(number, message)
    return message is None


class _Failure:
    """What a task failed with that is no fault of a person's input."""

    def __init__(self, traceback: str) -> None:
        self.traceback = traceback


def outcome(do: Callable[[Callable[[Any], None]], bool], say: Callable[[Any], None]) -> Any:
    """``do`` a task away from who asked for it: None when it is done, what else came of it as a message."""
    try:
        return None if do(say) else BUSY
    except InputError as error:
        return error
    except Exception:
        return _Failure(traceback.format_exc())


def _work(tasks: Sequence[Task], todo: Any, said: Any, threads: int) -> None:
    """A worker's life: until there is no task left, or it is told to stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    torch.set_num_threads(threads)
    try:
        _do_all(tasks, todo, said)
    except SystemExit:
        os._exit(1)  # at once: an interpreter that is torn down in the middle of torch complains


def _do_all(tasks: Sequence[Task], todo: Any, said: Any) -> None:
    """Take a number, do that task, say what happens, until there is none."""
    parent = multiprocessing.parent_process()

    def say(number: int, message: Any) -> None:
        if parent is not None and not parent.is_alive():
            sys.exit()
        said.put((number, message))

    def next_number() -> int | None:
        while parent is None or parent.is_alive():
            with suppress(queue.Empty):
                number: int | None = todo.get(timeout=PATIENCE)
                return number
        return None

    while (number := next_number()) is not None:
        result = outcome(tasks[number].do, lambda message, number=number: say(number, message))  # type: ignore[misc]
        say(number, result)
        if result == BUSY:
            time.sleep(PATIENCE)
