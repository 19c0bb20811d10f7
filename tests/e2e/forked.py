"""A server that starts command lines of negsample as forks of itself: it has imported everything, so a start is quick.

It reads requests as lines of JSON (see forks.py, its client) and answers each with the number of a process, which
leads a group of its own; ``{"wait": NUMBER}`` is answered with the exit code, ``{"load": MODULE}`` imports one for
all that come after.

With TRAINED in a command's environment, what it trains is written to that file, also by the workers of ``--jobs``
(they import this file again): a line before and a line after a state may be kept, for each epoch that was trained.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from negsample.training.checkpoint import Checkpoint

_COMMANDS = ("cli", "cli.terminal", "data.load", "report.page", "studies.forecast", "studies.study", "studies.tuning")
_after_epoch = Checkpoint.after_epoch


def note(what: str, checkpoint: Any, state: Any) -> None:
    """One line, written at once."""
    epoch = state.args[0][0].log[-1].epoch
    line = json.dumps([what, checkpoint._identity, epoch, os.getpid()]) + "\n"
    with open(os.environ["TRAINED"], "ab", buffering=0) as file:
        file.write(line.encode())


def noted_after_epoch(self: Any, state: Any, **named: Any) -> bool:
    """As :meth:`Checkpoint.after_epoch`, between two notes."""
    if "TRAINED" not in os.environ:
        return _after_epoch(self, state, **named)
    note("trained", self, state)
    kept = _after_epoch(self, state, **named)
    if kept:
        note("kept", self, state)
    return kept


Checkpoint.after_epoch = noted_after_epoch  # type: ignore[method-assign]


def start(asked: dict[str, Any]) -> int:
    """The process of this command line, the first of its group."""
    child = os.fork()
    if child:
        os.setpgid(child, child)  # here, so that it leads its group before anybody hears of it
        return child
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for stream, path in ((1, asked["stdout"]), (2, asked["stderr"])):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644), stream)
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["cwd"])
    sys.argv = ["negsample", *asked["arguments"]]
    from negsample.cli import main
    from negsample.report import figures
    from negsample.studies import study

    if "EVERY_BASELINE" not in os.environ:  # five more runs a study are not what most of these tests look at
        study.own_baselines = lambda items: ["PopRec"]  # type: ignore[assignment]
    if "DRAWING" not in os.environ:  # pictures take longer than the runs
        figures.drawn = lambda specs, config: ["<svg></svg>"] * len(specs)  # type: ignore[assignment]
        figures.pixels = lambda svgs: [b""] * len(svgs)  # type: ignore[assignment]
        figures.compiled = lambda specs, config: [{}] * len(specs)  # type: ignore[assignment]
    try:
        main()
    except SystemExit as end:
        sys.stdout.flush()
        os._exit(end.code if isinstance(end.code, int) else end.code is not None)
    except BaseException:
        import traceback

        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def answer_to(asked: dict[str, Any]) -> int:
    """What is said to one request."""
    if "wait" in asked:
        return os.waitstatus_to_exitcode(os.waitpid(asked["wait"], 0)[1])
    if "load" in asked:
        import_module(asked["load"])
        gc.freeze()
        return 0
    return start(asked)


def serve() -> None:
    """Until there is nothing more to read."""
    import torch

    from negsample.report import rendering
    from negsample.report.rendering import environment
    from negsample.report.vega import vega

    for name in _COMMANDS:
        import_module(f"negsample.{name}")
    torch.set_num_threads(1)
    vega()  # it takes seconds, and is always the same
    made = environment(folder := Path(rendering.__file__).parent)
    for path in folder.glob("*.jinja"):
        made.get_template(path.name)  # it is compiled once
    gc.freeze()  # a fork's garbage collector would copy all of it
    while line := os.read(0, 65536):  # not through a buffer, which a fork would share
        asked = json.loads(line)
        os.write(1, f"{answer_to(asked)}\n".encode())


if __name__ == "__main__":
    serve()
