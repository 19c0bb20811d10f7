"""Whom a model serves: new and repeated items, each user alike, and the cohorts as of the cut."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from negsample.evaluation import groups as of_events
from negsample.evaluation.evaluate import evaluate, evaluate_by_dial
from negsample.evaluation.figures import summarise
from negsample.evaluation.groups import Groups, groups_of
from negsample.evaluation.queries import queries
from negsample.models import PopRec
from negsample.scoring.dial import NO_DIAL
from negsample.settings import run_settings

HISTORIES = ("frozen", "rolling", "rolling-basket")


@pytest.fixture
def figures():
    """Three users with 3, 2 and 1 events; items 1 to 6 as of the cut: 1 head, 2 mid, the rest tail."""
    cut = np.array([-1, 0, 1, 2, 2, 2, 2], np.int8)
    targets = np.array([1, 3, 2, 1, 4, 6])
    groups = Groups.by(np.array([0, 0, 0, 1, 1, 2]), np.array([1, 0, 0, 1, 0, 0], bool), cut[targets])
    ranks = np.array([0, 1, 30, 2, 40, 6.0])
    counts = np.array([0, 2, 6, 3, 1, 0, 0])
    paper = np.array([-1, 2, 0, 1, 2, 2, 2], np.int8)
    return summarise(ranks, targets, counts, paper, groups=groups), summarise(ranks, targets, counts, paper)


def test_new_and_repeated_items(figures):
    found, _ = figures
    assert (found["repeat_hr@10"], found["new_hr@10"]) == (2 / 2, 2 / 4)
    assert (found["repeat_hr@1"], found["new_hr@1"]) == (1 / 2, 0)
    assert found["repeat_ndcg@10"] == pytest.approx((1 + 1 / math.log2(4)) / 2)
    assert found["new_ndcg@10"] == pytest.approx((1 / math.log2(3) + 1 / math.log2(8)) / 4)
    assert found["repeat_mrr@10"] == pytest.approx((1 + 1 / 3) / 2)
    assert (found["repeat_events"], found["new_events"]) == (2, 4)


def test_means_over_users(figures):
    found, _ = figures
    assert found["hr@10"] == 4 / 6
    assert found["user_hr@10"] == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)
    own = ((1 + 1 / math.log2(3)) / 3, 1 / math.log2(4) / 2, 1 / math.log2(8))
    assert found["user_ndcg@10"] == pytest.approx(sum(own) / 3)
    assert (found["users"], found["effective_users"]) == (3, 6**2 / (9 + 4 + 1))


def test_cohorts_as_of_the_cut_beside_those_of_training(figures):
    found, _ = figures
    assert [found[f"cut_{each}_hr@10"] for each in ("head", "mid", "tail")] == [1, 0, 2 / 3]
    assert [found[f"{each}_hr@10"] for each in ("head", "mid", "tail")] == [0, 1, 3 / 4]
    assert found["cut_balance@10"] == pytest.approx(1 - (2 * 1) / (3 * (1 + 2 / 3)))
    assert [found[f"cut_{each}_events"] for each in ("head", "mid", "tail")] == [2, 1, 3]


def test_the_figures_of_before_are_the_first_and_the_same(figures):
    found, before = figures
    assert list(found)[: len(before)] == list(before)
    assert all(found[name] == value or math.isnan(value) for name, value in before.items())
    added = {name.partition("@")[0] for name in found if name not in before and "@" in name}
    scopes = ("new", "repeat", "user", "cut_head", "cut_mid", "cut_tail")
    assert added == {"cut_balance", *(f"{scope}_{name}" for scope in scopes for name in ("hr", "ndcg", "mrr"))}


def test_groups_without_events_are_undefined():
    groups = Groups.by(np.array([0, 0]), np.array([False, False]), np.array([0, 0], np.int8))
    found = summarise(np.zeros(2), np.array([1, 1]), np.array([0, 2]), np.array([-1, 0], np.int8), groups=groups)
    assert (found["new_hr@10"], found["repeat_events"]) == (1, 0)
    assert math.isnan(found["repeat_hr@10"])
    assert math.isnan(found["cut_balance@10"])
    nothing = Groups.by(np.empty(0, np.int64), np.empty(0, bool), np.empty(0, np.int8))
    found = summarise(np.empty(0), np.empty(0, np.int64), np.array([0, 2]), np.array([-1, 0], np.int8), groups=nothing)
    assert found["users"] == 0
    assert all(math.isnan(found[name]) for name in ("user_hr@10", "effective_users", "new_hr@10"))


def test_the_cut_of_test_knows_validation_and_that_of_validation_does_not(dataset_of):
    # Train counts 1: 3, 2: 2, 3: 1; with validation 1: 3, 2: 2, 3: 5, so that 3 is the most popular.
    data = dataset_of([([1, 1, 2], [3, 3], [1]), ([1, 2, 3], [3, 3], [3])], 3)
    assert data.cohorts[1:].tolist() == [0, 1, 2]
    assert data.cut_cohorts[1:].tolist() == [1, 2, 0]
    model, settings = PopRec(torch.arange(1, 4), max_length=50), run_settings()
    valid, test = (evaluate(model, data, part, settings).figures for part in ("valid", "test"))
    assert (valid["cut_head_events"], valid["cut_tail_events"]) == (0, 4)
    assert (test["cut_head_events"], test["cut_mid_events"]) == (1, 1)


def test_what_a_repeat_is_depends_on_the_history(dataset_of):
    # In the test part 2 comes twice in one moment, then once more; 1 was in training, longer ago than L.
    data = dataset_of([([1, 3, 4], [5], [2, 2, 1, 2])], 5, [0, 1, 2, 3, 5, 5, 5, 8])
    model, found = PopRec(torch.arange(1, 6), max_length=2), {}
    for history in HISTORIES:
        asked = queries(data, "test", history=history, max_length=2)
        found[history] = groups_of(data, "test", asked).of["repeat"].tolist()
        figures = evaluate(model, data, "test", run_settings(max_length=2, history=history)).figures
        assert figures["repeat_events"] == len(found[history])
    assert found == {"frozen": [2], "rolling": [2, 3], "rolling-basket": [1, 2, 3]}  # positions in the test part


def random_log(dataset_of, seed):
    """Users with many ties and repeats; a cut may go through a moment."""
    chance = np.random.default_rng(seed)
    users = [
        tuple(np.minimum(chance.geometric(0.15, chance.integers(0, most)), 20).tolist() for most in (9, 5, 7))
        for _ in range(25)
    ]
    gaps = chance.integers(0, 2, sum(len(part) for user in users for part in user))
    return dataset_of(users, 20, np.cumsum(gaps))


def slow(data, part, history, ranks):
    """The figures at 10 by loops over plain lists, given the ranks in the order of the measured events."""
    events, popularity = [], [0] * (data.catalogue_size + 1)
    for user in range(data.users):
        first, *ends = (int(each[user]) for each in (data.offsets, data.train_ends, data.valid_ends))
        begin, last = (ends[0], ends[1]) if part == "valid" else (ends[1], int(data.offsets[user + 1]))
        for at in range(first, begin):
            popularity[data.items[at]] += 1
        for at in range(begin, last):
            known = [
                earlier
                for earlier in range(first, at)
                if history == "rolling-basket"
                or (history == "frozen" and earlier < begin)
                or (history == "rolling" and data.times[earlier] < data.times[at])
            ]
            if begin > first and known:
                events.append((user, int(data.items[at]), data.items[at] in data.items[known]))
    cohort, running = {}, 0
    for item in sorted(range(1, len(popularity)), key=lambda item: (-popularity[item], item)):
        share = running / sum(popularity)
        cohort[item] = "head" if share < 1 / 3 - 1e-12 else "mid" if share < 2 / 3 - 1e-12 else "tail"
        running += popularity[item]
    assert len(events) == len(ranks)
    found = {}
    for name, gain in (("hr", lambda rank: 1.0), ("ndcg", lambda rank: 1 / math.log2(rank + 2))):
        gains = [gain(rank) if rank < 10 else 0.0 for rank in ranks]
        of: dict[str, list[float]] = {f"cut_{each}": [] for each in ("head", "mid", "tail")} | {"new": [], "repeat": []}
        of_user: dict[int, list[float]] = {}
        for (user, item, repeat), value in zip(events, gains, strict=True):
            of["repeat" if repeat else "new"].append(value)
            of[f"cut_{cohort[item]}"].append(value)
            of_user.setdefault(user, []).append(value)
        found |= {f"{group}_{name}@10": np.mean(each) if each else math.nan for group, each in of.items()}
        found |= {f"{group}_events": len(each) for group, each in of.items()}
        found[f"user_{name}@10"] = sum(sum(each) / len(each) for each in of_user.values()) / len(of_user)
        found["users"] = len(of_user)
        found["effective_users"] = len(events) ** 2 / sum(len(each) ** 2 for each in of_user.values())
    low, middle, high = sorted(found[f"cut_{each}_hr@10"] for each in ("head", "mid", "tail"))
    total = low + middle + high
    found["cut_balance@10"] = 1 - 2 * (high - low) / (3 * total) if total > 0 else math.nan
    return found


@pytest.mark.parametrize("filter_seen", [False, True])
@pytest.mark.parametrize("history", HISTORIES)
@pytest.mark.parametrize("part", ["valid", "test"])
def test_random_logs_against_loops(dataset_of, part, history, filter_seen, monkeypatch):
    repeats = 0
    for seed in range(4):
        data = random_log(dataset_of, seed)
        model = PopRec(torch.randperm(20, generator=torch.Generator().manual_seed(seed)) + 1, max_length=3)
        settings = run_settings(max_length=3, history=history, filter_seen=filter_seen)
        monkeypatch.setattr(of_events, "QUERIES_AT_ONCE", (1 << 14, 1, 7, 2)[seed])
        (found,) = evaluate_by_dial(model, data, part, settings, NO_DIAL)
        expected = slow(data, part, history, found.ranks_E.tolist())
        assert {name: found.figures[name] for name in expected} == pytest.approx(expected, nan_ok=True, abs=1e-12)
        repeats += found.figures["repeat_events"]
        if filter_seen:
            assert found.figures["repeat_events"] == found.figures["left_out_events"]
            assert found.figures["repeat_hr@10"] in (0, math.nan)
    assert repeats > 20, "hardly a repeat: the test would be weak"


def test_groups_are_left_out_when_asked(dataset_of):
    data = dataset_of([([1, 2], [3], [1])], 3)
    found = evaluate(PopRec(torch.arange(1, 4), max_length=5), data, "test", run_settings(), with_groups=False)
    assert not {"users", "new_hr@10", "cut_balance@10"} & set(found.figures)
