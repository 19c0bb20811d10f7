"""Read a log in a separate process first: damage in a Parquet file may end the process that decodes it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from negsample.data.log.files import COMPLETE
from negsample.errors import InputError


def try_to_read(path: Path, options: Mapping[str, Any]) -> None:
    """Refuses a log whose reader crashes. Any other fault is reported when the log is read in this process."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "negsample.data.log.separate_process"],
        input=json.dumps([str(path), dict(options)], allow_nan=False),
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
    """The other process: the path and the options come as JSON."""
    from negsample.data.log.read import read_here

    path, options = json.load(sys.stdin)
    read_here(Path(path), **options)


if __name__ == "__main__":
    main()
