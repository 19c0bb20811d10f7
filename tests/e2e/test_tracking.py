"""Tracking, against a real MLflow server: all of a run is there, once, whatever broke in between."""

from __future__ import annotations

import json
import math
import os
import shutil
import socket
import subprocess
import sys
import uuid
from pathlib import Path
from typing import NamedTuple

import pytest
from make_study import list_anew
from mlflow_server import Wire, free_port, mlflow_server

from negsample.errors import InputError
from negsample.runs.remeasure import set_dial
from negsample.scoring.dial import parse_choice
from negsample.tracking import track, tracked
from negsample.tracking.entry import entry_of, metric_name
from negsample.tracking.server import connect
from negsample.tracking.study import TrackedStudy, experiment_of


@pytest.fixture(scope="module")
def starting(tmp_path_factory):
    """A function that waits until the server is up, which takes its time, and tells its port."""
    with mlflow_server(tmp_path_factory.mktemp("server")) as wait:
        yield wait


@pytest.fixture(scope="module")
def port(starting):
    return starting()


@pytest.fixture(scope="module", autouse=True)
def with_mlflow(forks):
    """Three of the commands need it, which takes seconds to import."""
    forks.load("mlflow")


@pytest.fixture
def wire(port):
    wire = Wire(port)
    yield wire
    wire.close()


@pytest.fixture(scope="module")
def begun(negsample, log, small, port, tmp_path_factory):
    """A study whose server died in the middle of the second of three runs: its folder, command, URI, what it said."""
    folder = tmp_path_factory.mktemp("studies") / "study"
    wire = Wire(port)
    wire.restart(lasts=18)
    options = ("--methods", "random", "--repeats", 2, "--epochs", 2, "--out", folder, *small)
    finished = negsample("compare", log, *options, "--mlflow", wire.uri)
    wire.close()
    return folder, ("compare", log, *options), wire.uri, finished


@pytest.fixture(scope="module")
def study(begun):
    return begun[0]


def copy_of(study, name):
    """The study as one that was never tracked."""
    return Path(shutil.copytree(study, study.with_name(name), ignore=shutil.ignore_patterns("mlflow.json", ".*")))


def test_a_dead_server_is_told_before_any_training(negsample, log, small, starting, tmp_path):
    uri = f"http://127.0.0.1:{free_port()}"
    refused = negsample("compare", log, "--out", tmp_path / "study", "--mlflow", uri, *small)
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert f"error: --mlflow {uri} does not work: Connection refused" in refused.stderr
    assert "Prepared" not in refused.stdout
    assert not (tmp_path / "study").exists()


