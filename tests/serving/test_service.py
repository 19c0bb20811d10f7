"""The HTTP service: right answers, refusals in words, and another model while it answers."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import pickle
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Thread
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
import uvicorn

from benchmarks.serve_load import exchange
from benchmarks.serve_requests import malformed, same, valid
from negsample import InputError, load_model, read_study
from negsample.cli import app as command
from negsample.cli.console import exit_code
from negsample.runs.kept import dataset_of
from negsample.serving import batches, bodies, live, server, service
from negsample.serving.batches import Batches, BusyError
from negsample.serving.histories import Histories
from negsample.serving.live import Live
from negsample.serving.metrics import Metrics
from negsample.serving.questions import Answer, Question
from negsample.serving.respond import Responder
from negsample.serving.server import bound, settings_of
from negsample.serving.service import make_app

DAY, MINUTE = 86_400 * 10**6, 60 * 10**6


class Running:
    """A service in a thread of this process."""

    def __init__(self, folder: Path) -> None:
        self.said: list[str] = []
        metrics = Metrics()
        self.live = Live(folder, self.said.append, metrics.loaded)
        self._socket = bound("127.0.0.1", 0)
        self._socket.listen(64)
        self.port = self._socket.getsockname()[1]
        self._server = uvicorn.Server(settings_of(make_app(self.live, metrics)))
        self._thread = Thread(target=self._server.run, kwargs={"sockets": [self._socket]})
        self._thread.start()

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(60)
        assert not self._thread.is_alive()

    def ask(self, body=None, *, path="/recommend", method=None):
        """Status, parsed answer, headers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        text = body if body is None or isinstance(body, bytes) else json.dumps(body, allow_nan=False).encode()
        try:
            connection.request(method or ("GET" if body is None else "POST"), path, text)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        kind = answer.headers["content-type"]
        return answer.status, json.loads(content) if "json" in kind else content.decode(), answer.headers


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory) -> Path:
    """A copy that tests replace."""
    return Path(shutil.copytree(model, tmp_path_factory.mktemp("served") / "MODEL"))


@pytest.fixture(scope="module")
def running(folder):
    found = Running(folder)
    yield found
    found.stop()


@pytest.fixture(scope="module")
def recommender(model):
    return load_model(model)


def test_answers_are_those_of_recommend(running, recommender):
    """Of every kind of question; at most a few scores are so close that items change places."""
    identical = []
    for request in valid(recommender, 150):
        status, found, _ = running.ask(request.raw.split(b"\r\n\r\n", 1)[1])
        right, the_same = same(found, request.answer)
        assert (status, right) == (200, True), (request.raw, found, request.answer)
        identical.append(the_same)
    assert sum(identical) >= 148


