"""Tracking, against a real MLflow server: all of a run is there, once, whatever broke in between."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
from mlflow_server import Wire, free_port, mlflow_server

from negsample.config import InputError
from negsample.tracking import check_tracking
from negsample.tracking.entry import entry_of, metric_name
from negsample.tracking.server import briefly, connect
from negsample.tracking.study import TrackedStudy


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    with mlflow_server(tmp_path_factory.mktemp("server")) as port:
        yield port


@pytest.fixture
def wire(port):
    wire = Wire(port)
    yield wire
    wire.close()


@pytest.fixture(scope="module")
def study(negsample, log, small, tmp_path_factory):
    """A study that nobody tracked."""
    folder = tmp_path_factory.mktemp("studies") / "plain"
    options = ("--methods", "random", "--repeats", 2, "--epochs", 2, "--out", folder, *small)
    made = negsample("compare", log, *options)
    assert made.returncode == 0, made.stderr
    return folder, options


def copy_of(study, name):
    return Path(shutil.copytree(study[0], study[0].with_name(name)))


class There:
    """What the server has of a study, by run; each run's tags, params, metrics and their histories, and artifacts."""

    def __init__(self, port, name):
        uri = f"http://127.0.0.1:{port}"
        with briefly():
            self.client = connect(uri, name)
            experiment = self.client.get_experiment_by_name(name)
            found = self.client.search_runs([experiment.experiment_id]) if experiment else []
        self.summaries = [run for run in found if "negsample.summary" in run.data.tags]
        runs = [run for run in found if "negsample.summary" not in run.data.tags]
        self.runs = {run.info.run_name: run for run in runs}
        assert len(self.runs) == len(runs), "a run is there twice"

    def history(self, name, key):
        with briefly():
            return self.client.get_metric_history(self.runs[name].info.run_id, key)

    def artifact(self, run, name, tmp_path):
        with briefly():
            return Path(self.client.download_artifacts(run.info.run_id, name, str(tmp_path))).read_bytes()

    def check(self, folder, tmp_path):
        """All of every run in ``folder``, once."""
        assert set(self.runs) == {path.name for path in (folder / "runs").iterdir() if path.name[0] != "."}
        assert len(self.summaries) == 1
        for name, run in self.runs.items():
            self.check_run(folder / "runs" / name, run, tmp_path)

    def check_run(self, folder, run, tmp_path):
        config, metrics = (json.loads((folder / f"{each}.json").read_text()) for each in ("config", "metrics"))
        lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
        assert run.info.status == "FINISHED"
        assert run.data.tags["mlflow.parentRunId"] == self.summaries[0].info.run_id
        params = run.data.params
        assert (params["dataset"], params["seed"]) == (config["dataset"], str(config["seed"]))
        assert (params["method"], params["dataset_fingerprint"]) == (config["method"], config["dataset_fingerprint"])
        for key, value in (config["settings"] | config["negatives"]).items():
            assert params[key] == (value if isinstance(value, str) else json.dumps(value))
        assert params["versions.torch"] == config["versions"]["torch"]
        for part in ("valid", "test"):
            for key, value in metrics[part].items():
                logged = run.data.metrics[f"{part}/{key.replace('@', '_at_')}"]
                assert math.isnan(logged) if value is None else logged == value
        assert run.data.metrics["train_seconds"] == metrics["train_seconds"]
        assert run.data.tags["negsample.dial_choice"] == metrics["dial_choice"]
        for key, of in {
            "loss": lambda line: line["loss"],
            "valid/hr_at_10": lambda line: line["valid"]["hr@10"],
        }.items():
            points = self.history(run.info.run_name, f"epoch/{key}")
            assert [(each.step, each.value) for each in points] == [(line["epoch"], of(line)) for line in lines]
        if lines:
            assert run.info.end_time - run.info.start_time == pytest.approx(1000 * metrics["train_seconds"], abs=2)
        for name in ("config.json", "metrics.json", *(["log.jsonl"] if lines else [])):
            assert self.artifact(run, name, tmp_path) == (folder / name).read_bytes()


