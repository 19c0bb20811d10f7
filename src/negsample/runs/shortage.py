"""Which errors are the machine's: memory that ran out, a disk that is full."""

from __future__ import annotations

import errno

WAYS_OUT = (
    "not enough memory; take a smaller batch_size, max_length or dim, or fewer negatives, or divide the item "
    "table over more processes (table=sharded)"
)
_WORDS = ("can't allocate memory", "out of memory", "can't start new thread", "failed to map segment")
"""As PyTorch says it, of a CPU and of a GPU; Python, of a thread's memory; and the system, of a library's."""


def is_shortage(error: BaseException) -> bool:
    """Python, PyTorch and the system each say it in their own way."""
    return (
        isinstance(error, MemoryError)
        or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
        or (isinstance(error, RuntimeError | ImportError) and any(words in str(error) for words in _WORDS))
    )


def is_of_the_system(error: BaseException) -> bool:
    """Whether whatever is done next would meet the same: a full disk, a folder that cannot be written."""
    return isinstance(error, OSError) and not is_shortage(error)
