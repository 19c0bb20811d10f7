"""A study on Ray: the folders of the same study here, and a lost node costs what it did since the last checkpoint."""

import json
import logging
import os
import random
import re
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest
from safetensors.torch import load_file

import negsample
from negsample import InputError, compare, plan, run_settings
from negsample.cli import app, main
from negsample.cli.console import exit_code
from negsample.execution.backend import LOCAL, Backend, parse_backend
from negsample.execution.node import Needed, marked, versions
from negsample.execution.tasks import Lost
from negsample.plugins import load, load_plugins

ray = pytest.importorskip("ray", reason="Ray is an extra")
_uninterrupted = pytest.importorskip("negsample.execution.cluster")._uninterrupted
on_ray = pytest.importorskip("negsample.execution.ray").on_ray
cluster_utils = pytest.importorskip("ray.cluster_utils")

pytestmark = pytest.mark.usefixtures("no_report")

EXAMPLE = Path(__file__).parents[2] / "examples" / "plugin.py"
SETTINGS = run_settings(epochs=2, batch_size=16, dim=8, max_length=8, blocks=1)
TASKS = """
import os
import time
from pathlib import Path
from typing import NamedTuple
from negsample import InputError

class Odd(NamedTuple):
    name: str
    folder: Path

    def run(self, report):
        with (self.folder / self.name).open("a") as file:
            file.write("x")
        times = len((self.folder / self.name).read_text())
        report(times)
        if self.name == "deadly" or (self.name == "once deadly" and times == 1):
            os._exit(1)
        if self.name == "refused":
            raise InputError("no such luck")
        if self.name == "endless":
            (self.folder / "process").write_text(str(os.getpid()))
            report("begun")
            while True:
                time.sleep(0.1)
        if self.name == "broken":
            raise KeyError("lost key")
        return self.name != "busy" or times == 3
"""


OWN_SESSION = rf"/ray/session_[^/]*_{os.getpid()}(/|$)"


def in_sessions():
    """Processes with a file open of a Ray session that this one started: tests in other processes have theirs."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            opened = [os.readlink(each) for each in (process / "fd").iterdir()]
        except OSError:
            continue
        if int(process.name) != os.getpid() and any(re.search(OWN_SESSION, each) for each in opened):
            found.add(process.name)
    return found


@pytest.fixture(autouse=True, scope="module")
def nothing_stays(tmp_path_factory):
    before, patch = in_sessions(), pytest.MonkeyPatch()
    folder = tmp_path_factory.mktemp("tasks")
    (folder / "odd_tasks.py").write_text(TASKS)
    patch.syspath_prepend(folder)
    sources = Path(negsample.__file__).parents[1]
    patch.setenv("PYTHONPATH", os.pathsep.join(map(str, [sources, folder])))
    patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    patch.delenv("RAY_ADDRESS", raising=False)
    yield
    patch.undo()
    patience = time.monotonic() + 20
    while in_sessions() - before and time.monotonic() < patience:
        time.sleep(0.1)
    assert not in_sessions() - before


@pytest.fixture(autouse=True)
def chance_of_ray():
    """Ray itself draws from Python's global generator."""
    before = random.getstate()
    yield
    random.setstate(before)


@pytest.fixture(scope="module")
def cluster():
    """A head without a core for tasks, and two nodes of one."""
    made = cluster_utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        for _ in range(2):
            made.add_node(num_cpus=1)
        yield made
    finally:
        made.shutdown()


@pytest.fixture(scope="module")
def data(world):
    return world(users=60, items=40, name="small")


def same(jobs, one, other):
    for job in jobs:
        for model in (one / "runs" / job.name).glob("*.safetensors"):
            here, there = load_file(model), load_file(other / "runs" / job.name / model.name)
            assert all((here[key] == there[key]).all() for key in here)  # this process has one thread too
    assert [path.name for path in sorted((other / "runs").iterdir())] == sorted(job.name for job in jobs)


