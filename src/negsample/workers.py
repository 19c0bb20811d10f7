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
from negsample.job import Job, do
from negsample.train import Epoch

_PATIENCE = 1.0  # seconds between looks at whether the workers are alive


def in_processes(
    jobs: Sequence[Job], folders: Sequence[Path], at_once: int, watch: Callable[[Job, Epoch | None], None]
) -> None:
    """Do every job into its folder, ``at_once`` at a time, each with its share of the cores.

    A small model gains little from a second core, so N jobs on N cores should take less than N times one. ``watch``
    is called here, as by :func:`negsample.study.compare`. When this process is interrupted or dies, or a job fails,
    the workers stop and leave nothing half written.

    Raises:
        InputError: a job raised it, or a worker was killed.
        RuntimeError: a job failed in another way; with its traceback.
    """
    context = multiprocessing.get_context("spawn")
    todo, said = context.Queue(), context.Queue()
    at_once = min(at_once, len(jobs))
    for number in range(len(jobs)):
        todo.put(number)
    for _ in range(at_once):
        todo.put(None)
    threads = max(1, cores() // at_once)
    tasks = list(zip(jobs, folders, strict=True))
    workers = [context.Process(target=_work, args=(tasks, todo, said, threads), daemon=True) for _ in range(at_once)]
    try:
        for worker in workers:
            worker.start()
        _listen(jobs, workers, said, watch)
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
    jobs: Sequence[Job], workers: Sequence[BaseProcess], said: Any, watch: Callable[[Job, Epoch | None], None]
) -> None:
    left = len(jobs)
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
        if isinstance(message, str):
            raise RuntimeError(f"{jobs[number].name} failed in a worker process:\n{message}")
        watch(jobs[number], message)
        left -= message is None


def _work(tasks: Sequence[tuple[Job, Path]], todo: Any, said: Any, threads: int) -> None:
    """A worker's life: until there is no job left, or it is told to stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # unwinds, so that nothing half written stays
    torch.set_num_threads(threads)
    try:
        _do_all(tasks, todo, said)
    except SystemExit:
        os._exit(1)  # at once: an interpreter that is torn down in the middle of torch complains


def _do_all(tasks: Sequence[tuple[Job, Path]], todo: Any, said: Any) -> None:
    """Take a number, do that job, say what happens, until there is none."""
    parent = multiprocessing.parent_process()
    while (number := todo.get()) is not None:
        job, folder = tasks[number]

        def say(epoch: Epoch, number: int = number) -> None:
            if parent is not None and not parent.is_alive():
                sys.exit()
            said.put((number, epoch))

        try:
            do(job, folder, watch=say)
            said.put((number, None))
        except InputError as error:
            said.put((number, error))
        except Exception:
            said.put((number, traceback.format_exc()))
