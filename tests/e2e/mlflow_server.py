"""A real MLflow server for tests, and a way to it that can be cut."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def mlflow_server(folder: Path) -> Iterator[Callable[[], int]]:
    """A server that keeps everything in ``folder``; it and what it started end with the block.

    Gives a function that waits for it and tells its port.
    """
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += [
        "--backend-store-uri",
        f"sqlite:///{folder}/mlflow.db",
        "--artifacts-destination",
        f"{folder}/artifacts",
    ]
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (
        open(folder / "server.log", "w") as log,
        subprocess.Popen(
            command, cwd=folder, env=os.environ | quiet, stdout=log, stderr=log, start_new_session=True
        ) as process,
    ):

        def wait() -> int:
            _wait_for(f"http://127.0.0.1:{port}/health", process, folder / "server.log")
            return port

        try:
            yield wait
        finally:
            for sent in (signal.SIGTERM, signal.SIGKILL):
                with suppress(ProcessLookupError, subprocess.TimeoutExpired):
                    os.killpg(process.pid, sent)
                    process.wait(timeout=5)


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    patience = time.monotonic() + 150
    while True:
        with suppress(urllib.error.URLError, ConnectionError), urllib.request.urlopen(url, timeout=5):
            return
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < patience, log.read_text()
        time.sleep(0.1)


class Wire:
    """A way to the server at ``port``: tells what went over it, and is cut after ``lasts`` requests.

    The last of them arrives, and its answer does not.
    """

    def __init__(self, port: int) -> None:
        self.calls: list[str] = []
        self.lasts: int | None = None
        wire = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def forward(self) -> None:
                if wire.lasts is not None and len(wire.calls) >= wire.lasts:
                    self.close_connection = True
                    return
                wire.calls.append(f"{self.command} {self.path.partition('?')[0]}")
                cut = len(wire.calls) == wire.lasts
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                there = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
                there.request(self.command, self.path, body, dict(self.headers))
                answer = there.getresponse()
                content = answer.read()
                there.close()
                if cut:
                    self.close_connection = True
                    return
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.headers.get("Content-Type", "text/plain"))
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_PATCH = forward

            def log_message(self, *said: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.uri = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def restart(self, lasts: int | None = None) -> None:
        """Count from nought, and be cut after ``lasts`` requests."""
        self.calls, self.lasts = [], lasts

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
