"""The bodies of requests: read in time, and no more of them than there is memory for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.exceptions import HTTPException
from starlette.requests import Request

from negsample.serving.batches import BusyError

BODY = 4 << 20
"""Bytes of a request, at most."""
READ = 16 << 20
"""Bytes of a larger request that are read, so that the sender learns what is wrong."""
BODIES = 32 << 20
"""Bytes of all requests that are read or wait, at most."""
SECONDS = 10.0
"""For sending a request."""
_CLOSE = {"Connection": "close"}


class Bodies:
    """Reads requests, and counts the bytes of all that are not answered yet."""

    def __init__(self) -> None:
        self._bytes = 0

    @asynccontextmanager
    async def read(self, request: Request) -> AsyncIterator[bytes]:
        """The body of ``request``, which counts until the block ends.

        Raises:
            HTTPException: it is too large, or does not come in time.
            BusyError: too many bytes are read or wait already.
        """
        content = bytearray()
        try:
            await self._fill(content, request)
            yield bytes(content)
        finally:
            self._bytes -= len(content)

    async def _fill(self, content: bytearray, request: Request) -> None:
        size, declared = 0, request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > READ:
            raise _too_large()
        try:
            async with asyncio.timeout(SECONDS):
                async for chunk in request.stream():
                    size += len(chunk)
                    if size > READ:
                        raise _too_large()
                    if size > BODY:
                        continue
                    content += chunk
                    self._bytes += len(chunk)
                    if self._bytes > BODIES:
                        raise BusyError
        except TimeoutError:
            raise HTTPException(408, f"the body did not come within {SECONDS:g} s", _CLOSE) from None
        if size > BODY:
            raise _too_large()


def _too_large() -> HTTPException:
    return HTTPException(413, f"the body has more than {BODY >> 20} MiB", _CLOSE)
