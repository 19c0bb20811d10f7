"""The commands of README.md on a log, one after the other as they stand there, with a small model and one epoch."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import polars as pl
import pytest

import negsample as package

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
SMALL = {"dim": 8, "blocks": 1, "max_length": 10, "batch_size": 64, "epochs": 1}


def section(title):
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_from_a_log_to_answers(negsample, log, small_refitted, tmp_path):
    shutil.copy(log, tmp_path / "clicks.csv")
    lines = [
        shlex.split(line, comments=True)[1:]
        for title in ("Your own log", "Take it home")
        for line in re.findall("^negsample .*", section(title), re.M)
    ]
    assert [line[0] for line in lines] == ["inspect", "compare", "final", "recommend", "serve"]
    for line in lines[:-1]:  # that one does not end; tests/serving starts it
        more = (*small_refitted, "--epochs", 1, "--repeats", 1) if line[0] == "compare" else ()
        finished = negsample(*line, *more, cwd=tmp_path)
        assert finished.returncode == 0, finished.stderr
        if line[0] == "inspect":
            assert "negsample compare clicks.csv" in finished.stdout
    assert (tmp_path / "out/clicks/report.html").is_file()
    people = pl.read_csv(log)["user"].n_unique()
    assert pl.read_parquet(tmp_path / "top10.parquet").height == 10 * people


@pytest.mark.usefixtures("no_report")
def test_its_python(log, tmp_path, monkeypatch, capsys):
    shutil.copy(log, tmp_path / "clicks.csv")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NEGSAMPLE_CACHE", str(tmp_path / "cache"))
    compare = package.compare
    monkeypatch.setattr(package, "compare", lambda *given, **named: compare(*given, **named, settings=SMALL))
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(code, {})
    assert "mixed-log-q" in capsys.readouterr().out
