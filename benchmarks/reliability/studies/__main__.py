"""`python -m benchmarks.reliability.studies KIND SEED FOLDER`: one generated study with its report, to look at.

What the checker finds in it is printed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.reliability.studies.checker.check import faults, joint_faults
from benchmarks.reliability.studies.kinds import KINDS
from benchmarks.reliability.studies.pairs import PAIRS
from benchmarks.reliability.studies.writing import made


def main() -> None:
    """Write it, and print where the page is."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reliability.studies", description=__doc__)
    parser.add_argument("kind", choices=[*KINDS, *PAIRS], metavar="KIND", help=", ".join([*KINDS, *PAIRS]))
    parser.add_argument("seed", type=int, metavar="SEED")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="a new one")
    given = parser.parse_args()
    print(made(given.kind, given.seed, given.folder, print))
    for fault in faults(given.folder) if given.kind in KINDS else joint_faults(given.folder):
        print(f"false or unknown: {fault}")


if __name__ == "__main__":
    main()