def test_a_server_that_dies_costs_no_study_and_the_same_command_logs_the_rest(
    negsample, log, study, port, wire, tmp_path
):
    folder, options = copy_of(study, "dies"), list(study[1])
    for run in list((folder / "runs").glob("*--random--*")):
        shutil.rmtree(run)
    options[options.index("--out") + 1] = folder
    wire.restart(lasts=21)
    begun = negsample("compare", log, *options, "--mlflow", wire.uri)
    assert begun.returncode == 0
    assert begun.stderr.count("\n") == 1
    assert begun.stderr.startswith(f"not logged to {wire.uri}: 2 of 3 runs and the report (")
    assert "the same command logs what is missing" in begun.stderr
    assert len(list(folder.glob("runs/*/metrics.json"))) == 3
    assert (folder / "report.html").is_file()
    assert {name.split("--")[1] for name in There(port, "dies").runs} == {
        "PopRec",
        "random",
    }  # one half, one not at all

    wire.restart()
    again = negsample("compare", log, *options, "--mlflow", wire.uri)
    assert (again.returncode, again.stderr) == (0, "")
    assert "View run" not in again.stdout
    there = There(port, "dies")
    there.check(folder, tmp_path)
    for name in ("report.html", "table.csv"):
        assert there.artifact(there.summaries[0], name, tmp_path) == (folder / name).read_bytes()

    wire.restart()
    turned = negsample("compare", log, *options, "--dial", "0.5", "--mlflow", wire.uri)
    assert (turned.returncode, turned.stderr) == (0, "")
    assert not [call for call in wire.calls if call.endswith(("runs/create", "runs/delete"))]
    now = There(port, "dies")
    now.check(folder, tmp_path)
    for name, run in now.runs.items():
        assert run.info.run_id == there.runs[name].info.run_id
        dials = [each.value for each in now.history(name, "dial")]
        assert dials == ([0.0] if "PopRec" in name else [0.0, 0.5])


def test_two_processes_that_share_a_study_log_each_run_once(program, surroundings, log, study, port, tmp_path):
    folder, options = copy_of(study, "shared"), list(study[1])
    options[options.index("--out") + 1] = folder
    command = [program, "compare", log, *options, "--mlflow", f"http://127.0.0.1:{port}"]
    both = [
        subprocess.Popen(list(map(str, command)), env=surroundings, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=120)[1] for process in both]
    assert ([process.returncode for process in both], said) == ([0, 0], [b"", b""])
    There(port, "shared").check(folder, tmp_path)


def test_wherever_logging_is_cut_off_the_next_time_completes_it(study, port, wire, tmp_path):
    folder = copy_of(study, "cut")
    (run,) = folder.glob("runs/*--random--seed-0--*")
    for lasts in range(1, 40):
        name = f"cut-{lasts}"
        here = copy_of((folder,), name)
        wire.restart(lasts)
        try:
            TrackedStudy(through(wire), here).log(here / "runs" / run.name)
        except Exception:
            assert len(wire.calls) == lasts
        else:
            break
        wire.restart()
        TrackedStudy(through(wire), here).log(here / "runs" / run.name)
        there = There(port, name)
        assert list(there.runs) == [run.name], lasts
        there.check_run(here / "runs" / run.name, there.runs[run.name], tmp_path)
    else:
        pytest.fail("it never came to an end")
    assert 10 < len(wire.calls) < 20


def through(wire):
    """A client that has not asked anything yet."""
    with briefly():
        from mlflow import MlflowClient

        return MlflowClient(wire.uri)


def test_what_is_logged_already_is_one_question(study, port, wire):
    folder = copy_of(study, "twice")
    (run,) = folder.glob("runs/*--seed-1--*")
    TrackedStudy(through(wire), folder).log(run)
    wire.restart()
    TrackedStudy(through(wire), folder).log(run)
    asked = ["GET /api/2.0/mlflow/experiments/get-by-name", "POST /api/2.0/mlflow/runs/search"]
    assert wire.calls == asked


