"""Targets by time (`targets=moments` and `horizon`, `train_window`): which state predicts which event, against a slow
version."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from by_hand import with_events
from kinds import KINDS

from negsample import InputError, SASRec, build_method, catalogue_of, fit, negative_settings, run_settings
from negsample.batches.epochs import batches_again, batches_of, epoch_batches, target_counts
from negsample.batches.from_windows import training_batch
from negsample.batches.packed import Predicted
from negsample.batches.windows import TrainEvents, training_windows
from negsample.data.description import seen_in_training
from negsample.data.moments import MOMENTS, Cuts, TrainWindow
from negsample.optim import DenseAdam
from negsample.samplers import InBatch, MemoryBank
from negsample.samplers.own_items import TargetLaw
from negsample.training.inputs import StepOptions
from negsample.training.step import step

V = 40
RULES = [None, MOMENTS, Cuts(7, 0), Cuts(7, 3), Cuts(1000, 1)]
WITHIN = [None, TrainWindow(1, 25)]


def world(seed=0, users=40, longest=25, span=60):
    draws = np.random.default_rng(seed)
    sizes = draws.integers(0, longest, users)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    items = draws.integers(1, V + 1, offsets[-1]).astype(np.int32)
    times = np.concatenate([np.sort(draws.integers(0, span, size)) for size in sizes]).astype(np.int64)
    ends = offsets[:-1] + sizes * 3 // 4  # what comes after is not trained on
    return TrainEvents(items, offsets, ends, V, times)


def slow_state(times, first, event, cuts):
    """The last event that is known when ``event`` is predicted; below ``first`` if none is."""
    if cuts is None:
        return event - 1
    time = int(times[event])
    cut = next(cut for cut in range(time, time - cuts.width, -1) if (cut - cuts.offset) % cuts.width == 0)
    return max([each for each in range(first, event) if times[each] < cut], default=first - 1)


def slow_pairs(events, max_length, which, cuts, within=None):
    """(inputs that a state has seen, target) of every target, as events; by the words of the settings."""
    found = []
    for first, end in zip(events.offsets[:-1], events.train_ends, strict=True):
        states = {event: slow_state(events.times, first, event, cuts) for event in range(first, end)}
        known = {event: state for event, state in states.items() if state >= first}
        if not known:
            continue
        stop = states[end - 1] + 1
        for event, state in known.items():
            blocks = (stop - 1 - state) // max_length  # whole windows between the state's and the last one
            if (which == "last" and blocks) or (within and events.times[event] < within.start):
                continue
            start = max(first, stop - (blocks + 1) * max_length)
            found.append((tuple(range(start, state + 1)), int(event)))
    return Counter(found)


def pairs_of(batch, events, max_length):
    """The same of a batch, found from its inputs' positions."""
    found = []
    inputs, offsets = batch.inputs, batch.inputs.offsets
    states = torch.arange(len(batch.targets_T)) if batch.predicted is None else batch.predicted.states_T
    targets_at = batch.target_offsets
    for row in range(batch.sequences):
        stop = int(batch.ends_B[row])
        start = stop - int(offsets[row + 1] - offsets[row])
        assert inputs.items_T[offsets[row] : offsets[row + 1]].tolist() == events.items[start:stop].tolist()
        own = slice(targets_at[row], targets_at[row + 1])
        assert (batch.target_rows[own] == row).all()
        for state, target in zip(states[own].tolist(), batch.targets_T[own].tolist(), strict=True):
            assert offsets[row] <= state < offsets[row + 1]
            found.append((tuple(range(start, start + state - int(offsets[row]) + 1)), target))
    return found


@pytest.mark.parametrize("cuts", RULES)
@pytest.mark.parametrize("within", WITHIN)
@pytest.mark.parametrize("which", ["last", "all"])
@pytest.mark.parametrize("max_length", [1, 4, 50])
def test_each_target_has_the_state_of_the_slow_version(cuts, within, which, max_length, rng):
    events = world()
    rule = {"max_length": max_length, "which": which, "cuts": cuts, "train_window": within}
    expected = slow_pairs(events, max_length, which, cuts, within)
    assert expected
    by_item = Counter()
    for (seen, target), count in expected.items():
        by_item[seen, int(events.items[target])] += count
    batches = list(epoch_batches(events, batch_size=7, rng=rng(0), **rule))
    assert Counter(pair for batch in batches for pair in pairs_of(batch, events, max_length)) == by_item
    counts = target_counts(events, **rule)
    assert counts.tolist() == np.bincount([events.items[t] for _, t in expected.elements()], minlength=V + 1).tolist()
    for batch in batches:
        assert (
            batch.target_counts is None if cuts in (None, MOMENTS) else batch.target_counts.tolist() == counts.tolist()
        )
    for batch in batches:  # every sequence has a target
        assert all(
            len(batch.targets_T[low:high])
            for low, high in zip(batch.target_offsets, batch.target_offsets[1:], strict=False)
        )


