"""Head, mid and tail of real logs, with the counts that a dataset says of itself."""

from __future__ import annotations

import pytest
from slow import cohorts, split


@pytest.mark.parametrize("rule", ["paper", "timestamp"])
def test_cohorts_and_what_the_manifest_says_of_them(log, world_of, rule):
    world = world_of(log, rule)
    data, train = world.data, world.train
    count_of = cohorts.counts(train, data.catalogue_size)
    assert data.train_counts.tolist() == count_of
    cohort_of = cohorts.cohorts(count_of)
    assert data.cohorts.tolist() == cohort_of
    test = [item for events in world.events for item in split.of_part(events, split.TEST)]
    for cohort, name in enumerate(cohorts.NAMES):
        said, members = data.manifest.cohorts[name], [i for i, each in enumerate(cohort_of) if each == cohort]
        assert said.items == len(members)
        assert said.item_share == pytest.approx(len(members) / data.catalogue_size)
        assert said.train_events == sum(count_of[item] for item in members)
        assert said.test_events == sum(cohort_of[item] == cohort for item in test)
        assert said.mpu == pytest.approx(cohorts.mpu(train, cohort_of, cohort))


def test_the_counts_of_a_dataset(log, world_of):
    world = world_of(log, "timestamp")
    said, events = world.data.manifest, world.events
    flat = [event for each in events for event in each]
    for name, part in (("train_events", 0), ("valid_events", 1), ("test_events", 2)):
        assert getattr(said, name) == sum(event.part == part for event in flat)
    assert (said.events, said.users, said.items) == (len(flat), len(events), len({e.item for e in flat}))
    trained = {event.item for event in flat if event.part == split.TRAIN}
    assert said.cold_valid_events == sum(e.part == split.VALID and e.item not in trained for e in flat)
    assert said.cold_test_events == sum(e.part == split.TEST and e.item not in trained for e in flat)
    for name, part in (("valid", split.VALID), ("test", split.TEST)):
        lonely = [each for each in events if not any(event.part < part for event in each)]
        assert getattr(said, f"{name}_events_without_history") == sum(e.part == part for each in lonely for e in each)
    shared = 0
    for each in events:
        times = [event.time for event in each]
        shared += sum(times.count(time) > 1 for time in times)
    assert said.tie_share == pytest.approx(shared / len(flat))
