"""A log is read in a process of its own first: damage in a Parquet file may end the process that decodes it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from negsample.errors import InputError


def try_to_read(path: Path, options: Mapping[str, Any]) -> None:
    """Refuses a log whose reader dies. What it is refused for otherwise is told when it is read here.

    Raises:
        InputError: the process that read it was ended.
    """
    done = subprocess.run(
        [sys.executable, "-P", "-m", "negsample.data.log.isolated"],
        input=json.dumps([str(path), dict(options)], allow_nan=False),
        text=True,
        encoding="utf-8",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode < 0:
        ended = signal.Signals(-done.returncode).name
        raise InputError(
            f"{path} cannot be read (what decodes it was ended by {ended}); check that the file is whole and of the "
            f"format its name says"
        )


def main() -> None:
    """The other process: the path and the options come as JSON."""
    from negsample.data.log.read import read_here

    path, options = json.load(sys.stdin)
    read_here(Path(path), **options)


if __name__ == "__main__":
    main()
