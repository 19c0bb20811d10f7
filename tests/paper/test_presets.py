"""Presets against what was published, and against the settings of the reference's own runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from negsample.errors import InputError
from negsample.methods import METHODS, PAPER_SIX, POPREC
from negsample.paper import published
from negsample.paper.presets import PRESETS, check_untuned, remarks, whose
from negsample.settings import run_settings, setting_fields
from negsample.studies.study import plan

REFERENCE = Path(__file__).parents[3] / "shared" / "reference"
KINDS = {"random": "random_negatives", "popularity": "popularity_negatives"}


@pytest.mark.parametrize("name", ["paper", "reference"])
@pytest.mark.parametrize("dataset", published.DATASETS)
def test_every_published_setting_is_one_that_its_method_has(name, dataset, world):
    preset, data = PRESETS[name], world(users=30, items=20, name=dataset)
    methods = preset.methods(PAPER_SIX)
    jobs = plan(
        [data],
        methods,
        repeats=1,
        seed=0,
        settings=run_settings(**preset.training),
        tuned=preset.overrides({dataset: dataset}, [*methods, POPREC], []),
    )
    for job in jobs[1:]:
        wanted = preset.settings(dataset, job.method)
        assert set(wanted) <= set(setting_fields()) | set(METHODS[job.method].defaults)
        made = job.settings.flat() | job.negatives
        assert {key: made[key] for key in wanted} == wanted
        assert {key: made[key] for key in preset.training} == dict(preset.training)
    assert len({job.settings.model.max_length for job in jobs}) == 1


def test_the_reference_of_amazon_beauty_as_published():
    preset = PRESETS["reference"]
    found = preset.settings("amazon-beauty", "adaptive-mixed")
    assert found == {
        "batch_size": 64,
        "learning_rate": 0.001,
        "max_length": 50,
        "dropout": 0.2,
        "random_negatives": 100,
        "in_batch_negatives": 10,
        "kept_hardest": 5,
        "not_kept": "zero",
    }
    assert preset.settings("amazon-beauty", "adaptive-in-batch")["in_batch_negatives"] == 100
    assert preset.split == "paper"


def test_that_adaptive_is_not_the_published_one_is_said_by_either_preset():
    of_text = remarks(PRESETS["paper"], {"amazon-beauty": "timestamp"}, ["adaptive"])
    assert any("random pool" in each and "adaptive-in-batch" in each for each in of_text)
    assert remarks(PRESETS["paper"], {"amazon-beauty": "timestamp"}, ["random"]) == []


def test_adaptive_draws_from_the_batch_in_the_code_and_at_random_in_the_text():
    assert PRESETS["reference"].methods(["adaptive", "random"]) == ["adaptive-in-batch", "random"]
    assert PRESETS["paper"].methods(["adaptive", "random"]) == ["adaptive", "random"]
    of_text = PRESETS["paper"].settings("amazon-beauty", "adaptive")
    assert (of_text["random_negatives"], of_text["kept_hardest"]) == (100, 25)
    assert "in_batch_negatives" not in of_text
    assert PRESETS["paper"].split == "timestamp"


def test_what_a_person_gives_goes_before_a_preset():
    given = PRESETS["paper"].overrides({"shop": "retailrocket"}, ["random"], ["learning_rate", "random_negatives"])
    assert given["shop", "random"] == {"batch_size": 256, "max_length": 50, "dropout": 0.2}


def test_the_default_preset_says_nothing():
    preset = PRESETS["default"]
    assert preset.training == {"refit": True, "fit_terms": True, "early_stop": 5, "epochs": 100}
    assert preset.compared == (*PAPER_SIX, "mixed-log-q")
    assert {PRESETS[name].compared for name in ("paper", "reference")} == {PAPER_SIX}
    assert not any(PRESETS[name].training["refit"] for name in ("paper", "reference"))
    assert preset.overrides({"x": "amazon-beauty"}, ["random"], []) == {("x", "random"): {}}
    assert remarks(preset, {"x": "paper"}, ["adaptive"]) == []


def test_another_method_has_the_length_of_the_dataset_and_no_more():
    assert PRESETS["reference"].settings("movielens-10m", "full-ce") == {"max_length": 200, "dropout": 0.2}


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        ("amazon-beauty-5core", ("amazon-beauty", True)),
        ("MovieLens-10M", ("movielens-10m", True)),
        ("movielens-1m", ("amazon-beauty", False)),
        ("shop", ("amazon-beauty", False)),
    ],
)
def test_whose_settings_are_taken(dataset, expected):
    assert whose(dataset) == expected


def test_what_is_remarked():
    said = remarks(PRESETS["reference"], {"shop": "timestamp", "retailrocket": "paper"}, ["adaptive"])
    assert len(said) == 3
    assert "shop is none of the paper's datasets" in said[0]
    assert "--split paper" in said[1]
    assert "adaptive-in-batch" in said[2]


def test_a_preset_is_not_tuned_anew():
    check_untuned(PRESETS["default"], 5)
    check_untuned(PRESETS["paper"], None)
    with pytest.raises(InputError, match="leave out --tune-trials"):
        check_untuned(PRESETS["paper"], 5)


def test_published_figures_are_what_the_paper_prints():
    figures = published.table3("amazon-beauty", "random")
    assert (round(figures["hr@10"].mean, 2), round(figures["head_hr@10"].mean, 2)) == (1.44, 4.41)
    assert (round(figures["balance@10"].mean, 2), figures["hr@10"].runs) == (50.59, 10)
    assert published.table3("retailrocket", "PopRec")["head_hr@10"] == (7.29, None, 1)
    assert published.table2("movielens-10m")["head"] == (2.2, 15.9)
    for dataset in published.DATASETS:
        assert set(published.table2(dataset)) == {"head", "mid", "tail"}
        for method in PAPER_SIX:
            assert len(published.table3(dataset, method)) == 9


@pytest.mark.skipif(not REFERENCE.exists(), reason="the reference's own runs are not here")
@pytest.mark.parametrize("path", sorted(REFERENCE.glob("beauty5-*.json")), ids=lambda path: path.stem)
def test_the_preset_has_the_settings_of_the_reference_s_own_runs(path):
    run = json.loads(path.read_text())
    ran, ours = run["hp"], PRESETS["reference"].settings(whose(run["data"]).published, run["method"])
    expected = {
        "batch_size": ran["batch_size"],
        "learning_rate": ran["lr"],
        "max_length": ran["maxlen"],
        "dropout": ran["dropout_rate"],
        KINDS.get(run["method"], "in_batch_negatives"): ran["num_neg_samples"],
    }
    if "mixed" in run["method"]:
        expected["random_negatives"] = ran["num_mixed_samples"]
    if "adaptive" in run["method"]:
        expected |= {"kept_hardest": ran["num_adaptive_samples"], "not_kept": "zero"}
    assert ours == expected
