"""What a log holds, before anything is trained on it, against counting by hand."""

from __future__ import annotations

import shlex
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from negsample import inspect, load_dataset
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
        (
            [(max(n - 60, 1), n % 9, BASE + n) for n in range(90)],
            "user,item,time",
            "leave it out: --where '\"user\" <> 1'.",
        ),
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
    assert found.questions[0].startswith("No column looks like a time by its name. Is there one")
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


def test_a_log_at_one_time_has_a_command_that_works(tmp_path: Path) -> None:
    path = write(tmp_path / "log.csv", [(n % 30, n % 7, "2014-04-01") for n in range(300)])
    found = inspect(path)
    assert found.questions[0].startswith("All events have one time")
    assert found.command == f"negsample compare {path} --split leave-one-out --out out/log"
    load_dataset(path, PrepareSettings(split="leave-one-out"))


def test_a_time_with_another_name_is_among_the_columns(tmp_path: Path) -> None:
    rows = [(n % 30, n % 7, "2014-04-01") for n in range(300)]
    question = inspect(write(tmp_path / "log.csv", rows, "user,item,LOADED_AT")).questions[0]
    assert "The columns are: user, item, LOADED_AT. Is there one: --time COL?" in question


@pytest.mark.parametrize(
    ("header", "values", "asked"),
    [
        ("event", ["view", "view", "it's bought"], """--where "event = 'it''s bought'\""""),
        ("behavior", ["1", "1", "4"], '--where "behavior = 4"'),
        ("score", ["1", "4.5", "5"], '--where "score >= 4"'),
        ("score", ["0.1", "0.5", "0.9"], '--where "score >= 0.5"'),
        ("rating", ["4,5", "3,5", "1"], None),
        ("rating", ["", "", ""], None),
    ],
)
def test_the_condition_that_is_shown_reads_some_rows(
    tmp_path: Path, header: str, values: list[str], asked: str | None
) -> None:
    rows = [(n % 7, n % 5, BASE + n, f'"{values[n % 3]}"') for n in range(90)]
    path = write(tmp_path / "log.csv", rows, f"user,item,time,{header}")
    note = next(each for each in inspect(path).notes if "is not used" in each)
    assert note.endswith(f"such as {asked}." if asked else "--where reads some of them.")
    if asked:
        where = shlex.split(asked)[1]
        assert 0 < int(dict(inspect(path, PrepareSettings(where=where)).facts)["events"]) < 90


@pytest.mark.parametrize(
    ("header", "many"), [("user", "0"), ("User ID", "-1"), ("uid", "(not set)"), ("user_id", "nobody's")]
)
def test_a_user_who_stands_for_many_is_left_out_as_said(tmp_path: Path, header: str, many: str) -> None:
    """By words that work, whether ids are numbers or text, and the column's name is a word of SQL or has spaces."""
    rows = [(many if n % 3 else 1 + n // 3, n % 9, BASE + n) for n in range(90)]
    path = write(tmp_path / "log.csv", rows, f"{header},item,time")
    question = next(each for each in inspect(path).questions if "stands for all" in each)
    where = shlex.split(question.removesuffix(".").partition("leave it out: ")[2])[1]
    assert dict(inspect(path, PrepareSettings(where=where)).facts)["events"] == "30"
