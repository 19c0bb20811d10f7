"""What the service tells Prometheus."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Any, Receive, Send], Awaitable[None]]

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_REQUESTS = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """Counters of one service, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        of: dict[str, Any] = {"registry": self.registry, "namespace": "negsample"}
        self.requests = Counter("requests", "Requests by path and status.", ["path", "status"], **of)
        self.seconds = Histogram("request_seconds", "Time of a request.", ["path"], buckets=_SECONDS, **of)
        self._sizes = Histogram("batch_requests", "Requests answered in one pass.", buckets=_REQUESTS, **of)
        self._passes = Histogram("batch_seconds", "Time of a pass of the model.", buckets=_SECONDS, **of)
        self._loads = Counter("model_loads", "Models that came into the folder.", ["outcome"], **of)
        self._waiting = Gauge("waiting_requests", "Requests that wait for the model.", **of)
        self._until = Gauge("model_until_timestamp_seconds", "The model knows the events before it.", **of)

    def passed(self, requests: int, seconds: float) -> None:
        """A pass of the model."""
        self._sizes.observe(requests)
        self._passes.observe(seconds)

    def loaded(self, well: bool) -> None:
        """A model came, and was loaded or refused."""
        self._loads.labels("loaded" if well else "refused").inc()

    def shows(self, waiting: Callable[[], int], until: Callable[[], float]) -> None:
        """Where two numbers come from, whenever they are asked for."""
        self._waiting.set_function(waiting)
        self._until.set_function(until)


def measured(app: App, metrics: Metrics, paths: frozenset[str]) -> App:
    """``app`` with its requests counted and timed; those of other than ``paths`` together."""

    async def counted(scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        path, status, began = scope["path"] if scope["path"] in paths else "other", 500, time.perf_counter()

        async def sending(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await app(scope, receive, sending)
        finally:
            metrics.requests.labels(path, str(status)).inc()
            metrics.seconds.labels(path).observe(time.perf_counter() - began)

    return counted
