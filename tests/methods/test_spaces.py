"""No trial of a search leaves its method's definition: what selects has something to choose from."""

from __future__ import annotations

import optuna
import pytest
import torch
from optuna.trial import TrialState

from negsample.errors import InputError
from negsample.methods import METHODS, Catalogue, build_method, negative_settings
from negsample.methods.fields import Among, OneOf, Real, Whole
from negsample.methods.spaces import narrowed
from negsample.miners import Chain, Hardest, OneOfHardest, Resample
from negsample.settings import run_settings
from negsample.studies.search import STARTUP, _at, _chosen, next_trial
from negsample.studies.tuning import plan_tunings

POOLS = (
    "random_negatives",
    "popularity_negatives",
    "log_uniform_negatives",
    "in_batch_negatives",
    "cohort_negatives",
    "cache_negatives",
)
SELECTING = ("adaptive", "adaptive-mixed", "adaptive-in-batch", "dns", "dns-mn", "xir", "tron")
COUNTS = torch.tensor([0, *range(1000, 0, -1)])
SETTINGS = run_settings().flat()


def is_itself(name, negatives):
    """Whether ``negatives`` are the method and not another one: by its selector, not by the space."""
    try:
        method = build_method(name, Catalogue(1000, COUNTS, COUNTS), negatives)
    except InputError:
        return False
    proposed = sum(value for key, value in negatives.items() if key in POOLS)
    steps = method.miner.steps if isinstance(method.miner, Chain) else [method.miner]
    for each in steps:
        if isinstance(each, Hardest) and not 0 < each.k < proposed:
            return False
        if isinstance(each, OneOfHardest) and not 0 < each.n < proposed:
            return False
        if isinstance(each, Resample) and not 0 < each.k <= proposed:
            return False
    return True


def inside(value, space):
    if isinstance(space, OneOf):
        return value in space.values
    return space.low <= value <= space.high and (isinstance(space, Real) or value == int(value))


def test_the_selecting_methods_are_known():
    """Who comes to the table with a selector is tried here too."""
    found = []
    for name, row in METHODS.items():
        miner = build_method(name, Catalogue(1000, COUNTS, COUNTS), negative_settings(name, {})).miner
        if any(isinstance(each, Hardest | OneOfHardest | Resample) for each in getattr(miner, "steps", [miner])):
            found.append(name)
        assert is_itself(name, negative_settings(name, {})), row
    assert sorted(found) == sorted(SELECTING)


@pytest.mark.parametrize("name", METHODS)
def test_no_point_of_a_space_leaves_the_method(name, rng):
    """200 points of each: at random, and of them many at the ends, where the ranges do not fit together."""
    space, given = METHODS[name].space, negative_settings(name, {})
    shares = torch.rand(200, len(space), generator=rng(0), dtype=torch.float64)
    shares[::3] = shares[::3].round() * (1 - 1e-9)
    narrow = 0
    for row in shares.tolist():
        point = dict(zip(space, row, strict=True))
        found = _chosen(space, SETTINGS | given, lambda key, each, point=point: _at(point[key], each))
        assert all(inside(value, space[key]) for key, value in found.items())
        negatives = {key: value for key, value in found.items() if key in given}
        assert is_itself(name, given | negatives), found
        loose = {key: _at(point[key], each) for key, each in space.items() if key in given}
        narrow += not is_itself(name, given | loose)
    assert (narrow > 0) == (name in ("adaptive", "adaptive-mixed", "adaptive-in-batch", "dns-mn", "xir"))


@pytest.mark.parametrize("name", SELECTING)
def test_what_a_search_proposes_stays_the_method(name):
    """From its first trial to those that Optuna proposes, where the best so far keep as many as they can."""
    space, given = METHODS[name].space, negative_settings(name, {})
    kept, drawn = [], []
    for number in range(STARTUP + 25):
        trial = next_trial(kept, space, SETTINGS | given, seed=number if number > STARTUP else 0, warm_up=2)
        drawn.append({key: value for key, value in trial.params.items() if key in given})
        assert set(trial.params) == set(space)
        assert is_itself(name, given | drawn[-1]), drawn[-1]
        share = sum(drawn[-1].get(key, 0) for key in ("kept_hardest", "picked_from", "resampled"))
        value = share / sum(drawn[-1][key] for key in POOLS if key in drawn[-1])
        if number < STARTUP + 5:
            made = {"params": trial.params, "distributions": trial.distributions, "value": value}
            kept.append(optuna.create_trial(state=TrialState.COMPLETE, **made))
    assert len({tuple(each.values()) for each in drawn}) > 15


def test_what_is_given_bounds_what_is_searched():
    among = Among(("random_negatives", "in_batch_negatives"), (("kept_hardest", 1),))
    spaces = {
        "random_negatives": Whole(2, 500, among),
        "in_batch_negatives": Whole(2, 200, among),
        "kept_hardest": Whole(1, 50, among),
    }
    two = {"random_negatives": 3, "in_batch_negatives": 4}
    assert narrowed("kept_hardest", spaces, two) == Whole(1, 6)
    assert narrowed("kept_hardest", spaces, {"random_negatives": 300, "in_batch_negatives": 4}) == Whole(1, 50)
    assert narrowed("kept_hardest", spaces, {"random_negatives": 3, "in_batch_negatives": "all"}) == Whole(1, 50)
    pools = {key: each for key, each in spaces.items() if key != "kept_hardest"}
    assert narrowed("random_negatives", pools, {"kept_hardest": 300}) == Whole(101, 500)
    assert narrowed("in_batch_negatives", pools, {"kept_hardest": 300, "random_negatives": 101}) == Whole(200, 200)
    for selects, leaves, least in (("resampled", 0, 7), ("picked_from", 1, 8)):
        space = {"random_negatives": Whole(5, 9, Among(("random_negatives",), ((selects, leaves),)))}
        assert narrowed("random_negatives", space, {selects: 7}) == Whole(least, 9)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("adaptive", {"kept_hardest": 600}, "no random_negatives from 2 to 500 .*kept_hardest=600"),
        ("adaptive-in-batch", {"in_batch_negatives": 1}, "no kept_hardest from 1 to 25 .*in_batch_negatives=1"),
        ("dns-mn", {"picked_from": 500}, "no random_negatives from 5 to 500 .*picked_from=500"),
    ],
)
def test_a_search_in_which_nothing_is_left_is_refused(name, changes, message, dataset_of, tmp_path):
    data = dataset_of([([1, 2, 3], [4], [5])], 9)
    given = {"trials": 3, "seed": 0, "settings": run_settings(), "changes": changes, "given": (), "folder": tmp_path}
    with pytest.raises(InputError, match=message):
        plan_tunings([data], [name], **given)
    assert plan_tunings([data], [name], **(given | {"changes": {}}))
