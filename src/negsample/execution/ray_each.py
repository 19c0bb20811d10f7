"""A function for each of some things, by tasks of a Ray cluster: what reads and prepares a log in pieces."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
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
        begun = _Begun(self._remote, pickle.dumps((self._needed, function)), list(map(pickle.dumps, arguments)))
        try:
            begun.begin()
            for number in range(len(begun.arguments)):
                yield begun.result(number)
        finally:
            begun.end()


class _Begun:
    """Calls of one function, which may be ended. What Ray refers to them by is here alone: an error that goes up from
    them must not hold it when the connection is gone."""

    def __init__(self, remote: Any, work: bytes, arguments: Sequence[bytes]) -> None:
        self._remote, self.arguments = remote, arguments
        self._work: list[Any] = [ray.put(work)]
        self._waiting: dict[int, Any] = {}

    def begin(self) -> None:
        """Begin all."""
        for number in range(len(self.arguments)):
            self._begin(number)

    def _begin(self, number: int) -> None:
        self._waiting[number] = self._remote.remote(self._work[0], self.arguments[number])

    def result(self, number: int) -> Any:
        """What a call returned; it is made again as often as that may be."""
        for lost in range(RETRIES + 1):
            try:
                while not ray.wait([self._waiting[number]], timeout=PATIENCE)[0]:
                    _check_nodes()
                fine, result = pickle.loads(ray.get(self._waiting[number]))
            except (RayTaskError, TaskCancelledError) as error:
                reason = str(error).strip().splitlines()[-1]
                raise InputError(f"a node of the Ray cluster cannot run negsample: {reason}") from error
            except RayError as error:
                if lost == RETRIES:
                    raise InputError(
                        f"a task on Ray was stopped {lost + 1} times, the last time since {why_lost(error)}; nothing "
                        f"is written; where memory is short, let fewer tasks share a node (ray start --num-cpus N)"
                    ) from error
                self._begin(number)
                continue
            del self._waiting[number]
            if not fine:
                raise result
            return result
        raise AssertionError("it has returned or raised")

    def end(self) -> None:
        """End what is not done, and wait for that: tasks write into a folder that will be removed."""
        for reference in self._waiting.values():
            with suppress(RayError, ValueError, TypeError):
                ray.cancel(reference)  # with force, Ray 2.60 may end this process too
        if self._waiting:
            ray.wait([*self._waiting.values()], num_returns=len(self._waiting), timeout=_END)
        self._waiting.clear()
        self._work.clear()


def _check_nodes() -> None:
    if not any(has(node, 1, 0) for node in nodes()):
        raise InputError("no node of the Ray cluster has a core for tasks; add one with `ray start --address`")


def _call(work: bytes, argument: bytes) -> bytes:
    """On a node: whether it went well, and the result or the error."""
    os.environ.setdefault("POLARS_MAX_THREADS", "1")  # before it is imported by what is unpacked
    needed, function = pickle.loads(work)
    try:
        needed.check()
        return pickle.dumps((True, function(pickle.loads(argument))))
    except Exception as error:
        return pickle.dumps((False, error))
