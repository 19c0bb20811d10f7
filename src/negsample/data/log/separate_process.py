"""Read a log in a separate process first: damage in a Parquet file may end the process that decodes it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from negsample.data.log.files import COMPLETE
from negsample.data.log.reading import Reading
from negsample.errors import InputError


def try_to_read(path: Path, files: Sequence[Path], reading: Reading) -> None:
    """Refuses a log whose reader crashes. Any other fault is reported when the log is read in this process.

    Args:
        path: of the log, named in the message.
        files: its parts, of Parquet.
        reading: as what it is read.
    """
    done = subprocess.run(
        [sys.executable, "-P", "-m", "negsample.data.log.separate_process"],
        input=json.dumps([[str(each) for each in files], list(reading)], allow_nan=False),
        text=True,
        encoding="utf-8",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode < 0:
        crash = signal.Signals(-done.returncode).name
        raise InputError(f"{path} cannot be read (the process that decoded it crashed with {crash}); {COMPLETE}")


def main() -> None:
    """The other process: the files and how they are read come as JSON."""
    from negsample.data.log.files import PARQUET, Part
    from negsample.data.log.read import read_here

    files, reading = json.load(sys.stdin)
    paths = [Path(each) for each in files]
    read_here(paths[0], [Part(each, each, PARQUET) for each in paths], Reading(*reading))


if __name__ == "__main__":
    main()
