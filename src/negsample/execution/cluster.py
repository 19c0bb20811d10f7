"""A connection to a Ray cluster, and what is said of its nodes and of a task that is lost."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import ray
from ray.exceptions import NodeDiedError, OutOfMemoryError, RayError

from negsample.errors import InputError
from negsample.parallel.launch import threads_stay

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
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a person decides whether Ray reports on them
    try:
        try:
            ray.init(address, log_to_driver=False, logging_level=logging.CRITICAL, include_dashboard=False)
        except (OSError, RuntimeError, ValueError, RayError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise InputError(f"cannot use Ray at {address or 'this machine'}: {reason}") from error
        yield
    finally:
        ray.shutdown()
        threads_stay()


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