def test_a_study_on_ray_is_that_of_this_machine(data, tmp_path, monkeypatch, capfd):
    jobs = plan([data], ["random", "in-batch"], repeats=1, seed=0, settings=SETTINGS)
    compare(jobs, tmp_path / "here")
    monkeypatch.chdir(tmp_path)
    told, handlers = [], [signal.getsignal(signal.SIGTERM)]

    def heard(job, epoch):
        told.append((job.name, epoch and epoch.epoch))
        handlers.append(signal.getsignal(signal.SIGTERM))

    compare(jobs, Path("there"), at_once=os.cpu_count(), on=Backend(True, "local"), watch=heard)
    assert not ray.is_initialized()
    assert len(set(handlers)) == 1  # Ray has one that ends in a crash
    for job in jobs:
        trained = [1, 2] if job.method != "PopRec" else []
        assert [epoch for name, epoch in told if name == job.name] == [*trained, None]
    same(jobs, tmp_path / "here", tmp_path / "there")
    assert capfd.readouterr() == ("", "")


def test_a_node_is_lost_in_the_middle_of_a_study(data, tmp_path, cluster, capfd):
    for epochs in (60, 240, 960):  # on a busy machine a short training ends before its node does
        out, lines, said = tmp_path / str(epochs), [], {}
        jobs = plan([data], ["random", "in-batch"], repeats=1, seed=0, settings=SETTINGS.replaced(epochs=epochs))
        compare(jobs, out / "whole")
        nodes, trained = list(cluster.worker_nodes), [said.setdefault(job.name, []) for job in jobs[1:]]

        def watch(job, epoch, said=said, nodes=nodes, trained=trained):
            said.setdefault(job.name, []).append(epoch)
            if len(nodes) == 2 and all(len(each) >= 3 and None not in each for each in trained):
                cluster.remove_node(nodes.pop(), allow_graceful=False)  # each has a training

        on = Backend(True, cluster.address)
        compare(jobs, out / "cut", at_once=2, on=on, watch=watch, on_line=lines.append)
        same(jobs, out / "whole", out / "cut")
        if lines:
            break
        if len(nodes) == 1:
            cluster.add_node(num_cpus=1)
    assert len(nodes) == 1
    again = [line for line in lines if "it is tried again from its checkpoint (1 of 3)" in line]
    assert len(again) == 1
    lost, kept = sorted(trained, key=lambda each: -len(each))
    assert [epoch.epoch for epoch in kept[:-1]] == list(range(1, epochs + 1))
    begun = [epoch for epoch in lost[:-1] if epoch.epoch == 1]
    assert len(begun) == 2
    assert begun[0] == begun[1]  # its seconds too: carried on, not begun anew
    assert (lost[-1], kept[-1]) == (None, None)
    said = capfd.readouterr()
    assert said.err == ""
    assert "(raylet)" in said.out or not said.out  # Ray itself prints the last words of a node


@pytest.fixture
def without_plugins():
    """What a test loads is gone at its end."""
    yield
    for plugin in load.loaded():
        load._forget(plugin)
    load._loaded.clear()
    for name in [name for name in sys.modules if name.startswith("negsample_plugin_plugin_")]:
        del sys.modules[name]


@pytest.fixture
def loaded_and_gone(without_plugins, tmp_path):
    """The example's parts, from a file that is deleted once it is loaded: a node needs no such file."""
    path = Path(shutil.copy(EXAMPLE, tmp_path))
    load_plugins([str(path)])
    path.unlink()


