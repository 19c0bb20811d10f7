"""A file from the web. A download that was interrupted is resumed."""

from __future__ import annotations

from collections.abc import Callable
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from negsample.errors import InputError

Progress = Callable[[int, int | None], None]
"""It is called with the bytes that are there, and those of the whole file if they are known."""

TIMEOUT = 60.0  # seconds without a byte
_BLOCK = 1 << 20
_NOTHING_LEFT = 416  # the status where there are no bytes from the given one on


def download(address: str, part: Path, *, size: int | None, progress: Progress, way_out: str) -> None:
    """The file at ``address``, into ``part``, whose bytes are not downloaded again where the server allows it.

    Args:
        size: bytes of the whole file, if they are known.
        way_out: the end of a message, where the address cannot be reached or has something else.

    Raises:
        InputError: that, or the connection was lost; ``part`` keeps what came.
    """
    have = part.stat().st_size if part.exists() else 0
    if have and have == size:
        return
    answer, done = _open(address, have if size is None or have < size else 0, way_out)
    with answer:
        length = answer.headers.get("Content-Length")
        total = done + int(length) if length else size
        if size is not None and total != size:
            raise InputError(f"{address} has {total:,} bytes, the official file has {size:,}; {way_out}")
        with part.open("ab" if done else "wb") as file:
            progress(done, total)
            while block := _next(answer):
                file.write(block)
                done += len(block)
                progress(done, total)
    if total is not None and done < total:
        raise InputError(
            f"the connection to {address} was lost after {done:,} of {total:,} bytes; the same command resumes there"
        )


def _open(address: str, start: int, way_out: str) -> tuple[HTTPResponse, int]:
    """The response, from byte ``start`` on where the server knows ranges and has it, and where it begins."""
    headers = {"User-Agent": "negsample", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    try:
        answer: HTTPResponse = urlopen(Request(address, headers=headers), timeout=TIMEOUT)
        return answer, start if answer.status == 206 else 0
    except HTTPError as error:
        with error:
            if start and error.code == _NOTHING_LEFT:
                return _open(address, 0, way_out)
            raise InputError(f"{address} answers {error.code} {error.reason}; {way_out}") from None
    except (OSError, HTTPException) as error:
        cause = getattr(error, "reason", error)
        reason = getattr(cause, "strerror", None) or str(cause) or type(error).__name__
        raise InputError(f"{address} cannot be reached ({reason}); {way_out}") from None


def _next(answer: HTTPResponse) -> bytes:
    """Some more bytes; none at the end, or where the connection is lost."""
    try:
        return answer.read1(_BLOCK)
    except (OSError, HTTPException):
        return b""
