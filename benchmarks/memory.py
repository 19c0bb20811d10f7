"""How much memory a call holds at once beside what it was given."""

from __future__ import annotations

import tracemalloc
import weakref
from collections import Counter
from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class _Live(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Bytes of the storages that tensors made under it hold; those that come from outside do not count."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.sizes: dict[int, int] = {}
        self.holders: Counter[int] = Counter()
        self.outside: set[int] = set()
        self.peak = 0

    def __torch_dispatch__(self, call: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        for each in tree_leaves((args, kwargs)):
            if isinstance(each, Tensor) and each.untyped_storage().data_ptr() not in self.sizes:
                self.outside.add(each.untyped_storage().data_ptr())
        result = call(*args, **(kwargs or {}))
        for each in tree_leaves(result):
            if isinstance(each, Tensor):
                self._hold(each)
        self.peak = max(self.peak, sum(self.sizes.values()))
        return result

    def _hold(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        where = storage.data_ptr()
        if where and where not in self.outside:
            self.sizes[where] = storage.nbytes()
            self.holders[where] += 1
            weakref.finalize(tensor, self._drop, where)

    def _drop(self, where: int) -> None:
        self.holders[where] -= 1
        if not self.holders[where]:
            del self.sizes[where]


def peak_bytes(call: Callable[[], object]) -> tuple[int, int]:
    """The most bytes that tensors made by ``call`` hold at once, and the most that arrays and objects do.

    What a kernel takes for itself while it runs is not seen. ``call`` runs twice, so that what is made once and kept
    does not count.
    """
    with _Live():
        call()
    live = _Live()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        with live:
            call()
        arrays = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    return live.peak, arrays
