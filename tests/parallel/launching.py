"""A case of ``worker.py`` in several processes, as ``torchrun`` starts them, but without its agent, which ends them all
as soon as one ends."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import torch.distributed as dist

HERE = Path(__file__).parent
GLOO = pytest.mark.skipif(
    not (dist.is_available() and dist.is_gloo_available()), reason="this PyTorch has no torch.distributed with gloo"
)


class Ended(NamedTuple):
    code: int
    said: str


def run(size: int, case: str, *given: object, fails: bool = False) -> list[Ended]:
    """``case`` of the worker with the words ``given``; how each process ended, by rank."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    root = HERE.parents[1]
    paths = [str(root / "src"), str(root), os.environ.get("PYTHONPATH", "")]
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(size), "OMP_NUM_THREADS": "1"}
    common |= {"TORCHELASTIC_RUN_ID": "test", "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    words = [sys.executable, "-W", "error", str(HERE / "worker.py"), case, *map(str, given)]
    started = [
        subprocess.Popen(
            words,
            env=os.environ | common | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(size)
    ]
    try:
        ended = [Ended(0, each.communicate(timeout=300)[0])._replace(code=each.returncode) for each in started]
    finally:
        for each in started:
            each.kill()
    if not fails:
        assert [each.code for each in ended] == [0] * size, "\n".join(each.said for each in ended)
    return ended
