"""The page's section on single users: escaped, found once, left out when asked."""

from __future__ import annotations

import re
import shutil
from html import unescape
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from negsample import compare, read_study, write_report
from negsample.cli import app
from negsample.report import users
from negsample.report.users import short

HOSTILE = (
    "<script>document.title='taken'</script>",
    "user \u202etxt.exe\u202c \u200f",
    "long" * 2500,
    '`code` & "quotes"\' onfocus=alert(1)',
    "\u05d0\u05d1\u05d2\u05d3 \u0645\u0633\u062a\u062e\u062f\u0645",
)
SMALL = {"epochs": 1, "dim": 8, "blocks": 1, "max_length": 6, "batch_size": 16, "eval_every": 1}


def named(kind: str, number: int) -> str:
    return f"{HOSTILE[number % len(HOSTILE)]}{kind}-{number}"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    draws = np.random.default_rng(3)
    users, events = 60, 14
    item_N = np.minimum(draws.zipf(1.3, users * events), 40)
    log = pl.DataFrame(
        {
            "user": [named("u", user) for user in range(users) for _ in range(events)],
            "item": [named("i", item) for item in item_N.tolist()],
            "time": 1_600_000_000 + draws.integers(0, 100 * 86400, users * events),
        }
    )
    folder = tmp_path_factory.mktemp("users") / "study"
    return compare(log, folder, "random", repeats=2, settings=SMALL, progress=False).report_path


def section(page: Path) -> str:
    text = page.read_text("utf-8")
    begin = text.index('id="dataset-1-users"')
    return text[begin : text.index("<h3", begin)]


def test_ids_are_escaped_and_shortened(report: Path):
    shown, page = section(report), report.read_text("utf-8")
    assert "<script>document.title" not in page
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200e\u200f]", page)
    assert "longlonglong" not in re.sub("long(?:long){5}…", "", shown)
    assert "<bdi>" in shown
    assert len(shown.encode()) < 60_000
    words = unescape(re.sub("<[^>]*>", "", shown))
    assert "<script>document.title='\u2026" in words
    assert "\\u202e" in words
    assert all(len(each) < 60 for each in re.findall(r"(?m)^User (.*):", words))


def test_ids_stay_apart():
    some = [named("u", number) for number in range(20)]
    assert len({short(each) for each in some}) == 20
    assert short("85123A") == "85123A"
    assert max(map(len, map(short, [*some, "\U0001f600" * 500, "\x00" * 10_000]))) <= 33


def test_the_page_says_whose_ids_they_are(report: Path):
    assert "ids of users and items, of real people" in section(report)
    assert "--no-users" in section(report)
    assert (report.parent / "users.json").exists()


def test_models_answer_once(report: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(users, "users_of", lambda *given: pytest.fail("models were asked again"))
    before = section(report)
    write_report(report.parent)
    assert section(report) == before


def test_a_damaged_file_is_found_anew(report: Path, tmp_path: Path):
    copy = shutil.copytree(report.parent, tmp_path / "study")
    (copy / "users.json").write_text("{}")
    assert section(write_report(copy)) == section(report)
    assert read_study(copy).datasets()


def test_without_users_there_are_no_ids(report: Path, tmp_path: Path):
    copy = shutil.copytree(report.parent, tmp_path / "study")
    page = write_report(copy, users=False).read_text("utf-8")
    assert "dataset-1-users" not in page
    ids = [unescape(re.sub("<[^>]*>", "", each)) for each in re.findall("<summary>User (.*?):", section(report))]
    assert len(ids) >= 4
    assert not [each for each in ids if each in unescape(page)]
    assert not (copy / "users.json").exists()
    assert "users.json" not in (copy / "checksums.json").read_text()


def test_the_command_leaves_users_out(report: Path, tmp_path: Path):
    copy = shutil.copytree(report.parent, tmp_path / "study")
    assert CliRunner().invoke(app, ["report", str(copy), "--no-users"]).exit_code == 0
    assert "dataset-1-users" not in (copy / "report.html").read_text("utf-8")
    assert not (copy / "users.json").exists()


@pytest.mark.parametrize("gone", ["model", "data"])
def test_what_is_not_at_hand_is_said(report: Path, tmp_path: Path, gone: str, monkeypatch: pytest.MonkeyPatch):
    copy = shutil.copytree(report.parent, tmp_path / "study")
    (copy / "users.json").unlink()
    for path in copy.glob("runs/*/model.safetensors"):
        path.unlink() if gone == "model" else None
    if gone == "data":
        shutil.rmtree(copy / "data")
        monkeypatch.setattr("negsample.runs.kept.is_prepared", lambda folder: False)  # as on another machine
    page = write_report(copy).read_text("utf-8")
    assert "Nobody is shown: the dataset or the models of this study are not at hand" in page
    assert not (copy / "users.json").exists()
