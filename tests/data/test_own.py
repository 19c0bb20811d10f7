"""What a user had before a time, against loops over all events."""

from __future__ import annotations

import numpy as np
import pytest

from negsample.data import blocks
from negsample.data.own import own_before, repeats_of


@pytest.mark.parametrize("block", [blocks.BLOCK, 50])
def test_own_items_before_a_time(monkeypatch, block):
    monkeypatch.setattr(blocks, "BLOCK", block)
    draws = np.random.default_rng(2)
    offsets = np.concatenate([[0], np.cumsum([40, 0, 1, 90, 25])])
    items = draws.integers(1, 9, offsets[-1])
    times = np.concatenate([np.sort(draws.integers(0, 30, size)) for size in np.diff(offsets)])
    users_R, times_R = draws.integers(0, 5, 60), draws.integers(-2, 33, 60)
    until_R = np.array(
        [
            offsets[user] + (times[offsets[user] : offsets[user + 1]] < time).sum()
            for user, time in zip(users_R, times_R, strict=True)
        ]
    )
    found = own_before(items, times, offsets, repeats_of(items, offsets, 9), users_R, until_R, times_R, 9)
    slow = []
    for row, (user, time) in enumerate(zip(users_R, times_R, strict=True)):
        past = slice(offsets[user], until_R[row])
        assert found.length_R[row] == until_R[row] - offsets[user]
        for item in np.unique(items[past]):
            of = items[past] == item
            slow.append((row, item, of.sum(), time - times[past][of].max()))
    assert list(zip(found.row_E, found.item_E, found.count_E, found.since_E, strict=True)) == slow


def test_nobody_has_anything():
    none = np.zeros(0, np.int64)
    found = own_before(
        none, none, np.zeros(1, np.int64), repeats_of(none, np.zeros(1, np.int64), 3), none, none, none, 3
    )
    assert all(len(each) == 0 for each in found)
