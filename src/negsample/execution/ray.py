"""Tasks on a Ray cluster: what is done is kept in their folders, and a task whose worker is lost is tried again."""

from __future__ import annotations

import math
import os
import queue
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import ray
import torch
from ray.exceptions import RayError, RayTaskError, TaskCancelledError

from negsample.errors import InputError
from negsample.execution.cluster import RETRIES, connected, has, nodes, why_lost
from negsample.execution.node import Needed, marked, versions
from negsample.execution.tasks import PATIENCE, Lost, OnMessage, Task, last_message, run_with
from negsample.execution.worker import from_message, to_message


class Share(NamedTuple):
    """Cores and GPUs of a node for one task."""

    cores: int
    gpus: int


def on_ray(
    tasks: Sequence[Task], address: str | None, at_once: int, on_message: OnMessage, on_line: Callable[[str], None]
) -> None:
    """Do every task on a Ray cluster, at most ``at_once`` at a time, each with its share of a node.

    A node that has GPUs gives one to each task. ``on_message`` is called here. A task whose worker or node is lost is
    tried again, up to three times, from its last checkpoint. When this process is interrupted or dies, or a task fails,
    the tasks stop. One that lost its worker four times is :class:`~negsample.execution.tasks.Lost`, and the others go
    on. A connection to Ray that the caller has is used; otherwise one is made, and ended.

    Args:
        tasks: their folders lie on a file system that all nodes share.
        address: of the cluster, as ``ray.init`` takes it; None: Ray's choice.
        at_once: tasks at a time, on all nodes together.
        on_message: called with what a task reports; what came before a worker was lost may come again.
        on_line: called with a line for each worker that is lost.

    Raises:
        InputError: there is no such cluster, a node does not see the files or has other versions than this machine; or
            see :func:`~negsample.execution.tasks.run_with`.
    """
    with connected(address), marked(task.folder for task in tasks) as marks:
        workers = _Cluster(tasks, Needed(marks, versions()), share_of(nodes(), at_once), on_line)
        try:
            run_with(workers, tasks, at_once, on_message, on_line)
        finally:
            workers.stop()


def share_of(nodes: Sequence[Mapping[str, Any]], at_once: int) -> Share:
    """What each of ``at_once`` tasks gets when they are spread over ``nodes``, from the smallest node that can do one.

    Raises:
        InputError: no node can.
    """
    gpus = int(any(has(node, 1, 1) for node in nodes))
    able = [int(node["Resources"]["CPU"]) for node in nodes if has(node, 1, gpus)]
    if not able:
        raise InputError("no node of the Ray cluster has a core for tasks; add one with `ray start --address`")
    return Share(max(1, min(able) // math.ceil(at_once / len(able))), gpus)


class _Cluster:
    """Tasks on the nodes of a cluster, as streams of messages.

    No actor is needed that could be lost with its node, and every message is here when its node is not.
    """

    def __init__(self, tasks: Sequence[Task], needed: Needed, share: Share, on_line: Callable[[str], None]) -> None:
        self._tasks, self._needed, self._share, self._on_line = tasks, needed, share, on_line
        self._lost = Counter[int]()
        self._streams: dict[Any, int] = {}
        self._remote = ray.remote(_work).options(
            num_returns="streaming",
            num_cpus=share.cores,
            num_gpus=share.gpus,
            max_retries=0,  # they are ours: a stream that is tried again by Ray would have to repeat itself exactly
            scheduling_strategy="SPREAD",
        )

    def start(self, number: int) -> None:
        """See :class:`~negsample.execution.tasks.Workers`."""
        stream = self._remote.remote(to_message(self._tasks[number]), self._needed, self._share.cores)
        self._streams[stream] = number

    def messages(self) -> Iterator[tuple[int, bool, Any]]:
        """See :class:`~negsample.execution.tasks.Workers`."""
        ready, _ = ray.wait(list(self._streams), timeout=PATIENCE)
        if not ready and not any(has(node, *self._share) for node in nodes()):
            raise InputError(
                f"no node of the Ray cluster is left with {self._share.cores} cores and {self._share.gpus} GPUs for a "
                "task; what is finished is kept: the same command carries on"
            )
        stream: Any
        for stream in ready:
            number = self._streams.pop(stream)
            try:
                last, message = ray.get(next(stream))
            except (RayTaskError, TaskCancelledError) as error:
                reason = str(error).strip().splitlines()[-1]
                raise InputError(f"a node of the Ray cluster cannot run negsample: {reason}") from error
            except RayError as error:
                yield from self._again(number, error)
                continue
            if not last:
                self._streams[stream] = number  # at the end: each has its turn
            yield number, last, message

    def _again(self, number: int, error: RayError) -> Iterator[tuple[int, bool, Any]]:
        reason = why_lost(error)
        self._lost[number] += 1
        times = self._lost[number]
        if times > RETRIES:
            yield number, True, Lost(f"process was stopped {times} times, the last time since {reason}")
        else:
            again = f"it is tried again from its checkpoint ({times} of {RETRIES})"
            self._on_line(f"{self._tasks[number].name} was stopped, since {reason}; {again}")
            self.start(number)

    def stop(self) -> None:
        """End all of them within seconds: :func:`_work` is interrupted, and ends its process."""
        for stream in self._streams:
            with suppress(RayError, ValueError, TypeError):
                ray.cancel(stream)  # with force, Ray may end this process too


def _work(task: bytes, needed: Needed, threads: int) -> Iterator[tuple[bool, Any]]:
    """On a node: do a task in a thread, and give its messages as they come, each with whether it is the last."""
    reported: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()

    def run(report: Callable[[Any], None]) -> bool:
        needed.check()
        done: bool = from_message(task).run(report)
        return done

    def work() -> None:
        torch.set_num_threads(threads)  # of this thread
        reported.put((True, last_message(run, lambda message: reported.put((False, message)))))

    last = False
    try:
        threading.Thread(target=work, daemon=True).start()
        while not last:
            try:
                last, message = reported.get(timeout=PATIENCE)  # an interrupt does not end a longer wait
            except queue.Empty:
                continue
            yield last, message
    finally:
        if not last:  # it is cancelled: the thread ends with its process, and lets go of its folder
            os._exit(1)
