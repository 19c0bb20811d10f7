"""What a process has sent over the wire, as Linux counts it."""

from __future__ import annotations

import os
import socket
import struct
from contextlib import suppress

_SENT = 200  # where struct tcp_info has tcpi_bytes_sent and tcpi_bytes_retrans, 8 bytes each, since Linux 4.19


def bytes_sent() -> int:
    """Bytes that this process has sent over all its TCP connections that are open; those sent again count once."""
    found = 0
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            if not os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                continue
            with socket.socket(fileno=os.dup(int(name))) as connection:
                if connection.type == socket.SOCK_STREAM and connection.family in (socket.AF_INET, socket.AF_INET6):
                    about = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _SENT + 16)
                    sent, again = struct.unpack_from("QQ", about, _SENT)
                    found += int(sent) - int(again)
    return found
