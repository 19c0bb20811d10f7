"""A file from the web, carried on where it was cut off."""

from __future__ import annotations

from collections.abc import Callable
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import cast
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from negsample.errors import InputError

Watch = Callable[[int, int | None], None]

TIMEOUT = 60.0  # seconds without a byte
_BLOCK = 1 << 20
_NOT_SATISFIABLE = 416  # there is nothing from that byte on


def download(address: str, part: Path, *, size: int | None, watch: Watch, way_out: str) -> None:
    """The file at ``address``, into ``part``; what is in there already is not asked for again.

    A server that knows nothing of ranges sends all of it anew.

    Args:
        size: bytes of the whole, if they are known.
        watch: told the bytes that are there, and of the whole.
        way_out: the end of a message, where the address cannot be reached or has something else.

    Raises:
        InputError: it cannot be reached, has another size, or the connection was cut; ``part`` keeps what came.
        OSError: ``part`` cannot be written.
    """
    have = part.stat().st_size if part.exists() else 0
    if size is not None and have > size:
        have = 0
    if have and have == size:
        return
    response = _ask(address, have, way_out)
    if response is None:  # what we have is no beginning of it
        part.unlink()
        response = _ask(address, 0, way_out)
        assert response is not None
    with response:
        start = have if response.status == 206 else 0
        length = response.headers.get("Content-Length")
        whole = start + int(length) if length else size
        if size is not None and whole != size:
            raise InputError(f"{address} has {whole:,} bytes, the official file has {size:,}; {way_out}")
        done = start
        with part.open("ab" if start else "wb") as file:
            watch(done, whole)
            while block := _next(response):
                file.write(block)
                done += len(block)
                watch(done, whole)
    if whole is not None and done < whole:
        raise InputError(
            f"the connection to {address} was cut after {done:,} of {whole:,} bytes; the same command carries on there"
        )


def _ask(address: str, start: int, way_out: str) -> HTTPResponse | None:
    """The answer from byte ``start`` on, or with all of it; None: there is nothing that starts there."""
    headers = {"User-Agent": "negsample", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    try:
        response = cast(HTTPResponse, urlopen(Request(address, headers=headers), timeout=TIMEOUT))
    except HTTPError as error:
        with error:
            if start and error.code == _NOT_SATISFIABLE:
                return None
            raise InputError(f"{address} answers {error.code} {error.reason}; {way_out}") from None
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        said = getattr(reason, "strerror", None) or str(reason) or type(error).__name__
        raise InputError(f"{address} cannot be reached ({said}); {way_out}") from None
    begins = response.headers.get("Content-Range", "").startswith(f"bytes {start}-")
    if response.status == 206 and not begins:
        response.close()
        return None
    return response


def _next(response: HTTPResponse) -> bytes:
    """Some more bytes; none at the end, or where the connection is cut."""
    try:
        return response.read1(_BLOCK)
    except (OSError, HTTPException):
        return b""
