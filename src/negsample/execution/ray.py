"""Tasks on a Ray cluster: what is done is kept in their folders, and a task whose worker is lost is tried again."""

from __future__ import annotations

import logging
import math
import os
import pickle
import platform
import queue
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import version
from typing import Any, NamedTuple

import ray
import torch
from ray.exceptions import NodeDiedError, OutOfMemoryError, RayError, RayTaskError, TaskCancelledError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from negsample.errors import InputError
from negsample.execution.processes import BUSY, PATIENCE, Heed, Lost, Task, Waiting, heed_outcome, outcome
from negsample.execution.shared_files import Seen, check_seen, shown, unseen

_RETRIES = 3
_VERSIONS = ("negsample", "torch")


class Share(NamedTuple):
    """Cores and GPUs of a node for one task."""

    cores: int
    gpus: int


def on_ray(tasks: Sequence[Task], address: str | None, at_once: int, heed: Heed, tell: Callable[[str], None]) -> None:
    """Do every task on a Ray cluster, at most ``at_once`` at a time, each with its share of a node.

    A node that has GPUs gives one to each task. ``heed`` is called here. A task whose worker or node is lost is tried
    again, up to three times, from its last checkpoint. When this process is interrupted or dies, or a task fails, the
    tasks stop. One that lost its worker four times is :class:`~negsample.execution.processes.Lost`, and the others go
    on. A connection to Ray that the caller has is used; otherwise one is made, and ended.

    Args:
        tasks: their folders lie on a file system that all nodes share.
        address: of the cluster, as ``ray.init`` takes it; None: Ray's choice.
        at_once: tasks at a time, on all nodes together.
        heed: called with what a task says; what was said before a worker was lost may be said again.
        tell: told in a line of each worker that is lost.

    Raises:
        InputError: there is no such cluster, a node does not see the files or has other versions than this machine, or
            a task raised it.
        RuntimeError: a task failed in another way; with its traceback.
    """
    if not tasks:
        return
    with (
        _connected(address),
        shown([task.writes for task in tasks], [path for task in tasks for path in task.reads]) as seen,
    ):
        share = share_of(_nodes(), at_once)
        _check_nodes(seen, share)
        _do_all(tasks, seen, share, at_once, heed, tell)


