"""Both cuts, the order inside a user, what is trained on and what is measured, on real logs."""

from __future__ import annotations

import numpy as np
import pytest
from slow import logs, split

from negsample import generator, run_settings, split_by_time
from negsample.batches.epochs import batches_of
from negsample.evaluation.queries import queries


@pytest.mark.parametrize("rule", ["paper", "timestamp"])
def test_every_row_of_a_whole_log_gets_its_part(log, whole_log, rule):
    times = whole_log(log).time
    assert split_by_time(np.array(times), rule=rule).tolist() == split.parts(times, rule)


@pytest.mark.parametrize("rule", ["paper", "timestamp"])
def test_every_user_has_their_events_in_their_order_and_parts(log, rows_of, world_of, rule):
    rows, data = rows_of(log), world_of(log, rule).data
    users, items = data.user_ids().to_list(), data.item_ids().to_list()
    found = split.users(rows, split.parts(rows.time, rule))
    assert set(users) == set(found)
    assert set(items) == set(rows.item)
    for number, user in enumerate(users):
        first, last = data.offsets[number], data.offsets[number + 1]
        ends = [first, data.train_ends[number], data.valid_ends[number], last]
        for part in (split.TRAIN, split.VALID, split.TEST):
            mine = [items[item - 1] for item in data.items[ends[part] : ends[part + 1]]]
            assert mine == split.of_part(found[user], part)
        seconds = [time // 1_000_000 for time in data.times[first:last].tolist()]
        assert seconds == [event.time for event in found[user]]
    assert data.manifest.cold_items == len(split.cold(found))


@pytest.mark.parametrize("which", ["last", "all"])
@pytest.mark.parametrize("longest", [4, 50])
def test_an_epoch_trains_every_user_with_two_events(log, world_of, longest, which):
    """On their latest events, or on all of them in windows."""
    world = world_of(log, "timestamp")
    rng, settings = generator(1, "order"), run_settings(max_length=longest, batch_size=37, windows=which)
    seen = []
    for batch in batches_of(world.data, settings, "history", rng=rng):
        inputs, targets, ends = batch.inputs.items_T.tolist(), batch.targets_T.tolist(), batch.inputs.offsets.tolist()
        for row, user in enumerate(batch.users_B.tolist()):
            seen.append((user, inputs[ends[row] : ends[row + 1]], targets[ends[row] : ends[row + 1]]))
            slots = batch.inputs.positions_T[ends[row] : ends[row + 1]].tolist()
            assert slots == list(range(longest - len(slots), longest))
    expected = []
    for user, events in enumerate(world.events):
        last = split.training(events, longest)
        windows = split.windows(events, longest) if which == "all" else [last] if last else []
        expected += [(user, *each) for each in windows]
    assert sorted(seen) == sorted(expected)
    assert world.data.manifest.trained_users == len({user for user, _, _ in seen})


@pytest.mark.parametrize("part", ["valid", "test"])
@pytest.mark.parametrize("history", ["frozen", "rolling", "rolling-basket"])
def test_events_are_measured_for_the_history_that_is_known(log, world_of, part, history):
    world, longest = world_of(log, "timestamp"), 7
    found = queries(world.data, part, history=history, max_length=longest)
    expected = [
        (user, *each)
        for user, events in enumerate(world.events)
        for each in split.measured(events, {"valid": 1, "test": 2}[part], history, longest)
    ]
    windows, items = found.windows, world.data.items
    mine = []
    for query, target in zip(found.query_E, found.targets_E, strict=True):
        user = int(windows.users[query])
        known = items[world.data.offsets[user] : found.known_until[query]].tolist()
        seen = items[windows.starts[query] : windows.stops[query]].tolist()
        mine.append((user, seen, int(target), set(known)))
    key = repr
    assert sorted(mine, key=key) == sorted(expected, key=key)


def test_a_slice_is_the_rows_of_its_users(rows_of, whole_log):
    """The slices are of the logs, untouched."""
    some, everything = rows_of("online-retail"), whole_log("online-retail")
    chosen = set(some.user)
    assert len(chosen) == 160
    kept = [row for row, user in enumerate(everything.user) if user in chosen]
    assert some == logs.Rows(*([column[row] for row in kept] for column in everything))
