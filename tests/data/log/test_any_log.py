"""Logs in the forms that people have: each is read by its command, or refused with the command that reads it."""

from __future__ import annotations

import hashlib
import io
import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from negsample.data.log import once
from negsample.data.log.read import read_log
from negsample.errors import InputError
from scripts.log_forms import CSV, FORMS, SECONDS, LogForm
from scripts.logs_page import PAGE, page

SHARED = Path(__file__).parents[4] / "shared" / "logs"
FLAGS = ("no_header", "sequences", "drop_untimed", "keep_missing_ids")


def events_of(log: Any, **options: Any) -> list[tuple[str, str, int]]:
    frame = read_log(log, **options).frame.collect()
    return [(str(user), str(item), time) for user, item, time in frame.rows()]


def advice(message: str) -> dict[str, Any]:
    """The options that a message names, as a person would type them."""
    found: dict[str, Any] = {}
    words = message.replace(";", " ; ").split()
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word.startswith("--"):
            name = word[2:].strip(".,)").replace("-", "_")
            found |= {"ordered": True} if name == "split" else {name: name in FLAGS or following.strip("'\".,)")}
    return found


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_every_form_is_read_by_its_command(tmp_path: Path, form: LogForm) -> None:
    form.write(tmp_path / form.name.partition("::")[0])
    place = f"{tmp_path}/{form.name}"
    assert events_of(place, **form.options) == form.events
    if form.asks:
        with pytest.raises(InputError) as caught:
            read_log(place)
        told = advice(str(caught.value))
        if "time_format" not in told:
            assert events_of(place, **told) == form.events


def test_the_page_of_forms_is_what_is_tested() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()


CASES = json.loads((SHARED / "cases.json").read_text()) if SHARED.exists() else {}


@pytest.mark.parametrize("name", CASES)
def test_the_logs_of_the_field(name: str) -> None:
    case = CASES[name]

    def digest(**options: Any) -> str:
        lines = sorted(f"{user}\t{item}\t{time}\n" for user, item, time in events_of(SHARED / name, **options))
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    if case["expect"] == "read":
        assert case.get("digest") in (digest(), None)
        if name.startswith("missing"):
            assert any("300 of 600 rows left out" in note for note in read_log(SHARED / name).notes)
        return
    named = {"time": "rating"} if name == "ratings-as-time.csv" else {}
    with pytest.raises(InputError) as caught:
        read_log(SHARED / name, **named)
    message = str(caught.value)
    if case["expect"] == "ask":
        assert digest(**advice(message)) == case["digest"]
    assert all(part.strip() in message for part in case["says"].split(";"))


def test_the_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(once, "_made", {})
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(CSV.encode())))
    assert events_of("-") == SECONDS
    assert events_of("-") == SECONDS, "it was read once, and is kept"


class _Ranges(BaseHTTPRequestHandler):
    """A store of objects: whole files, or parts of them."""

    def do_HEAD(self) -> None:
        self._answer(b"")

    def do_GET(self) -> None:
        asked = self.headers.get("Range", "").removeprefix("bytes=")
        first, _, last = asked.partition("-")
        content = CSV.encode()
        part = content[int(first) : int(last) + 1] if asked and last else content[int(first or 0) :]
        self._answer(
            part, f"bytes {int(first or 0)}-{int(first or 0) + len(part) - 1}/{len(content)}" if asked else None
        )

    def _answer(self, body: bytes, part: str | None = None) -> None:
        self.send_response(206 if part else 200)
        self.send_header("Content-Length", str(len(body) if body else len(CSV.encode())))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", '"1"')
        self.send_header("Last-Modified", "Tue, 01 Apr 2014 00:00:00 GMT")
        if part:
            self.send_header("Content-Range", part)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def store() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Ranges) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/log.csv"
        server.shutdown()


def test_an_address(store: str) -> None:
    assert events_of(store) == SECONDS


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("log.csv::x", {}, "is delimited text; ::x is for a database"),
        ("none-*.csv", {}, "no file is there"),
        ("log.csv", {"time_format": "%H:%M"}, "has no year"),
        ("log.csv", {"time_format": "%Y-%m-%d"}, "times are read as %Y-%m-%d, as --time-format says"),
        ("log.csv", {"where": "stars > 3"}, "its columns are: user_id, item_id, timestamp"),
        ("log.csv", {"where": "user_id >"}, "no condition of SQL"),
        ("log.csv", {"where": "user_id = 'x'"}, "user_id is a number"),
        ("log.csv", {"where": "user_id > 99"}, "no row is left; 24 of 24 are not as --where asks"),
        ("log.csv", {"encoding": "klingon"}, "no encoding 'klingon'"),
        ("log.csv", {"user": "4"}, "no column '4' for the user"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, name: str, options: dict[str, str], words: str) -> None:
    (tmp_path / "log.csv").write_text(CSV)
    with pytest.raises(InputError, match=words) as caught:
        read_log(f"{tmp_path}/{name}", **options)
    assert "\n" not in str(caught.value)


def test_days_and_months_that_could_be_each_other_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("user,item,time\n" + "".join(f"1,{n},0{n}/0{n % 3 + 1}/2014\n" for n in range(1, 9)))
    with pytest.raises(InputError, match="no row tells which; say it with --time-format '%m/%d/%Y' or") as caught:
        read_log(path)
    assert "'%d/%m/%Y'" in str(caught.value)
    first = read_log(path, time_format="%d/%m/%Y").frame.collect()["time"]
    assert first[1] == 1_393_718_400_000_000  # 2 March


def test_rows_without_a_time_are_left_out_on_request(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(CSV + "1,2,\n1,3,NA\n")
    with pytest.raises(InputError, match="--drop-untimed leaves rows without a time out"):
        read_log(path)
    assert events_of(path, drop_untimed=True) == SECONDS
    assert "2 of 26 rows left out: no time." in read_log(path, drop_untimed=True).notes
    path.write_text(CSV + "1,2,soon\n")
    with pytest.raises(InputError, match="'soon'"):
        read_log(path, drop_untimed=True)


def test_columns_that_say_what_an_event_is_are_mentioned(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("user,item,time,event_type\n1,2,1396310400,view\n1,2,1396310401,buy\n")
    assert any("Column 'event_type' is not used" in note for note in read_log(path).notes)
    log = read_log(path, where="event_type = 'buy'")
    assert log.frame.collect().rows() == [("1", "2", 1396310401000000)]
    assert log.notes[-1] == "1 of 2 rows left out: not as --where asks."