def test_without_times_all_is_just_before_the_moment_and_after_the_log_it_is_the_next_minute(running, recommender):
    ids, until = recommender.item_ids.to_list(), recommender.about.until
    late = until + 30 * DAY + 7
    shown = f"{np.datetime64(late, 'us')}Z"
    _, found, _ = running.ask({"items": ids[3:5], "times": ["2020-01-01", shown], "k": 5})
    minute = -(-(late + 1) // MINUTE) * MINUTE
    early = int(np.datetime64("2020-01-01", "us").astype(int))
    people = Histories(pl.Series(["x"]), np.array([4, 5]), np.array([early, late]), np.array([0, 2]), 0, [])
    wanted = recommender.recommend(people, k=5, time=minute)
    assert [each["item"] for each in found["items"]] == wanted["item"].to_list()
    _, found, _ = running.ask({"items": ids[3:5], "time": shown, "k": 5})
    wanted = recommender.recommend({"x": ids[3:5]}, k=5, time=minute)
    assert [each["item"] for each in found["items"]] == wanted["item"].to_list()
    np.testing.assert_allclose([each["score"] for each in found["items"]], wanted["score"], atol=1e-4)


def test_now_is_when_the_request_is_read():
    before = np.datetime64("now", "us").astype(int)
    question = Question(items=["a"], time="now")
    assert before <= question.time <= np.datetime64("now", "us").astype(int) + 10**6


def test_questions_that_wait_are_answered_together_as_one_by_one(recommender):
    questions = [Question.model_validate_json(each.raw.split(b"\r\n\r\n", 1)[1]) for each in valid(recommender, 64)]
    respond = Responder(recommender)
    nobody = Question(user="nobody")
    together = respond([*questions, nobody])
    assert isinstance(together[-1], InputError)
    for question, found in zip(questions, together[:-1], strict=True):
        (alone,) = respond([question])
        assert isinstance(found, Answer)
        assert [each.item for each in found.items] == [each.item for each in alone.items]
        np.testing.assert_allclose(
            [each.score for each in found.items], [each.score for each in alone.items], rtol=1e-4, atol=1e-4
        )
        assert (found.unknown, found.fallback) == (alone.unknown, alone.fallback)


def test_a_wrong_answer_would_be_found(recommender):
    wanted = {"k": 2, "items": [("a", 3.0), ("b", 2.0), ("c", 2.0), ("d", 1.0)], "unknown": 0, "fallback": False}

    def answer(*items, **more):
        return {
            "items": [{"item": item, "score": score} for item, score in items],
            "unknown": 0,
            "fallback": False,
        } | more

    assert same(answer(("a", 3.0), ("b", 2.0)), wanted) == (True, True)
    assert same(answer(("a", 3.0), ("c", 2.0)), wanted) == (True, False)
    for wrong in (
        answer(("a", 3.0)),
        answer(("b", 2.0), ("a", 3.0)),
        answer(("a", 3.0), ("d", 1.0)),
        answer(("a", 3.0), ("d", 2.0)),
        answer(("a", 3.1), ("b", 2.0)),
        answer(("a", 3.0), ("a", 3.0)),
        answer(("a", 3.0), ("b", 2.0), unknown=1),
    ):
        assert not same(wrong, wanted)[0]


def test_many_ask_at_once(running, recommender):
    requests = valid(recommender, 60) * 4
    with ThreadPoolExecutor(24) as clients:
        found = list(clients.map(lambda each: running.ask(each.raw.split(b"\r\n\r\n", 1)[1]), requests))
    for request, (status, answer, _) in zip(requests, found, strict=True):
        assert status == 200
        assert same(answer, request.answer)[0]
    text = running.ask(path="/metrics")[1]
    passes, answered = (float(re.search(f"negsample_batch_requests_{name} (.*)", text)[1]) for name in ("count", "sum"))
    assert answered > passes, "nothing was answered together"


def test_what_is_malformed_gets_4xx_and_one_sentence(running, recommender):
    async def sent(request):
        streams = await asyncio.open_connection("127.0.0.1", running.port)
        found = await exchange(streams, request)
        streams[1].close()
        await streams[1].wait_closed()
        return found

    requests = list(malformed(recommender))
    with ThreadPoolExecutor(1) as thread:  # this one may have a loop that another test's browser left running
        answers = list(thread.map(lambda each: asyncio.run(sent(each)), requests))
    for request, (status, body, _) in zip(requests, answers, strict=True):
        assert status in request.statuses, (request.name, status, body)
        if not request.half and request.name != "no HTTP":
            said = json.loads(body)["error"]
            assert 0 < len(said) < 300, said
            assert "\n" not in said
    assert running.ask(path="/health")[1]["ready"]
    assert not [each for each in re.findall('status="(.*?)"', running.ask(path="/metrics")[1]) if each >= "500"]


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ({}, "give either user or items"),
        ({"items": [1.5]}, "items.0: an id must be text of at most 256 characters, or a whole number of 64 bits"),
        ({"items": [], "times": ["soon"]}, "times.0: a time must be ISO text such as 2011-11-30T12:00:00Z"),
        ({"items": [], "time": "soon"}, "time: a time must be ISO text such as 2011-11-30T12:00:00Z, or now"),
        ({"items": [], "k": 1001}, "k: Input should be less than or equal to 1000"),
        ({"items": [], "only": ["?"]}, "nothing is left to recommend: only and exclude leave no item"),
    ],
)
def test_the_sentence_says_what_is_wrong(running, question, said):
    status, found, _ = running.ask(question)
    assert status == 422
    assert found["error"].startswith(said)


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        ({"path": "/recommend"}, 405, "/recommend takes POST, not GET"),
        ({"path": "/health", "method": "POST"}, 405, "/health takes GET, not POST"),
        ({"path": "/recomend"}, 404, "there is no such path; /openapi.json describes those that there are"),
    ],
)
def test_another_path_or_method_is_named(running, asked, status, said):
    assert running.ask(**asked)[:2] == (status, {"error": said})