def test_a_server_that_does_not_answer_is_given_up_soon(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with pytest.raises(InputError, match="timed out"):
            track(f"http://127.0.0.1:{silent.getsockname()[1]}", tmp_path / "study")
        silent.setblocking(False)
        with silent.accept()[0], pytest.raises(BlockingIOError):
            silent.accept()  # one attempt; MLflow itself would make eight, up to two minutes each


class There:
    """What the server has of a study, by run; each run's tags, params, metrics and their histories, and artifacts."""

    def __init__(self, port, name):
        uri = f"http://127.0.0.1:{port}"
        self.client = connect(uri, name)
        experiment = self.client.get_experiment_by_name(name)
        found = self.client.search_runs([experiment.experiment_id]) if experiment else []
        self.summaries = [run for run in found if run.data.tags["negsample.key"] == "summary"]
        runs = [run for run in found if run.data.tags["negsample.key"] != "summary"]
        self.runs = {run.info.run_name: run for run in runs}
        assert len(self.runs) == len(runs), "a run is there twice"

    def history(self, name, key):
        return self.client.get_metric_history(self.runs[name].info.run_id, key)

    def artifact(self, run, name, tmp_path):
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


def test_a_server_that_dies_costs_no_study(begun, port):
    folder, _, uri, finished = begun
    assert finished.returncode == 0
    assert finished.stderr.count("\n") == 1
    why = "Remote end closed connection without response"
    assert finished.stderr.startswith(f"not logged to {uri}: 2 of 3 runs and the report ({why});")
    assert "the same command logs what is missing" in finished.stderr
    assert len(list(folder.glob("runs/*/metrics.json"))) == 3
    assert (folder / "report.html").is_file()
    half = [run for run in There(port, "study").runs.values() if "negsample.logged" not in run.data.tags]
    assert [run.info.status for run in half] == ["RUNNING"]


def test_the_same_command_logs_the_rest_and_another_dial_its_figures(negsample, begun, port, tmp_path):
    folder, command, *_ = begun
    uri = f"http://127.0.0.1:{port}"
    again = negsample(*command, "--mlflow", uri)
    assert (again.returncode, again.stderr) == (0, "")
    assert "View run" not in again.stdout
    there = There(port, "study")
    there.check(folder, tmp_path)
    for name in ("report.html", "table.csv"):
        assert there.artifact(there.summaries[0], name, tmp_path) == (folder / name).read_bytes()

    for run in folder.glob("runs/*"):
        set_dial(run, parse_choice("0.5"))
    tracking = through(uri, folder)
    for run in folder.glob("runs/*"):
        tracking.log(run.name)
    now = There(port, "study")
    now.check(folder, tmp_path)
    for name in now.runs:
        assert [each.value for each in now.history(name, "dial")] == ([0.0] if "PopRec" in name else [0.5])


def test_two_processes_that_share_a_study_log_each_run_once(study, port, tmp_path):
    folder = copy_of(study, "shared")
    log_all = (
        "import sys\n"
        "from pathlib import Path\n"
        "from negsample.tracking import track\n"
        "tracking = track(sys.argv[1], Path(sys.argv[2]))\n"
        "print('ready', flush=True)\n"
        "for run in sorted(Path(sys.argv[2]).glob('runs/*')):\n"
        "    tracking.log(run.name)\n"
    )
    command = [sys.executable, "-c", log_all, f"http://127.0.0.1:{port}", str(folder)]
    tracking = through(f"http://127.0.0.1:{port}", folder)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout.readline() == "ready\n"
            for run in sorted(folder.glob("runs/*")):
                tracking.log(run.name)
            assert other.wait(timeout=60) == 0
        finally:
            other.kill()
    There(port, "shared").check(folder, tmp_path)


def test_wherever_logging_is_cut_off_the_next_time_completes_it(study, port, wire):
    (whole,) = study.glob("runs/*--random--seed-0--*")
    entry = entry_of(whole)
    for lasts in range(1, 40):
        folder = study.with_name(f"cut-{lasts}")
        run = Path(shutil.copytree(whole, folder / "runs" / whole.name))
        wire.restart(lasts)
        try:
            through(wire.uri, folder).log(run.name)
        except Exception:
            assert len(wire.calls) == lasts
        else:
            break
        through(f"http://127.0.0.1:{port}", folder).log(run.name)
        there = There(port, folder.name)
        (logged,) = there.runs.values()
        assert (logged.info.status, logged.data.params) == ("FINISHED", entry.params)
        assert logged.data.tags["negsample.logged"] == entry.content
        assert logged.data.metrics == pytest.approx({each.name: each.value for each in entry.points}, nan_ok=True)
        assert len(there.history(run.name, "epoch/loss")) == 2
        assert len(there.summaries) == 1
        kept = {each.path for each in there.client.list_artifacts(logged.info.run_id)}
        assert kept == {"config.json", "log.jsonl", "metrics.json"}
    else:
        pytest.fail("it never came to an end")
    assert 10 < len(wire.calls) < 20


def through(uri, folder):
    """The study in ``folder``, whose client has not asked anything yet."""
    from mlflow import MlflowClient

    return TrackedStudy(MlflowClient(uri), folder, experiment_of(folder))


def test_what_is_logged_already_is_one_question(study, port, wire):
    folder = copy_of(study, "twice")
    (run,) = folder.glob("runs/*--seed-1--*")
    through(wire.uri, folder).log(run.name)
    wire.restart()
    through(wire.uri, folder).log(run.name)
    asked = ["GET /api/2.0/mlflow/experiments/get-by-name", "POST /api/2.0/mlflow/runs/search"]
    assert wire.calls == asked


def test_two_studies_of_the_same_runs_in_the_experiment_that_the_environment_names(study, port, monkeypatch):
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "both of them")
    for name in ("one", "other"):
        folder = copy_of(study, name)
        (run,) = folder.glob("runs/*--seed-1--*")
        for _ in range(2):
            through(f"http://127.0.0.1:{port}", folder).log(run.name)
    client = connect(f"http://127.0.0.1:{port}", "both of them")
    found = client.search_runs([client.get_experiment_by_name("both of them").experiment_id])
    summaries = {each.info.run_name: each.info.run_id for each in found if each.data.tags["negsample.key"] == "summary"}
    assert set(summaries) == {"one", "other"}
    below = [each.data.tags["mlflow.parentRunId"] for each in found if each.data.tags["negsample.key"] != "summary"]
    assert sorted(below) == sorted(summaries.values())


class Named(NamedTuple):
    """As much of a job as is looked at."""

    name: str


