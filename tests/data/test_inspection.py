"""What a log holds, before anything is trained on it, against counting by hand."""

from __future__ import annotations

import shlex
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from negsample import inspect
from negsample.cli import app
from negsample.settings import PrepareSettings

DAY = 86_400
BASE = 1_396_310_400


def write(path: Path, rows: list[tuple[object, ...]], header: str = "user,item,time") -> Path:
    path.write_text(header + "\n" + "".join(",".join(map(str, row)) + "\n" for row in rows))
    return path


def test_counts_are_those_by_hand(tmp_path: Path) -> None:
    rows = [(n % 7, n * n % 11, BASE + n // 2 * 100) for n in range(200)]
    facts = dict(inspect(write(tmp_path / "log.csv", rows)).facts)
    users, items = {u for u, _, _ in rows}, {i for _, i, _ in rows}
    assert facts["events"] == "200"
    assert facts["users"] == f"{len(users)}, with 29 events in the middle and 29 at most"
    assert facts["items"].startswith(f"{len(items)}, 0 of them")
    assert facts["repeats"].startswith(f"{100 * (200 - len({(u, i) for u, i, _ in rows})) / 200:.0f} % ")
    assert facts["time"] == "2014-04-01T00:00:00 to 2014-04-01T02:45:00 (0.1 days)"


@pytest.mark.parametrize(
    ("rows", "header", "question"),
    [
        ([(max(n - 60, 1), n % 9, BASE + n) for n in range(90)], "user,item,time", "Is '1', with 69 % of the events"),
        ([(n % 30, n % 4, BASE + n // 3 * DAY) for n in range(90)], "user,item,time", "The times are days"),
        ([(n, n % 4, BASE + n) for n in range(40)], "session,item,time", "Are they people, or sessions"),
        (
            [(n, n % 9, 5, BASE + n) for n in range(40)],
            "user,asin,parent_asin,time",
            "'parent_asin' may be it too: --item COL",
        ),
        ([(n % 30, 1, BASE + n // 60) for n in range(60)], "user,item,time", "there already, with the same user"),
    ],
)
def test_what_is_doubtful_is_a_question(
    tmp_path: Path, rows: list[tuple[int, ...]], header: str, question: str
) -> None:
    if "there already" in question:
        rows = rows + rows[:6]
    found = inspect(write(tmp_path / "log.csv", rows, header))
    assert any(question in each for each in found.questions), found.questions


def test_a_log_without_doubts_asks_nothing(tmp_path: Path) -> None:
    rows = [(n % 30, n % 17, BASE + n * 977) for n in range(300)]
    assert inspect(write(tmp_path / "log.csv", rows)).questions == []


def test_the_command_has_what_was_said_of_the_log(tmp_path: Path) -> None:
    path = write(tmp_path / "my log.csv", [(n % 9, n % 5, n % 3, BASE + n) for n in range(90)], "who,what,stars,at")
    said = ["--user", "who", "--item", "what", "--time", "at", "--where", "stars >= 1"]
    found = CliRunner().invoke(app, ["inspect", str(path), *said])
    assert found.exit_code == 0, found.output
    command = shlex.split(found.stdout.splitlines()[-1])
    assert command == ["negsample", "compare", str(path), *said, "--out", "out/my log"]
    settings = PrepareSettings(user="who", item="what", time="at", where="stars >= 1")
    assert dict(inspect(path, settings).facts)["events"] == "60"


def test_a_log_without_times_is_looked_at_and_asked_about() -> None:
    frame = pl.DataFrame({"user": [1, 1, 2], "item": [5, 6, 5]})
    found = inspect(frame)
    assert dict(found.facts)["time"] == "none: the order of the rows is the order"
    assert found.questions[0].startswith("No column looks like a time.")
    assert found.command == "negsample compare LOG --split leave-one-out --out out/log"
    said = inspect(frame, PrepareSettings(split="leave-one-out"))
    assert said.command == found.command
    assert not any("looks like a time" in each for each in said.questions)


def test_several_files_are_one_log(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{n}.csv", [(n, m, BASE + n + m) for m in range(9)]) for n in (1, 2)]
    found = CliRunner().invoke(app, ["inspect", *map(str, paths)])
    assert "Read from 2 parts" in found.stdout
    command = found.stdout.splitlines()[-1].strip()
    assert command == (
        f"negsample prepare {paths[0]} {paths[1]} --out prepared/1 && negsample compare prepared/1 --out out/1"
    )
