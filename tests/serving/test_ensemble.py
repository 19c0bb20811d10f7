"""The benchmark of ensembles: one model has the figures of its run, and the same one twice has them too."""

from __future__ import annotations

import pytest

from benchmarks import ensemble
from negsample import read_study
from negsample.runs.load import dataset_of


@pytest.mark.parametrize("part", ensemble.PARTS)
def test_single_models_have_the_figures_of_their_runs(study, part, monkeypatch):
    monkeypatch.setattr(ensemble, "MEMBERS", 2)
    runs = read_study(study).runs_of("log", "mixed-log-q")
    row = ensemble.measured(runs, dataset_of(runs[0]), part)
    assert [each["seeds"] for each in row["ndcg@10"]] == [[0], [1], [0, 1]]
    for name in ("ndcg@10", "hr@10"):
        one, other, both = (each["value"] for each in row[name])
        assert [one, other] == pytest.approx([run.metrics[part][name] for run in runs])
        more = row[f"{name}_more"]
        assert more["mean"] == pytest.approx(both - (one + other) / 2)
        assert more["low"] <= more["mean"] <= more["high"]


def test_the_same_model_twice_is_that_model(study, monkeypatch):
    monkeypatch.setattr(ensemble, "MEMBERS", 2)
    run = read_study(study).runs_of("log", "mixed-log-q")[0]
    row = ensemble.measured([run, run], dataset_of(run), "test")
    assert row["ndcg@10_more"]["mean"] == pytest.approx(0, abs=1e-12)
