"""A study on ground that is not clean: interrupted, damaged, in the way, renamed, mixed settings."""

from __future__ import annotations

import json

import pytest

from negsample.analysis.reading import read_study
from negsample.analysis.tables import study_table
from negsample.comparison import compare
from negsample.errors import InputError
from negsample.files.checksums import LIST
from negsample.runs import train
from negsample.settings import run_settings
from negsample.studies.files import popularity_curve
from negsample.studies.study import plan

pytestmark = pytest.mark.usefixtures("no_report")

SETTINGS = run_settings(epochs=1, batch_size=64, dim=8, blocks=1, max_length=8)


@pytest.fixture(scope="module")
def data(world):
    return world(users=60, name="small")


def grid(data, methods=("random",), *, repeats=1, changes=None):
    return plan([data], methods, repeats=repeats, seed=0, settings=SETTINGS, changes=changes)


def table_of(out):
    return {row["method"]: row for row in study_table(read_study(out)).to_dicts()}


def test_an_interrupted_study_gives_what_an_uninterrupted_one_does(data, tmp_path):
    jobs = grid(data, ["random", "mixed"], repeats=2)
    compare(jobs, tmp_path / "whole")
    compare(jobs[:2], tmp_path / "parts")
    compare(jobs, tmp_path / "parts")
    tables = [table_of(tmp_path / name) for name in ("whole", "parts")]
    for row in (*tables[0].values(), *tables[1].values()):
        del row["train_seconds"], row["steps_per_second"], row["peak_memory_bytes"]
    assert tables[0] == tables[1]


def test_what_lies_in_the_way_of_a_run_is_told_before_training(data, tmp_path, monkeypatch):
    jobs = grid(data)
    half = tmp_path / "runs" / jobs[-1].name
    half.mkdir(parents=True)
    (half / "config.json").write_text("{}")  # as when metrics.json was deleted
    fits, fit = [], train.fit_together
    monkeypatch.setattr(train, "fit_together", lambda *given, **named: fits.append(1) or fit(*given, **named))
    with pytest.raises(InputError, match=half.name):
        compare(jobs, tmp_path)
    assert not fits


@pytest.mark.parametrize("file", ["config.json", "metrics.json"])
def test_a_damaged_run_is_told(file, data, tmp_path):
    jobs = grid(data)
    compare(jobs, tmp_path)
    (tmp_path / "runs" / jobs[-1].name / file).write_text("{")
    with pytest.raises(InputError, match=rf"{file} is damaged.*delete .* and run the same command again"):
        compare(grid(data, repeats=2), tmp_path)


@pytest.mark.parametrize("text", ["[]", "{}", "\udcff"])
def test_a_damaged_study_is_told_and_its_runs_are_kept(text, data, tmp_path):
    compare(grid(data), tmp_path)
    (tmp_path / "study.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(InputError, match=r"study.json is damaged .*delete it and .*keeps the runs"):
        compare(grid(data), tmp_path)
    (tmp_path / "study.json").unlink()
    with pytest.raises(InputError, match=r"study.json is damaged"):
        compare(grid(data), tmp_path)
    (tmp_path / LIST).unlink()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("runs/*/model.safetensors")}
    compare(grid(data), tmp_path)
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.glob("runs/*/model.safetensors")}
    assert json.loads((tmp_path / "study.json").read_text())["methods"] == ["random", "PopRec"]


def test_the_popularity_curve_descends_through_head_mid_and_tail(data):
    curve = popularity_curve(data)
    assert curve["rank"] == sorted(set(curve["rank"]))
    assert (curve["rank"][0], curve["rank"][-1]) == (1, data.catalogue_size)
    assert curve["count"] == sorted(curve["count"], reverse=True)
    assert curve["cohort"] == sorted(curve["cohort"], key=["head", "mid", "tail"].index)
