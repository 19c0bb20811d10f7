"""Several tasks at once on one machine: worker processes that share out its cores."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Any

import torch

from negsample.errors import InputError
from negsample.execution.tasks import Lost, OnMessage, Task, last_message, run_with
from negsample.execution.worker import started, to_message
from negsample.runs.machine import cores

_BEGUN = "begun"


def threads_of(at_once: int) -> int:
    """How many threads a task has when ``at_once`` are done on this machine: its share of the cores.

    However few tasks are left: sums depend on how many threads add them up. Never more than PyTorch has here, which
    is what ``OMP_NUM_THREADS`` says.
    """
    mine = torch.get_num_threads()
    return mine if at_once <= 1 else max(1, min(mine, cores() // at_once))


def in_processes(tasks: Sequence[Task], at_once: int, on_message: OnMessage, on_line: Callable[[str], None]) -> None:
    """Do every task, ``at_once`` at a time, each with its share of the cores.

    A small model gains little from a second core, so N tasks on N cores should take less than N times one.
    ``on_message`` is called here. A worker that is killed costs its task alone: that is
    :class:`~negsample.execution.tasks.Lost`, and another worker does the next one. When this process is interrupted or
    dies, or a task raises an error, the workers stop.

    Raises:
        InputError: a worker could not start; or see :func:`~negsample.execution.tasks.run_with`.
    """
    modules = sorted({type(task).__module__ for task in tasks})
    workers = _Processes(to_message((_work, tasks, threads_of(at_once))), modules)
    try:
        run_with(workers, tasks, at_once, on_message, on_line)
    finally:
        workers.stop()


class _Processes:
    """Worker processes, started when there is work for one more; one that has done its task waits for the next."""

    def __init__(self, work: bytes, modules: Sequence[str]) -> None:
        self._work, self._modules = work, modules
        self._busy: dict[Connection, _Worker] = {}
        self._idle: list[_Worker] = []

    def start(self, number: int) -> None:
        worker = self._idle.pop() if self._idle else _Worker(self._work, self._modules)
        self._busy[worker.line] = worker
        worker.number = number
        with suppress(OSError):  # a dead process is seen when it is listened to
            worker.line.send(number)

    def messages(self) -> Iterator[tuple[int, bool, Any]]:
        for line in wait(list(self._busy)):
            assert isinstance(line, Connection)
            worker = self._busy[line]
            try:
                last, message = line.recv()
            except (EOFError, OSError):
                del self._busy[line]
                yield worker.number, True, worker.lost()
                continue
            if message == _BEGUN:
                worker.begun = True
                continue
            if last:
                self._idle.append(self._busy.pop(line))
            yield worker.number, last, message

    def stop(self) -> None:
        """End all of them, whatever they do."""
        for worker in (*self._busy.values(), *self._idle):
            worker.process.terminate()
            worker.process.join()
            worker.line.close()


class _Worker:
    """A process of this machine, the line to it, and the number of the task that it has."""

    def __init__(self, work: bytes, modules: Sequence[str]) -> None:
        self.process, self.line = started(work, modules)
        self.number, self.begun = -1, False

    def lost(self) -> Lost:
        """It is dead, and its task not done.

        Raises:
            InputError: it died before it could work, as the next one would.
        """
        self.line.close()
        self.process.join()
        code = self.process.exitcode or 0
        how = f"process ended with exit code {code}"
        if code < 0:
            how = f"process was killed by the system ({signal.Signals(-code).name}: was memory short?)"
        if not self.begun:
            raise InputError(
                f"a worker {how} before it had begun; what is finished is kept: the same command carries on, with "
                "fewer --jobs if memory was short"
            )
        return Lost(how)


def _work(line: Connection, tasks: Sequence[Task], threads: int) -> None:
    """A worker's life: take a number, do that task, report; until it is stopped, or nobody is there."""
    signal.signal(signal.SIGTERM, lambda *_: os._exit(1))  # at once: torch complains when it is torn down in its middle
    torch.set_num_threads(threads)

    def send(last: bool, message: Any) -> None:
        try:
            line.send((last, message))
        except OSError:
            os._exit(1)

    send(False, _BEGUN)
    while True:
        try:
            number = line.recv()
        except (EOFError, OSError):
            return
        send(True, last_message(tasks[number].run, lambda message: send(False, message)))
