"""A log prepared by tasks on Ray: the folder of the same log prepared here, to the last byte; lost workers."""

from __future__ import annotations

import json
import logging
import os
import random
import sys
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import negsample
from negsample import InputError, PrepareSettings, prepare
from negsample.cli import app
from negsample.cli.console import exit_code
from negsample.data.log.apart import files_apart
from negsample.data.log.reading import Reading
from negsample.data.prepare.pipeline import prepare_apart

ray = pytest.importorskip("ray", reason="Ray is an extra")

DEADLY = """
import os
from pathlib import Path

def call(place, times, name):
    "Its process dies as often as `times` says for `name`."
    with (Path(place) / name).open("a") as file:
        file.write("x")
    if len((Path(place) / name).read_text()) <= times.get(name, 0):
        os._exit(1)
    if name == "broken":
        raise KeyError("lost key")
    return name.upper()

def once_deadly(place, names, function, argument):
    "What `function` gives; the process of its first call dies when the work is done, if it has one of these names."
    result, name = function(argument), getattr(function, "func", function).__name__
    if name in names:
        try:
            (Path(place) / name).touch(exist_ok=False)
        except FileExistsError:
            return result
        os._exit(1)
    return result
"""


@pytest.fixture(scope="module", autouse=True)
def cluster(tmp_path_factory):
    """A cluster of this machine with two cores, which all tests share."""
    patch = pytest.MonkeyPatch()
    folder = tmp_path_factory.mktemp("calls")
    (folder / "deadly_calls.py").write_text(DEADLY)
    patch.syspath_prepend(folder)
    patch.setenv("PYTHONPATH", os.pathsep.join(map(str, [Path(negsample.__file__).parents[1], folder])))
    patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    patch.delenv("RAY_ADDRESS", raising=False)
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.CRITICAL)
    try:
        yield
    finally:
        ray.shutdown()
        patch.undo()


@pytest.fixture(autouse=True)
def chance_of_ray():
    """Ray itself draws from Python's global generator."""
    before = random.getstate()
    yield
    random.setstate(before)


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """Three files of different sizes; days as times, so that most events share theirs; some are there twice."""
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("clicks")
    n = 6_000
    frame = pl.DataFrame(
        {
            "user": [f"é{number}" for number in (300 * rng.random(n) ** 2).astype(int)],
            "item": (80 * rng.random(n) ** 2).astype(int),
            "time": 1_600_041_600 + 86_400 * rng.integers(0, 90, n),
            "units": rng.integers(1, 9, n),
        }
    )
    for number, (begin, end) in enumerate([(0, 100), (100, 2_000), (2_000, n)]):
        frame[begin:end].write_parquet(folder / f"{number}.parquet")
    return folder


def files(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_the_same_bytes(log, tmp_path, capsys, monkeypatch):
    options = {"split": "paper", "weight": "units", "drop_duplicates": True, "k_core": 3}
    prepare(log, PrepareSettings(**options), tmp_path / "here")
    given = ["--split", "paper", "--weight", "units", "--drop-duplicates", "--k-core", "3", "--json"]
    monkeypatch.setattr(sys, "argv", ["negsample", "prepare", str(log), "--on", "ray", *given, "--out"])
    sys.argv.append(str(tmp_path / "there"))
    assert not exit_code(app)
    assert json.loads(capsys.readouterr().out)["events"] > 3_000
    assert files(tmp_path / "there") == files(tmp_path / "here")
    assert {each.name for each in tmp_path.iterdir()} == {"here", "there"}


def test_the_same_bytes_in_several_pieces(log, tmp_path):
    """The worker dies that reads a file first, that gathers a piece first, and so on, with its work done."""
    import deadly_calls

    from negsample.execution.ray_each import each_on_ray

    died, names = tmp_path / "died", {"_read", "_gather", "_without_repeats", "_write", "_by_time"}
    died.mkdir()
    settings = PrepareSettings(split="paper", drop_repeats="consecutive", min_item_events=20)
    prepare(log, settings, tmp_path / "here")
    path, parts = files_apart(log, Reading(**settings.reading()))
    with each_on_ray(None, tmp_path, []) as each:

        def dying(function, arguments):
            return each(partial(deadly_calls.once_deadly, died, names, function), arguments)

        prepare_apart(path, parts, settings, tmp_path / "there", dying, most=1_500)
    assert files(tmp_path / "there") == files(tmp_path / "here")
    assert {each.name for each in died.iterdir()} == names


def test_what_a_task_says_is_said_here(log, tmp_path):
    odd = tmp_path / "odd"
    odd.mkdir()
    for path in log.iterdir():
        (odd / path.name).write_bytes(path.read_bytes())
    (odd / "1.parquet").write_bytes((log / "1.parquet").read_bytes()[:-500])
    with pytest.raises(InputError) as here:
        prepare(odd, PrepareSettings(), tmp_path / "out")
    with pytest.raises(InputError) as there:
        prepare(odd, PrepareSettings(), tmp_path / "out", on="ray")
    assert str(there.value) == str(here.value)
    assert "1.parquet cannot be read" in str(here.value)
    assert [each.name for each in tmp_path.iterdir()] == ["odd"]


def test_frames_stay_here(tmp_path):
    with pytest.raises(InputError, match=r"on=ray prepares files that all nodes see, got 'DataFrame'; write the rows"):
        prepare(pl.DataFrame({"user": [1]}), PrepareSettings(), tmp_path / "out", on="ray")


def test_calls_whose_worker_is_lost(tmp_path, monkeypatch):
    import deadly_calls

    from negsample.execution import ray_each

    monkeypatch.setattr(ray_each, "RETRIES", 1)
    with ray_each.each_on_ray(None, tmp_path, []) as each:
        call = partial(deadly_calls.call, str(tmp_path), {"b": 1, "lost": 9})
        assert list(each(call, ["a", "b", "c"])) == ["A", "B", "C"]
        assert (tmp_path / "b").read_text() == "xx"
        with pytest.raises(InputError, match=r"a task on Ray was stopped 2 times, .* its worker process died; nothing"):
            list(each(call, ["a", "lost"]))
        with pytest.raises(KeyError, match="lost key"):
            list(each(call, ["broken", "a"]))
    unseen = pytest.raises(InputError, match=r"does not see the same .*nowhere as the machine that started it")
    with ray_each.each_on_ray(None, tmp_path, [tmp_path / "nowhere" / "0.csv"]) as each, unseen:
        list(each(call, ["a"]))
    assert not list(tmp_path.glob(".seen-*"))
