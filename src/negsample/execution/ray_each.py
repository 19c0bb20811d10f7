"""A function for each of some things, by tasks of a Ray cluster: what reads and prepares a log in pieces."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import ray
from ray.exceptions import RayError, RayTaskError, TaskCancelledError

from negsample.data.each import Each
from negsample.errors import InputError
from negsample.execution.cluster import RETRIES, connected, has, nodes, why_lost
from negsample.execution.node import Needed, marked, versions
from negsample.execution.tasks import PATIENCE

A = TypeVar("A")
R = TypeVar("R")
_END = 10  # seconds that tasks have to end when one has failed


@contextmanager
def each_on_ray(address: str | None, folder: Path, files: Iterable[Path]) -> Iterator[Each]:
    """As long as the block lasts: an :class:`~negsample.data.each.Each` whose calls are tasks of one core.

    A call whose worker or node is lost is made again, up to three times; so it has to come to the same if it is made
    twice. When one fails, or the caller stops, the others are ended.

    Args:
        address: of the cluster, as :func:`~negsample.execution.cluster.connected` takes it.
        folder: that all nodes have to see.
        files: these too; one of each folder is looked for.

    Raises:
        InputError: there is no such cluster; in a call, a node does not see the files or has other versions than this
            machine, a call was lost too often, or no node is left.
    """
    with connected(address), marked([folder]) as marks:
        of_folders = {file.absolute().parent: file.absolute() for file in files}
        yield _Calls(Needed([*marks, *of_folders.values()], versions("negsample", "numpy", "polars")))


class _Calls:
    """See :func:`each_on_ray`."""

    def __init__(self, needed: Needed) -> None:
        self._needed = needed
        self._remote = ray.remote(_call).options(
            num_cpus=1,
            max_retries=0,  # they are ours: Ray would try one again for ever that is out of memory
            scheduling_strategy="SPREAD",
        )

    def __call__(self, function: Callable[[A], R], arguments: Iterable[A]) -> Iterator[R]:
        """See :class:`~negsample.data.each.Each`."""
        packed = [pickle.dumps(argument) for argument in arguments]
        work = ray.put(pickle.dumps((self._needed, function)))
        waiting = [self._remote.remote(work, argument) for argument in packed]
        try:
            for number, argument in enumerate(packed):
                yield self._result(waiting, number, partial(self._remote.remote, work, argument))
        finally:
            _end([each for each in waiting if each is not None])

    def _result(self, waiting: list[Any], number: int, again: Callable[[], Any]) -> Any:
        """What a call returned; it is made ``again`` as often as that may be."""
        for lost in range(RETRIES + 1):
            try:
                while not ray.wait([waiting[number]], timeout=PATIENCE)[0]:
                    _check_nodes()
                fine, result = pickle.loads(ray.get(waiting[number]))
            except (RayTaskError, TaskCancelledError) as error:
                reason = str(error).strip().splitlines()[-1]
                raise InputError(f"a node of the Ray cluster cannot run negsample: {reason}") from error
            except RayError as error:
                if lost == RETRIES:
                    raise InputError(
                        f"a task on Ray was stopped {lost + 1} times, the last time since {why_lost(error)}; nothing "
                        f"is written; where memory is short, let fewer tasks share a node (ray start --num-cpus N)"
                    ) from error
                waiting[number] = again()
                continue
            waiting[number] = None
            if not fine:
                raise result
            return result
        raise AssertionError("it has returned or raised")


def _check_nodes() -> None:
    if not any(has(node, 1, 0) for node in nodes()):
        raise InputError("no node of the Ray cluster has a core for tasks; add one with `ray start --address`")


def _end(waiting: Sequence[Any]) -> None:
    """End tasks, and wait for that: they write into a folder that will be removed."""
    for reference in waiting:
        with suppress(RayError, ValueError, TypeError):
            ray.cancel(reference, force=True)
    if waiting:
        ray.wait(list(waiting), num_returns=len(waiting), timeout=_END)


def _call(work: bytes, argument: bytes) -> bytes:
    """On a node: whether it went well, and the result or the error."""
    os.environ.setdefault("POLARS_MAX_THREADS", "1")  # before it is imported by what is unpacked
    needed, function = pickle.loads(work)
    try:
        needed.check()
        return pickle.dumps((True, function(pickle.loads(argument))))
    except Exception as error:
        return pickle.dumps((False, error))
