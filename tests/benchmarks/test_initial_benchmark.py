"""The choice of initial values: its rule by hand, and one training that looks at validation alone."""

from __future__ import annotations

import itertools
import json
import math

import pytest

from benchmarks.common import RESULTS
from benchmarks.initial import CANDIDATES, LOGS, METHODS, Asked, judged, sign_flip, trained
from negsample import run_settings


def rows(*ratios: float) -> list[dict[str, object]]:
    return [
        {"log": f"log-{number}", "method": "random", "initial": initial, "seed": seed, "ndcg": value}
        for number, ratio in enumerate(ratios)
        for seed in (0, 1)
        for initial, value in (("normal", 0.1), ("glorot", 0.1 * ratio))
    ]


def test_signs_are_flipped_in_all_ways():
    assert sign_flip([1.0, 1.0, 1.0, 1.0]) == 2 / 16  # only all alike is as far
    assert sign_flip([1.0, -1.0]) == 1.0
    assert sign_flip([3.0, 1.0, 1.0]) == 2 / 8
    assert sign_flip([0.0, 0.0]) == 1.0


def test_the_better_candidate_is_taken_only_beyond_chance():
    six = judged(rows(*[1.1] * 6), "normal")
    assert six["mean_rank"] == {"normal": 2.0, "glorot": 1.0}
    assert six["against_default"] == {"glorot": {"ratio": pytest.approx(1.1), "p": 2 / 64}}
    assert six["taken"] == "glorot"
    four = judged(rows(*[1.1] * 4), "normal")
    assert (four["first"], four["taken"]) == ("glorot", "normal")  # p = 2 / 16
    assert judged(rows(*[0.9] * 6), "normal")["taken"] == "normal"


def test_a_tie_keeps_the_default():
    assert judged(rows(1.1, 1 / 1.1), "normal")["first"] == "normal"
    assert judged(rows(1.0, 1.0), "normal")["mean_rank"] == {"normal": 1.5, "glorot": 1.5}


def test_a_run_is_its_best_validation_epoch_and_ranks_no_test_event(world, monkeypatch):
    data = world(users=80, items=40, name="small")
    from negsample.training import state as training

    seen = []
    evaluate = training.evaluate

    def spy(model, data, part, *given, **options):
        found = evaluate(model, data, part, *given, **options)
        seen.append((part, found.figures["ndcg@10"]))
        return found

    monkeypatch.setattr(training, "evaluate", spy)
    found = trained(data, Asked("small", 3, {}), METHODS[0], "glorot", 0)
    assert {part for part, _ in seen} == {"valid"}
    assert found["ndcg"] == max(value for _, value in seen)
    assert found["epoch"] == 1 + [value for _, value in seen].index(found["ndcg"])
    assert not math.isnan(found["ndcg"])


def test_the_default_is_what_was_chosen():
    found = json.loads((RESULTS / "initial.json").read_text("utf-8"))
    again = judged(found["runs"], "normal")
    assert {key: found[key] for key in again} == json.loads(json.dumps(again))
    assert found["taken"] == run_settings().model.init
    seeds = {run["seed"] for run in found["runs"]}
    runs = {(run["log"], run["method"], run["initial"], run["seed"]) for run in found["runs"]}
    logs = [log.name for log in LOGS]
    assert runs == set(itertools.product(logs, METHODS, CANDIDATES, seeds))  # none left out, none twice
    assert len(found["runs"]) == len(runs)
