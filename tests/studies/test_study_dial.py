"""A study's dial and cut-offs: changed without any training; the dial is chosen on validation alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from negsample.comparison import compare
from negsample.errors import InputError
from negsample.execution import trainings
from negsample.files.checksums import LIST
from negsample.runs import measure
from negsample.runs.remeasure import remeasure, set_dial
from negsample.scoring.dial import BETAS, NONE, Choice
from negsample.settings import run_settings
from negsample.studies.study import plan
from negsample.studies.verify import verify

pytestmark = pytest.mark.usefixtures("no_report")

SETTINGS = run_settings(epochs=2, batch_size=64, max_length=10, dim=8, blocks=1)


@pytest.fixture(scope="module")
def data(world):
    return world(users=60, items=40, name="small")


@pytest.fixture(scope="module")
def jobs(data):
    return plan([data], ["random", "mixed"], repeats=1, seed=0, settings=SETTINGS)


@pytest.fixture(scope="module")
def finished(jobs, tmp_path_factory):
    out = tmp_path_factory.mktemp("dial") / "study"
    compare(jobs, out)
    return out


@pytest.fixture
def plain(finished, tmp_path):
    """The study without a dial, to be changed."""
    return shutil.copytree(finished, tmp_path / "study")


def read(out, name="metrics.json"):
    return {run.name: json.loads((run / name).read_text()) for run in sorted((out / "runs").iterdir())}


def without_times(metrics):
    timed = ("train_seconds", "steps_per_second", "peak_memory_bytes")
    return {key: value for key, value in metrics.items() if key not in timed}


def forbid_training(monkeypatch):
    def trained(*arguments, **named):
        raise AssertionError("trained again")

    monkeypatch.setattr(trainings, "run_jobs", trained)


def test_a_run_has_every_setting_and_the_plain_one_is_the_middle(finished):
    for name, grid in read(finished, "dial.json").items():
        metrics = read(finished)[name]
        at = 0 if "PopRec" in name else BETAS.index(0.0)
        assert grid["betas"] == ([0.0] if "PopRec" in name else list(BETAS))
        assert (metrics["dial"], metrics["dial_choice"], metrics["dial_reached"]) == (0.0, "none", True)
        ranks = np.load(finished / "runs" / name / "ranks.npz")
        for part in ("valid", "test"):
            assert metrics[part] == grid[part][at] | {"best_epoch": metrics["best_epoch"]}
            assert np.array_equal(ranks[part], ranks[f"{part}_GE"][at])


@pytest.mark.parametrize("dial", ["auto", "-0.5", "balance:0.5", "0.3"])
def test_another_dial_trains_nothing_and_is_as_if_it_had_been_chosen_at_first(jobs, plain, dial, tmp_path, monkeypatch):
    before = {path: path.read_bytes() for path in plain.rglob("model.safetensors")}
    fresh = tmp_path / "fresh"
    compare(jobs, fresh, dial=dial)
    forbid_training(monkeypatch)
    compare(jobs, plain, dial=dial)
    assert before == {path: path.read_bytes() for path in plain.rglob("model.safetensors")}
    for name, metrics in read(plain).items():
        assert without_times(metrics) == without_times(read(fresh)[name])
        assert metrics["dial_choice"] == ("none" if "PopRec" in name else dial)
        theirs, ours = (np.load(out / "runs" / name / "ranks.npz") for out in (fresh, plain))
        assert all(np.array_equal(theirs[part], ours[part]) for part in ("valid", "test"))
    assert json.loads((plain / "study.json").read_text())["dial"] == dial


def test_other_cutoffs_train_nothing_and_are_as_if_they_had_been_asked_for_at_first(
    data, plain, tmp_path, monkeypatch, jobs
):
    """Also for the runs of methods that the second command does not name."""
    before = {path: path.read_bytes() for path in plain.rglob("model.safetensors")}
    asked = plan([data], ["random", "mixed"], repeats=1, seed=0, settings=SETTINGS.replaced(k="3,30"))
    assert [job.name for job in asked] == [job.name for job in jobs]
    compare(asked, tmp_path / "fresh", dial="auto")
    forbid_training(monkeypatch)
    compare([job for job in asked if job.method != "mixed"], plain, dial="auto")
    assert before == {path: path.read_bytes() for path in plain.rglob("model.safetensors")}
    for name, metrics in read(plain).items():
        assert {"hr@3", "hr@10", "tail_ndcg@30", "coverage@30"} <= metrics["test"].keys()
        assert "hr@5" not in metrics["valid"]
        assert without_times(metrics) == without_times(read(tmp_path / "fresh")[name])
        assert read(plain, "dial.json")[name] == read(tmp_path / "fresh", "dial.json")[name]
        settings = (read(out, "config.json")[name]["settings"] for out in (plain, tmp_path / "fresh"))
        assert next(settings) == next(settings)
    assert json.loads((plain / "study.json").read_text())["settings"]["k"] == [3, 10, 30]
    assert all(not found.damaged for found in verify(plain))


def test_back_to_none_is_where_it_was(jobs, finished, plain, monkeypatch):
    forbid_training(monkeypatch)
    compare(jobs, plain, dial="auto")
    compare(jobs, plain)
    assert read(plain) == read(finished)


def test_the_choice_is_the_best_on_validation_and_never_sees_test(jobs, plain, monkeypatch):
    """With test ranks replaced by the opposite of validation's wish, the same settings are chosen."""
    compare(jobs, plain, dial="auto")
    chosen = {name: metrics["dial"] for name, metrics in read(plain).items()}
    for name, grid in read(plain, "dial.json").items():
        best = max(figures["ndcg@10"] for figures in grid["valid"])
        assert grid["valid"][grid["betas"].index(chosen[name])]["ndcg@10"] == best
    honest = measure.evaluate_by_dial

    def misleading(model, data, part, *arguments, **named):
        found = honest(model, data, part, *arguments, **named)
        if part == "valid":
            return found
        return [
            each._replace(figures=each.figures | {"ndcg@10": 1.0 - abs(number - 8), "balance@10": number / 8})
            for number, each in enumerate(found)
        ]

    monkeypatch.setattr(measure, "evaluate_by_dial", misleading)
    for choice in (Choice(None), Choice(None, 0.4)):
        for run in (plain / "runs").iterdir():
            expected = set_dial(run, choice).beta
            assert remeasure(run, choice).beta == expected
            grid = json.loads((run / "dial.json").read_text())
            assert len(grid["betas"]) == 1 or grid["test"][-1]["balance@10"] == 1.0  # it was misled


