"""The command ``negsample``, also as ``python -m negsample``."""

from __future__ import annotations

import os
import signal
import sys


def main() -> None:
    """Run the command line, see :func:`negsample.cli.main`.

    An interrupt ends it without a word while it is imported, and is ignored when it ends already.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # it was closed; else the next file that is opened would be in its place
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))
    ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # not where it is ignored, as under nohup
    if ours:
        signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    from negsample.cli import main as run

    if ours:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        run()
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


if __name__ == "__main__":
    main()
