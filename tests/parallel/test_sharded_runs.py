"""Runs that several processes make: their files, a process that is lost, and another number of them after that."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
import torch
from launching import GLOO, HERE, run
from safetensors.torch import load_file
from worker import APART

from negsample.cli import app
from negsample.cli.console import exit_code
from negsample.evaluation.evaluate import evaluate
from negsample.files.claims import place_of
from negsample.runs.load import load_run
from negsample.serving.load import load_model
from negsample.studies.verify import verify

pytestmark = GLOO
EPOCHS = 3
GIVEN = (f"epochs={EPOCHS}",)


@pytest.fixture(scope="module")
def data(world):
    return world(name="runs")


@pytest.fixture(scope="module")
def wholes(data, tmp_path_factory):
    """Runs that two processes made without a break."""
    folder = tmp_path_factory.mktemp("whole")
    run(2, "two_runs", data.folder, folder, *GIVEN)
    return folder


@pytest.fixture(scope="module")
def whole(wholes):
    """The one whose processes draw alike."""
    return wholes / "alike"


def losses_of(folder):
    lines = [line for name in ("log", "refit") for line in (folder / f"{name}.jsonl").read_text().splitlines()]
    return [json.loads(line)["loss"] for line in lines]


def same(folder, other):
    """Whether two runs have the same weights, losses and ranks, bit for bit."""
    for name in ("model.safetensors", "model_before_refit.safetensors"):
        ours, theirs = load_file(folder / name), load_file(other / name)
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours), name
    assert losses_of(folder) == losses_of(other)
    assert np.array_equal(np.load(folder / "ranks.npz")["test"], np.load(other / "ranks.npz")["test"])


def test_a_run_is_read_as_any_other(whole):
    assert not [sentence for found in verify(whole) for sentence in found.damaged]
    loaded = load_run(whole)
    assert loaded.run.config["processes"] == 2
    assert loaded.model.table.weight.shape == (61, 16)
    again = evaluate(loaded.model, loaded.job.data, "test", loaded.job.settings)
    assert np.array_equal(again.ranks_E, np.load(whole / "ranks.npz")["test"])
    assert again.figures["coverage@10"] == loaded.run.metrics["test"]["coverage@10"]
    assert not place_of(whole).exists()


@pytest.fixture(scope="module")
def broken(data, tmp_path_factory):
    """What two processes left of the same run, the second of which was killed after its second epoch."""
    folder = tmp_path_factory.mktemp("broken") / "run"
    first, killed = run(2, "runs", data.folder, folder, 2, *GIVEN, fails=True)
    assert killed.code == -9
    assert first.code == 2
    assert "another process has ended" in first.said
    assert "goes on from the last checkpoint" in first.said
    assert not folder.exists()
    return folder


@pytest.fixture
def left(broken, tmp_path):
    """A copy of it, to go on from."""
    shutil.copytree(place_of(broken), place_of(tmp_path / "run"))
    return tmp_path / "run"


def test_runs_go_on_where_a_process_was_lost(data, wholes, broken, tmp_path):
    shutil.copytree(place_of(broken), place_of(tmp_path / "alike"))
    run(2, "runs", data.folder, tmp_path / "apart", 2, *GIVEN, *APART, fails=True)
    began, _ = run(2, "two_runs", data.folder, tmp_path, *GIVEN)
    assert began.said.index("epoch 1 refit None") < began.said.index("epoch 2 refit None")  # told again
    same(tmp_path / "alike", wholes / "alike")
    same(tmp_path / "apart", wholes / "apart")


def test_two_hosts_make_the_same_run(data, whole, tmp_path):
    """Two agents of torchrun that meet by c10d, each with a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["--nnodes", "2", "--nproc-per-node", "1", "--rdzv-id", "test", "--rdzv-backend", "c10d"]
    words += ["--rdzv-endpoint", f"127.0.0.1:{port}", "--local-addr", "127.0.0.1", str(HERE / "worker.py")]
    words += ["runs", str(data.folder), str(tmp_path / "run"), "0", *GIVEN]
    root = HERE.parents[1]
    paths = os.pathsep.join([str(root / "src"), str(root), os.environ.get("PYTHONPATH", "")])
    hosts = [
        subprocess.Popen(
            [sys.executable, "-m", "torch.distributed.run", *words],
            env=os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(2)
    ]
    try:
        said = [host.communicate(timeout=300)[0] for host in hosts]
    finally:
        for host in hosts:
            host.kill()
    assert [host.returncode for host in hosts] == [0, 0], "\n".join(said)
    same(tmp_path / "run", whole)


@pytest.mark.parametrize("size", [1, 3])
def test_another_number_of_processes_goes_on(size, data, whole, left):
    run(size, "runs", data.folder, left, 0, *GIVEN)
    # All that is drawn is shared by the batch, so sums are in another order, and nothing else differs.
    assert losses_of(left) == pytest.approx(losses_of(whole), rel=1e-4)
    assert losses_of(left)[0] == losses_of(whole)[0]  # of an epoch before the break


def test_a_damaged_checkpoint_is_refused(data, left):
    (rows,) = [path for path in place_of(left).glob("rows-*") if path.is_dir()]
    part = next(rows.glob("*_0.distcp"))
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(content)
    for ended in run(2, "runs", data.folder, left, 0, *GIVEN, fails=True):
        assert ended.code == 2
        assert f"{part} is damaged" in ended.said


def command(size, *words):
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(size), "-m", "negsample", *words]
    return subprocess.run(torchrun, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture
def alone(monkeypatch):
    """The command in this process: as the only one, or as the second of two that torchrun started."""

    def call(*words, of=""):
        with monkeypatch.context() as patch:
            if of:
                patch.setenv("TORCHELASTIC_RUN_ID", "test")
                patch.setenv("WORLD_SIZE", of)
                patch.setenv("RANK", "1")
            patch.setattr(sys, "argv", ["negsample", *words])
            return exit_code(app)

    return call


def test_the_command_under_torchrun(data, tmp_path, alone, capsys):
    words = ("train", str(data.folder), "--method", "mixed", "--epochs", "2", "--set", "dim=8", "--out")
    done = command(2, *words, str(tmp_path / "run"), "--set", "table=sharded")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("2 processes, each with 50.0% of the item table") == 1
    assert done.stdout.count(f"Run: {tmp_path / 'run'}") == 1
    assert load_run(tmp_path / "run").run.config["settings"]["table"] == "sharded"
    model, answers = str(tmp_path / "MODEL"), tmp_path / "top.parquet"
    final = command(2, "final", str(tmp_path / "run"), "--out", model)
    assert final.stdout.count(f"Model: {model}") == 1, final.stderr
    recommended = command(2, "recommend", model, "--out", str(answers), "--k", "7")
    assert recommended.stdout.count(f": {answers}") == 1, recommended.stderr
    assert pl.read_parquet(answers).equals(load_model(model).recommend(k=7))
    assert alone(*words, str(tmp_path / "run"), "--set", "table=sharded") is None
    assert "is finished already" in capsys.readouterr().out
    for what, refused in (
        ("train without --set table=sharded", (*words, str(tmp_path / "other"))),
        ("evaluate", ("evaluate", str(tmp_path / "run"))),
        ("final --from", ("final", "--from", model, "--out", str(tmp_path / "other"))),
    ):
        assert alone(*refused, of="2") == 2
        said = capsys.readouterr().err
        assert f"process 1: error: torchrun started 2 processes, and {what} is the work of one" in said
    assert not (tmp_path / "other").exists()


def test_one_process_needs_no_torchrun(data, tmp_path):
    words = ["train", str(data.folder), "--method", "random", "--epochs", "1", "--set", "dim=8", "--no-refit"]
    alone = [sys.executable, "-m", "negsample", *words, "--set", "table=sharded", "--out", str(tmp_path / "run")]
    done = subprocess.run(alone, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert load_run(tmp_path / "run").run.config["processes"] == 1
    shutil.rmtree(tmp_path / "run")