@pytest.mark.parametrize("cuts", RULES)
@pytest.mark.parametrize("within", WITHIN)
def test_the_keys_of_targets_are_all_of_the_users_targets(cuts, within):
    events = world(1)
    windows = training_windows(events, 4, "all", cuts, within)
    batch = training_batch(events, windows, max_length=4, which="all", cuts=cuts, train_window=within)
    by_user = Counter()
    for seen, target in slow_pairs(events, 4, "all", cuts, within).elements():
        by_user[int(np.searchsorted(events.offsets, seen[0], "right")) - 1, int(events.items[target])] += 1
    keys = batch.target_keys.tolist()
    for row, user in enumerate(batch.users_B.tolist()):
        own = Counter(key % (V + 1) for key in keys if key // (V + 1) == row)
        assert own == Counter({item: count for (whose, item), count in by_user.items() if whose == user})


@pytest.mark.parametrize("cuts", [MOMENTS, Cuts(7, 3)])
def test_a_part_of_a_batch_is_the_batch_of_its_sequences(cuts):
    events = world(2)
    batch = training_batch(events, training_windows(events, 6, "last", cuts), max_length=6, cuts=cuts)
    part = batch.part(3, 9)
    low, high = batch.target_offsets[[3, 9]]
    assert pairs_of(part, events, 6) == [
        pair for pair, row in zip(pairs_of(batch, events, 6), batch.target_rows.tolist(), strict=True) if 3 <= row < 9
    ]
    states = torch.arange(len(batch.inputs.items_T), dtype=torch.float32)
    mine = states[batch.inputs.offsets[3] : batch.inputs.offsets[9]]
    assert torch.equal(part.of_targets(mine), batch.of_targets(states)[low:high])


@pytest.fixture(scope="module")
def baskets(dataset_of):
    """Users whose events come in baskets of one time; see `timed`."""
    draws = np.random.default_rng(4)
    users = [(draws.integers(1, V + 1, 12).tolist(), [1], [2]) for _ in range(30)]
    return timed(dataset_of(users, V))


def timed(data):
    times = np.concatenate(
        [
            np.repeat(np.arange(stop - start), 3)[: stop - start]
            for start, stop in zip(data.offsets, data.offsets[1:], strict=False)
        ]
    )
    return with_events(data, data.items, times.astype(np.int64) * 10**6)


@pytest.mark.parametrize("method", KINDS)
def test_every_method_takes_targets_that_do_not_follow_the_inputs(method, baskets, rng):
    """Given by rows, but named one by one, they give the same weights bit for bit; by moments a step changes them."""

    def trained(batch, score_memory=None):
        built = build_method(method, catalogue, negative_settings(method, {}))
        model = SASRec(V, dim=8, max_length=7, blocks=1, heads=1, dropout=0.0, rng=rng(0))
        batch = replace(batch, exclude=built.exclude)
        options = StepOptions(score_memory)
        for _ in range(2):
            optimizer = DenseAdam(model.parameters(), lr=1e-2)
            loss = step(model, built, batch, optimizer, negatives_rng=rng(2), dropout_rng=rng(3), options=options)
            assert torch.isfinite(loss)
        return torch.cat([each.detach().flatten() for each in model.parameters()])

    catalogue = catalogue_of(baskets, 7)
    (batch,) = batches_of(baskets, run_settings(max_length=7, batch_size=99), "none", rng=rng(1))
    places = torch.arange(len(batch.targets_T))
    named = replace(batch, predicted=Predicted(places, batch.inputs.rows_T, batch.inputs.offsets))
    assert torch.equal(trained(batch), trained(named))
    catalogue = catalogue_of(baskets, 7, targets="moments")
    settings = run_settings(max_length=7, batch_size=99, targets="moments")
    (batch,) = batches_of(baskets, settings, "none", rng=rng(1))
    assert len(batch.targets_T) != len(batch.inputs.items_T)
    whole = trained(batch)
    if "whole" not in build_method(method, catalogue, negative_settings(method, {})).miner.needs and method not in (
        "xir",
        "dns-mn",
    ):
        torch.testing.assert_close(trained(batch, 40_000), whole, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("which", ["last", "all"])
def test_a_horizon_has_other_cuts_each_epoch_and_its_batches_the_counts_of_theirs(baskets, which, rng):
    order, found = rng(0), set()
    horizon = run_settings(max_length=6, batch_size=7, targets="horizon", horizon=4 / 86_400, windows=which)
    for _ in range(6):
        batches = list(batches_of(baskets, horizon, "history", rng=order))
        targets = torch.cat([batch.targets_T for batch in batches])
        assert batches[0].target_counts.tolist() == torch.bincount(targets, minlength=V + 1).tolist()
        assert all(batch.target_counts is batches[0].target_counts for batch in batches)
        found.add(tuple(batches[0].target_counts))
    assert len(found) > 1


@pytest.mark.parametrize("which", ["last", "all"])
@pytest.mark.parametrize("exclude", ["none", "target", "history"])
def test_the_law_of_in_batch_negatives_is_that_of_the_epochs_cuts(baskets, which, exclude, rng):
    """By brute force: how often an item is a target of others in this epoch, over how often anything allowed is."""
    counts = catalogue_of(baskets, 5, windows=which, targets="horizon").target_counts
    bank = MemoryBank(9, counts=counts)
    samplers = [InBatch(3, counts=counts, per="position"), bank]
    horizon = run_settings(max_length=5, batch_size=9, targets="horizon", horizon=3 / 86_400, windows=which)
    order = rng(4)
    for _ in range(3):
        batches = list(batches_of(baskets, horizon, exclude, rng=order))
        of_users = Counter()
        for batch in batches:
            of_users.update(zip(batch.position_users.tolist(), batch.targets_T.tolist(), strict=True))
        for batch in batches:
            assert len(bank.draw(batch, rng=rng(5)).ids) == (0 if batch is batches[0] else 9)  # of this epoch alone
            for at in range(0, len(batch.targets_T), 11):
                user, law = int(batch.position_users[at]), torch.zeros(V + 1)
                for (whose, item), count in of_users.items():
                    law[item] += count * (whose != user)
                had = baskets.items[baskets.offsets[user] : baskets.train_ends[user]].tolist()
                law[{"none": [], "target": [int(batch.targets_T[at])], "history": had}[exclude]] = 0
                rows, ids = torch.tensor([at]), torch.arange(1, V + 1).unsqueeze(0)
                for sampler in samplers:
                    found = sampler.log_prob(ids, batch, per="position", rows=rows)[0].exp()
                    torch.testing.assert_close(found, law[1:] / law.sum())


def test_a_law_goes_back_to_the_usual_counts():
    counts = torch.tensor([0, 1, 3])
    law, some = TargetLaw(counts), np.array([0, 4, 0])
    with_some, without = SimpleNamespace(target_counts=some), SimpleNamespace(target_counts=None)
    for batch, total in ((without, 4), (with_some, 4), (without, 4)):
        assert law.of(batch).total == total
        assert law.of(batch).weight(torch.tensor([1, 2])).tolist() == ([1, 3] if batch is without else [4, 0])


def test_batches_of_moments_come_again_as_they_were(baskets, rng):
    settings = run_settings(max_length=6, batch_size=9, targets="moments", windows="all")
    first = list(batches_of(baskets, settings, "history", rng=rng(0)))
    again = batches_again(baskets, settings, "history", [batch.ends_B for batch in first])
    for old, new in zip(first, again, strict=True):
        assert torch.equal(old.targets_T, new.targets_T)
        assert torch.equal(old.predicted.states_T, new.predicted.states_T)
        assert torch.equal(old.target_keys, new.target_keys)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"targets": "moments", "padding": "count"}, "padding=count is for targets=rows"),
        ({"targets": "horizon", "oversampling_factor": 2}, "oversampling_factor must be left out"),
        ({"targets": "days"}, "targets"),
        ({"horizon": 7}, "horizon=7 is for targets=horizon"),
        ({"targets": "moments", "horizon": 7}, "horizon=7 is for targets=horizon"),
        ({"targets": "horizon", "horizon": 0}, "horizon"),
        ({"targets": "horizon", "horizon": "week"}, "horizon='week'"),
        ({"train_window": 0}, "train_window"),
        ({"train_window": 1e6}, "train_window"),
        ({"train_window": 7, "padding": "count"}, "leave one out"),
        ({"weight_half_life": 0}, "weight_half_life"),
    ],
)
def test_what_does_not_go_with_it_is_refused(wrong, said):
    with pytest.raises(InputError, match=said):
        run_settings(**wrong)


