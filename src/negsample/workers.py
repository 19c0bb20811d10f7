"""Several jobs at once on one machine: processes that share out its cores."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch

from negsample.config import InputError
from negsample.course import Epoch
from negsample.dial import Choice
from negsample.job import Job, do_together

_PATIENCE = 1.0  # seconds between looks at whether the workers are alive


Task = tuple[Sequence[Job], Sequence[Path]]
"""Jobs that are trained together, and their folders."""


def in_processes(tasks: Sequence[Task], at_once: int, dial: Choice, watch: Callable[[Job, Epoch | None], None]) -> None:
    """Do every task, ``at_once`` at a time, each with its share of the cores; ``dial``: how theirs are chosen.

    A small model gains little from a second core, so N jobs on N cores should take less than N times one. ``watch``
    is called here, as by :func:`negsample.study.compare`. When this process is interrupted or dies, or a task fails,
    the workers stop and leave nothing half written.

    Raises:
        InputError: a task raised it, or a worker was killed.
        RuntimeError: a task failed in another way; with its traceback.
    """
    context = multiprocessing.get_context("spawn")
    todo, said = context.Queue(), context.Queue()
    at_once = min(at_once, len(tasks))
    for number in range(len(tasks)):
        todo.put(number)
    for _ in range(at_once):
        todo.put(None)
    threads = max(1, cores() // at_once)
    workers = [
        context.Process(target=_work, args=(tasks, dial, todo, said, threads), daemon=True) for _ in range(at_once)
    ]
    try:
        for worker in workers:
            worker.start()
        _listen(tasks, workers, said, watch)
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
    tasks: Sequence[Task], workers: Sequence[BaseProcess], said: Any, watch: Callable[[Job, Epoch | None], None]
) -> None:
    left = len(tasks)
    while left:
        try:
            number, message = said.get(timeout=_PATIENCE)
        except queue.Empty:
            dead = [worker.exitcode for worker in workers if worker.exitcode]
            if dead:
                raise InputError(
                    f"a worker process ended with exit code {dead[0]} (was it killed for memory?); finished runs are "
                    "kept: the same command carries on, with fewer --jobs if memory was short"
                ) from None
            continue
        if isinstance(message, InputError):
            raise message
        jobs, _ = tasks[number]
        if isinstance(message, str):
            raise RuntimeError(f"{jobs[0].name} failed in a worker process:\n{message}")
        if message is None:
            left -= 1
            for job in jobs:
                watch(job, None)
        else:
            of, epoch = message
            watch(jobs[of], epoch)


def _work(tasks: Sequence[Task], dial: Choice, todo: Any, said: Any, threads: int) -> None:
    """A worker's life: until there is no job left, or it is told to stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # unwinds, so that nothing half written stays
    torch.set_num_threads(threads)
    try:
        _do_all(tasks, dial, todo, said)
    except SystemExit:
        os._exit(1)  # at once: an interpreter that is torn down in the middle of torch complains


def _do_all(tasks: Sequence[Task], dial: Choice, todo: Any, said: Any) -> None:
    """Take a number, do that task, say what happens, until there is none."""
    parent = multiprocessing.parent_process()
    while (number := todo.get()) is not None:
        jobs, folders = tasks[number]

        def say(job: Job, epoch: Epoch, number: int = number, jobs: Sequence[Job] = jobs) -> None:
            if parent is not None and not parent.is_alive():
                sys.exit()
            said.put((number, (jobs.index(job), epoch)))

        try:
            do_together(jobs, folders, dial=dial, watch=say)
            said.put((number, None))
        except InputError as error:
            said.put((number, error))
        except Exception:
            said.put((number, traceback.format_exc()))
