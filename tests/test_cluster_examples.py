"""Files for clusters, as far as they can be checked without one: their syntax, and that the commands in them parse."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import typer
import yaml
from torch.distributed.run import get_args_parser

from negsample.cli import app

EXAMPLES = Path(__file__).parent.parent / "examples"
SLURM, RAY = EXAMPLES / "train_sharded.sbatch", EXAMPLES / "compare_on_ray.yaml"
DOCS = Path(__file__).parent.parent / "docs" / "scale.md"
OPTIONS = ["job-name", "nodes", "ntasks-per-node", "cpus-per-task", "gpus-per-node", "mem", "time", "requeue"]


def parsed(words):
    """The command's parameters; what it cannot read raises."""
    group = typer.main.get_command(app)
    name, *rest = words
    with group.commands[name].make_context(name, rest) as context:
        return context.params


def of_torchrun(words):
    """What torchrun makes of its words, and the command that it starts."""
    given = get_args_parser().parse_args(words)
    assert given.module
    assert given.training_script == "negsample"
    return given, parsed(given.training_script_args)


def test_the_batch_file_is_of_bash_and_slurm():
    done = subprocess.run(["bash", "-n", SLURM], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    lines = SLURM.read_text("utf-8").splitlines()
    asked = [line.split("#", 2)[1].split() for line in lines if line.startswith("#SBATCH")]
    assert all(word == "SBATCH" and option.startswith("--") for word, option in asked)
    assert [option.removeprefix("--").split("=")[0] for _, option in asked] == OPTIONS
    first_command = next(number for number, line in enumerate(lines) if line and not line.startswith("#"))
    assert all(number < first_command for number, line in enumerate(lines) if line.startswith("#SBATCH"))


def test_the_command_of_the_batch_file_is_one():
    text = SLURM.read_text("utf-8").replace("\\\n", " ")
    (line,) = (line for line in text.splitlines() if line.startswith("srun torchrun"))
    for name, value in (("SLURM_JOB_NUM_NODES", "2"), ("PROCESSES", "8"), ("SLURM_JOB_ID", "17"), ("FIRST", "host")):
        assert f'"${name}' in line
        line = line.replace(f"${name}", value)
    assert "$" not in line
    given, params = of_torchrun(shlex.split(line)[2:])
    assert (given.nnodes, given.nproc_per_node, given.rdzv_endpoint) == ("2", "8", "host:29500")
    assert params["method"] == "mixed-log-q"
    assert "table=sharded" in params["changes"]


def test_the_job_of_kuberay_is_one():
    job = yaml.safe_load(RAY.read_text("utf-8"))
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    spec = job["spec"]
    assert spec.keys() == {"entrypoint", "shutdownAfterJobFinishes", "backoffLimit", "rayClusterSpec"}
    program, *words = shlex.split(spec["entrypoint"])
    params = parsed(words)
    assert (program, words[0], params["on"]) == ("negsample", "compare", "ray")
    cluster = spec["rayClusterSpec"]
    (workers,) = cluster["workerGroupSpecs"]
    assert workers["minReplicas"] <= workers["replicas"] <= workers["maxReplicas"]
    assert params["at_once"] <= workers["replicas"] * int(limits_of(workers)["cpu"])
    for group in (cluster["headGroupSpec"], workers):
        (container,) = group["template"]["spec"]["containers"]
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())
        assert all(isinstance(each["value"], str) for each in container["env"])
        volumes = {each["name"] for each in group["template"]["spec"]["volumes"]}
        assert {each["name"] for each in container["volumeMounts"]} == volumes
        assert all(word.startswith("/shared/") for word in words if word.startswith("/"))
    pinned = (EXAMPLES.parent / "constraints.txt").read_text("utf-8")
    assert f"ray=={cluster['rayVersion']}\n" in pinned


def limits_of(group):
    return group["template"]["spec"]["containers"][0]["resources"]["limits"]


def test_commands_of_the_page_are_ones():
    blocks = re.findall(r"```sh\n(.*?)```", DOCS.read_text("utf-8"), re.S)
    lines = [
        line for block in blocks for line in block.replace("\\\n", " ").splitlines() if line.startswith("torchrun")
    ]
    assert len(lines) >= 4
    for line in lines:
        of_torchrun(shlex.split(line.split(" #")[0])[1:])


def test_a_command_that_is_none_is_found():
    with pytest.raises(Exception, match="No such option"):
        parsed(["train", "log", "--method", "random", "--out", "run", "--tabel", "sharded"])