def test_what_the_model_is_and_the_description_of_requests(running, recommender):
    _, about, _ = running.ask(path="/model")
    assert about["method"] == "mixed-log-q"
    assert (about["members"], about["items"]) == (2, len(recommender.item_ids))
    assert about["until"] == f"{np.datetime64(recommender.about.until, 'us').astype('datetime64[s]')}Z"
    _, described, _ = running.ask(path="/openapi.json")
    schema = described["paths"]["/recommend"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert set(schema["properties"]) == set(Question.model_fields)
    assert running.ask(path="/docs")[0] == 404, "a page that loads scripts from elsewhere"


def test_a_body_that_does_not_come_is_not_waited_for(running, monkeypatch):
    monkeypatch.setattr(bodies, "SECONDS", 0.2)
    with socket.create_connection(("127.0.0.1", running.port), timeout=30) as connection:
        connection.sendall(b"POST /recommend HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{")
        assert connection.makefile("rb").read().startswith(b"HTTP/1.1 408 ")


def test_a_silent_connection_is_closed(running, monkeypatch):
    monkeypatch.setattr(server, "HEAD_SECONDS", 0.2)
    with socket.create_connection(("127.0.0.1", running.port), timeout=30) as connection:
        connection.sendall(b"POST /recomm")
        assert connection.recv(100) == b""


def test_bodies_that_are_read_at_once_are_bounded(running, monkeypatch):
    monkeypatch.setattr(bodies, "BODIES", 1000)
    status, found, headers = running.ask({"items": ["x" * 100] * 20})
    assert (status, headers["retry-after"]) == (503, "1")
    assert "wait" in found["error"]
    monkeypatch.undo()
    assert running.ask({"items": ["x" * 100] * 20})[0] == 200


def test_a_full_queue_is_said(running, monkeypatch):
    def busy(self, question):
        raise BusyError

    monkeypatch.setattr(Batches, "ask", busy)
    status, _, headers = running.ask({"items": []})
    assert (status, headers["retry-after"]) == (503, "1")


def test_a_failure_is_500_and_the_next_is_answered(running, monkeypatch):
    monkeypatch.setattr(running.live, "responder", lambda questions: 1 / 0)
    status, found, _ = running.ask({"items": []})
    assert (status, found) == (500, {"error": "the service failed; its log says why"})
    monkeypatch.undo()
    assert running.ask({"items": []})[0] == 200


def test_the_queue_is_bounded_and_what_waits_is_answered_at_the_end(monkeypatch):
    monkeypatch.setattr(batches, "WAITING", 3)
    go, sizes = Event(), []

    def answer(questions):
        go.wait(30)
        return [each.k for each in questions]

    waiting = Batches(answer, lambda size, seconds: sizes.append(size))
    waiting.start()
    first = waiting.ask(Question(items=[], k=1))
    while waiting.waiting:
        time.sleep(0.01)
    rest = [waiting.ask(Question(items=[], k=k)) for k in (2, 3, 4)]
    with pytest.raises(BusyError):
        waiting.ask(Question(items=[]))
    assert rest[1].cancel()
    go.set()
    waiting.stop()
    assert [each.result() for each in (first, rest[0], rest[2])] == [1, 2, 4]
    assert sizes == [1, 2]
    assert not waiting.alive


def replaced(folder: Path, source: Path) -> None:
    """Another folder in its place, by renames."""
    shutil.copytree(source, folder.with_name("new"))
    folder.rename(folder.with_name("old"))
    folder.with_name("new").rename(folder)
    shutil.rmtree(folder.with_name("old"))


def other_model(model: Path, folder: Path) -> Path:
    """One that knows another dial."""
    from negsample.files.checksums import LIST, read_list, write_list

    shutil.copytree(model, folder)
    about = json.loads((folder / "model.json").read_text()) | {"dial": 5.0}
    (folder / "model.json").write_text(json.dumps(about, allow_nan=False))
    old = read_list(folder / LIST, "model")
    write_list(folder / LIST, "model", old.of, old.files)
    return folder


def test_another_model_is_loaded_while_it_answers_and_a_damaged_one_is_refused(
    running, folder, model, recommender, tmp_path
):
    other = other_model(model, tmp_path / "other")
    question = {"items": recommender.item_ids.to_list()[:3], "k": 5}
    before, after = (
        each.recommend({"x": question["items"]}, k=5)["item"].to_list() for each in (recommender, load_model(other))
    )
    assert before != after
    stopped, seen = Event(), set()

    def ask_on():
        while not stopped.is_set():
            status, found, _ = running.ask(question)
            seen.add((status, *(each["item"] for each in found["items"])))

    with ThreadPoolExecutor(2) as clients:
        asking = [clients.submit(ask_on) for _ in range(2)]
        replaced(folder, other)
        until(lambda: running.live.responder.recommender.about.dial == 5)
        stopped.set()
        for each in asking:
            each.result()
    assert seen <= {(200, *before), (200, *after)}
    assert [each["item"] for each in running.ask(question)[1]["items"]] == after
    weights = folder / "model-0.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4])
    until(lambda: running.live.refused)
    assert "model-0.safetensors is damaged" in running.said[-1]
    assert running.ask(path="/health")[1]["refused"]
    status, found, _ = running.ask(b"", path="/reload")
    assert status == 409
    assert "is damaged" in found["error"]
    assert [each["item"] for each in running.ask(question)[1]["items"]] == after
    replaced(folder, model)
    assert running.ask(b"", path="/reload")[0] == 200
    assert [each["item"] for each in running.ask(question)[1]["items"]] == before
    assert not running.ask(path="/health")[1]["refused"]
    text = running.ask(path="/metrics")[1]
    assert 'negsample_model_loads_total{outcome="loaded"} 2.0' in text
    assert float(re.search('negsample_model_loads_total{outcome="refused"} (.*)', text)[1]) >= 2


def until(holds, seconds=60.0):
    ends = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.02)


