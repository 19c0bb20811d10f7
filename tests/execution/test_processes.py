"""Several jobs at once: the same folders as one after another, and clear ends."""

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from safetensors.torch import load_file

from negsample import InputError, compare, plan, run_settings
from negsample.execution.processes import in_processes
from negsample.execution.tasks import last_message, run_with

pytestmark = pytest.mark.usefixtures("no_report")

SETTINGS = run_settings(epochs=2, batch_size=16, dim=8, max_length=8)


@pytest.fixture(scope="module")
def data(world):
    return world(users=60, items=40, name="small")


def test_two_at_once_do_what_one_after_another_does(data, tmp_path):
    jobs = plan([data], ["random", "in-batch"], repeats=1, seed=0, settings=SETTINGS)
    told = []
    compare(jobs, tmp_path / "two", at_once=2, watch=lambda job, epoch: told.append((job.name, epoch and epoch.epoch)))
    compare(jobs, tmp_path / "one")
    for job in jobs:
        one, two = (load_file(tmp_path / kind / "runs" / job.name / "model.safetensors") for kind in ("one", "two"))
        assert all((one[key] == two[key]).all() for key in one)  # this process has one thread too
        trained = [1, 2] if job.method != "PopRec" else []
        assert [epoch for name, epoch in told if name == job.name] == [*trained, None]
    assert {path.name for path in (tmp_path / "two" / "runs").iterdir()} == {job.name for job in jobs}


def test_what_breaks_a_task_comes_with_its_traceback(tmp_path):
    with pytest.raises(RuntimeError, match=r"(?s)broken failed in a worker process:\nTraceback.*KeyError: 'lost key'"):
        in_processes([Broken(KeyError("lost key"), tmp_path)], 2, lambda number, message: None, print)


class ByMessage(NamedTuple):
    """A worker's end of the work, in this process: what a task comes to goes through a message."""

    tasks: list[Any]
    begun: list[int]

    def start(self, number):
        self.begun.append(number)

    def messages(self):
        number = self.begun.pop()
        yield number, True, pickle.loads(pickle.dumps(last_message(self.tasks[number].run, lambda message: None)))


@pytest.mark.parametrize("error", [InputError("no such luck"), OSError(28, "No space left on device")])
def test_what_a_task_refuses_is_told_as_it_is_alone(error, tmp_path):
    tasks = [Broken(error, tmp_path)]
    with pytest.raises(type(error), match=str(error.args[-1])):
        run_with(ByMessage(tasks, []), tasks, 2, lambda number, message: None, print)


class Broken:
    name = "broken"

    def __init__(self, error, folder):
        self.error, self.folder = error, folder

    def run(self, report):
        raise self.error


class Inherits(NamedTuple):
    """It reports a variable of its environment, and which signals do not reach it or its server."""

    folder: Path

    @property
    def name(self) -> str:
        return "inherits"

    def run(self, report: Callable[[Any], None]) -> bool:
        report((os.environ.get("SAID"), signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])))
        return True


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere each worker is spawned")
def test_workers_of_one_server_have_the_environment_of_now_and_no_interrupts(tmp_path, monkeypatch):
    def heard():
        messages = []
        in_processes([Inherits(tmp_path)], 2, lambda number, message: messages.append(message), print)
        return messages

    assert heard() == [(None, True), None]
    monkeypatch.setenv("SAID", "now")
    assert heard() == [("now", True), None]
    monkeypatch.delenv("SAID")
    assert heard() == [(None, True), None]
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


class Stubborn(NamedTuple):
    """It writes its process down, and holds the interpreter for good: no thread of its process gets a turn."""

    folder: Path

    @property
    def name(self) -> str:
        return "stubborn"

    def run(self, report: Callable[[Any], None]) -> bool:
        (self.folder / f"{os.getpid()}").touch()
        return sum(range(10**15)) > 0


PARENT = """
import sys
from pathlib import Path
sys.path[:0] = {path!r}
from test_processes import Stubborn
from negsample.execution.processes import in_processes
from negsample.execution.tasks import last_message, run_with
if __name__ == "__main__":
    in_processes([Stubborn(Path({folder!r}))] * 2, 2, lambda number, message: None, print)
"""


def is_alive(process):
    """Whether it runs; who has ended and is not waited for is no more."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="the system ends them on Linux alone, whatever they do")
def test_workers_of_a_killed_parent_are_gone_within_two_seconds(tmp_path):
    script, folder = tmp_path / "parent.py", tmp_path / "pids"
    folder.mkdir()
    script.write_text(PARENT.format(path=[str(Path(__file__).parent)], folder=str(folder)))
    parent = subprocess.Popen([sys.executable, str(script)])
    patience = time.monotonic() + 100
    while len(list(folder.iterdir())) < 2 and time.monotonic() < patience:
        time.sleep(0.05)
    workers = [path.name for path in folder.iterdir()]
    assert len(workers) == 2
    parent.kill()
    parent.wait()
    time.sleep(2)
    assert not [each for each in workers if is_alive(each)]


def test_a_worker_sees_to_its_end_before_anything_heavy_is_imported():
    found = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, negsample.execution.worker; print('torch' in sys.modules, 'polars' in sys.modules)",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout == "False False\n"
