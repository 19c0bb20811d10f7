"""A connection to a Ray cluster, and what is said of its nodes and of a task that is lost."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import ray
from ray.exceptions import NodeDiedError, OutOfMemoryError, RayError

from negsample.errors import InputError

PATIENCE = 10.0  # seconds that a cluster has to answer
RETRIES = 3
"""How often a task is tried again whose worker is lost."""


@contextmanager
def connected(address: str | None) -> Iterator[None]:
    """As long as the block lasts, this process is connected to Ray: as it was, or else by a connection of its own.

    Raises:
        InputError: there is no such cluster.
    """
    if ray.is_initialized():
        there = ray.get_runtime_context().gcs_address
        if address not in (None, "auto", there):
            raise InputError(f"this process is connected to Ray at {there} already, and cannot go to {address}")
        yield
        return
    _check_listens(address)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a person decides whether Ray reports on them
    try:
        try:
            with _uninterrupted():
                terminate = signal.getsignal(signal.SIGTERM)
                ray.init(address, log_to_driver=False, logging_level=logging.CRITICAL, include_dashboard=False)
                if threading.current_thread() is threading.main_thread():
                    signal.signal(signal.SIGTERM, terminate)  # what Ray makes of it ends in a crash of this process
        except (OSError, RuntimeError, ValueError, RayError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise InputError(f"cannot use Ray at {address or 'this machine'}: {reason}") from error
        yield
    finally:
        with _uninterrupted():
            ray.shutdown()


def _check_listens(address: str | None) -> None:
    """Ray itself would look for two minutes."""
    host, colon, port = (address or "").rpartition(":")
    try:
        if colon:
            socket.create_connection((host.strip("[]"), int(port)), PATIENCE).close()
    except (OSError, OverflowError) as error:
        raise InputError(
            f"no Ray cluster answers at {address} ({error}); `ray status` on its head shows if it runs"
        ) from None


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """An interrupt comes at the end of the block, where it would break what cannot be broken off; a second one at once.

    Some code loses an interrupt, such as what Python calls when it forks.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler or threading.current_thread() is not threading.main_thread():
        yield
        return
    came = []

    def note(*what: Any) -> None:
        came.append(what)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if came:
            raise KeyboardInterrupt


def nodes() -> list[dict[str, Any]]:
    """The nodes of the cluster, as Ray describes them."""
    found: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return found


def has(node: Mapping[str, Any], cores: int, gpus: int) -> bool:
    """Whether a node is there and has so many cores and GPUs."""
    there = node["Resources"]
    return bool(node["Alive"] and there.get("CPU", 0) >= cores and there.get("GPU", 0) >= gpus)


def why_lost(error: RayError) -> str:
    """Why a task was lost."""
    if isinstance(error, OutOfMemoryError):
        return "its node was out of memory"
    return "its node was lost" if isinstance(error, NodeDiedError) else "its worker process died"