def test_a_server_that_dies_before_the_first_run_stops_no_study(study, wire):
    folder, said, seen = copy_of(study, "too-soon"), [], []
    tracking = track(wire.uri, folder)
    wire.restart(lasts=0)
    with tracked(tracking, said.append) as logging:
        logging(lambda job, epoch: seen.append(job))(Named(next(folder.glob("runs/*--seed-1--*")).name), None)
    assert len(seen) == 1
    (line,) = said
    assert line.startswith(f"not logged to {wire.uri}: 3 of 3 runs and the report (")


def test_runs_that_only_another_process_has_seen_are_logged_with_the_rest(study, port, tmp_path):
    folder, said = copy_of(study, "all"), []
    about = json.loads((folder / "study.json").read_text())
    about["oversampling"] = [about["runs"].pop()]  # the chart of factors lists its runs apart
    (folder / "study.json").write_text(json.dumps(about))
    list_anew(folder)
    with tracked(track(f"http://127.0.0.1:{port}", folder), said.append):
        pass
    assert not said
    There(port, "all").check(folder, tmp_path)


def test_names_from_outside_arrive_as_they_are(study, port):
    folder = copy_of(study, 'it\'s "100 %" `x` <b>')
    (run,) = folder.glob("runs/*--seed-1--*")
    config = json.loads((run / "config.json").read_text())
    config["dataset"] = "a'b\"c`; DROP TABLE runs -- é \udc80"
    (run / "config.json").write_text(json.dumps(config))
    list_anew(run)
    run = run.rename(run.with_name("a'b\"c`--random--seed-1--0"))
    tracking = through(f"http://127.0.0.1:{port}", folder)
    tracking.log(run.name)
    tracking.log(run.name)
    there = There(port, folder.name)
    assert list(there.runs) == [run.name]
    assert there.runs[run.name].data.params["dataset"] == "a'b\"c`; DROP TABLE runs -- é \\udc80"


def test_long_trainings_take_several_requests(study, port, wire):
    folder = copy_of(study, "long")
    (run,) = folder.glob("runs/*--seed-1--*")
    line = json.loads((run / "log.jsonl").read_text().splitlines()[0])
    lines = [line | {"epoch": epoch, "loss": 1 / epoch, "seconds": epoch / 10} for epoch in range(1, 41)]
    (run / "log.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines))
    list_anew(run)
    through(wire.uri, folder).log(run.name)
    assert wire.calls.count("POST /api/2.0/mlflow/runs/log-batch") == math.ceil(len(entry_of(run).points) / 900)
    points = There(port, "long").history(run.name, "epoch/loss")
    assert [(each.step, each.value) for each in points] == [(epoch, 1 / epoch) for epoch in range(1, 41)]


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("", "takes a URI without a password"),
        ("http://me:secret@127.0.0.1:1", "MLFLOW_TRACKING_PASSWORD"),
        ("http://[bad", "is no URI"),
        ("ftp://127.0.0.1", "unsupported URI"),
        ("localhost:5000", "unsupported URI"),
        ("mlruns", "as http://HOST:PORT or a database as sqlite:///FILE"),
    ],
)
def test_a_uri_that_cannot_be_used_is_refused(uri, said, tmp_path):
    with pytest.raises(InputError, match=said) as caught:
        track(uri, tmp_path / "study")
    assert "secret" not in str(caught.value)


def test_a_folder_is_refused_as_mlflow_does(tmp_path):
    with pytest.raises(InputError, match="only where MLFLOW_ALLOW_FILE_STORE=true"):
        track(f"file://{tmp_path}/mlruns", tmp_path / "study")
    assert not (tmp_path / "mlruns").exists()


def test_without_mlflow_the_way_out_is_told(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(InputError, match=r"pip install 'negsample\[mlflow\]'"):
        track("http://127.0.0.1:1", tmp_path / "study")


def test_a_deleted_experiment_is_told(port, tmp_path):
    uri, name = f"http://127.0.0.1:{port}", uuid.uuid4().hex
    client = connect(uri, name)
    client.delete_experiment(client.create_experiment(name))
    with pytest.raises(InputError, match=f"'{name}' was deleted"):
        track(uri, tmp_path / name)


def test_only_letters_that_mlflow_allows():
    assert metric_name("head_hr@10") == "head_hr_at_10"
    assert metric_name("a/../b c") == "a_.._b_c"


def test_what_the_environment_says_counts(port, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "77")
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", raising=False)
    connect(f"http://127.0.0.1:{port}", "any")
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "77"
    assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "0"
