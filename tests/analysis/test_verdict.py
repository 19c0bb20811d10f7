"""Verdicts of made studies: what is alike on validation, what light a study gets, and that red gives no advice."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from make_study import list_anew, make_study

from negsample.analysis.reading import read_study
from negsample.analysis.trust import MATTERS, effective_users
from negsample.analysis.verdict import Verdict
from negsample.errors import InputError

METHODS = ("random", "mixed", "popularity", "PopRec")


def made(folder: Path, **more: Any) -> Path:
    return make_study(folder / "study", **{"datasets": ["beauty"], "methods": METHODS, "repeats": 3} | more)


def verdict(folder: Path) -> Verdict:
    list_anew(folder)
    return read_study(folder).verdict("beauty")


def lights(found: Verdict) -> dict[str, str]:
    return {each.what: each.light for each in found.trust.reasons}


def events(folder: Path, **arrays: Any) -> None:
    with np.load(folder / "datasets" / "0.npz") as stored:
        known = {key: stored[key] for key in stored}
    np.savez(folder / "datasets" / "0.npz", **known | arrays)


def settings(folder: Path, **changes: Any) -> None:
    for path in folder.rglob("config.json"):
        about = json.loads(path.read_text())
        path.write_text(json.dumps(about | {"settings": about["settings"] | changes}))


def test_methods_with_the_same_ranks_are_alike_and_the_cheapest_is_taken(tmp_path: Path) -> None:
    folder = made(tmp_path)
    for seed in range(3):
        runs = [folder / "runs" / f"0-{method}-{seed}" for method in ("mixed", "random")]
        shutil.copy(runs[0] / "ranks.npz", runs[1] / "ranks.npz")
        shutil.copy(runs[0] / "dial.json", runs[1] / "dial.json")
        mixed, random = (json.loads((run / "metrics.json").read_text()) for run in runs)
        kept = {"train_seconds": 1000.0 if seed == 0 else mixed["train_seconds"] / 4}
        (runs[1] / "metrics.json").write_text(json.dumps(random | {"valid": mixed["valid"], "test": mixed["test"]}))
        (runs[0] / "metrics.json").write_text(json.dumps(mixed | kept | {"train_seconds": 4000.0}))
    accuracy = verdict(folder).advice.accuracy
    assert accuracy.advised == "random"
    assert {accuracy.highest["method"], *accuracy.equals} >= {"mixed", "random"}
    assert "PopRec" not in accuracy.equals


def test_what_differs_on_validation_is_told_apart(tmp_path: Path) -> None:
    accuracy = verdict(made(tmp_path)).advice.accuracy
    assert accuracy.untested == 0
    assert "PopRec" not in (accuracy.advised, *accuracy.equals)


def test_what_is_a_tenth_lower_is_not_alike_however_little_is_known(tmp_path: Path) -> None:
    """Two runs hardly tell anything apart; PopRec is far below all the same."""
    accuracy = verdict(made(tmp_path, repeats=2)).advice.accuracy
    assert accuracy.untested == 0
    assert "PopRec" not in (accuracy.advised, *accuracy.equals)


def test_users_count_by_how_evenly_they_are_tested(tmp_path: Path) -> None:
    folder = made(tmp_path)
    study = read_study(folder)
    counts = np.unique(study.events["beauty"][0]["user_E"], return_counts=True)[1]
    assert effective_users(study, "beauty") == pytest.approx(counts.sum() ** 2 / (counts**2).sum())
    heavy = np.zeros_like(study.events["beauty"][0]["user_E"])
    heavy[-20:] = np.arange(1, 21)
    events(folder, user_E=heavy)
    found = verdict(folder)
    assert lights(found)["users"] == "red"
    assert not found.is_advice


def test_a_usual_study_is_amber_and_says_why(tmp_path: Path) -> None:
    found = verdict(made(tmp_path))
    assert found.trust.light == "amber"
    assert found.is_advice
    assert {"untuned", "windows"} <= {what for what, light in lights(found).items() if light == "amber"}
    assert lights(found)["repeats"] == "green"
    assert found.trust.next == {"--tune-trials": "20"}


def test_a_study_that_was_cut_off_is_red_and_gives_twice_the_epochs(tmp_path: Path) -> None:
    folder = made(tmp_path)
    settings(folder, epochs=12)
    found = verdict(folder)
    assert lights(found)["cut off"] == "red"
    assert found.trust.next == {"--epochs": "24"}
    assert not found.is_advice


def test_one_run_is_red_and_two_are_few(tmp_path: Path) -> None:
    one, two = (verdict(made(tmp_path / str(count), repeats=count)) for count in (1, 2))
    assert (lights(one)["repeats"], lights(two)["repeats"]) == ("red", "amber")
    assert one.trust.next == two.trust.next == {"--repeats": "3"}
    for found in (one, two):
        ranks = [MATTERS.index(each.what) for each in found.trust.reasons if each.light == "amber"]
        assert ranks == sorted(ranks)
    assert one.advice.accuracy.equals == ()  # nothing was tested, so the highest is taken
    assert one.advice.accuracy.untested == len(one.advice.accuracy.able) - 1


def test_what_the_test_contradicts_is_red(tmp_path: Path) -> None:
    """The best on validation hits nothing on test."""
    folder = made(tmp_path)
    best = verdict(folder).advice.accuracy.highest["method"]
    for path in folder.glob(f"runs/0-{best}-*"):
        metrics, grid = (json.loads((path / name).read_text()) for name in ("metrics.json", "dial.json"))
        none = {name: 0.0 for name in metrics["test"] if "@" in name and not name.startswith(("balance", "arp"))}
        (path / "metrics.json").write_text(json.dumps(metrics | {"test": metrics["test"] | none}))
        (path / "dial.json").write_text(json.dumps(grid | {"test": [each | none for each in grid["test"]]}))
        with np.load(path / "ranks.npz") as stored:
            ranks = {"valid_GE": stored["valid_GE"], "test_GE": np.full_like(stored["test_GE"], 99.0)}
        np.savez(path / "ranks.npz", **ranks)
    found = verdict(folder)
    assert found.advice.accuracy.highest["method"] == best
    assert lights(found)["contradicted"] == "red"


def test_tuned_settings_at_an_end_are_a_reason_for_doubt(tmp_path: Path) -> None:
    folder = made(tmp_path, tuned=True)
    assert lights(verdict(folder))["tuned"] == "green"
    for path in folder.glob("tuning/*.json"):
        if path.name.count(".") == 1:
            found = json.loads(path.read_text())
            rate = found["best"]["params"]["learning_rate"]
            path.write_text(json.dumps(found | {"bounds": {"learning_rate": [rate, 10 * rate]}}))
    found = verdict(folder)
    assert lights(found)["tuned"] == "amber"
    (reason,) = [each for each in found.trust.reasons if each.what == "tuned"]
    assert reason.facts["at_end"] == {key: ["learning_rate"] for key in METHODS[:3]}


def test_missing_runs_are_red_and_failed_ones_are_said(tmp_path: Path) -> None:
    folder = made(tmp_path)
    shutil.rmtree(folder / "runs" / "0-mixed-2")
    found = verdict(folder)
    assert lights(found)["unfinished"] == "red"
    assert found.trust.next == {}


def test_a_study_of_rules_alone_is_told_to_train(tmp_path: Path) -> None:
    rules = verdict(made(tmp_path / "rules", methods=["PopRec"]))
    folder = made(tmp_path)
    for run in folder.glob("runs/0-*"):
        if "PopRec" not in run.name:
            shutil.rmtree(run)
    unfinished = verdict(folder)
    assert lights(rules) == lights(unfinished) == {"nothing trained": "red"}
    assert rules.trust.next == {"--methods": "random,mixed-log-q"}
    assert unfinished.trust.next == {}


def test_a_study_gives_its_verdict_by_name(tmp_path: Path) -> None:
    study = read_study(made(tmp_path))
    assert study.verdict().cards == study.verdict("beauty").cards
    with pytest.raises(InputError, match="beauty"):
        study.verdict("beaut")
    two = read_study(make_study(tmp_path / "two", methods=METHODS, repeats=1))
    with pytest.raises(InputError, match="name one: online-retail, beauty"):
        two.verdict()