def test_a_folder_that_is_still_written_is_left_alone(model, tmp_path):
    """It is loaded when two looks see the same, and once."""
    folder = Path(shutil.copytree(model, tmp_path / "MODEL"))
    said: list[str] = []
    found = Live(folder, said.append, lambda well: None)
    found.look()
    shutil.rmtree(folder)
    found.look()
    shutil.copytree(model, folder)
    found.look()
    assert said == []
    found.look()
    found.look()
    assert len(said) == 1
    os.utime(folder / "model.json", (1, 1))
    found.look()
    (folder / "model.json").touch()
    found.look()
    assert len(said) == 1


def test_a_folder_that_changes_while_it_is_read_is_refused(model, tmp_path, monkeypatch):
    folder = Path(shutil.copytree(model, tmp_path / "MODEL"))
    found = Live(folder, lambda line: None, lambda well: None)

    def reading(of, data):
        (folder / "model.json").touch()
        return load_model(of, data)

    monkeypatch.setattr(live, "load_model", reading)
    assert not found.reload()
    assert "was changed while it was read" in found.refused


def test_a_run_is_served_on_the_log_that_is_given_and_then_the_model_in_its_place(study, model, tmp_path):
    run = read_study(study).runs_of("log", "random")[0]
    folder, said = Path(shutil.copytree(run.folder, tmp_path / "R")), []
    found = Live(folder, said.append, lambda well: None, dataset_of(run))
    assert found.responder.recommender.about.method == "random"
    shutil.rmtree(folder)
    shutil.copytree(model, folder)
    assert found.reload(), found.refused
    assert found.responder.recommender.about.method == "mixed-log-q"