def test_a_command_with_a_plugin_gives_the_same_figures(without_plugins, data, tmp_path, cluster, monkeypatch):
    settings = ["epochs=1", "dim=8", "blocks=1", "max_length=8", "fit_terms=false", "follows_negatives=7"]
    given = [each for pair in settings for each in ("--set", pair)]
    command = ["negsample", "compare", data.folder, "--plugin", EXAMPLE, "--methods", "follows,hinge", "--repeats", 1]
    found = []
    for on in ("local", f"ray={cluster.address}"):
        out = tmp_path / on[:3]
        argv = [*command, "--no-refit", *given, "--jobs", 2 if "ray" in on else 1, "--on", on, "--out", out]
        monkeypatch.setattr(sys, "argv", [*map(str, argv)])
        assert not exit_code(app)
        metrics = {path.parent.name: json.loads(path.read_text()) for path in out.glob("runs/*/metrics.json")}
        found.append({name: (each["valid"], each["test"]) for name, each in metrics.items()})
    assert found[0] == found[1]
    assert len(found[0]) == 3
    assert all(test["rbp@10"] > 0 for _, test in found[0].values())


def test_a_plugin_travels_with_a_task_and_its_refit(loaded_and_gone, data, tmp_path, cluster):
    settings = SETTINGS.replaced(backbone="convolution", blocks=2, refit=True)
    jobs = plan([data], ["follows", "below-target", "hinge"], repeats=1, seed=0, settings=settings)
    compare(jobs, tmp_path / "here")
    compare(jobs, tmp_path / "there", on=Backend(True, cluster.address))
    assert len([*(tmp_path / "here").glob("runs/*/model_before_refit.safetensors")]) == 3
    same(jobs, tmp_path / "here", tmp_path / "there")


def test_what_comes_of_a_task_comes_back(tmp_path, cluster, monkeypatch):
    import odd_tasks

    def do(*names, on_message=lambda number, message: None, on_line=print, address=None):
        on_ray([odd_tasks.Odd(name, tmp_path) for name in names], address, 2, on_message, on_line)

    monkeypatch.setattr("negsample.execution.ray.RETRIES", 1)  # each is a process that imports torch
    ray.init(cluster.address, log_to_driver=False, logging_level=logging.CRITICAL)
    try:
        said, lines = [], []
        do("busy", "once deadly", on_message=lambda *each: said.append(each), on_line=lines.append)
        assert [message for number, message in said if number == 0] == [1, 2, 3, None]
        assert [message for number, message in said if number == 1][-2:] == [2, None]
        assert sorted(lines) == [
            "busy is being done by another process; its result is waited for",
            "once deadly was stopped, since its worker process died; it is tried again from its checkpoint (1 of 1)",
        ]
        said.clear()
        do("deadly", "good", on_message=lambda *each: said.append(each), on_line=lines.append)
        lost = Lost("process was stopped 2 times, the last time since its worker process died")
        assert [message for number, message in said if number == 0][-1] == lost
        assert [message for number, message in said if number == 1] == [1, None]  # the others go on
        assert (tmp_path / "deadly").read_text() == "xx"
        with pytest.raises(InputError, match="no such luck"):
            do("refused")
        with pytest.raises(RuntimeError, match=r"broken failed in a worker process:\nTraceback(.|\n)*lost key"):
            do("broken")
        with pytest.raises(InputError, match=r"is connected to Ray at .* already, and cannot go to 127"):
            do("refused", address="127.0.0.1:1")
        assert ray.is_initialized()  # it was ours
        for node in list(cluster.worker_nodes):
            cluster.remove_node(node, allow_graceful=False)
        with pytest.raises(InputError, match="no node of the Ray cluster"):
            do("refused")
    finally:
        ray.shutdown()
    assert not list(tmp_path.glob(".seen-*"))


def test_an_interrupt_ends_what_a_task_is_doing(tmp_path, cluster):
    """Its process too, on a connection of the caller's, which stays; and not this one."""
    import odd_tasks

    def interrupt(number, message):
        if message == "begun":
            raise KeyboardInterrupt

    cluster.add_node(num_cpus=1)
    ray.init(cluster.address, log_to_driver=False, logging_level=logging.CRITICAL)
    try:
        with pytest.raises(KeyboardInterrupt):
            on_ray([odd_tasks.Odd("endless", tmp_path)], None, 1, interrupt, print)
        process = Path("/proc", (tmp_path / "process").read_text())
        patience = time.monotonic() + 20
        while process.exists() and time.monotonic() < patience:
            time.sleep(0.1)
        assert not process.exists()
        assert ray.is_initialized()
    finally:
        ray.shutdown()


