"""Generated studies, and a checker that compares every sentence of their reports with the runs.

`python -m benchmarks.reliability.studies KIND SEED FOLDER` makes one of them with its report, to look at.
"""

from __future__ import annotations

import shutil
import traceback
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

WHAT = (
    "generated studies, of usual kinds and of each degenerate one (the table below): every sentence and table of the"
    " report, what the terminal shows of the verdict, every row of `significance.csv`, and the charts of every fifth"
    " study, compared with what an independent checker computes from the runs"
)
COUNT = 500
TEST = "tests/report/test_every_sentence.py::test_every_sentence_is_true"
TRUE, FALSE, CRASHED = "every sentence true", "silent: a sentence that is false or unknown", "traceback"


_DRAWING = ("page.write_figures", "several.write_figures")
_CHARTING = ("page.dataset_figures", "page.joint_figures", "several.joint_figures", "joint.figures_of")
_CHARTED = 5  # charts take half of the time of a report


def measure(count: int, seed: int) -> dict[str, dict[str, int]]:
    """By kind: how many came to which outcome."""
    from benchmarks.reliability.studies.kinds import KINDS  # imports torch; the checker needs none
    from benchmarks.reliability.studies.pairs import PAIRS

    kinds = [*KINDS, *PAIRS]
    found: dict[str, Counter[str]] = {kind: Counter() for kind in kinds}
    with TemporaryDirectory() as scratch:
        for number in range(count):
            kind, charts = kinds[number % len(kinds)], number % _CHARTED == 0
            found[kind][outcome(kind, seed + number // len(kinds), Path(scratch) / "study", charts=charts)] += 1
    return {kind: dict(outcomes) for kind, outcomes in found.items() if outcomes}


def outcome(kind: str, seed: int, folder: Path, *, charts: bool = True) -> str:
    """What comes of one study, or of several, in the new ``folder``, which is removed; what is false is printed.

    ``charts``: they are on the page; as files they are never drawn.
    """
    from benchmarks.reliability.studies.checker.check import faults, joint_faults
    from benchmarks.reliability.studies.writing import made, on_terminal

    try:
        with ExitStack() as without:
            for name in _DRAWING if charts else (*_DRAWING, *_CHARTING):
                without.enter_context(patch(f"negsample.report.{name}", return_value=[]))
            page = made(kind, seed, folder)
        wrong = joint_faults(folder) if (folder / "page").exists() else faults(folder, on_terminal(folder))
    except Exception:
        print(f"{kind} {seed}:", flush=True)
        traceback.print_exc()
        return CRASHED
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for fault in wrong:
        print(f"{kind} {seed}, {page.name}: {fault}", flush=True)
    return FALSE if wrong else TRUE