def share_of(nodes: Sequence[Mapping[str, Any]], at_once: int) -> Share:
    """What each of ``at_once`` tasks gets when they are spread over ``nodes``, from the smallest node that can do one.

    Raises:
        InputError: no node can.
    """
    gpus = int(any(_has(node, Share(1, 1)) for node in nodes))
    able = [int(node["Resources"]["CPU"]) for node in nodes if _has(node, Share(1, gpus))]
    if not able:
        raise InputError("no node of the Ray cluster has a core for tasks; add one with `ray start --address`")
    return Share(max(1, min(able) // math.ceil(at_once / len(able))), gpus)


def _nodes() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return found


def _has(node: Mapping[str, Any], share: Share) -> bool:
    there = node["Resources"]
    return bool(node["Alive"] and there.get("CPU", 0) >= share.cores and there.get("GPU", 0) >= share.gpus)


@contextmanager
def _connected(address: str | None) -> Iterator[None]:
    if ray.is_initialized():
        there = ray.get_runtime_context().gcs_address
        if address not in (None, "auto", there):
            raise InputError(f"this process is connected to Ray at {there} already, and cannot go to {address}")
        yield
        return
    with _no_chatter(), _disconnected():
        try:
            with _no_reports():
                ray.init(address, log_to_driver=False, logging_level=logging.CRITICAL, include_dashboard=False)
        except (OSError, RuntimeError, ValueError, RayError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise InputError(f"cannot use Ray at {address or 'this machine'}: {reason}") from error
        yield


@contextmanager
def _disconnected() -> Iterator[None]:
    """At the end; what was started of Ray stops."""
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _no_chatter() -> Iterator[None]:
    """Nodes' last words stay in their logs: Ray prints them whatever it is asked, by this function of its own."""
    name = "print_to_stdstream"
    printing = getattr(ray._private.worker, name, None)
    setattr(ray._private.worker, name, lambda *_, **__: None)
    try:
        yield
    finally:
        setattr(ray._private.worker, name, printing)


@contextmanager
def _no_reports() -> Iterator[None]:
    """Ray sends no usage statistics, unless a person has said that it may."""
    name = "RAY_USAGE_STATS_ENABLED"
    given = name in os.environ
    os.environ.setdefault(name, "0")
    try:
        yield
    finally:
        if not given:
            del os.environ[name]


def _check_nodes(seen: Seen, share: Share) -> None:
    """Look, on every node that can do a task, whether it can do them as this machine does."""
    probe = ray.remote(_look)
    asked = {}
    for node in _nodes():
        if _has(node, share):
            there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            asked[_name_of(node)] = probe.options(num_cpus=0, max_retries=1, scheduling_strategy=there).remote(seen)
    ours = _versions()
    for node_name, answer in asked.items():
        try:
            folders, theirs = ray.get(answer)
        except (RayTaskError, ImportError) as error:
            reason = str(error).strip().splitlines()[-1]
            raise InputError(f"node {node_name} cannot run negsample {ours['negsample']}: {reason}") from error
        except RayError:  # it is lost already, and will be given no task
            continue
        for package, needed in ours.items():
            if theirs[package] != needed:
                raise InputError(
                    f"node {node_name} has {package} {theirs[package]}, this machine {needed}; "
                    "numbers could differ: install the same version on all nodes"
                )
        check_seen(node_name, folders)


def _name_of(node: Mapping[str, Any]) -> str:
    return f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']}, {node['NodeID'][:8]})"


def _look(seen: Seen) -> tuple[list[str], dict[str, str]]:
    return unseen(seen), _versions()


def _versions() -> dict[str, str]:
    return {name: version(name) for name in _VERSIONS}


def _do_all(
    tasks: Sequence[Task], seen: Seen, share: Share, at_once: int, heed: Heed, tell: Callable[[str], None]
) -> None:
    remote = ray.remote(_work).options(
        num_returns="streaming",
        num_cpus=share.cores,
        num_gpus=share.gpus,
        max_retries=0,  # they are ours: a stream that is tried again by Ray would have to repeat itself exactly
        scheduling_strategy="SPREAD",
    )
    todo, lost, waiting = deque(range(len(tasks))), Counter[int](), Waiting(tell)
    at: dict[Any, int] = {}  # streams of messages, with the number of the task
    try:
        while todo or at:
            while todo and len(at) < at_once:
                number = todo.popleft()
                at[remote.remote(pickle.dumps(tasks[number]), seen, share.cores)] = number
            ready, _ = ray.wait(list(at), timeout=PATIENCE)
            if not ready:
                if not any(_has(node, share) for node in _nodes()):
                    raise InputError(
                        f"no node of the Ray cluster is left with {share.cores} cores and {share.gpus} GPUs for a "
                        "task; what is finished is kept: the same command carries on"
                    )
                continue
            stream: Any = ready[0]
            number = at.pop(stream)
            try:
                message: Any = ray.get(next(stream))
            except (RayTaskError, TaskCancelledError):
                raise
            except RayError as error:
                lost[number] += 1
                if lost[number] > _RETRIES:
                    heed(
                        number, Lost(f"process was stopped {lost[number]} times, the last time since {_reason(error)}")
                    )
                    continue
                times = f"({lost[number]} of {_RETRIES})"
                again = f"it is tried again from its checkpoint {times}"
                tell(f"{tasks[number].name} was stopped, since {_reason(error)}; {again}")
                todo.appendleft(number)
                continue
            if message == BUSY:
                waiting.on(tasks[number])
                todo.append(number)
            elif not heed_outcome(tasks[number], number, message, heed):
                at[stream] = number  # at the end: each has its turn
    finally:
        for stream in at:
            with suppress(RayError, ValueError, TypeError):
                ray.cancel(stream, force=True)


def _reason(error: RayError) -> str:
    if isinstance(error, OutOfMemoryError):
        return "its node was out of memory"
    return "its node was lost" if isinstance(error, NodeDiedError) else "its worker process died"


def _work(task: bytes, seen: Seen, threads: int) -> Iterator[Any]:
    """On a node: do a task in a thread, and give what it says as it comes; what came of it is the last."""
    said: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()

    def do(say: Callable[[Any], None]) -> bool:
        check_seen(f"{platform.node()}", unseen(seen))  # it may have come later
        done: bool = pickle.loads(task).do(say)
        if not done:
            time.sleep(PATIENCE)
        return done

    def work() -> None:
        torch.set_num_threads(threads)  # of this thread
        said.put((True, outcome(do, lambda message: said.put((False, message)))))

    threading.Thread(target=work, daemon=True).start()
    over = False
    while not over:
        over, message = said.get()
        yield message