def test_a_log_with_one_moment_a_user_is_refused(dataset_of, rng):
    data = dataset_of([([1, 2, 3], [4], [5])] * 3, 5, [0] * 15)
    settings = run_settings(targets="moments", max_length=4)
    method = build_method("random", catalogue_of(data, 4), negative_settings("random", {}))
    model = SASRec(5, dim=50, max_length=4, blocks=2, heads=1, dropout=0.2, rng=rng(0))
    with pytest.raises(InputError, match="take targets=rows"):
        fit(model, data, method, settings, seed=0)
    for targets in ("moments", "horizon"):  # before a method that asks how often items are targets
        with pytest.raises(InputError, match="take targets=rows"):
            catalogue_of(data, 4, targets=targets)


@pytest.mark.parametrize("targets", ["rows", "moments"])
@pytest.mark.parametrize("windows", ["last", "all"])
def test_how_many_events_are_seen(baskets, targets, windows):
    cuts = None if targets == "rows" else MOMENTS
    pairs = slow_pairs(baskets, 5, windows, cuts)
    seen = {event for inputs, target in pairs for event in (*inputs, target)}
    last = {
        (first, end): [p for p in pairs if first <= p[1] < end]
        for first, end in zip(baskets.offsets[:-1], baskets.train_ends, strict=True)
    }
    for (_, end), own in last.items():  # inputs of a window that no later target needs are seen too
        if own:
            seen |= set(range(min(inputs[0] for inputs, _ in own), end))
    settings = run_settings(max_length=5, windows=windows, targets=targets)
    assert seen_in_training(baskets, settings)["events"] == len(seen)
