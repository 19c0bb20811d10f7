"""A whole comparison in one call, as in a notebook."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
import torch

from negsample import InputError, PopRec, compare, run_settings
from negsample.evaluation.metrics import METRICS, register_metric
from negsample.models.baselines import BASELINES, register_baseline
from negsample.studies.study import plan

SMALL = {"epochs": 1, "dim": 4, "blocks": 1, "max_length": 4, "random_negatives": 3, "refit": False}


@pytest.fixture(scope="module")
def log():
    users, steps = 30, 12
    rows = [
        (user, (user * 7 + step * step) % 20, 1_500_000_000 + 60 * step + user)
        for user in range(users)
        for step in range(steps)
    ]
    return pl.DataFrame(rows, schema=["user", "item", "time"], orient="row")


@pytest.mark.usefixtures("no_report")
@pytest.mark.parametrize("kind", ["frame", "pandas", "path", "dataset"])
def test_one_call_from_a_log_to_a_study(log, kind, tmp_path, monkeypatch):
    monkeypatch.setenv("NEGSAMPLE_CACHE", str(tmp_path / "cache"))
    log.write_csv(tmp_path / "log.csv")
    data = {"frame": log, "path": str(tmp_path / "log.csv")}.get(kind)
    if kind == "pandas":
        pytest.importorskip("pandas")
        data = log.to_pandas()
    if kind == "dataset":
        from negsample import load_dataset

        data = load_dataset(str(tmp_path / "log.csv"))
    study = compare(data, str(tmp_path / "study"), "random,mixed", repeats=2, settings=SMALL)
    assert [run.config["method"] for run in study.trained()] == ["random", "mixed"] * 2
    assert {run.config["seed"] for run in study.trained()} == {0, 1}
    config = json.loads((study.runs[-1].folder / "config.json").read_text())
    assert "dim" in json.dumps(config)


@pytest.mark.usefixtures("no_report")
def test_models_are_refitted_unless_settings_say_otherwise(log, tmp_path):
    settings = {key: value for key, value in SMALL.items() if key != "refit"}
    for said, expected in (({}, True), ({"refit": False}, False), ({"refit": True}, True)):
        study = compare(log, tmp_path / f"{said}", "random", repeats=1, settings=settings | said)
        assert [bool(run.metrics["refit"]) for run in study.trained()] == [expected]
    assert not run_settings().training.refit, "what differs from it is the identity of older runs"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"methods": ["randon"]}, "did you mean"),
        ({"methods": 5}, "methods must be"),
        ({"settings": {"nonsense": 1}}, "unknown setting 'nonsense'"),
        ({"settings": {"dim": "wide"}}, "setting dim='wide'"),
        ({"repeats": 0}, "repeats must be a whole number from 1"),
        ({"data": 7}, "a log is a file, a folder of files, or a DataFrame"),
        ({"data": []}, "data must not be empty"),
        ({"data": "no-such-log.csv"}, "no dataset 'no-such-log.csv'"),
        ({"dial": "left"}, "--dial 'left' is not known"),
    ],
)
def test_what_is_wrong_is_refused_with_the_way_out(change, words, world, tmp_path):
    right = {"data": world(users=30, items=20), "out": tmp_path / "study", "methods": "random", "settings": SMALL}
    with pytest.raises(InputError, match=words):
        compare(**right | change)
    assert not (tmp_path / "study").exists()


def test_jobs_have_their_methods_already(world, tmp_path):
    data = world(users=30, items=20)
    jobs = plan([data], ["random"], repeats=1, seed=0, settings=run_settings(epochs=1))
    with pytest.raises(InputError, match="methods, seed would do nothing"):
        compare(jobs, tmp_path / "study", "random", seed=3)
    with pytest.raises(InputError, match="got both"):
        compare([*jobs, data], tmp_path / "study")


def test_metrics_and_baselines_of_one_s_own_stand_beside_the_others(world, tmp_path, monkeypatch):
    """A metric that comes later, or changes, measures finished runs again and trains none."""
    for registry in (METRICS, BASELINES):
        for name in ("_parts", "_from"):
            monkeypatch.setattr(registry, name, dict(getattr(registry, name)))
    register_baseline("by-id", lambda data: PopRec(torch.arange(1, data.catalogue_size + 1)))
    data, epochs = world(users=30, items=20), []
    asked = {"data": data, "out": tmp_path / "study", "methods": "random, by-id", "repeats": 2, "settings": SMALL}
    study = compare(**asked, watch=lambda job, epoch: epochs.append(epoch))
    assert study.about["methods"] == ["random", "by-id", "PopRec"]
    by_id = next(run for run in study.runs if run.config["method"] == "by-id")
    ends, starts = data.offsets[1:], np.asarray(data.valid_ends)
    targets = np.concatenate([data.items[first:last] for first, last in zip(starts, ends, strict=True)])
    assert by_id.metrics["test"]["hr@10"] == pytest.approx(float((targets <= 10).mean()))
    trained = len([each for each in epochs if each is not None])
    register_metric("rbp", lambda ranks, k: np.where(ranks < k, 0.5**ranks, 0.0))
    study = compare(**asked, watch=lambda job, epoch: epochs.append(epoch))
    metrics = next(run for run in study.runs if run.config["method"] == "by-id").metrics["test"]
    assert {"rbp@10", "tail_rbp@20"} <= set(metrics)
    assert metrics["rbp@1"] == metrics["hr@1"]
    assert len([each for each in epochs if each is not None]) == trained == 2
    assert "by-id" in (tmp_path / "study" / "report.html").read_text()


@pytest.mark.usefixtures("no_report")
@pytest.mark.parametrize(("progress", "shown"), [(True, True), (False, False)])
def test_a_terminal_shows_how_far_it_is(progress, shown, world, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("rich.console.Console.is_terminal", True)
    compare(world(users=30, items=20), tmp_path / "study", "random", repeats=1, settings=SMALL, progress=progress)
    assert ("best validation HR@10" in capsys.readouterr().out) is shown
