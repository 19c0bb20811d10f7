"""The service as a process: where it listens, how it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from negsample.data.dataset import Dataset
from negsample.errors import InputError
from negsample.serving.live import Live
from negsample.serving.metrics import Metrics
from negsample.serving.service import make_app

CONNECTIONS = 500
"""At most; more are answered 503."""
HEAD_SECONDS = 10.0
"""For the first request on a connection."""
ENDING_SECONDS = 30
"""For the requests that are not answered yet when it is to end."""


def serve(folder: Path, host: str, port: int, say: Callable[[str], None], data: Dataset | None = None) -> None:
    """Serve the MODEL in ``folder`` until SIGTERM or SIGINT; what is asked by then is answered. SIGHUP loads it anew.

    Args:
        folder: of a MODEL.
        host: an address or name of this machine.
        port: 0: one that is free.
        say: called with a line when it listens, and when another MODEL is loaded or refused.
        data: of a run in the place of a MODEL, see :func:`negsample.serving.load.load_model`.

    Raises:
        InputError: there is no MODEL, it is damaged, or one cannot listen there.
    """
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: sys.exit(0))  # the first process of a container has no default
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with bound(host, port) as listening:
        metrics = Metrics()
        live = Live(folder, say, metrics.loaded, data)
        server = uvicorn.Server(settings_of(make_app(live, metrics)))

        def end(*_: object) -> None:  # until uvicorn has its own, and again when it has ended
            server.should_exit = True

        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, end)
        signal.signal(signal.SIGHUP, lambda *_: live.wake())
        listening.listen(server.config.backlog)
        shown, number = listening.getsockname()[:2]
        say(f"Ready at http://{f'[{shown}]' if ':' in shown else shown}:{number}: {live.responder.recommender.summary}")
        server.run(sockets=[listening])
    say("Ended")


def settings_of(app: FastAPI) -> uvicorn.Config:
    """How connections are treated."""
    return uvicorn.Config(
        app,
        http=_impatient,  # type: ignore[arg-type]
        log_level="error",
        access_log=False,
        server_header=False,
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=ENDING_SECONDS,
    )


def bound(host: str, port: int) -> socket.socket:
    """A socket there.

    Raises:
        InputError: another process has the place, or there is none.
    """
    found = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        found = socket.socket(family, kind, protocol)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
    except (OSError, UnicodeError) as error:
        if found is not None:
            found.close()
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot listen on {host}:{port}: {reason}; choose another --host or --port") from None
    return found


def _impatient(**given: Any) -> asyncio.Protocol:
    """A connection that is closed where no request comes on it in time."""
    made: Any = AutoHTTPProtocol(**given)
    alive = weakref.ref(made)

    def look() -> None:
        connection = alive()
        if connection is not None and connection.cycle is None:
            connection.transport.close()

    asyncio.get_running_loop().call_later(HEAD_SECONDS, look)
    return made  # type: ignore[no-any-return]