def test_an_interrupt_while_ray_starts_comes_when_it_has():
    """What Python calls when it forks loses an interrupt, and a Ray that is half there cannot be ended."""
    done = []

    def start(interrupts):
        with _uninterrupted():
            for _ in range(interrupts):
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.01)
            done.append(interrupts)

    for interrupts in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            start(interrupts)
    assert done == [1]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_cluster_that_does_not_answer_is_told_at_once():
    with pytest.raises(InputError, match=r"^no Ray cluster answers at 127\.0\.0\.1:1 \(.*refused\); `ray status`"):
        on_ray([], "127.0.0.1:1", 1, lambda number, message: None, print)


def test_shares_of_nodes():
    from negsample.execution.ray import Share, share_of

    def node(alive=True, **resources):
        return {"Alive": alive, "Resources": resources}

    big, small = node(CPU=16.0), node(CPU=8.0)
    assert share_of([node(), big], 4) == Share(4, 0)
    assert share_of([big, small], 2) == Share(8, 0)
    assert share_of([big, small], 3) == Share(4, 0)
    assert share_of([small], 20) == Share(1, 0)
    assert share_of([big, node(CPU=4.0, GPU=1.0)], 1) == Share(4, 1)
    with pytest.raises(InputError, match="no node of the Ray cluster has a core"):
        share_of([node(), node(alive=False, CPU=8.0)], 1)


def test_a_folder_that_is_not_shared_is_told(tmp_path):
    with marked([tmp_path / "out", tmp_path / "out"]) as marks:
        Needed(marks, versions()).check()
        (mark,) = (tmp_path / "out").iterdir()
        mark.unlink()  # as if each machine had its own
        with pytest.raises(InputError, match=f"does not see the same {tmp_path / 'out'} as the machine"):
            Needed(marks, versions()).check()
    assert not list((tmp_path / "out").iterdir())


def test_a_dataset_that_is_not_shared_is_told(world):
    there = world(users=61, items=40, name="other")
    opened, arguments = there.__reduce__()
    with pytest.raises(InputError, match=r"has fingerprint .* where the command was started"):
        opened(arguments[0], "0" * 12, *arguments[2:])


def test_a_node_with_other_versions_is_told():
    Needed([], versions()).check()
    with pytest.raises(
        InputError, match=r"has torch .*, the machine that started it 1\.0; .* install the same version"
    ):
        Needed([], versions() | {"torch": "1.0"}).check()


def test_backends_by_name(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert parse_backend("local") == LOCAL
    assert parse_backend("ray") == (True, None)
    assert parse_backend("ray=head:6379") == (True, "head:6379")
    assert [parse_backend(text).here for text in ("local", "ray", "ray=local", "ray=auto")] == [True, True, True, False]
    monkeypatch.setenv("RAY_ADDRESS", "head:1")
    assert parse_backend("ray") == (True, "head:1")
    monkeypatch.setenv("RAY_ADDRESS", "ray://head:1")
    with pytest.raises(InputError, match=r"^RAY_ADDRESS=ray://head:1 is no address"):
        parse_backend("ray")
    monkeypatch.setattr("negsample.execution.backend.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'negsample\[ray\]'"):
        parse_backend("ray=auto")


@pytest.mark.parametrize("on", ["mars", "ray=", "ray=ray://head:1", "ray=head"])
def test_another_place_is_refused(on, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(
        sys, "argv", ["negsample", "compare", "online-retail", "--out", str(tmp_path / "o"), "--on", on]
    )
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert f"--on {on} is" in capsys.readouterr().err or on in ("mars", "ray=")
