"""Several generated studies beside one another, without reports."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.reliability.studies.pairs import PAIRS
from benchmarks.reliability.studies.writing import write_study
from negsample.analysis.reading import read_study
from negsample.analysis.several import Several, several


def made(folder: Path, kind: str, seed: int = 3) -> Several:
    """The studies of a ``kind`` of pairs, each in a folder of its own in ``folder``."""
    parts = PAIRS[kind](np.random.default_rng(seed))
    for name, part in parts.items():
        write_study(part.plan, folder / name, np.random.default_rng([seed, part.events]))
    return several([read_study(folder / name) for name in parts])
