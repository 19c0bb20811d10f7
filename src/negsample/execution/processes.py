"""Tasks one after another, or several at once on one machine: processes that share out its cores."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
import traceback
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch

from negsample.errors import InputError
from negsample.execution.orphans import begin, packed
from negsample.runs.machine import cores

PATIENCE = 1.0  # seconds between looks: whether another process is done
BUSY = "busy"
"""What comes of a task that another process has."""

Heed = Callable[[int, Any], None]
"""Called with a task's number and what it says; at last with None, when it is done, or with :class:`Lost`."""


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
    is called here. When a worker is killed, ``heed`` is called with :class:`Lost`, and another one takes its place.
    When this process is interrupted or dies, or a task raises an error, the workers stop.

    Raises:
        InputError: a task raised it, or a worker could not start.
        OSError: a task raised it.
        RuntimeError: a task failed in another way; with its traceback.
    """
    todo, waiting, left = deque(range(len(tasks))), Waiting(tell), len(tasks)
    workers: dict[Connection, _Worker] = {}

    def hire() -> None:
        worker = _Worker.start(tasks, threads_of(at_once))
        workers[worker.line] = worker

    try:
        for _ in range(min(at_once, left)):
            hire()
        while left:
            for line in _ready(workers):
                worker = workers[line]
                try:
                    said = line.recv()
                except (EOFError, OSError):
                    del workers[line]
                    worker.bury()
                    if worker.number is not None:
                        heed(worker.number, Lost(worker.last_words))
                        left -= 1
                    if todo:
                        hire()
                    continue
                worker.begun = True
                if said is not None:
                    number, message = said
                    if message == BUSY:
                        waiting.on(tasks[number])
                        todo.append(number)
                    elif heed_outcome(tasks[number], number, message, heed):
                        left -= 1
                    else:
                        continue
                worker.number = todo.popleft() if todo else None
                if worker.number is not None:
                    line.send(worker.number)
    finally:
        for worker in workers.values():
            worker.stop()


def _ready(workers: Mapping[Connection, _Worker]) -> list[Connection]:
    """The lines on which there is something to hear, or nobody any more."""
    return [each for each in wait(list(workers)) if isinstance(each, Connection)]


class _Worker:
    """A process of this machine, the line to it, and the number of the task that it has."""

    def __init__(self, process: SpawnProcess, line: Connection) -> None:
        self.process, self.line = process, line
        self.number: int | None = None
        self.begun = False

    @classmethod
    def start(cls, tasks: Sequence[Task], threads: int) -> _Worker:
        """A new one, which says None when it can take a task."""
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=begin, args=(theirs, packed(_work, tasks, threads)), daemon=True)
        process.start()
        theirs.close()  # so that its end is heard
        return cls(process, ours)

    def bury(self) -> None:
        """It is dead.

        Raises:
            InputError: it died before it could work, as the next one would.
        """
        self.line.close()
        self.process.join()
        if not self.begun:
            raise InputError(
                f"a worker {self.last_words} before it had begun; what is finished is kept: the same command carries "
                "on, with fewer --jobs if memory was short"
            )

    @property
    def last_words(self) -> str:
        """How it ended."""
        code = self.process.exitcode or 0
        if code < 0:
            return f"process was killed by the system ({signal.Signals(-code).name}: was memory short?)"
        return f"process ended with exit code {code}"

    def stop(self) -> None:
        """Whatever it does."""
        if self.process.is_alive():
            self.process.terminate()
        self.process.join()
        self.line.close()


def threads_of(at_once: int) -> int:
    """How many threads a task has when ``at_once`` are done on this machine: its share of the cores.

    However few tasks are left: sums depend on how many threads add them up. Never more than PyTorch has here, which
    is what ``OMP_NUM_THREADS`` says.
    """
    mine = torch.get_num_threads()
    return mine if at_once <= 1 else max(1, min(mine, cores() // at_once))


class Lost(NamedTuple):
    """The process of a task was killed, and the task is not done; ``reason``: how."""

    reason: str


def heed_outcome(task: Task, number: int, message: Any, heed: Heed) -> bool:
    """Heed ``message`` of a task that is done elsewhere; returns whether it was its last.

    Raises:
        InputError: the task raised it.
        OSError: the task raised it.
        RuntimeError: it failed in another way.
    """
    if isinstance(message, InputError | OSError):
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
        return InputError(str(error))  # whatever its kind
    except OSError as error:
        return error
    except Exception:
        return _Failure(traceback.format_exc())


def _work(line: Connection, tasks: Sequence[Task], threads: int) -> None:
    """A worker's life: take a number, do that task, say what happens; until it is stopped, or nobody is there."""
    signal.signal(signal.SIGTERM, lambda *_: os._exit(1))  # at once: torch complains when it is torn down in its middle
    torch.set_num_threads(threads)

    def say(message: Any) -> None:
        try:
            line.send(message)
        except OSError:
            os._exit(1)

    say(None)
    while True:
        try:
            number = line.recv()
        except (EOFError, OSError):
            return
        result = outcome(tasks[number].do, lambda message, number=number: say((number, message)))  # type: ignore[misc]
        if result == BUSY:
            time.sleep(PATIENCE)
        say((number, result))