def test_a_balance_that_is_not_reached_is_said_and_the_run_is_kept(jobs, plain):
    compare(jobs, plain, dial="balance:1")
    for name, metrics in read(plain).items():
        assert metrics["dial"] == 0.0
        assert metrics["dial_reached"] == ("PopRec" in name)
    for run in (plain / "runs").iterdir():
        if "PopRec" not in run.name:
            before = (run / "metrics.json").read_text()
            with pytest.raises(InputError, match=r"reaches Balance 0\.999 on validation"):
                remeasure(run, Choice(None, 0.999), must_reach=True)
            assert (run / "metrics.json").read_text() == before


@pytest.mark.parametrize("when", ["before it is whole", "between the files", "before the list"])
def test_a_change_that_was_cut_short_is_made_up_for(when, jobs, plain, monkeypatch):
    compare(jobs, plain, dial="1")
    expected, ranks = read(plain), {}
    for run in (plain / "runs").iterdir():
        ranks[run.name] = np.load(run / "ranks.npz")["test"]
        set_dial(run, NONE)
    written, placed = measure.write_json, Path.replace

    def killed_writing(path, value):
        if path.name == "metrics.json":
            raise KeyboardInterrupt
        written(path, value)

    def killed_placing(path, target):
        if path.name == ("metrics.json" if when == "between the files" else LIST) and path.parent.name == ".replacing":
            raise KeyboardInterrupt
        return placed(path, target)

    if when == "before it is whole":
        monkeypatch.setattr(measure, "write_json", killed_writing)
    else:
        monkeypatch.setattr(Path, "replace", killed_placing)
    with pytest.raises(KeyboardInterrupt):
        compare(jobs, plain, dial="1")
    monkeypatch.undo()
    compare(jobs, plain, dial="1")
    assert read(plain) == expected
    assert not list(plain.rglob(".*"))
    for name, each in ranks.items():
        assert np.array_equal(np.load(plain / "runs" / name / "ranks.npz")["test"], each)


@pytest.mark.parametrize("file", ["dial.json", "ranks.npz"])
def test_a_damaged_grid_is_named(plain, file):
    run = next(run for run in (plain / "runs").iterdir() if "random" in run.name)
    (run / file).write_bytes(b"nothing")
    with pytest.raises(InputError, match="is damaged"):
        set_dial(run, Choice(None))
    assert remeasure(run, Choice(None)).beta in BETAS
    assert set_dial(run, Choice(None)).beta in BETAS
