"""`python -m benchmarks.reliability.studies KIND SEED FOLDER`: one generated study with its report, to look at."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks.reliability.studies.kinds import KINDS, plan_of
from benchmarks.reliability.studies.writing import write_study
from negsample.report.page import write_report


def main() -> None:
    """Write it, and print where the page is."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reliability.studies", description=__doc__)
    parser.add_argument("kind", choices=KINDS, metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("seed", type=int, metavar="SEED")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    given = parser.parse_args()
    write_study(plan_of(given.kind, given.seed), given.folder, np.random.default_rng(given.seed))
    print(write_report(given.folder, print))


if __name__ == "__main__":
    main()