def test_names_from_outside_arrive_as_they_are(study, port, tmp_path):
    folder = copy_of(study, 'it\'s "100 %" `x` <b>')
    (run,) = folder.glob("runs/*--seed-1--*")
    config = json.loads((run / "config.json").read_text())
    config["dataset"] = "a'b\"c`; DROP TABLE runs -- é \udc80"
    (run / "config.json").write_text(json.dumps(config))
    run = run.rename(run.with_name("a'b\"c`--random--seed-1--0"))
    with briefly():
        tracked = TrackedStudy(connect(f"http://127.0.0.1:{port}", folder.name), folder)
    tracked.log(run)
    tracked.log(run)
    there = There(port, folder.name)
    assert list(there.runs) == [run.name]
    assert there.runs[run.name].data.params["dataset"] == "a'b\"c`; DROP TABLE runs -- é \\udc80"


def test_long_trainings_take_several_requests(study, port, wire):
    folder = copy_of(study, "long")
    (run,) = folder.glob("runs/*--seed-1--*")
    line = json.loads((run / "log.jsonl").read_text().splitlines()[0])
    lines = [line | {"epoch": epoch, "loss": 1 / epoch, "seconds": epoch / 10} for epoch in range(1, 101)]
    (run / "log.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines))
    TrackedStudy(through(wire), folder).log(run)
    assert wire.calls.count("POST /api/2.0/mlflow/runs/log-batch") == math.ceil(
        (len(entry_of(run).curves) + len(entry_of(run).figures)) / 900
    )
    points = There(port, "long").history(run.name, "epoch/loss")
    assert [(each.step, each.value) for each in points] == [(epoch, 1 / epoch) for epoch in range(1, 101)]


def test_a_dead_server_is_told_before_any_training(negsample, log, small, tmp_path):
    began = time.monotonic()
    uri = f"http://127.0.0.1:{free_port()}"
    refused = negsample("compare", log, "--out", tmp_path / "study", "--mlflow", uri, *small)
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert f"error: --mlflow {uri} does not work: Connection refused" in refused.stderr
    assert not (tmp_path / "study").exists()
    assert time.monotonic() - began < 60


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("", "takes a URI without a password"),
        ("http://me:secret@127.0.0.1:1", "MLFLOW_TRACKING_PASSWORD"),
        ("http://[bad", "is no URI"),
        ("ftp://127.0.0.1", "unsupported URI"),
        ("127.0.0.1:5000", "unsupported URI"),
    ],
)
def test_a_uri_that_cannot_be_used_is_refused(uri, said, tmp_path):
    with pytest.raises(InputError, match=said) as caught:
        check_tracking(uri, tmp_path / "study")
    assert "secret" not in str(caught.value)


def test_a_folder_is_refused_as_mlflow_does(tmp_path):
    with pytest.raises(InputError, match="maintenance mode"):
        check_tracking(f"file://{tmp_path}/mlruns", tmp_path / "study")
    assert not (tmp_path / "mlruns").exists()


def test_without_mlflow_the_way_out_is_told(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(InputError, match=r"pip install 'negsample\[mlflow\]'"):
        check_tracking("http://127.0.0.1:1", tmp_path / "study")


def test_a_deleted_experiment_is_told(port, tmp_path):
    uri, name = f"http://127.0.0.1:{port}", uuid.uuid4().hex
    with briefly():
        client = connect(uri, name)
        client.delete_experiment(client.create_experiment(name))
    with pytest.raises(InputError, match=f"'{name}' was deleted"):
        check_tracking(uri, tmp_path / name)


def test_only_letters_that_mlflow_allows():
    assert metric_name("head_hr@10") == "head_hr_at_10"
    assert metric_name("a/../b c") == "a_.._b_c"


def test_the_environment_stays_as_it_was(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "77")
    before = dict(os.environ)
    with briefly():
        assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "77"
        assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "0"
    assert dict(os.environ) == before
