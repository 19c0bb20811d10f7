"""Every option with values that are none: exit code 2, one line on stderr, and nothing is begun."""

from __future__ import annotations

import re
import sys
from functools import cache

import pytest
from typer.main import get_command

from negsample.cli import app
from negsample.cli.console import exit_code

COMMAND = cache(get_command)  # made once, and not for each value
HUGE = ["-1", "0.5", "1e20", str(2**64), "nan", "", "x"]
WHOLE = [*HUGE, "0"]
SEED = HUGE
WORDS = ["", "x", "None", "1"]
FOLDERS = ["/dev/null", "/dev/null/x", "/proc/x", "{file}", "{full}", "n" * 300]
SHARES = ["0", "1", "-1", "nan", "inf", "x", ""]
OF_READING = {
    "--user": ["", "nobody", "0", "99"],
    "--item": ["", "nothing", "item+time"],
    "--time": ["", "never", "time+"],
    "--weight": ["", "none", "0", "99", "item", "user"],
    "--time-format": ["", "%", "%H:%M", "x"],
    "--encoding": ["", "klingon", "rot13"],
    "--where": ["", "x", "user >", "user = ;", "nobody = 1", "1", "DROP TABLE x"],
}
OF_DATA = OF_READING | {
    "--min-user-events": [*WHOLE, str(2**31)],
    "--min-item-events": [*WHOLE, str(2**31)],
    "--k-core": ["0", "x"],
    "--drop-repeats": WORDS[:2],
    "--split-column": ["", "x"],
    "--split": WORDS,
    "--valid-fraction": SHARES,
    "--test-fraction": SHARES,
    "--cold": WORDS,
    "--out": FOLDERS,
}
OF_TRAINING = OF_DATA | {
    "--epochs": [*WHOLE, str(2**31)],
    "--early-stop": ["-1", "x", "1.5", str(2**31)],
    "--seed": SEED,
    "--set": ["", "=", "dim", "dim=", "dim=0", "dim=1e400", "nonsense=1", "epochs=[1]", "dim={}", "heads=3", "dim=NaN"],
}
TRAIN = ["train", "{log}", "--method", "random", "--out", "{new}"]
COMPARE = ["compare", "{log}", "--methods", "random", "--out", "{new}"]
TUNE = ["tune", "{log}", "--method", "random", "--trials", "1", "--out", "{new}"]
METHODS = ["", ",", "nonsense", "random,nonsense", "é"]
RIGHT = {
    "inspect": (["inspect", "{log}"], OF_READING),
    "prepare": (["prepare", "{log}", "--out", "{new}"], OF_DATA | {"--on": ["", "x", "ray=", "ray=x"]}),
    "train": (
        TRAIN,
        OF_TRAINING | {"--method": [*METHODS, "all", "random,bpr"], "--dial": WORDS[:3], "--preset": WORDS},
    ),
    "tune": (TUNE, OF_TRAINING | {"--method": [*METHODS, "all", "PopRec"], "--trials": WHOLE, "--out": FOLDERS[:4]}),
    "compare": (
        COMPARE,
        OF_TRAINING
        | {
            "--methods": METHODS,
            "--repeats": WHOLE,
            "--jobs": WHOLE,
            "--together": WHOLE,
            "--tune-trials": WHOLE,
            "--oversampling": ["0", "-1", "1.5", "x", str(2**64)],
            "--on": ["", "x", "ray=", "ray=x"],
            "--dial": WORDS[:3],
            "--preset": WORDS,
            "--mlflow": ["", "x", "ftp://x"],
        },
    ),
    "reproduce": (
        ["reproduce", "--out", "{new}", "--data", "{logs}"],
        {
            "--data": ["{file}", "{new}"],
            "--datasets": ["x"],
            "--repeats": WHOLE,
            "--osf": ["x", "-1", "0", "1.5"],
            "--response": ["-1", "x", "1.5"],
            "--seed": SEED,
            "--epochs": WHOLE,
            "--jobs": WHOLE,
        },
    ),
    "evaluate": (["evaluate", "{new}"], {"--dial": ["auto"]}),
    "final": (
        ["final", "{full}", "--out", "{new}"],
        {"--seeds": WHOLE, "--until": ["x", "99999-01-01"], "--data": WORDS},
    ),
    "recommend": (["recommend", "{full}", "--out", "a.parquet"], {"--k": WHOLE, "--dial": ["x"], "--out": ["a.xlsx"]}),
    "refresh": (
        ["refresh", "{full}", "--log", "{log}"],
        {"--out": ["{full}"], "--user": ["", "x"], "--weight": ["", "x"]},
    ),
    "export": (["export", "{full}", "--to", "onnx", "--out", "{new}"], {"--to": ["", "pickle"], "--k": WHOLE}),
    "serve": (
        ["serve", "{full}"],
        {"--port": ["x", "-1", "65536"], "--host": ["no.such.host.invalid"], "--data": WORDS},
    ),
    "explain": (["explain", "{full}", "--user", "a"], {"--k": WHOLE, "--as-of": ["tomorrow"], "--dial": ["x"]}),
}


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "file").write_text("mine")
    (folder / "full").mkdir()
    (folder / "full" / "thesis.tex").write_text("mine")
    (folder / "logs").mkdir()
    rows = "".join(f"u{step % 7},i{step % 11},{1_400_000_000 + 60 * step}\n" for step in range(200))
    for path in (folder / "log.csv", folder / "logs" / "amazon-beauty.csv"):
        path.write_text("user,item,time\n" + rows)
    return {name: str(folder / name) for name in ("file", "full", "new", "logs")} | {"log": str(folder / "log.csv")}


@pytest.fixture(autouse=True)
def nothing_begins(monkeypatch, tmp_path):
    def begun(*given, **named):
        raise AssertionError(f"it has begun: {sys.argv}")

    monkeypatch.setenv("NEGSAMPLE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("typer.main.get_command", COMMAND)
    for name in ("execution.attempts.run_job", "comparison.compare", "studies.tuning.tune_all"):
        monkeypatch.setattr(f"negsample.{name}", begun)


def ended(arguments, monkeypatch, capfd):
    monkeypatch.setattr(sys, "argv", ["negsample", *arguments])
    return exit_code(app), capfd.readouterr().err


@pytest.mark.parametrize("verb", RIGHT)
def test_options(verb, places, monkeypatch, capfd):
    right, of = RIGHT[verb]
    for option, values in of.items():
        for value in values:
            given = [places.get(each.strip("{}"), each) for each in [*right, option, value]]
            code, said = ended(given, monkeypatch, capfd)
            said = re.sub("^Loading .*\n", "", said)  # `serve` says it at once
            assert code == 2, f"{given}: {code} {said}"
            assert said.count("\n") == 1, f"{given}: {said}"
            assert said.startswith("error: "), f"{given}: {said}"
            assert "Traceback" not in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([*TUNE, "--seed", "1e20"], "invalid value for '--seed': Input should be a valid integer"),
        ([*TUNE, "--seed", str(2**64)], "should be less than or equal to 2145483648"),
        ([*COMPARE, "--repeats", "1001"], "should be less than or equal to 1000"),
        ([*COMPARE, "--methods", ","], "no method given"),
    ],
)
def test_words(arguments, words, places, monkeypatch, capfd):
    code, said = ended([places.get(each.strip("{}"), each) for each in arguments], monkeypatch, capfd)
    assert code == 2
    assert words in said
