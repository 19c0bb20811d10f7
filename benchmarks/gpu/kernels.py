"""What a device does in some steps: how many kernels, how long they take, and how much of that products of matrices."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import torch
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, profile

_PRODUCTS = re.compile(r"gemm|gemv|cutlass|nvjet|xmma|cublas|split_?k|aten::(mm|bmm|addmm|baddbmm|addbmm)$", re.I)
"""In names of kernels of cuBLAS and CUTLASS; on a CPU, of operators."""
_SHOWN = 20


def is_product(name: str) -> bool:
    """Whether a kernel, or an operator of a CPU, multiplies matrices."""
    return bool(_PRODUCTS.search(name))


class Kernels:
    """A context of some steps on a device, and what it did in them. On a CPU, operators stand for kernels."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        cuda = [ProfilerActivity.CUDA] if device.type == "cuda" else []
        self._profile = profile(activities=[ProfilerActivity.CPU, *cuda])

    def __enter__(self) -> None:
        self._profile.start()

    def __exit__(self, *error: object) -> None:
        self._profile.stop()

    def found(self, steps: int, step: float) -> dict[str, Any]:
        """Of each of so many steps, which take ``step`` seconds without being looked at."""
        microseconds, number = Counter[str](), Counter[str]()
        cuda, events = self._device.type == "cuda", self._profile.events()  # type: ignore[no-untyped-call]
        seen: list[FunctionEvent] = [event for event in events or () if not event.is_user_annotation]
        for event in seen:
            if event.device_type.name != ("CUDA" if cuda else "CPU"):
                continue
            own = event.time_range.end - event.time_range.start if cuda else event.self_cpu_time_total
            microseconds[event.name] += own
            number[event.name] += 1
        busy, products = sum(microseconds.values()), sum(t for name, t in microseconds.items() if is_product(name))
        return {
            "kernels_a_step": sum(number.values()) / steps,
            "busy_ms_a_step": busy / 1000 / steps,
            "busy_share": busy / 1e6 / steps / step,
            "products_share_of_busy": products / busy if busy else None,
            "products_share_of_step": products / 1e6 / steps / step,
            "largest": [
                {"name": name[:120], "ms_a_step": own / 1000 / steps, "a_step": number[name] / steps}
                for name, own in microseconds.most_common(_SHOWN)
            ],
        }
