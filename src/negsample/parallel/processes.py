"""The processes of one training, started by ``torchrun``, and what they say to one another."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any, NamedTuple, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from negsample.errors import InputError
from negsample.parallel.launch import launched

T = TypeVar("T")

_BACKEND = "cpu:gloo,cuda:nccl"
_SHOWN = 100  # letters of values that differ
_OF_CONNECTIONS = ("connection", "peer", "socket", "timed out", "broken pipe")
"""Words of what gloo says, which has no errors of its own."""


class LostError(InputError):
    """Another process of the training has ended, so this one cannot go on."""


class Processes(NamedTuple):
    """This process among those of a training: it is number ``rank``, from 0, of ``size``.

    All of them call every method at the same point of their work, and wait there for one another.

    Raises:
        LostError: of each method; another process has ended.
    """

    rank: int
    size: int

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes files and prints."""
        return self.rank == 0

    def sum(self, values: Tensor) -> Tensor:
        """The sum of the ``values`` of all processes, of one shape; the same bits in each."""
        total = values.detach().clone(memory_format=torch.contiguous_format)
        with _together():
            dist.all_reduce(total)
        return total

    def joined(self, values: Tensor) -> Tensor:
        """(sum of n, ...) the (n, ...) ``values`` of all processes, one after another; n may differ."""
        values = values.detach().contiguous()
        sizes = self._sizes(values)
        padded = values.new_zeros(max(sizes), *values.shape[1:])
        padded[: len(values)] = values
        every = [torch.empty_like(padded) for _ in sizes]
        with _together():
            dist.all_gather(every, padded)
        return torch.cat([each[:size] for each, size in zip(every, sizes, strict=True)])

    def exchanged(self, values: Tensor, send: list[int], receive: list[int]) -> Tensor:
        """(sum of ``receive``, ...): of ``values`` the first ``send[0]`` go to process 0, the next to 1, and so on."""
        out = values.new_empty(sum(receive), *values.shape[1:])
        with _together():
            dist.all_to_all_single(out, values.contiguous(), receive, send)
        return out

    def received_sizes(self, send: Tensor) -> list[int]:
        """How many this process gets from each, when each sends as many as its ``send`` says, (size,) on its device."""
        out = torch.empty_like(send)
        with _together():
            dist.all_to_all_single(out, send)
        return out.tolist()

    def from_one(self, values: Tensor, source: int) -> Tensor:
        """``values`` of the process ``source``, of the same shape in all."""
        with _together():
            dist.broadcast(values, source)
        return values

    def by_first(self, work: Callable[[], T]) -> T:
        """What ``work`` gives in the first process, which alone does it; the others get the answer.

        Raises:
            InputError: ``work`` raises one; in every process.
        """
        said: list[Any] = [None, None]
        failed: InputError | None = None
        if self.is_first:
            try:
                said[0] = work()
            except InputError as error:
                failed, said[1] = error, str(error)
        with _together():
            dist.broadcast_object_list(said, 0)
        if failed is not None:
            raise failed
        if said[1] is not None:
            raise InputError(said[1])
        return said[0]  # type: ignore[no-any-return]

    def first_alone(self, work: Callable[[], T]) -> T:
        """What ``work`` gives in each, where the first one does it before the others begin: it may write files.

        Raises:
            InputError: the first one raises one; in every process.
        """
        own: list[T] = []
        self.by_first(lambda: own.append(work()))
        return own[0] if own else work()

    def all_or_none(self, work: Callable[[], T]) -> T:
        """What ``work`` gives in each; where one is refused it, all are.

        Raises:
            InputError: ``work`` raises one, in one of them; in every process.
        """
        own: list[T] = []
        failed: InputError | None = None
        try:
            own.append(work())
        except InputError as error:
            failed = error
        every: list[Any] = [None] * self.size
        with _together():
            dist.all_gather_object(every, None if failed is None else str(failed))
        if failed is not None:
            raise failed
        for said in every:
            if said is not None:
                raise InputError(said)
        return own[0]

    def all_say(self, yes: bool) -> bool:
        """Whether all say ``yes``."""
        every: list[Any] = [None] * self.size
        with _together():
            dist.all_gather_object(every, yes)
        return all(every)

    def wait(self) -> None:
        """Until all are here."""
        with _together():
            dist.barrier()

    def same(self, what: str, value: str) -> None:
        """Checks that ``value`` is the same in all.

        Raises:
            InputError: it is not; training cannot go on.
        """
        every: list[Any] = [None] * self.size
        with _together():
            dist.all_gather_object(every, value)
        if len(set(every)) > 1:
            shown = f" ({', '.join(sorted(set(every)))})" if len("".join(set(every))) < _SHOWN else ""
            raise InputError(
                f"{what} differ between the {self.size} processes{shown}, so they cannot work on one model; take the "
                "same versions, kind of machine and files for all, and start the same command again: it goes on from "
                "the last checkpoint"
            )

    def _sizes(self, values: Tensor) -> list[int]:
        own = torch.tensor([len(values)], device=values.device)
        every = [torch.empty_like(own) for _ in range(self.size)]
        with _together():
            dist.all_gather(every, own)
        return [int(each) for each in torch.cat(every).tolist()]


@contextmanager
def _together() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, dist.DistError) and not any(word in str(error).lower() for word in _OF_CONNECTIONS):
            raise
        raise LostError(
            f"another process has ended ({str(error).splitlines()[0]}); see what it said, and start the same command "
            "again. A training goes on from the last checkpoint, with as many processes or others"
        ) from error


def current() -> Processes | None:
    """The processes of this training, once :func:`together` has begun; None: there is no such thing."""
    if not dist.is_available() or not dist.is_initialized():
        return None
    return Processes(dist.get_rank(), dist.get_world_size())


@contextmanager
def together() -> Iterator[Processes]:
    """For as long as the block lasts the processes that ``torchrun`` started know one another; without it, one alone.

    On GPUs each takes the card of its number on its host, and they talk by NCCL; else by gloo.

    Raises:
        InputError: this PyTorch cannot, versions differ, or there are fewer cards than processes on this host.
    """
    if not dist.is_available() or not dist.is_gloo_available():
        raise InputError("table=sharded needs a PyTorch with torch.distributed and gloo; take table=rows")
    if torch.cuda.is_available():
        own, cards = int(os.environ.get("LOCAL_RANK", 0)), torch.cuda.device_count()
        if own >= cards:
            raise InputError(f"process {own} of this host has no card, there are {cards}; start {cards} on each host")
        torch.cuda.set_device(own)
    backend = _BACKEND if torch.cuda.is_available() else "gloo"
    if launched():
        dist.init_process_group(backend)
    else:
        dist.init_process_group(backend, store=dist.HashStore(), rank=0, world_size=1)  # type: ignore[attr-defined]
    try:
        found = Processes(dist.get_rank(), dist.get_world_size())
        found.same("versions", ", ".join(f"{name} {version(name)}" for name in ("negsample", "torch")))
        yield found
    finally:
        dist.destroy_process_group()


def each_by_first(processes: Processes | None, work: Callable[[], T]) -> T:
    """What ``work`` gives, done by the first of ``processes``, or by this one where it is alone."""
    return work() if processes is None else processes.by_first(work)
