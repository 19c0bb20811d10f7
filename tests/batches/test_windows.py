"""``windows=all``: every train event but a user's first is a target once an epoch, and all that counts knows of it."""

import json
from collections import Counter

import numpy as np
import pytest
import torch

from negsample.batches.epochs import batches_again, batches_of, target_counts
from negsample.batches.windows import TrainEvents, training_windows
from negsample.data.description import describe, seen_in_training
from negsample.methods import build_method, catalogue_of, negative_settings
from negsample.samplers import InBatch
from negsample.samplers.own_items import own_targets
from negsample.settings import run_settings
from negsample.studies.files import write_study
from negsample.studies.forecast.needs import positions_of
from negsample.studies.study import plan
from negsample.training.inputs import propose
from negsample.training.replay import Replay

V = 30


def slow_windows(sizes, longest, which):
    """(user, first input, end of the inputs) of each, by the words of the setting."""
    found, start = [], 0
    for user, size in enumerate(sizes):
        end = start + size
        own = []
        while end - start >= 2 and (not own or which == "all"):
            own.append((user, max(start, end - (longest + 1)), end - 1))
            end -= longest
        found += reversed(own)
        start += size
    return found


@pytest.fixture(scope="module")
def data(dataset_of):
    draws = np.random.default_rng(3)
    sizes = [0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 40, *draws.integers(2, 30, 20).tolist()]
    users = [(draws.integers(1, V + 1, size).tolist(), [1], [2]) for size in sizes]
    return dataset_of(users, V)


def sizes_of(data):
    return (data.train_ends - data.offsets[:-1]).tolist()


@pytest.mark.parametrize("which", ["last", "all"])
@pytest.mark.parametrize("longest", [1, 2, 7, 8, 50])
def test_windows_against_the_slow_version(which, longest):
    sizes = [0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 40]
    offsets = np.append(0, np.cumsum(sizes))
    events = TrainEvents(np.zeros(offsets[-1], np.int32), offsets, offsets[1:], V)
    found = training_windows(events, longest, which)
    assert list(zip(found.users, found.starts, found.stops, strict=True)) == slow_windows(sizes, longest, which)


@pytest.mark.parametrize("with_replacement", [False, True])
def test_every_event_but_a_users_first_is_a_target_once_an_epoch(data, rng, with_replacement):
    settings = run_settings(windows="all", max_length=8, batch_size=4, with_replacement=with_replacement)
    batches = list(batches_of(data, settings, "history", rng=rng(0)))
    job = plan([data], ["random"], repeats=1, seed=0, settings=settings)[-1]
    assert len(batches) == positions_of(job).steps
    windows = slow_windows(sizes_of(data), 8, "all")
    idle = sum(size < 2 for size in sizes_of(data))
    assert len(batches) == (-(-len(windows) // 4) if not with_replacement else (len(windows) + idle) // 4)
    found = Counter(int(item) for batch in batches for item in batch.targets_T)
    expected = Counter(
        int(item)
        for first, end in zip(data.offsets[:-1], data.train_ends, strict=True)
        for item in data.items[first + 1 : end]
    )
    if not with_replacement:
        assert found == expected
    counts = target_counts(data, max_length=8, which="all")
    assert dict(enumerate(counts)) == {item: expected[item] for item in range(V + 1)}
    assert catalogue_of(data, 8, windows="all").target_counts.tolist() == counts.tolist()


def test_what_a_user_has_is_no_negative_in_any_of_their_windows(data, rng):
    settings = run_settings(windows="all", max_length=8, batch_size=1000)
    (batch,) = batches_of(data, settings, "history", rng=rng(0))
    keys = set(batch.history_keys.tolist())
    for row, user in enumerate(batch.users_B.tolist()):
        had = set(data.items[data.offsets[user] : data.train_ends[user]].tolist())
        assert {key % (V + 1) for key in keys if key // (V + 1) == row} == had


@pytest.mark.parametrize("which", ["last", "all"])
def test_a_batch_that_is_kept_comes_again_as_it_was(data, rng, which):
    settings = run_settings(windows=which, max_length=8, batch_size=5)
    method = build_method("random", catalogue_of(data, 8, windows=which), negative_settings("random", {}))
    first = list(batches_of(data, settings, "history", rng=rng(0)))
    kept = [Replay.of(batch, propose(method, batch, rng=rng(1))) for batch in first]
    again = batches_again(data, settings, "history", (each.ends_B for each in kept))
    for old, new in zip(first, again, strict=True):
        for name in ("targets_T", "users_B", "ends_B", "history_keys"):
            assert torch.equal(getattr(old, name), getattr(new, name)), name
        assert own_targets(old).totals.tolist() == own_targets(new).totals.tolist()
        assert torch.equal(old.inputs.items_T, new.inputs.items_T)
        assert torch.equal(old.inputs.positions_T, new.inputs.positions_T)


@pytest.mark.parametrize("exclude", ["none", "target", "history"])
def test_the_law_of_in_batch_negatives_is_without_all_windows_of_the_user(data, rng, exclude):
    """By hand: how often an item is a target of others, over how often anything allowed is."""
    settings = run_settings(windows="all", max_length=8, batch_size=12)
    counts = catalogue_of(data, 8, windows="all").target_counts
    for batch in batches_of(data, settings, exclude, rng=rng(0)):
        ids = torch.arange(1, V + 1).expand(len(batch.targets_T), -1)
        found = InBatch(3, counts=counts, per="position").log_prob(ids, batch, per="position").exp()
        for at in range(0, len(ids), 7):
            user = int(batch.users_B[batch.inputs.rows_T[at]])
            had = data.items[data.offsets[user] : data.train_ends[user]].tolist()
            others = counts - torch.bincount(torch.tensor(had[1:]), minlength=V + 1)
            out = {"none": [], "target": [int(batch.targets_T[at])], "history": had}[exclude]
            others[out] = 0
            assert found[at].tolist() == pytest.approx((others[1:] / others.sum()).tolist())
        part = batch.part(2, 5)
        own, whole = own_targets(part), own_targets(batch)
        assert own.totals.tolist() == whole.totals[2:5].tolist()


def test_what_is_said_of_it(data, world):
    sizes = sizes_of(data)
    trained = [size for size in sizes if size >= 2]
    seen = seen_in_training(data, run_settings(max_length=8))
    assert seen == {"users": len(trained), "events": sum(min(size, 9) for size in trained), "with": "max_length 8"}
    assert seen_in_training(data, run_settings(max_length=8, windows="all"))["events"] == sum(trained)
    facts = dict(describe(world(), run_settings(max_length=5, windows="all")).facts)
    assert facts["train events used in training"].endswith("(100.0 %) at max_length 5, windows all")


def test_a_study_keeps_what_its_models_saw(world, tmp_path):
    data = world()
    settings = run_settings(windows="all", max_length=5)
    write_study(plan([data], ["random"], repeats=1, seed=0, settings=settings), tmp_path, {})
    facts = json.loads((tmp_path / "datasets" / f"{data.name}.json").read_text())
    assert facts["seen"] == seen_in_training(data, settings)
