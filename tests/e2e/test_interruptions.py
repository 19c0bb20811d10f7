"""Stopped in the middle: what is finished stays, nothing half written does, the same command carries on."""

from __future__ import annotations

import bz2
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

import negsample
from negsample.studies.verify import verify

INTERRUPTING = """
import os, signal, sys
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "{}":
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
"""


def runs(folder):
    """The finished runs of a study's methods, with the moment of each."""
    found = (path for name in ("random", "mixed") for path in folder.glob(f"runs/[!.]*--{name}--*/config.json"))
    return {path.parent.name: path.stat().st_mtime_ns for path in found}


def test_an_interrupted_study_carries_on(forks, negsample, surroundings, log, small, tmp_path):
    """With all its baselines and pictures; ``test_kills.py`` has those that are killed."""
    out = tmp_path / "study"
    options = [
        "--methods",
        "random,mixed",
        "--epochs",
        "8",
        "--early-stop",
        "0",
        "--repeats",
        "2",
        "--out",
        str(out),
        *small,
    ]
    command, every = ["compare", str(log), *options], {"EVERY_BASELINE": "yes", "DRAWING": "yes"}
    process = forks.start(command, tmp_path / "said", tmp_path / "complained", environment=surroundings | every)
    patience = time.monotonic() + 100
    while len(runs(out)) < 2 and time.monotonic() < patience:
        time.sleep(0.01)
    os.kill(process, signal.SIGINT)
    code, said = forks.wait(process), (tmp_path / "complained").read_text()
    assert code == 130, said
    assert said.startswith("interrupted; what is finished is kept")
    assert said.count("\n") == 1
    left = {path.name.rsplit(".", 1)[1] for path in out.rglob(".*")}
    assert left <= {"unfinished", "writing"}  # the second where the signal came between two steps of the writer
    kept = runs(out)
    assert 2 <= len(kept) < 4
    assert not (out / "report.html").exists()

    again = negsample(*command, **every)
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout.count("finished before") == len(kept)
    assert len(runs(out)) == 4
    assert not list(out.rglob(".*"))
    assert kept.items() <= runs(out).items()
    assert pl.read_csv(out / "table.csv")["runs"].to_list() == [2, 2, *[1] * 7]
    pictures = list((out / "figures").glob("*.svg"))
    assert pictures
    assert all("<path" in path.read_text() for path in pictures)


@pytest.mark.parametrize("where", ["while it is imported", "while a log is prepared"])
def test_an_interrupted_command_says_what_is_true_of_it(where, surroundings, log, tmp_path):
    imported = where == "while it is imported"
    module = "negsample.cli.studies" if imported else "negsample.data.prepare.selection"
    (tmp_path / "sitecustomize.py").write_text(INTERRUPTING.format(module))
    paths = os.pathsep.join([str(tmp_path), str(Path(negsample.__file__).parents[1])])
    command = [sys.executable, "-m", "negsample", "prepare", log, "--out", tmp_path / "out"]
    given = surroundings | {"PYTHONPATH": paths}
    done = subprocess.run(command, env=given, capture_output=True, text=True, check=False)
    said = "" if imported else "interrupted; the same command begins anew\n"
    assert (done.returncode, done.stderr) == (130, said)
    assert {path.name for path in tmp_path.iterdir()} <= {"sitecustomize.py", "__pycache__"}


def test_an_interrupted_run_is_no_run_and_is_carried_on(program, negsample, surroundings, log, small, tmp_path):
    out = tmp_path / "runs" / "run"
    command = [
        "train",
        str(log),
        "--method",
        "random",
        "--epochs",
        "60",
        "--early-stop",
        "0",
        "--out",
        str(out),
        *small,
    ]
    with subprocess.Popen(
        [program, *command], env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        state = out.with_name(".run.unfinished") / "state.pt"
        while not state.exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()
    assert process.returncode == 130
    assert said.startswith("interrupted")
    assert [path.name for path in out.parent.iterdir()] == [".run.unfinished"]
    assert negsample(*command).returncode == 0
    assert [path.name for path in out.parent.iterdir()] == ["run"]


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_what_is_closed_is_no_place_for_files(closed, surroundings, log, tmp_path):
    """The next file that is opened would get its number, and what is said would be written into it."""
    command = f"{sys.executable} -m negsample prepare {log} --out {tmp_path / 'out'} {closed}"
    given = surroundings | {"PYTHONPATH": str(Path(negsample.__file__).parents[1])}
    done = subprocess.run(command, shell=True, env=given, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert bool(done.stdout) == (">&-" not in closed.replace("2>", ""))
    assert not any(each.damaged for each in verify(tmp_path / "out"))


def test_what_a_killed_process_unpacked_goes_with_the_next(surroundings, log, tmp_path):
    there, packed = tmp_path / "there", tmp_path / "log.csv.bz2"
    there.mkdir()
    packed.write_bytes(bz2.compress(log.read_bytes()))
    unpacking = (
        "import os, signal, sys\n"
        "from negsample import read_log\n"
        f"read_log({str(packed)!r})\n"
        "os.kill(os.getpid(), int(sys.argv[1]))\n"
    )
    given = surroundings | {"TMPDIR": str(there), "PYTHONPATH": str(Path(negsample.__file__).parents[1])}
    for number, left in ((signal.SIGKILL, 1), (0, 0)):
        done = subprocess.run([sys.executable, "-c", unpacking, str(int(number))], env=given, check=False)
        assert done.returncode == -number
        assert len(list(there.iterdir())) == left