@pytest.mark.parametrize(
    ("host", "here"), [("127.0.0.1", True), ("::1", True), ("::ffff:127.0.0.1", True), ("10.0.0.1", False), ("", False)]
)
def test_reload_is_for_this_machine(host, here):
    assert service._is_here(SimpleNamespace(client=SimpleNamespace(host=host))) is here


def test_reload_from_elsewhere_is_refused(running, monkeypatch):
    monkeypatch.setattr(service, "_is_here", lambda request: False)
    assert running.ask(b"", path="/reload")[0] == 403


def test_nothing_is_unpickled(folder, monkeypatch):
    def unpickled(*given, **named):
        raise AssertionError("pickle")

    monkeypatch.setattr(pickle, "loads", unpickled)
    monkeypatch.setattr(pickle, "load", unpickled)
    monkeypatch.setattr(pickle, "Unpickler", unpickled)
    assert Responder(load_model(folder))([Question(items=[])])


@pytest.mark.parametrize("missing", ["fastapi", "uvicorn", "prometheus_client"])
def test_a_missing_extra_is_said(missing, folder, monkeypatch, capfd):
    for name in [each for each in sys.modules if each.startswith(("negsample.serving.serv", "negsample.serving.metr"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.setattr(sys, "argv", ["negsample", "serve", str(folder)])
    assert exit_code(command) == 2
    assert f"negsample serve needs {missing}; `pip install 'negsample[serve]'`" in capfd.readouterr().err


@pytest.fixture
def process(model, tmp_path):
    """The command as a process: it, its folder, what it said, and its port."""
    folder, log = Path(shutil.copytree(model, tmp_path / "MODEL")), tmp_path / "log"
    line = [sys.executable, "-m", "negsample", "serve", str(folder), "--port", "0"]
    with log.open("w") as file:
        started = subprocess.Popen(line, stderr=file, env=os.environ | {"OMP_NUM_THREADS": "1"})
    until(lambda: " at http://" in log.read_text() or started.poll() is not None)
    port = int(re.search(r"^Ready at http://127.0.0.1:(\d+): mixed-log-q x 2, ", log.read_text(), re.M)[1])
    yield SimpleNamespace(process=started, folder=folder, log=log, port=port, ask=Running.ask)
    started.kill()
    started.wait()


def test_a_process_serves_reloads_refuses_and_ends(process, recommender, monkeypatch, capfd):
    def ask(*given, **named):
        return Running.ask(process, *given, **named)

    request = valid(recommender, 1)[0]
    assert same(ask(request.raw.split(b"\r\n\r\n", 1)[1])[1], request.answer)[0]
    process.process.send_signal(signal.SIGHUP)
    until(lambda: "Loaded " in process.log.read_text())
    events = process.folder / "events.parquet"
    whole = events.read_bytes()
    events.write_bytes(b"")
    until(lambda: "events.parquet is damaged" in process.log.read_text())
    assert same(ask(request.raw.split(b"\r\n\r\n", 1)[1])[1], request.answer)[0]
    events.write_bytes(whole)
    until(lambda: process.log.read_text().count("\nLoaded ") == 2)
    monkeypatch.setattr(sys, "argv", ["negsample", "serve", str(process.folder), "--port", str(process.port)])
    assert exit_code(command) == 2
    refused = f"Loading {process.folder}\nerror: cannot listen on 127.0.0.1:{process.port}: "
    assert capfd.readouterr().err.startswith(refused)
    with socket.create_connection(("127.0.0.1", process.port), timeout=60) as connection:
        head, body = request.raw.split(b"\r\n\r\n", 1)
        connection.sendall(head + b"\r\nExpect: 100-continue\r\n\r\n" + body[:5])
        assert connection.recv(1024).startswith(b"HTTP/1.1 100 ")  # it waits for the rest
        process.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        connection.sendall(body[5:])
        answer = connection.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert same(json.loads(answer.split(b"\r\n\r\n", 1)[1]), request.answer)[0]
    assert process.process.wait(60) == 0
    assert process.log.read_text().endswith("Ended\n")
    assert "Traceback" not in process.log.read_text()


def test_an_interrupt_ends_it_well(process):
    process.process.send_signal(signal.SIGINT)
    assert process.process.wait(60) == 0
